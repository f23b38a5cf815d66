"""Writes the tables of one or many logs as CSV and Parquet with a generated data dictionary.

Nothing is written unless everything could be read. Free text is never exported (M22). Where the logs came from
(recorded, simulated) stands in the manifest, for people; no table tells, so that analysis cannot know.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kerp import __version__
from kerp.base.errors import Fault, KerpError
from kerp.base.textfile import write_all
from kerp.records.course import Course
from kerp.records.tables.columns import Row, Table, Type
from kerp.records.tables.registry import TABLES


@dataclass(frozen=True)
class Written:
    """What was written: table id -> rows, and the files."""

    rows: dict[str, int]
    files: tuple[Path, ...]


def read_tables(courses: Sequence[Course]) -> dict[str, list[Row]]:
    """Every table over all courses; a study code that comes twice is refused."""
    codes = [course.participant for course in courses]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        ways = ("give each log once", "if two logs belong to one participant, export one of them")
        raise KerpError(Fault(f"two logs have the study code {', '.join(twice)}", ways_out=ways))
    return {table.id: [row for course in courses for row in table.read(course)] for table in TABLES}


def write_tables(courses: Sequence[Course], out: Path, *, parquet: bool = True) -> Written:
    """Write every table into `out` as `<table>.csv` and `<table>.parquet`, `dictionary.json` and `dictionary.md`."""
    tables = read_tables(courses)
    contents: dict[str, bytes] = {}
    for table in TABLES:
        contents[f"{table.id}.csv"] = _csv(table, tables[table.id])
        if parquet:
            contents[f"{table.id}.parquet"] = _parquet(table, tables[table.id])
    contents["dictionary.json"] = _json(dictionary(courses, {name: len(rows) for name, rows in tables.items()}))
    contents["dictionary.md"] = _dictionary_page().encode()
    if out.exists() and not out.is_dir():
        raise KerpError(Fault("this is a file; a folder is expected", where=str(out)))
    write_all({out / name: content for name, content in contents.items()})
    counts = {name: len(rows) for name, rows in tables.items()}
    return Written(counts, tuple(out / name for name in contents))


def dictionary(courses: Sequence[Course], rows: dict[str, int]) -> dict[str, Any]:
    """The data dictionary with provenance: versions, digests, origin of every log."""
    logs = [
        {
            "participant": course.participant,
            "origin": str(course.opened.origin),
            "protocol": course.opened.protocol_id,
            "protocol_digest": course.opened.protocol_digest,
            "parameter_digests": dict(course.opened.parameter_digests),
            "engine_version": course.opened.engine_version,
            "entries": len(course.entries),
        }
        for course in courses
    ]
    tables = [
        {"id": table.id, "row_is": table.text, "rows": rows[table.id], "columns": [_column(c) for c in table.columns]}
        for table in TABLES
    ]
    return {
        "kerp_tables": 1,
        "kerp_version": __version__,
        "free_text": "not exported",
        "logs": logs,
        "tables": tables,
    }


def _column(column: Any) -> dict[str, Any]:
    written = asdict(column)
    return {key: str(value) if isinstance(value, Type) else value for key, value in written.items() if value}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _csv(table: Table, rows: list[Row]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(column.name for column in table.columns)
    for row in rows:
        writer.writerow(_cell(row[column.name]) for column in table.columns)
    return stream.getvalue().encode()


def _cell(value: Any) -> Any:
    """Empty where there is no value; true and false in words; a formula sign at the start of a text is defused."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return repr(value) if isinstance(value, float) else value


def _parquet(table: Table, rows: list[Row]) -> bytes:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        ways = ("pip install 'kerp[tables]'", "or ask for CSV only: --csv-only")
        raise KerpError(Fault("writing Parquet needs the extra 'tables'", ways_out=ways)) from None
    kinds = {Type.TEXT: pa.string(), Type.WHOLE: pa.int64(), Type.NUMBER: pa.float64(), Type.FLAG: pa.bool_()}
    schema = pa.schema(
        [pa.field(c.name, kinds[c.type], metadata={"unit": c.unit, "description": c.text}) for c in table.columns]
    )
    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), stream)
    return stream.getvalue()


def _dictionary_page() -> str:
    lines = [
        "# Data dictionary",
        "",
        "Written by `kerp records tables`. An empty cell is a missing value, never a zero.",
    ]
    for table in TABLES:
        lines += ["", f"## {table.id}", "", f"A row is {table.text}.", ""]
        lines += ["| column | type | unit | what it is | codes | empty when |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {c.name} | {c.type} | {c.unit} | {c.text} | {', '.join(c.codes or ())} | {c.why_empty} |"
            for c in table.columns
        ]
    return "\n".join(lines) + "\n"


def digest_of(content: bytes) -> str:
    """SHA-256 of a written file."""
    return hashlib.sha256(content).hexdigest()
