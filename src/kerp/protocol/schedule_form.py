"""The form of a schedule file: its keys and their kinds. What is not known is refused, never passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kerp.base.errors import Fault, UnknownIdError
from kerp.base.tomlfile import TomlDocument, dotted
from kerp.evidence.sourced import Mark
from kerp.protocol.pins import TABLE

Path = tuple[str | int, ...]
_ORIGIN = {"source": "text", "mark": "mark", "note": "text"}
_DAYS = {"days": "list"} | _ORIGIN
_TABLES: Mapping[str, Mapping[str, str]] = {
    "mct": _DAYS, "ybocs": _DAYS, "ocdvas": {"at_min": "list"} | _ORIGIN, "follow_up": {"days": "whole"} | _ORIGIN,
}  # fmt: skip
_ROWS: Mapping[str, Mapping[str, str]] = {
    "dose": _DAYS | {
        "agent": "text", "route": "text", "dose_mg_per_kg": "number", "duration_min": "number", "devices": "whole",
        "device_mg": "number", "device_gap_min": "number", "protocol": "text",
    },
    "session": _DAYS | {
        "length_min": "number", "intensity_fraction": "number", "kind": "text", "protocol": "text",
    },
}  # fmt: skip
_HEAD = {"version": "whole", "title": "text", "idea": "text", "claims": "list", "same_contact_as": "list"}
_SAID = {
    "text": "text", "list": "a list", "number": "a number", "whole": "a whole number", "table": "a table",
    "mark": ", ".join(Mark),
}  # fmt: skip


def form_faults(document: TomlDocument) -> list[Fault]:
    """Unknown keys, values of the wrong kind, doses and sessions without days; each with its line."""
    kinds = _HEAD | dict.fromkeys((*_TABLES, TABLE), "table") | dict.fromkeys(_ROWS, "list")
    found = list(_table_faults(document, document.data, kinds, ()))
    for name, inside in _TABLES.items():
        if isinstance(table := document.data.get(name), dict):
            found += _table_faults(document, table, inside, (name,))
    for name, inside in _ROWS.items():
        rows = document.data.get(name)
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            found += _row_faults(document, row, inside, (name, index))
    return found


def _row_faults(document: TomlDocument, row: Any, kinds: Mapping[str, str], path: Path) -> Iterator[Fault]:
    if not isinstance(row, dict):
        yield _fault(document, path, row, "table")
        return
    yield from _table_faults(document, row, kinds, path)
    if not row.get("days"):
        yield Fault("on which days is missing", document.where, document.line_of(path), dotted((*path, "days")))


def _table_faults(
    document: TomlDocument, table: Mapping[str, Any], kinds: Mapping[str, str], path: Path
) -> Iterator[Fault]:
    for key, value in table.items():
        place = (*path, key)
        if key not in kinds:
            (unknown,) = UnknownIdError("entry of a schedule", key, list(kinds)).faults
            line = document.line_of(place)
            yield Fault(unknown.message, document.where, line, dotted(place), key, unknown.allowed, unknown.ways_out)
        elif not _is(value, kinds[key]):
            yield _fault(document, place, value, kinds[key])


def _fault(document: TomlDocument, path: Path, value: Any, kind: str) -> Fault:
    line, field = document.line_of(path), dotted(path)
    return Fault("this is of the wrong kind", document.where, line, field, str(value)[:80], _SAID[kind])


def _is(value: Any, kind: str) -> bool:
    """Whether a value is of a kind; numbers and their ranges are checked where they are read."""
    if kind == "mark":
        return value in tuple(Mark)
    if kind == "whole":
        return not isinstance(value, int | float) or isinstance(value, bool) or value % 1 == 0
    wanted = {"text": str, "list": list, "table": dict}.get(kind)
    return wanted is None or isinstance(value, wanted)
