"""A protocol as rows of field and value: where each field came from, and how two protocols differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.evidence.sourced import Sourced
from kerp.protocol.layers import RECORD_KEYS
from kerp.protocol.load import Resolved
from kerp.protocol.model import Protocol

DEFAULT = "default of the model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field of a resolved protocol, and which layer, file and line said it."""

    path: str
    value: str
    layer: str
    where: str = ""
    line: int | None = None

    def place(self) -> str:
        """`site overlay, site-a.toml:12`."""
        name = self.where.rpartition("/")[2]
        return f"{self.layer}, {name}:{self.line}" if name else self.layer


def provenance(resolved: Resolved, under: str = "") -> list[Row]:
    """Every field under a dotted path with its origin; `KerpError` when nothing stands there."""
    leaves = list(_leaves(resolved.protocol, ""))
    chosen = [(path, value) for path, value in leaves if not under or path == under or path.startswith(f"{under}.")]
    if not chosen:
        near = get_close_matches(under, _places(path for path, _ in leaves), n=3, cutoff=0.5)
        ways = (f"did you mean {' or '.join(near)}?",) if near else ()
        raise KerpError(Fault("nothing stands under this path", field=under, ways_out=ways))
    return [_row(resolved, path, value) for path, value in chosen]


def _places(paths: Iterator[str]) -> list[str]:
    """Each path and all that holds it."""
    found: dict[str, None] = {}
    for path in paths:
        parts = path.split(".")
        found.update(dict.fromkeys(".".join(parts[:length]) for length in range(1, len(parts) + 1)))
    return list(found)


def _row(resolved: Resolved, path: str, value: Any) -> Row:
    origin = resolved.origins.get(tuple(path.split(".")))
    if origin is None:
        return Row(path=path, value=_shown(value), layer=DEFAULT)
    return Row(path=path, value=_shown(value), layer=origin.layer, where=origin.where, line=origin.line)


def compare(one: Protocol, other: Protocol) -> list[tuple[str, str | None, str | None]]:
    """(field, value in the first, value in the second) wherever they differ; None where a field does not exist."""
    left = {path: _shown(value) for path, value in _leaves(one, "")}
    right = {path: _shown(value) for path, value in _leaves(other, "")}
    there = [set(_places(iter(left))), set(_places(iter(right)))]
    changes: dict[str, tuple[str, str | None, str | None]] = {}
    for path in dict.fromkeys([*left, *right]):
        if left.get(path) == right.get(path):
            continue
        top = _first_missing(path, there)
        if top == path:
            changes[path] = (path, left.get(path), right.get(path))
        elif top not in changes:
            changes[top] = (top, _whole(left, top), _whole(right, top))
    return list(changes.values())


def _first_missing(path: str, there: list[set[str]]) -> str:
    """The record that one side lacks altogether, or the field itself."""
    parts = path.split(".")
    above = (".".join(parts[:length]) for length in range(1, len(parts)))
    return next((place for place in above if not all(place in side for side in there)), path)


def _whole(side: dict[str, str], place: str) -> str | None:
    """A record in a few words; None where it does not exist."""
    fields_of = {path.removeprefix(f"{place}."): text for path, text in side.items() if path.startswith(f"{place}.")}
    if not fields_of:
        return None
    return next((fields_of[name] for name in ("title", "text", "summary") if fields_of.get(name)), "there")


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Fields that hold a value, by dotted path; a sourced value is one field, records are named by their ids."""
    if isinstance(node, Sourced) or not _is_table(node):
        yield path, node
    elif isinstance(node, dict):
        for key, item in node.items():
            yield from _leaves(item, _join(path, str(key)))
    elif isinstance(node, tuple):
        for item in node:
            yield from _leaves(item, _join(path, _name(item)))
    else:
        for spec in fields(node):
            if getattr(node, spec.name) is not None:
                yield from _leaves(getattr(node, spec.name), _join(path, spec.name))


def _is_table(node: Any) -> bool:
    if isinstance(node, tuple):
        return bool(node) and is_dataclass(node[0])
    return is_dataclass(node) or (isinstance(node, dict) and bool(node))


def _name(item: Any) -> str:
    return next(str(getattr(item, key)) for key in RECORD_KEYS if hasattr(item, key))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    if isinstance(value, Sourced):
        return f"{value.value:g} {value.unit} [{value.source}, {value.mark.value}]"
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
