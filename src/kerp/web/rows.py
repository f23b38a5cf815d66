"""Rows that every request asks for, read by statements that are written once.

The ORM takes several times as long to write such a question as the database to answer it. What comes back is the
same: instances of the models, with every field as the ORM would give it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


def row_where(model: type[M], name: str, value: Any, *, hold: bool = False) -> M | None:
    """The row with this value in a unique field; None where there is none.

    `hold`: nobody else changes it until the transaction ends (where the database locks rows; SQLite has one writer).
    """
    asked = _asked(model, name, connection.vendor)
    locked = " FOR UPDATE" if hold and connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(asked.select + locked, [asked.by.get_db_prep_value(value, connection)])
        found = cursor.fetchone()
    return model.from_db("default", asked.names, asked.read(found)) if found is not None else None


@dataclass(frozen=True)
class _Asked:
    """A statement, the field it asks by, the fields it gives in their order, and how their values are read."""

    select: str
    by: models.Field[Any, Any]
    names: tuple[str, ...]
    converters: dict[int, Any]

    def read(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for at, (readers, expression) in self.converters.items():
            for read in readers:
                values[at] = read(values[at], expression, connection)
        return values


@cache
def _asked(model: type[models.Model], name: str, _vendor: str) -> _Asked:
    fields, table, quoted = model._meta.concrete_fields, model._meta.db_table, connection.ops.quote_name
    by = next(one for one in fields if one.name == name)
    columns = ", ".join(quoted(str(one.column)) for one in fields)
    select = f"SELECT {columns} FROM {quoted(table)} WHERE {quoted(str(by.column))} = %s"  # noqa: S608  our own names
    compiler = model._default_manager.all().query.get_compiler("default")
    converters = compiler.get_converters([one.get_col(table) for one in fields])
    return _Asked(select, by, tuple(one.attname for one in fields), converters)
