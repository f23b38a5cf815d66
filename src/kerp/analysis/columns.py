"""A table as named columns of text, read from CSV or Parquet; missing values stay missing, never zero (M21)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.textfile import read_bytes, read_text

Array = Any
_ALLOWED = "a number within +-1e30, or NA"
LARGEST = 1e30  # beyond it products of variances overflow: no measurement of anything
MISSING = frozenset({"", "NA", "NaN", "nan", "null", "None", "."})


@dataclass(frozen=True)
class Columns:
    """Equal-length columns of text; None is missing. `lines` is the file's line of each row, where it is a file."""

    where: str
    cells: Mapping[str, tuple[str | None, ...]]
    lines: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.cells.values()), ()))

    def text(self, name: str) -> tuple[str | None, ...]:
        """One column; an unknown name offers the nearest."""
        if name not in self.cells:
            raise UnknownIdError("column", name, list(self.cells), field=self.where)
        return self.cells[name]

    def complete(self, name: str) -> tuple[str, ...]:
        """One column without missing values; the first missing one is named by line."""
        column = self.text(name)
        for row, cell in enumerate(column):
            if cell is None:
                raise KerpError(Fault("a value is missing here and must not be", self.where, self.line(row), name))
        return tuple(cell for cell in column if cell is not None)

    def is_numeric(self, name: str) -> bool:
        """Whether every value that is present is a number."""
        present = [cell for cell in self.text(name) if cell is not None]
        return bool(present) and all(_number(cell) is not None for cell in present)

    def numbers(self, name: str) -> Array:
        """One column as float64, missing as NaN; text in it is refused by line."""
        out = np.full(len(self), np.nan)
        for row, cell in enumerate(self.text(name)):
            if cell is None:
                continue
            value = _number(cell)
            if value is None:
                raise KerpError(
                    Fault("this is not a finite number", self.where, self.line(row), name, cell, _ALLOWED)
                )
            out[row] = value
        return out

    def stray_text(self, name: str) -> int | None:
        """The first row with text in a column whose values are mostly numbers: a slip, or levels named by numbers."""
        cells = [(row, cell) for row, cell in enumerate(self.text(name)) if cell is not None]
        texts = [row for row, cell in cells if _number(cell) is None]
        return texts[0] if texts and 2 * len(texts) < len(cells) else None

    def where_rows(self, keep: Sequence[bool]) -> Columns:
        """Only the rows marked true, each with the line it has in the file."""
        cells = {k: tuple(c for c, kept in zip(v, keep, strict=True) if kept) for k, v in self.cells.items()}
        lines = tuple(self.line(row) for row, kept in enumerate(keep) if kept)
        return Columns(self.where, cells, lines)

    def line(self, row: int) -> int:
        """The line in the file of a row counted from 0; a header line is counted where nothing is known of lines."""
        return row + 2 if self.lines is None else self.lines[row]


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) <= LARGEST else None


def natural(text: str) -> tuple[tuple[int, float, str], ...]:
    """Sort key under which `VIS2` comes before `VIS10`, and 8 before 10."""
    parts = re.findall(r"\d+(?:\.\d+)?|[^\d]+", text)
    return tuple((0, float(p), "") if p[0].isdigit() else (1, 0.0, p) for p in parts)


def read_columns(path: Path | str, *, may_have_no_rows: bool = False) -> Columns:
    """Read CSV (a header, UTF-8) or Parquet by the file's suffix."""
    if Path(path).suffix == ".parquet":
        return _read_parquet(Path(path))
    return parse_csv(read_text(path), str(path), may_have_no_rows=may_have_no_rows)


def parse_csv(text: str, where: str, *, may_have_no_rows: bool = False) -> Columns:
    """Parse CSV text; rows of the wrong length and repeated column names are refused by line."""
    reader = csv.reader(io.StringIO(text))
    header = [name.strip() for name in next(reader, [])]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise KerpError(Fault(f"a column name is used twice: {', '.join(twice)}", where, 1))
    rows = [(reader.line_num, row) for row in reader if row]
    if rows and all(len(row) == len(header) + 1 for _, row in rows):
        header = ["row", *header]  # as R writes a table with row names
    for line, row in rows:
        if len(row) != len(header):
            raise KerpError(
                Fault("a row has the wrong number of cells", where, line, "", str(len(row)), str(len(header)))
            )
    if not rows and not may_have_no_rows:
        raise KerpError(Fault("the table has a header and no rows", where))
    cells = {name: tuple(_cell(row[i]) for _, row in rows) for i, name in enumerate(header)}
    return Columns(where, cells, tuple(line for line, _ in rows))


def _cell(text: str) -> str | None:
    stripped = text.strip()
    return None if stripped in MISSING else stripped


def _read_parquet(path: Path) -> Columns:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise KerpError(
            Fault(
                "reading Parquet needs an extra",
                str(path),
                ways_out=("pip install kerp[tables]", "give the CSV file"),
            )
        ) from None
    try:
        table = pq.read_table(io.BytesIO(read_bytes(path)))
    except pa.ArrowInvalid as error:
        raise KerpError(Fault(f"this is not a Parquet file: {error}", str(path))) from None
    cells = {
        name: tuple(None if v is None else _cell(str(v)) for v in table.column(name).to_pylist())
        for name in table.column_names
    }
    return Columns(str(path), cells, tuple(range(1, table.num_rows + 1)))
