"""A row of the notes: its columns under our names, its reference, its mark."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    """The rows of a note."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def take(line: Row, columns: dict[str, str]) -> Row:
    """The columns of a note under our names and in our order."""
    return {ours: line[theirs] for ours, theirs in columns.items()}


def origin(text: str, table: dict[str, str], provenance: str) -> Row:
    """The two columns every table ends with."""
    return {"source": source_of(text, table), "mark": mark_of(provenance)}


def noted(lines: Iterable[Row], columns: dict[str, str], table: dict[str, str], named_in: str) -> list[Row]:
    """Lines of a note as rows of ours; the column `named_in` says where each comes from."""
    return [take(line, columns) | origin(line[named_in], table, line["provenance"]) for line in lines]


def source_of(text: str, table: dict[str, str]) -> str:
    """The reference ids of a note; stops the build when nothing fits."""
    for key, reference in table.items():
        if key in text:
            return reference
    raise SystemExit(f"no reference is known for: {text!r}; add it in tools/evidence_notes")


def mark_of(provenance: str) -> str:
    """`read` or `recalled`: a row that is only partly read counts as recalled."""
    if provenance.startswith(("recalled", "memory")):
        return "recalled"
    if provenance.startswith(("read", "computed", "derived", "ours")):
        return "read"
    if provenance.startswith(("design inference", "assumed")):
        return "assumed"
    raise SystemExit(f"unknown provenance: {provenance!r}")


def number(text: str) -> str:
    """A plain number as it stands, else nothing."""
    return text if re.fullmatch(r"-?\d+(\.\d+)?", text) else ""


def bounds(text: str) -> tuple[str, str]:
    """The ends of a printed range such as `61-84`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", text)
    return (found.group(1), found.group(2)) if found else ("", "")
