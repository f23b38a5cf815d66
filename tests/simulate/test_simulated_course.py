"""A simulated course goes through the same engine, is the same for the same seed, and knows what a person may be."""

from pathlib import Path

import pytest

from kerp.base.errors import KerpError
from kerp.protocol.load import load_protocol, protocol_ids
from kerp.records.logfile import lines, read_log_bytes, write_log
from kerp.records.replay import replay, snapshot, verification
from kerp.records.tables.registry import TABLES
from kerp.records.tables.write import read_tables, write_tables
from kerp.session.drug_track import DrugStatus
from kerp.session.events import EndingRule, Entry, SudsRated
from kerp.session.falls import falls_of
from kerp.simulate.course import drawn_traits, simulate_course
from kerp.simulate.traits import Traits, read_traits

IV = "bottemanne2021-iv"


@pytest.fixture(scope="module")
def entries() -> tuple[Entry, ...]:
    return simulate_course(load_protocol(IV), 3).entries


@pytest.fixture(scope="module")
def course(entries: tuple[Entry, ...]):
    raw = "".join(lines(entries, load_protocol(IV).protocol)).encode()
    return replay(read_log_bytes(raw, where="p3"))


def test_the_same_seed_gives_the_same_log_and_another_seed_another(entries: tuple[Entry, ...]) -> None:
    protocol = load_protocol("ketamine-alone-iv")
    first, again = (simulate_course(protocol, 8).entries for _ in range(2))
    assert first == again
    assert simulate_course(protocol, 9).entries != first


def test_the_session_follows_the_drug_from_start_to_discharge(course) -> None:
    view = course.views[0]
    assert view.drug.status is DrugStatus.ENDED
    assert view.drug.volume_given_ml == pytest.approx(view.drug.segments[0].ml_per_h * 40 / 60, rel=0.01)
    assert view.t0_ms <= view.exposure.first_ms <= view.t0_ms + 60_000
    assert view.t0_ms < view.effect.onset_ms < view.effect.peak_ms < view.effect.resolved_ms
    assert view.exposure.stopped_ms > view.effect.resolved_ms
    assert view.discharged
    assert [v.record.plan_id for v in course.views[1:]].count("metacognitive") == 3


def test_the_last_block_of_the_dose_ends_with_the_taper_and_none_by_a_fall_the_drug_may_explain(course) -> None:
    assert course.views[0].exposure.blocks[-1].ending_rule is EndingRule.PROTOCOL_TAPER
    for view in course.views:
        for block in view.exposure.blocks:
            if block.ending_rule is EndingRule.HABITUATION:
                assert all(fall.is_habituation for fall in falls_of(view) if fall.block == block.name)


def test_the_log_says_that_it_is_simulated_and_no_table_does(course) -> None:
    assert course.opened.origin == "simulated"
    for rows in read_tables([course]).values():
        assert "simulated" not in str(rows).lower()


def test_a_blinded_log_tells_no_arm_anywhere() -> None:
    resolved = load_protocol("midazolam-erp")
    raw = "".join(lines(simulate_course(resolved, 2).entries, resolved.protocol))
    entries_text = raw.split("\n", 1)[1].lower()
    for word in ("midazolam", "ketamine", '"dose_mg":5', 'mg_per_min":0'):
        assert word not in entries_text


@pytest.mark.parametrize("identifier", [p for p in protocol_ids() if p not in {IV, "rodriguez2016-sequential"}])
def test_every_shipped_protocol_can_be_played_to_its_end(identifier: str) -> None:
    resolved = load_protocol(identifier)
    simulated = simulate_course(resolved, 2)
    raw = "".join(lines(simulated.entries, simulated.protocol)).encode()
    log = read_log_bytes(raw, where=identifier)
    assert verification(log)["entries"] == len(log.entries)
    played = replay(log)
    assert all(view.discharged for view in played.views)


def test_snapshots_do_not_depend_on_what_came_later(entries: tuple[Entry, ...]) -> None:
    protocol = load_protocol(IV).protocol
    t0 = next(e.occurred_ms for e in entries if e.event.type == "administration_start")
    early = tuple(e for e in entries if e.recorded_ms <= t0 + 35 * 60_000)
    whole, part = (
        read_log_bytes("".join(lines(chosen, protocol)).encode(), where="p") for chosen in (entries, early)
    )
    assert snapshot(whole, 35)["state_digest"] == snapshot(part, 35)["state_digest"]


@pytest.mark.parametrize("minute", [float("nan"), float("inf"), -1e12, 1e300])
def test_a_minute_that_is_none_is_refused(entries: tuple[Entry, ...], minute: float) -> None:
    log = read_log_bytes("".join(lines(entries, load_protocol(IV).protocol)).encode(), where="p")
    with pytest.raises(KerpError, match="no minute of a session"):
        snapshot(log, minute)


