"""Entries to plain data and back, strictly: every fault is named with its field, what was found and what is allowed.

`decode(encode(entry)) == entry`. An event of an unknown type comes back as `UnknownEvent` and is written out again as
it came, so that an older version never loses what a newer one recorded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.session.events import EVENT_TYPES, Entry, Event, UnknownEvent
from kerp.session.kinds import (
    Anything,
    Choice,
    FieldKind,
    Flag,
    Kind,
    Many,
    Maybe,
    Nested,
    Number,
    Table,
    Text,
    fields_of,
)

_DEEPEST = 20
_MOST_MEMBERS = 5_000


class _Faults:
    """Collects what is wrong, so that all of it is reported at once."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: str, message: str, value: Any, allowed: str) -> None:
        shown = repr(value)
        self.found.append(Fault(message, field=path, found=shown[:80], allowed=allowed))


def encode(entry: Entry) -> dict[str, Any]:
    """An entry as plain data for JSON; `KerpError` where a field holds what its type does not allow."""
    faults = _Faults()
    written = {name: _write(getattr(entry, name), f, name, faults) for name, f in fields_of(Entry).items()}
    _stop_at(faults)
    return written


def decode(data: Any) -> Entry:
    """Plain data to an entry; `KerpError` with every fault, each with its field path."""
    faults = _Faults()
    values = _read_fields(data, Entry, "", faults)
    _stop_at(faults)
    return Entry(**values)


def encode_event(event: Event) -> dict[str, Any]:
    """An event as plain data, its `type` first."""
    faults = _Faults()
    written = _write_event(event, "event", faults)
    _stop_at(faults)
    return written


def decode_event(data: Any) -> Event:
    """Plain data with a `type` to an event."""
    faults = _Faults()
    event = _read_event(data, "event", faults)
    _stop_at(faults)
    assert event is not None
    return event


def faults_of(event: Event) -> tuple[Fault, ...]:
    """What makes an event malformed: wrong types, numbers off their scale, empty names."""
    faults = _Faults()
    _write_event(event, "", faults)
    return tuple(faults.found)


def secret_fields(event: Event) -> tuple[str, ...]:
    """Paths of fields that are filled and would tell the arm in a blinded trial (M8): a zero is filled.

    An event within another (what a correction puts in the place of an entry) is looked into.
    """
    if isinstance(event, UnknownEvent):
        return ()
    return tuple(path for name, spec in fields_of(type(event)).items() for path in _secret(name, spec, event))


def _secret(name: str, spec: FieldKind, event: Event) -> tuple[str, ...]:
    value = getattr(event, name)
    if isinstance(value, Event):
        return tuple(f"{name}.{inner}" for inner in secret_fields(value))
    return (name,) if spec.secret and value not in (None, "", ()) else ()


def _stop_at(faults: _Faults) -> None:
    if faults.found:
        raise KerpError(*faults.found)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# --- writing ---


def _write(value: Any, spec: FieldKind, path: str, faults: _Faults) -> Any:
    return _write_kind(value, spec.kind, path, faults)


def _write_event(event: Any, path: str, faults: _Faults) -> dict[str, Any]:
    if isinstance(event, UnknownEvent):
        _check_anything(event.raw, path, faults)
        return {"type": event.name, **event.raw}
    if type(event) not in EVENT_TYPES.values():
        faults.add(path, "this is not an event", event, "one of the event types")
        return {}
    fields = fields_of(type(event)).items()
    return {"type": event.type} | {n: _write(getattr(event, n), f, _at(path, n), faults) for n, f in fields}


def _write_kind(value: Any, kind: Kind, path: str, faults: _Faults) -> Any:
    match kind:
        case Maybe(inner):
            return None if value is None else _write_kind(value, inner, path, faults)
        case Nested():
            return _write_event(value, path, faults)
        case Many(item, _):
            members = list(value) if isinstance(value, tuple) else value
            _check(members, kind, path, faults)
            written = members if isinstance(members, list) else []
            return [_write_kind(v, item, f"{path}[{i}]", faults) for i, v in enumerate(written)]
        case Table(inner) if isinstance(value, Mapping):
            _check(value, kind, path, faults)
            return {k: _write_kind(v, inner, _at(path, str(k)), faults) for k, v in value.items()}
        case Choice(of):
            if not isinstance(value, of):
                faults.add(path, "this is not one of the codes", value, ", ".join(of))
            return str(value)
        case _:
            return _check(value, kind, path, faults)


# --- reading ---


def _read_fields(data: Any, cls: type[Any], path: str, faults: _Faults) -> dict[str, Any]:
    """The fields of `cls` out of a JSON object; what is missing, surplus or wrong becomes a fault."""
    if not isinstance(data, Mapping):
        faults.add(path, "a JSON object was expected", data, "an object with named fields")
        return {}
    known = fields_of(cls)
    for name in data:
        if name not in known and not (name == "type" and issubclass(cls, Event)):
            faults.add(_at(path, str(name)), "there is no such field", name, ", ".join(known))
    for name, spec in known.items():
        if spec.required and name not in data:
            faults.add(_at(path, name), "this field is missing", None, _allowed(spec.kind))
    return {n: _read_kind(data[n], f.kind, _at(path, n), faults) for n, f in known.items() if n in data}


