"""What a protocol file may say, read off the frozen model: names, numbers, units, ids. All faults at once.

Values that depend on each other are a clinician's matter and stand in `kerp.protocol.check`.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Union, get_args, get_origin, get_type_hints

from kerp.base.tomlfile import KeyPath
from kerp.evidence.sourced import Sourced
from kerp.protocol.model import Protocol
from kerp.protocol.vocabulary import CHOICES, MAY_BE_NEGATIVE, MUST_BE_POSITIVE, UNITS

ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
LARGEST = 1_000_000.0  # no dose, time or count of a session comes near


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault before it has a file and a line: the path in the merged data, and the words.

    `readable` is False where what stands there cannot be made sense of, so that what depends on it cannot either.
    """

    path: KeyPath
    message: str
    found: str = ""
    allowed: str = ""
    ways_out: tuple[str, ...] = ()
    readable: bool = True


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Every unknown name, impossible number, wrong unit and malformed id of a merged protocol."""
    yield from _record(Protocol, data, ())


_HINTS: dict[str, dict[str, Any]] = {}


def hints(cls: type[Any]) -> dict[str, Any]:
    """Field types of a record of the model."""
    if cls.__name__ not in _HINTS:
        _HINTS[cls.__name__] = get_type_hints(cls)
    return _HINTS[cls.__name__]


def _record(cls: type[Any], data: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    known = [f.name for f in fields(cls)]
    for key, value in data.items():
        if key not in known:
            yield _unknown((*path, key), key, known)
        else:
            yield from _value(hints(cls)[key], value, (*path, key))
            yield from _choice(cls, key, value, (*path, key))
    if cls is Sourced:
        yield from _unit(data, path)


def _unknown(path: KeyPath, key: str, known: list[str]) -> Finding:
    near = get_close_matches(key, known, n=3, cutoff=0.5)
    ways = (f"did you mean {' or '.join(near)}?",) if near else ()
    return Finding(path, f"{key!r} means nothing here", key, ", ".join(known), ways)


def _value(hint: Any, value: Any, path: KeyPath) -> Iterator[Finding]:
    hint = without_none(hint)
    if isinstance(value, Mapping):
        yield from _mapping(hint, value, path)
    elif isinstance(value, list) and get_origin(hint) is tuple:
        for index, item in enumerate(value):
            yield from _value(get_args(hint)[0], item, (*path, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, path)
    elif isinstance(value, str):
        yield from _text(value, path)


def _mapping(hint: Any, value: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    if is_dataclass(hint) and isinstance(hint, type):
        yield from _record(hint, value, path)
    elif get_origin(hint) is Mapping:
        for key, item in value.items():
            yield from _value(get_args(hint)[1], item, (*path, key))


def without_none(hint: Any) -> Any:
    """The type of an optional field."""
    if get_origin(hint) in {types.UnionType, Union}:
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def _name(path: KeyPath) -> str:
    """The field a number belongs to: `value` and list positions belong to what holds them."""
    return next(part for part in reversed(path) if isinstance(part, str) and part != "value")


def _number(value: float, path: KeyPath) -> Iterator[Finding]:
    name = _name(path)
    if not math.isfinite(value):
        fault = ("this is not a number that can be used", str(value), "a finite number")
    elif abs(value) > LARGEST:
        fault = ("this number is far too large", f"{float(value):g}", f"at most {LARGEST:,.0f}")
    elif name in MUST_BE_POSITIVE and value <= 0:
        fault = (f"{name} must be above zero", f"{value:g}", "a number above zero")
    elif value < 0 and name not in MAY_BE_NEGATIVE:
        fault = (f"{name} cannot be negative", f"{value:g}", "zero or more")
    else:
        return
    yield Finding(path, *fault, readable=False)


def _text(value: str, path: KeyPath) -> Iterator[Finding]:
    if path[-1] == "id" and not ID.fullmatch(value):
        yield Finding(path, "an id is small letters, digits, - and _", value, "for example day1_call")
    elif path[-1] in {"title", "text", "source", "who_decides", "version"} and not value.strip():
        yield Finding(path, f"{path[-1]} is empty", ways_out=(f"write the {path[-1]}",))


def _choice(cls: type[Any], key: str, value: Any, path: KeyPath) -> Iterator[Finding]:
    allowed = CHOICES.get((cls.__name__, key))
    if allowed is None:
        return
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item not in allowed:
            near = get_close_matches(item, allowed, n=2, cutoff=0.5)
            ways = (f"did you mean {' or '.join(near)}?",) if near else ()
            message = f"there is no {key.rstrip('s').replace('_', ' ')} {item!r}"
            yield Finding(path, message, item, ", ".join(allowed), ways, readable=False)


def _unit(data: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    """The unit a number states must be the one its name promises: `max_dose_mg` is in mg, never in ug or mL."""
    unit, name = data.get("unit"), _name(path)
    wanted = unit_of(name)
    if isinstance(unit, str) and wanted is not None and unit != wanted:
        ways = (f"convert the value to {wanted}", f'if the value is in {wanted} already, write unit = "{wanted}"')
        message = f"{name} is in {wanted}, but the unit says {unit}"
        yield Finding((*path, "unit"), message, unit, wanted, ways, readable=False)


def unit_of(name: str) -> str | None:
    """The unit that the name of a field promises; None where it promises none."""
    return next((unit for suffix, unit in UNITS if name.endswith(suffix)), None)
