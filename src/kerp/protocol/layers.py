"""Layers of a protocol file: shipped base, site overlay, signed stopping rules; merged, with origins.

Tables merge key by key; arrays of records merge by `id` (assessments by `instrument`); a sourced value and any other
array is replaced whole. `[[remove]]` names what goes, and why. Knows nothing of medicine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from kerp.base.errors import Fault
from kerp.base.tomlfile import KeyPath, TomlDocument

RECORD_KEYS = ("id", "instrument")
IdPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a field was written: which layer, which file, which line."""

    layer: str
    where: str
    line: int | None


@dataclass(slots=True)
class Merged:
    """Plain data of all layers so far, and the origin of each field by its path of keys and record ids."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[IdPath, Origin] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def origin(self, path: IdPath) -> Origin | None:
        """Origin of a field, or of what holds it."""
        return nearest(self.origins, path)

    def drop(self, path: IdPath) -> None:
        """Take out a top-level field, and forget where it and all below it were written."""
        self.data.pop(path[0], None)
        self.forget(path)

    def forget(self, path: IdPath) -> None:
        """Forget where a field and all below it were written."""
        for known in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[known]

    def copy(self) -> Merged:
        """An independent copy."""
        return Merged(deepcopy(self.data), dict(self.origins), list(self.faults))


def nearest(origins: Mapping[IdPath, Origin], path: IdPath) -> Origin | None:
    """Origin of a field, or of the nearest table that holds it."""
    while path:
        if path in origins:
            return origins[path]
        path = path[:-1]
    return None


def record_key(item: Any) -> str | None:
    """How a record is called: its `id`, or the `instrument` of an assessment."""
    if isinstance(item, dict):
        return next((str(item[key]) for key in RECORD_KEYS if key in item), None)
    return None


def is_records(value: Any) -> bool:
    """Whether an array holds named records, which merge by name."""
    return isinstance(value, list) and bool(value) and all(record_key(item) is not None for item in value)


def is_sourced(value: Any) -> bool:
    """Whether a table is a sourced value: replaced whole, so that no number keeps the source of another."""
    return isinstance(value, Mapping) and "value" in value


def id_path(data: Any, path: KeyPath) -> IdPath:
    """A path with record ids for positions: `("rules", 3, "text")` becomes `("rules", "bp_stop", "text")`."""
    named: list[str] = []
    node = data
    for part in path:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
        named.append(record_key(node) or str(part) if isinstance(part, int) else str(part))
    return tuple(named)


class Layer:
    """Merges one document, or one table of it, into what is there already."""

    def __init__(self, merged: Merged, name: str, document: TomlDocument) -> None:
        self.merged = merged
        self.name = name
        self.document = document

    def apply(self, data: Mapping[str, Any], at: KeyPath = (), into: IdPath = ()) -> None:
        """Merge `data`, which stands at `at` in the document, into the merged data under `into`."""
        target: Any = self.merged.data
        for part in into:
            target = target.setdefault(part, {})
        self._table(target, data, at, into)

    def remove(self, entries: Any) -> None:
        """Take out what `[[remove]]` names; a path that names nothing, or an entry without reason, is a fault."""
        for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            at: KeyPath = ("remove", index)
            path, reason = (entry.get("path"), entry.get("reason")) if isinstance(entry, dict) else (None, None)
            if not isinstance(path, str) or not isinstance(reason, str) or not reason.strip():
                ways = ('write [[remove]] path = "sessions.dosing.prompts.cadss6" and reason = "..."',)
                self._fault("a removal needs a path and a reason", at, ways=ways)
            else:
                self._take(tuple(path.split(".")), at)

    def _take(self, path: IdPath, at: KeyPath) -> None:
        holder: Any = self.merged.data
        for part in path[:-1]:
            holder = _child(holder, part)
        if holder is None or _child(holder, path[-1]) is None:
            near = get_close_matches(".".join(path), _paths(self.merged.data), n=3, cutoff=0.6)
            ways = (f"did you mean {' or '.join(near)}?",) if near else ()
            self._fault("there is nothing to remove under this path", at, found=".".join(path), ways=ways)
        elif isinstance(holder, list):
            holder[:] = [item for item in holder if record_key(item) != path[-1]]
        else:
            del holder[path[-1]]
        self.merged.forget(path)

    def _table(self, target: dict[str, Any], data: Mapping[str, Any], at: KeyPath, into: IdPath) -> None:
        for key, value in data.items():
            here, there = (*at, key), (*into, key)
            if is_records(value):
                self._records(target, key, value, here, there)
            elif isinstance(value, Mapping) and not is_sourced(value):
                self._inner(target, key, value, here, there)
            else:
                self._put(target, key, value, here, there)

    def _inner(self, target: dict[str, Any], key: str, value: Mapping[str, Any], at: KeyPath, into: IdPath) -> None:
        if not isinstance(target.get(key), dict) or is_sourced(target[key]):
            self._put(target, key, {}, at, into)
        self._table(target[key], value, at, into)

    def _put(self, target: dict[str, Any], key: str, value: Any, at: KeyPath, into: IdPath) -> None:
        if key in target:
            self.merged.forget(into)
        target[key] = deepcopy(value)
        self._note(value, at, into)

    def _note(self, value: Any, at: KeyPath, into: IdPath) -> None:
        """Remember where a value and all it holds were written."""
        self.merged.origins[into] = Origin(self.name, self.document.where, self.document.line_of(at))
        if isinstance(value, Mapping):
            for key, item in value.items():
                self._note(item, (*at, key), (*into, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._note(item, (*at, index), (*into, record_key(item) or str(index)))

    def _records(self, target: dict[str, Any], key: str, value: list[Any], at: KeyPath, into: IdPath) -> None:
        if not is_records(target.get(key)):
            target[key] = []
            self.merged.origins[into] = Origin(self.name, self.document.where, self.document.line_of(at))
        seen: set[str] = set()
        for index, record in enumerate(value):
            name = str(record_key(record))
            if name in seen:
                ways = ("give each its own id",)
                self._fault(f"{name!r} stands here twice", (*at, index), found=name, ways=ways)
            seen.add(name)
            self._record(target[key], name, record, (*at, index), (*into, name))

    def _record(self, records: list[Any], name: str, record: Any, at: KeyPath, into: IdPath) -> None:
        known = [record_key(item) for item in records]
        after = record.get("after")
        record = {key: item for key, item in record.items() if key != "after"}
        if after not in {None, "", *known}:
            self._fault("`after` names no record of this list", (*at, "after"), found=str(after))
        if name in known:
            if after is not None:
                self._fault("`after` places a new record; this one has its place", (*at, "after"), found=str(after))
            self._table(records[known.index(name)], record, at, into)
            return
        position = 0 if after == "" else known.index(after) + 1 if after in known else len(records)
        fresh: dict[str, Any] = {}
        records.insert(position, fresh)
        self._note({}, at, into)
        self._table(fresh, record, at, into)

    def _fault(self, message: str, at: KeyPath, *, found: str = "", ways: tuple[str, ...] = ()) -> None:
        name = ".".join(id_path(self.document.data, at))
        line = self.document.line_of(at)
        self.merged.faults.append(Fault(message, self.document.where, line, name, found, ways_out=ways))


def _child(holder: Any, part: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(part)
    if isinstance(holder, list):
        return next((item for item in holder if record_key(item) == part), None)
    return None


def _paths(node: Any, above: str = "") -> Iterator[str]:
    """Every removable path of the merged data."""
    items: list[tuple[str, Any]] = []
    if isinstance(node, dict):
        items = list(node.items())
    elif is_records(node):
        items = [(str(record_key(item)), item) for item in node]
    for key, item in items:
        path = f"{above}.{key}" if above else key
        yield path
        yield from _paths(item, path)
