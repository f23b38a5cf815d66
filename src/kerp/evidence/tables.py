"""Published results as typed tables: studies, kinetics, effects, registrations, reference values. Data only."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from kerp.base.data import DATA
from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.textfile import read_text
from kerp.base.tomlfile import read_toml
from kerp.evidence.references import reference_ids
from kerp.evidence.sourcing import MARKS, resolves

FOLDER = DATA / "evidence"
Cell = str | int | float | None
Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: `type` is text, int or real; `unit` is empty for text."""

    name: str
    type: str
    unit: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a table holds. `attribution` must travel with its figures; `shown` is what a screen has room for."""

    id: str
    title: str
    description: str
    columns: tuple[Column, ...]
    attribution: str = ""
    shown: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The column a row is called by."""
        return self.columns[0].name


@cache
def tables() -> dict[str, Table]:
    """Every evidence table by id."""
    found = {}
    for identifier, entry in read_toml(FOLDER / "tables.toml").data.items():
        columns = tuple(Column(**column) for column in entry.pop("columns"))
        shown = tuple(entry.pop("shown", ()))
        found[identifier] = Table(id=identifier, columns=columns, shown=shown, **entry)
    return found


def table(identifier: str) -> Table:
    """A table by id; an unknown one is refused with the nearest."""
    if identifier not in tables():
        raise UnknownIdError("evidence table", identifier, list(tables()))
    return tables()[identifier]


@cache
def load_table(identifier: str) -> tuple[Row, ...]:
    """The rows of a table, read-only and typed: text, int, float, or None where nothing is known.

    Raises `KerpError` with file, line and column for a cell that is not of its type, a source that is no reference,
    or an unknown mark.
    """
    description = table(identifier)
    path = FOLDER / f"{identifier}.csv"
    return parse_table(description, read_text(path), where=str(path))


def parse_table(description: Table, text: str, *, where: str) -> tuple[Row, ...]:
    """CSV text as rows of a table; `where` is what messages call it."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    expected = [column.name for column in description.columns]
    if sorted(reader.fieldnames or []) != sorted(expected):
        found = ", ".join(reader.fieldnames or [])
        raise KerpError(Fault("the columns are not those of the table", where, 1, "", found, ", ".join(expected)))
    rows: list[Row] = []
    faults: list[Fault] = []
    for raw in reader:
        row: dict[str, Cell] = {}
        for column in description.columns:
            try:
                row[column.name] = _cell(raw[column.name], column.type)
            except ValueError:
                faults.append(
                    _fault(where, reader.line_num, column.name, raw[column.name], f"a number ({column.type})")
                )
        faults.extend(_origin_faults(row, where, reader.line_num))
        rows.append(MappingProxyType(row))
    if faults:
        raise KerpError(*faults)
    return tuple(rows)


def _cell(text: str | None, kind: str) -> Cell:
    if not text:
        return None
    if kind == "text":
        return text
    value = int(text) if kind == "int" else float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _fault(where: str, line: int, column: str, found: Any, allowed: str) -> Fault:
    return Fault("the cell does not hold what its column promises", where, line, column, repr(found), allowed)


def _origin_faults(row: Row, where: str, line: int) -> Iterator[Fault]:
    known = reference_ids()
    for source in str(row.get("source") or "").split("; "):
        if not resolves(source, known):
            yield _fault(where, line, "source", source, "a reference id")
    if row.get("mark") not in MARKS:
        yield _fault(where, line, "mark", row.get("mark"), ", ".join(sorted(MARKS)))


def select(rows: tuple[Row, ...], **wanted: str) -> tuple[Row, ...]:
    """Rows whose columns contain the wanted text, letter case aside. KeyError for a column that is not there."""
    return tuple(
        row
        for row in rows
        if all(text.lower() in str("" if row[name] is None else row[name]).lower() for name, text in wanted.items())
    )
