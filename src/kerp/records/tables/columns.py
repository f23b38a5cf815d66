"""What a table is: typed columns with units and codes. The data dictionary is written from these, never by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.records.course import Course

Row = dict[str, Any]


class Type(StrEnum):
    """Types a column may have; every column may also be empty, which is never a zero (M21)."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    FLAG = "flag"


_PYTHON: Mapping[Type, tuple[type, ...]] = {
    Type.TEXT: (str,),
    Type.WHOLE: (int,),
    Type.NUMBER: (int, float),
    Type.FLAG: (bool,),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `codes` are the values it may take, with what they stand for; `why_empty` says when it is empty."""

    name: str
    type: Type
    text: str
    unit: str = ""
    codes: Mapping[str, str] | None = None
    why_empty: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: a row is what `text` says; `rows` reads them off a course."""

    id: str
    text: str
    columns: tuple[Column, ...]
    rows: Callable[[Course], Iterable[Row]]

    def read(self, course: Course) -> list[Row]:
        """Rows of one course, each with every column in order; a value of the wrong type is an error of ours."""
        return [self._checked(row) for row in self.rows(course)]

    def _checked(self, row: Row) -> Row:
        unknown = set(row) - {column.name for column in self.columns}
        if unknown:
            raise KerpError(Fault(f"table {self.id} has no column {', '.join(sorted(unknown))}"))
        return {column.name: _value(self.id, column, row.get(column.name)) for column in self.columns}


def _value(table: str, column: Column, value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value):
        return None
    value = str(value) if isinstance(value, StrEnum) else value
    wrong_flag = isinstance(value, bool) and column.type is not Type.FLAG
    if wrong_flag or not isinstance(value, _PYTHON[column.type]):
        raise KerpError(Fault("a value has the wrong type", table, None, column.name, repr(value), column.type))
    if column.codes is not None and value not in column.codes:
        allowed = ", ".join(column.codes)
        raise KerpError(Fault("a value is not one of the codes", table, None, column.name, repr(value), allowed))
    if isinstance(value, float) and not math.isfinite(value):
        raise KerpError(Fault("a value is not a finite number", table, None, column.name, repr(value)))
    return float(value) if column.type is Type.NUMBER and isinstance(value, int | float) else value


def text(name: str, about: str, why_empty: str = "", codes: Iterable[str] | None = None) -> Column:
    """A text column; `codes` are the values it may take, where they can be counted up."""
    meaning = None if codes is None else {str(code): str(code).replace("_", " ") for code in codes}
    return Column(name, Type.TEXT, about, "", meaning, why_empty)


def whole(name: str, about: str, unit: str = "count", why_empty: str = "") -> Column:
    """A column of whole numbers."""
    return Column(name, Type.WHOLE, about, unit, None, why_empty)


def number(name: str, about: str, unit: str, why_empty: str = "") -> Column:
    """A column of numbers."""
    return Column(name, Type.NUMBER, about, unit, None, why_empty)


def flag(name: str, about: str, why_empty: str = "") -> Column:
    """A column of true and false."""
    return Column(name, Type.FLAG, about, "", None, why_empty)


PARTICIPANT = text("participant", "study code")
SESSION = text("session", "id of the session within the course", "outside a session")
PLAN = text("plan", "kind of session, an id of the protocol", "outside a session")
ENTRY = text("entry", "id of the log entry the row was read from")
AT_MIN = number("at_min", "minutes since T0 of the session", "min", "the session has no T0, or outside a session")
STUDY_DAY = whole("study_day", "study day: 0 is the day of the first dose (drug-free: first exposure)", "days")
