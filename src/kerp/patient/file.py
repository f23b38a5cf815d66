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
from kerp.drug.population import Ancestry
from kerp.learning.priors import EVERYONE, FROM_PATIENT, priors
from kerp.patient.pool import pool
from kerp.patient.record import TEXT, TRAITS, Population

_WHOLE = ("number", "drug_seed", "medication_free")
_MOST_FAULTS = 50
_POSSIBLE = {
    "number": (0.0, 1e9), "drug_seed": (-1.0, 1e9), "weight_kg": (20.0, 350.0), "age_years": (0.0, 120.0),
    "medication_free": (0.0, 1.0), "obsession_h": (0.0, 24.0), "insight_points": (0.0, 24.0),
    "baseline_ybocs": (0.0, 40.0), "scale_use": (0.01, 100.0), "felt_use": (0.01, 100.0),
    "adherence_logit": (-50.0, 50.0), "avoidance": (0.0, 1.0), "dropout_frailty": (0.0, 1e6),
}  # fmt: skip


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
    if not faults:
        faults = list(_constant_faults(header, body, str(path)))
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
        if name == "r":
            yield Fault(
                "adherence is a trait of the person", where, 1, name, ways_out=("use the column adherence_logit",)
            )
        elif name not in known:
            yield Fault(
                "this column is no trait and no parameter", where, 1, name, allowed="see kerp patient columns"
            )
    drawn = [prior.id for prior in priors().values() if prior.family not in {"fixed", *FROM_PATIENT}]
    for name in (*TRAITS, "m", *drawn):
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
            if allowed := _refused(name, cell):
                what = "not an allowed word" if name in TEXT else "not an allowed number"
                yield Fault(what, where, line, f"row {line - 1}, column {name}", cell, allowed)


def _constant_faults(header: list[str], body: list[list[str]], where: str) -> Iterator[Fault]:
    for place, name in enumerate(header):
        for line, row in enumerate(body, start=2) if name in EVERYONE else ():
            if float(row[place]) != float(body[0][place]):
                what, first = "this constant is one number for everyone", f"{body[0][place]}, as in row 1"
                yield Fault(what, where, line, f"row {line - 1}, column {name}", row[place], first)


def _refused(name: str, cell: str) -> str:
    """What would be allowed, where the cell is not; empty where it is."""
    if name in TEXT:
        words = _words()[name]
        return "" if cell in words else ", ".join(words)
    prior = priors().get(name)
    low, high = (prior.lower, prior.upper) if prior else _POSSIBLE[name]
    whole = "a whole number" if name in _WHOLE else "a number"
    try:
        value = float(cell)
    except ValueError:
        return f"{whole}, {low:g} to {high:g}"
    if not math.isfinite(value) or not low <= value <= high or (name in _WHOLE and value != int(value)):
        return f"{whole}, {low:g} to {high:g}"
    return ""


def _words() -> dict[str, tuple[str, ...]]:
    """What each column of words may say."""
    themes = tuple(theme.id for theme in pool().themes)
    return {"theme": themes, "sex": ("female", "male"), "ancestry": tuple(str(one) for one in Ancestry)}


def _column(name: str, cells: list[str]) -> np.ndarray:
    if name in TEXT:
        return np.array(cells)
    values = np.array([float(cell) for cell in cells])
    return values.astype(int) if name in _WHOLE else values
