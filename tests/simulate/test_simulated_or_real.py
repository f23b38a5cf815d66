"""Tables and analysis of a log are the same whoever pressed the buttons: nothing they read tells who it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kerp.analysis.tables import SCHEMA
from kerp.protocol.load import load_protocol
from kerp.records.logfile import lines, read_log_bytes
from kerp.records.replay import replay
from kerp.records.tables.columns import Row
from kerp.records.tables.registry import TABLES
from kerp.records.tables.write import read_tables, write_tables
from kerp.session.events import DoseVerified, Entry, Event, LogOpened
from kerp.session.events.course import Origin
from kerp.simulate.course import simulate_course

PROTOCOL = "bottemanne2021-iv"
# What the envelope gives to tables: who acted, and the ids of entries. Nothing else may differ between two logs of
# the same events.
OF_THE_ENVELOPE = {"therapist", "nurse", "entry"}


def of_a_hospital(event: Event, new: dict[str, str]) -> Event:
    if isinstance(event, LogOpened):
        return replace(event, origin=Origin.RECORDED)
    return replace(event, computed=new[event.computed]) if isinstance(event, DoseVerified) else event


def as_recorded(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The same events as a hospital would have recorded them: other people, devices, clocks and ids."""
    new = {entry.id: f"c0ffee{number:026x}" for number, entry in enumerate(entries)}
    return tuple(
        replace(
            entry,
            id=new[entry.id],
            actor=f"staff-{entry.role}" if entry.role else "server",
            device="tablet-3",
            wall_clock="2027-03-04T09:12:33+01:00",
            clock_offset_ms=140,
            queued=entry.seq % 7 == 0,
            event=of_a_hospital(entry.event, new),
        )
        for entry in entries
    )


def tables_of(entries: tuple[Entry, ...]) -> dict[str, list[Row]]:
    raw = "".join(lines(entries, load_protocol(PROTOCOL).protocol)).encode()
    return read_tables([replay(read_log_bytes(raw, where="log"))])


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    simulated = simulate_course(load_protocol(PROTOCOL), 11).entries
    assert isinstance(simulated[0].event, LogOpened)
    assert simulated[0].event.origin is Origin.SIMULATED
    return tables_of(simulated), tables_of(as_recorded(simulated))


@pytest.mark.parametrize("table", [table.id for table in TABLES])
def test_a_simulated_log_and_the_same_events_recorded_at_a_bedside_give_the_same_table(both, table: str) -> None:
    simulated, recorded = (found[table] for found in both)
    assert len(simulated) == len(recorded)
    for ours, theirs in zip(simulated, recorded, strict=True):
        differing = {name for name in ours if ours[name] != theirs[name]}
        assert differing <= OF_THE_ENVELOPE, table


def test_analysis_reads_no_column_that_could_tell_them_apart(both) -> None:
    read = {(table, column) for table, columns in SCHEMA.items() for column in columns}
    differing = {
        (table, name)
        for table in SCHEMA
        for ours, theirs in zip(both[0][table], both[1][table], strict=True)
        for name in ours
        if ours[name] != theirs[name]
    }
    assert read & differing <= {("sessions", "therapist")}  # names of people, compared between arms and nothing else


def test_the_written_tables_say_nowhere_but_in_the_dictionarys_provenance_where_logs_came_from(
    tmp_path: Path,
) -> None:
    entries = simulate_course(load_protocol(PROTOCOL), 11).entries
    raw = "".join(lines(entries, load_protocol(PROTOCOL).protocol)).encode()
    write_tables([replay(read_log_bytes(raw, where="log"))], tmp_path, parquet=False)
    told = sorted(path.name for path in tmp_path.iterdir() if "simulated" in path.read_text(encoding="utf-8").lower())
    assert [name for name in told if name.endswith(".csv")] == []