def _read_event(data: Any, path: str, faults: _Faults) -> Event | None:
    name = data.get("type") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(name, str) or not name:
        faults.add(path, "an event needs its type", data, 'an object with "type"')
        return None
    if name not in EVENT_TYPES:
        raw = {key: value for key, value in data.items() if key != "type"}
        _check_anything(raw, path, faults)
        return UnknownEvent(name=name, raw=raw)
    before = len(faults.found)
    values = _read_fields(data, EVENT_TYPES[name], path, faults)
    return EVENT_TYPES[name](**values) if len(faults.found) == before else None


def _read_kind(value: Any, kind: Kind, path: str, faults: _Faults) -> Any:
    match kind:
        case Maybe(inner):
            return None if value is None else _read_kind(value, inner, path, faults)
        case Nested():
            return _read_event(value, path, faults)
        case Many(item, _):
            if _check(value, kind, path, faults) is None:
                return ()
            return tuple(_read_kind(v, item, f"{path}[{i}]", faults) for i, v in enumerate(value))
        case Table(inner) if isinstance(value, Mapping):
            _check(value, kind, path, faults)
            return {k: _read_kind(v, inner, _at(path, str(k)), faults) for k, v in value.items()}
        case Choice(of):
            if isinstance(value, str) and value in set(of):
                return of(value)
            faults.add(path, "this is not one of the codes", value, ", ".join(of))
            return None
        case _:
            return _check(value, kind, path, faults)


# --- checks both ways ---


def _allowed(kind: Kind) -> str:
    match kind:
        case Number(whole, limit):
            sort = "a whole number" if whole else "a number"
            return f"{sort} from {limit.low:g} to {limit.high:g} {limit.unit}"
        case Text(length, shape):
            sort = f"text like {shape.example}" if shape else "text"
            return f"{sort} of {length.least} to {length.most} characters"
        case Choice(of):
            return ", ".join(of)
        case Many(item, length):
            return f"a list of {length.least} to {length.most}: {_allowed(item)}"
        case Maybe(inner):
            return f"{_allowed(inner)}, or null"
        case _:
            return {Flag: "true or false", Table: "an object of names and values"}.get(type(kind), "an object")


def _check(value: Any, kind: Kind, path: str, faults: _Faults) -> Any:
    check: Callable[[Any, Any], tuple[Any, str]] = _CHECKS[type(kind)]
    good, problem = check(value, kind)
    if problem:
        faults.add(path, problem, value, _allowed(kind))
        return None
    return good


def _check_number(value: Any, kind: Number) -> tuple[Any, str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, "a number was expected"
    if isinstance(value, float) and not math.isfinite(value):
        return None, "this is not a number that can be recorded"
    if not kind.limit.low <= value <= kind.limit.high:
        return None, "this number is off the scale"
    if kind.whole and value != int(value):
        return None, "a whole number was expected"
    return (int(value) if kind.whole else float(value)), ""


def _check_text(value: Any, kind: Text) -> tuple[Any, str]:
    if not isinstance(value, str):
        return None, "text was expected"
    if not kind.length.least <= len(value) <= kind.length.most:
        return None, "this may not be empty" if not value else "this text is too long"
    if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
        return None, "this text holds characters that cannot be stored"
    if kind.shape and not (not value and kind.shape.optional) and not re.fullmatch(kind.shape.pattern, value):
        return None, "this text has another shape than it must"
    return value, ""


def _check_flag(value: Any, _kind: Flag) -> tuple[Any, str]:
    return (value, "") if isinstance(value, bool) else (None, "true or false was expected")


def _check_many(value: Any, kind: Many) -> tuple[Any, str]:
    if not isinstance(value, list):
        return None, "a list was expected"
    if not kind.length.least <= len(value) <= kind.length.most:
        return None, "this list has too few or too many members"
    return value, ""


def _check_table(value: Any, _kind: Table) -> tuple[Any, str]:
    if not isinstance(value, Mapping):
        return None, "an object of names and values was expected"
    named = all(isinstance(key, str) and not _check_text(key, Text())[1] for key in value)
    if len(value) > _MOST_MEMBERS or not named:
        return None, "this object has too many members, or names that cannot be stored"
    return value, ""


def _check_object(value: Any, _kind: Anything) -> tuple[Any, str]:
    return value, "" if isinstance(value, Mapping) else "an object was expected"


_CHECKS: dict[type[Any], Callable[[Any, Any], tuple[Any, str]]] = {
    Number: _check_number,
    Text: _check_text,
    Flag: _check_flag,
    Many: _check_many,
    Table: _check_table,
    Anything: _check_object,
}


def _check_anything(value: Any, path: str, faults: _Faults, depth: int = 0) -> None:
    """Whatever JSON can say, with finite numbers, storable text and bounded depth."""
    if depth > _DEEPEST:
        faults.add(path, "this is nested too deeply", "...", f"at most {_DEEPEST} levels")
    elif isinstance(value, Mapping):
        _check(value, Table(Anything()), path, faults)
        for key, item in value.items():
            _check_anything(item, _at(path, str(key)), faults, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_anything(item, f"{path}[{index}]", faults, depth + 1)
    elif isinstance(value, str):
        _check(value, Text(), path, faults)
    elif isinstance(value, float) and not math.isfinite(value):
        faults.add(path, "this is not a number that can be recorded", value, "a finite number")
    elif value is not None and not isinstance(value, bool | int | float):
        faults.add(path, "JSON cannot say this", value, "text, numbers, true, false, null, lists, objects")
