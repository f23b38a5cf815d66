"""Reading sourced values out of a data file of this room; every fault names file, line and field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import TomlDocument, dotted
from kerp.evidence.sourced import Mark, Sourced


@dataclass(frozen=True, slots=True)
class DataFile:
    """A parsed file and how to take checked values out of it."""

    document: TomlDocument

    def has(self, table: str) -> bool:
        return table in self.document.data

    def count(self, table: str) -> int:
        return len(self.document.data.get(table, []))

    def get(self, *path: str | int) -> Any:
        """The raw value at a path; a missing one is refused."""
        value: Any = self.document.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                raise self.error(path, "this field is missing") from None
        return value

    def error(self, path: tuple[str | int, ...], message: str, found: str = "", allowed: str = "") -> KerpError:
        where, line = self.document.where, self.document.line_of(path)
        return KerpError(Fault(message, where=where, line=line, field=dotted(path), found=found, allowed=allowed))

    def text(self, *path: str | int) -> str:
        value = self.get(*path)
        if not isinstance(value, str) or not value:
            raise self.error(path, "text is expected", found=repr(value))
        return value

    def texts(self, *path: str | int) -> tuple[str, ...]:
        """A list of texts; an absent list is empty."""
        value = self.document.data.get(str(path[0]), []) if len(path) == 1 else self.get(*path)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(path, "a list of texts is expected", found=repr(value))
        return tuple(value)

    def number(self, *path: str | int) -> float:
        value = self.get(*path)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(path, "a number is expected", found=repr(value))
        return float(value)

    def mark(self, *path: str | int) -> Mark:
        value = self.text(*path)
        if value not in set(Mark):
            raise self.error(path, "unknown mark", found=value, allowed=", ".join(Mark))
        return Mark(value)

    def sourced(self, *path: str | int) -> Sourced:
        """The sourced value at a path: `{ value, unit, source, mark, note? }`."""
        table = self.get(*path)
        note = table.get("note", "") if isinstance(table, dict) else ""
        return Sourced(
            value=self.number(*path, "value"),
            unit=self.text(*path, "unit"),
            source=self.text(*path, "source"),
            mark=self.mark(*path, "mark"),
            note=str(note),
        )

    def within(self, key: str, unit: str, *path: str | int) -> Sourced:
        """A number whose source and mark stand beside it in its table."""
        return Sourced(
            value=self.number(*path, key),
            unit=unit,
            source=self.text(*path, "source"),
            mark=self.mark(*path, "mark"),
        )

    def table(self, name: str) -> dict[str, Sourced]:
        """Every sourced value of a table; an absent table is empty."""
        if not self.has(name):
            return {}
        if not isinstance(self.get(name), dict):
            raise self.error((name,), "a table is expected")
        return {key: self.sourced(name, key) for key in self.get(name)}
