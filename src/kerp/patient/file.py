"""A population as a CSV file: one row a person, one column a trait or parameter; read back cell by cell."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerp.base.errors import Fault, KerpError
from kerp.base.textfile import read_text
from kerp.learning.priors import priors
from kerp.patient.record import TEXT, TRAITS, Population

_WHOLE = ("number", "drug_seed", "medication_free")
_MOST_FAULTS = 50


def as_csv(people: Population) -> str:
    """The table as CSV text; numbers in full, so that what is read back is what was written."""
    columns = people.columns()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_written(column) for column in columns.values()), strict=True))
    return stream.getvalue()


def _written(column: np.ndarray) -> list[str]:
    return [value if isinstance(value, str) else repr(value) for value in column.tolist()]


def read_population(path: Path | str) -> Population:
    """Read a population. Every bad cell is reported with its row and column; nothing is filled in."""
    text = read_text(path)
    rows = list(csv.reader(io.StringIO(text)))
    header, body = rows[0], rows[1:]
    faults = list(_header_faults(header, str(path)))
    if not body:
        faults.append(Fault("the file has a header but no people", where=str(path), line=1))
    if not faults:
        faults = list(_cell_faults(header, body, str(path)))
    if faults:
        raise KerpError(*faults[:_MOST_FAULTS])
    table = {name: _column(name, [row[k] for row in body]) for k, name in enumerate(header)}
    return Population(
        {name: column for name, column in table.items() if name in TRAITS},
        {name: column for name, column in table.items() if name not in TRAITS},
    )


def _header_faults(header: list[str], where: str) -> Iterator[Fault]:
    known = set(TRAITS) | set(priors())
    for name in header:
        if name not in known:
            yield Fault(
                "this column is no trait and no parameter", where, 1, name, allowed="see kerp patient columns"
            )
    for name in TRAITS:
        if name not in header:
            yield Fault("this column is missing", where, 1, name)
    if len(set(header)) != len(header):
        yield Fault("two columns have the same name", where, 1)


def _cell_faults(header: list[str], body: list[list[str]], where: str) -> Iterator[Fault]:
    for line, row in enumerate(body, start=2):
        if len(row) != len(header):
            yield Fault("the row has not as many cells as the header", where, line, found=str(len(row)))
            continue
        for name, cell in zip(header, row, strict=True):
            if name not in TEXT and (allowed := _refused(name, cell)):
                yield Fault("not an allowed number", where, line, f"row {line - 1}, column {name}", cell, allowed)


def _refused(name: str, cell: str) -> str:
    """What would be allowed, where the cell is not; empty where it is."""
    prior = priors().get(name)
    low, high = (prior.lower, prior.upper) if prior else (-1e9, 1e9)
    try:
        value = float(cell)
    except ValueError:
        return f"a number, {low:g} to {high:g}"
    if not math.isfinite(value) or not low <= value <= high:
        return f"{low:g} to {high:g}"
    return ""


def _column(name: str, cells: list[str]) -> np.ndarray:
    if name in TEXT:
        return np.array(cells)
    values = np.array([float(cell) for cell in cells])
    return values.astype(int) if name in _WHOLE else values