def test_tables_of_a_log_equal_tables_of_its_replay(course, tmp_path: Path) -> None:
    write_log(tmp_path / "log", course.entries, course.protocol)
    from kerp.records.logfile import read_log

    assert read_tables([replay(read_log(tmp_path / "log"))]) == read_tables([course])


def test_tables_are_written_typed_with_a_dictionary(course, tmp_path: Path) -> None:
    from pyarrow import parquet

    written = write_tables([course], tmp_path / "tables")
    assert set(written.rows) == {table.id for table in TABLES}
    for table in TABLES:
        read = parquet.read_table(tmp_path / "tables" / f"{table.id}.parquet")
        assert read.num_rows == written.rows[table.id]
        assert read.column_names == [column.name for column in table.columns]
        lines_written = (tmp_path / "tables" / f"{table.id}.csv").read_text().splitlines()
        assert lines_written[0].split(",")[0] == "participant"
    page = (tmp_path / "tables" / "dictionary.md").read_text()
    for table in TABLES:
        for column in table.columns:
            assert f"| {column.name} |" in page
            assert column.codes is None or ", ".join(column.codes) in page


def test_a_missing_rating_is_empty_and_never_zero(course) -> None:
    rows = read_tables([course])["ratings"]
    missed = [row for row in rows if row["missing_reason"]]
    assert all(row["value"] is None for row in missed)
    given = [row for row in rows if row["measure"] == "suds" and row["value"] is not None]
    assert len(given) == sum(isinstance(e.event, SudsRated) for e in course.entries)


def test_the_ybocs_before_and_a_week_after_is_valid_and_its_rows_say_who_rated(course) -> None:
    rows = [r for r in read_tables([course])["scores"] if r["instrument"] == "ybocs" and r["subscale"] == "total"]
    assert {row["study_day"] for row in rows} >= {-1, 7, 14, 28}
    assert all(row["valid_for_analysis"] for row in rows)
    assert {row["rater_role"] for row in rows} == {"blind_rater"}


def test_one_study_code_in_two_logs_is_refused(course, tmp_path: Path) -> None:
    with pytest.raises(KerpError, match="study code"):
        write_tables([course, course], tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_a_person_file_names_every_fault_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "person.toml"
    path.write_text('weight_kg = 500\ncovert = "yes"\nheight = 180\ntheme = "doubt"\n')
    with pytest.raises(KerpError) as refused:
        read_traits(path, Traits())
    assert [(fault.line, fault.field) for fault in refused.value.faults] == [
        (1, "weight_kg"), (2, "covert"), (3, "height"),
    ]  # fmt: skip


def test_a_person_file_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "person.toml"
    path.write_text("paradoxical_suds = 45\nweight_kg = 64.5\n")
    traits = read_traits(path, drawn_traits(1, "iv_infusion"))
    assert (traits.paradoxical_suds, traits.weight_kg) == (45.0, 64.5)


def test_a_scale_of_the_past_hour_is_valid_once_an_hour_has_passed_since_the_dose(course) -> None:
    from kerp.session.deviations import deviations

    asked = [r for r in read_tables([course])["scores"] if r["instrument"] == "yboccs" and r["subscale"] == "total"]
    late = [row for row in asked if row["at_min"] is not None and row["at_min"] > 60]
    assert late
    assert all(row["valid_for_analysis"] for row in late)
    kinds = [deviation.kind for deviation in deviations(course.protocol, course.state, course.end_ms)]
    assert "reference_period" not in kinds


def test_free_text_never_leaves_in_a_table(tmp_path: Path) -> None:
    from kerp.session.events import AdverseEvent, Debrief, DeviationNoted, Ritual, RitualSeen

    resolved = load_protocol("ketamine-alone-iv")
    simulated = simulate_course(resolved, 8)
    secret = "Mrs Example of 12 Sample Street"
    last = simulated.entries[-1]
    said = [
        AdverseEvent(code="nausea", grade=1, text=secret, action=secret),
        DeviationNoted(category="other", text=secret),
        Debrief(learned=secret, note=secret),
        RitualSeen(kind=Ritual.MENTAL, judged_by="therapist", note=secret),
    ]
    more = tuple(
        Entry(
            seq=last.seq + n, id=f"more-{n}", occurred_ms=last.occurred_ms, recorded_ms=last.recorded_ms,
            actor="nurse-1", role="nurse", session="dosing", event=event,
        )
        for n, event in enumerate(said, start=1)
    )  # fmt: skip
    raw = "".join(lines((*simulated.entries, *more), simulated.protocol)).encode()
    write_tables([replay(read_log_bytes(raw, where="log"))], tmp_path / "tables")
    for path in (tmp_path / "tables").iterdir():
        assert b"Sample Street" not in path.read_bytes(), path.name
