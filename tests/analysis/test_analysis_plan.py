"""A plan on a trial's tables: locked, carried out, reported; bad plans and tables refused with every fault."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from kerp.analysis import describe
from kerp.analysis.contact import compare_contact
from kerp.analysis.outcomes import long_columns, outcomes_of, response_counts
from kerp.analysis.plan_file import changes_since, lock, plan_digest, plan_ids, plan_path, read_plan
from kerp.analysis.tables import SCHEMA, read_tables
from kerp.base.errors import KerpError
from kerp.cli.main import cli

SHIPPED = plan_path("timing-two-arm")


def run(*arguments: object):
    return CliRunner().invoke(cli, ["analyse", *map(str, arguments)])


def edited(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    text = SHIPPED.read_text()
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return path


def quick(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    return edited(tmp_path, ("draws = 100", "draws = 10"), *pairs)


def test_every_shipped_plan_can_be_read() -> None:
    for identifier in plan_ids():
        assert read_plan(plan_path(identifier)).id == identifier


def test_the_columns_this_room_reads_are_those_that_records_write() -> None:
    from kerp.records.tables.registry import TABLES

    written = {table.id: {column.name: str(column.type) for column in table.columns} for table in TABLES}
    for name, columns in SCHEMA.items():
        assert set(columns) <= set(written[name]), name
        for column, kind in columns.items():
            own = {"whole": "number"}.get(written[name][column], written[name][column])
            assert own == kind, f"{name}.{column}"


def test_no_column_tells_whether_people_were_real() -> None:
    assert not any("simul" in column or "origin" in column for columns in SCHEMA.values() for column in columns)


def test_a_plan_is_carried_out_and_reported(tmp_path, write_trial) -> None:
    tables = write_trial()
    outcome = run(tables, "--plan", quick(tmp_path), "--out", tmp_path / "out", "--json")
    assert outcome.exit_code == 0, outcome.output
    data = json.loads((tmp_path / "out" / "results.json").read_text())
    estimate = data["primary"]["estimate"]
    assert estimate["ci_low"] < -4 < estimate["ci_high"]
    assert estimate["visit"] == "14"
    assert data["primary"]["converged"]
    assert [row["assumption"] for row in data["sensitivity"]["rows"]] == ["mar", "j2r", "cr", "cir"]
    assert {row["what"] for row in data["deviations"]} >= {"something_new"}
    assert data["flow"][0]["by_arm"] == {"concurrent": 16, "sequential": 16}
    page = (tmp_path / "out" / "report.html").read_text()
    for heading in ("Participants", "Baseline", "Response by every definition", "Safety", "Blinding", "Model checks"):
        assert heading in page
    assert not re.search(r'(src|href)="https?://', page)
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.S).lower().split()
    assert "plan not locked" in page


def test_the_same_tables_and_plan_give_the_same_results(tmp_path, write_trial) -> None:
    tables, plan = write_trial(per_arm=12), quick(tmp_path)
    for name in ("a", "b"):
        assert run(tables, "--plan", plan, "--out", tmp_path / name).exit_code == 0
    for file in ("results.json", "report.html"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_score_with_a_dose_in_its_week_is_never_used(write_trial) -> None:
    tables, plan = read_tables(write_trial()), read_plan(SHIPPED)
    found = outcomes_of(tables, plan)
    assert found.not_valid == 32
    assert all(row["study_day"] != 2 for row in found.observed.values())


def test_rescue_medication_makes_later_outcomes_missing_and_stopping_does_not(write_trial) -> None:
    tables, plan = read_tables(write_trial(leave=0.0)), read_plan(SHIPPED)
    found = outcomes_of(tables, plan)
    values = {o.day: o.value for o in found.applied.observations if o.participant == "K002"}
    assert values[7] is not None
    assert values[14] is None
    assert found.observed["K002", 14.0]["value"] is not None
    assert found.applied.changed["rescue_benzodiazepine"] == 3


def test_everybody_randomised_has_a_row_for_every_visit(write_trial) -> None:
    tables, plan = read_tables(write_trial()), read_plan(SHIPPED)
    long = long_columns(tables, plan, outcomes_of(tables, plan))
    assert len(long) == 32 * 4


def test_a_missing_global_rating_leaves_the_consensus_response_unknown_not_negative(write_trial) -> None:
    folder = write_trial(leave=0.0)
    scores = folder / "scores.csv"
    kept = [line for line in scores.read_text().splitlines() if "cgi_i" not in line]
    scores.write_text("\n".join(kept) + "\n")
    tables, plan = read_tables(folder), read_plan(SHIPPED)
    counts = {c.criterion: c for c in response_counts(tables, plan, outcomes_of(tables, plan))}
    strict, plain = counts["mataixcols2016.response"], counts["farris2013.response"]
    assert sum(arm.unknown for arm in plain.arms) == 0
    assert sum(arm.unknown for arm in strict.arms) == sum(arm.responders for arm in plain.arms)
    assert "CGI-I" in strict.definition


def test_time_to_response_is_the_first_visit_that_meets_the_definition(write_trial) -> None:
    from kerp.analysis.outcomes import first_responses

    tables, plan = read_tables(write_trial(leave=0.0)), read_plan(SHIPPED)
    outcomes = outcomes_of(tables, plan)
    found = {f.participant: f for f in first_responses(tables, plan, outcomes, "farris2013.response")}
    assert len(found) == 32
    for who, first in found.items():
        start = outcomes.baseline[who]["value"]
        days = [v.day for v in plan.outcome.visits if outcomes.observed[who, v.day]["value"] <= 0.65 * start]
        assert (first.day, first.responded) == ((days[0], True) if days else (42.0, False))


def test_the_lottery_is_repeated_within_the_strata_of_the_allocation(write_trial) -> None:
    folder = write_trial()
    lines = (folder / "allocation.csv").read_text().split()
    marked = [lines[0] + ",stratum", *(f"{line},{'sri' if i % 3 else 'none'}" for i, line in enumerate(lines[1:]))]
    (folder / "allocation.csv").write_text("\n".join(marked) + "\n")
    tables = read_tables(folder)
    assert set(tables.stratum_of.values()) == {"sri", "none"}
    assert len(tables.stratum_of) == len(tables.arm_of) == 32


def test_a_trial_without_outcomes_says_so_and_still_reports_the_flow(tmp_path, write_trial) -> None:
    folder = write_trial(per_arm=6)
    scores = folder / "scores.csv"
    scores.write_text(scores.read_text().splitlines()[0] + "\n")
    outcome = run(folder, "--plan", quick(tmp_path), "--out", tmp_path / "out")
    assert outcome.exit_code == 0, outcome.output
    assert "the primary estimate cannot be given" in outcome.output
    data = json.loads((tmp_path / "out" / "results.json").read_text())
    assert data["primary"]["not_estimable"]
    assert "cannot be given" in (tmp_path / "out" / "report.html").read_text()


def test_nobody_guessing_is_said(tmp_path, write_trial) -> None:
    outcome = run(write_trial(per_arm=8, guess=False), "--plan", quick(tmp_path), "--out", tmp_path / "out", "--json")
    assert outcome.exit_code == 0, outcome.output
    data = json.loads((tmp_path / "out" / "results.json").read_text())
    assert "nobody was asked to guess" in data["blinding"]["reason"]
    assert "below 12 per arm" in " ".join(data["primary"]["notes"])


def test_the_digest_does_not_depend_on_comments_or_declared_deviations(tmp_path) -> None:
    plan = read_plan(SHIPPED)
    text = SHIPPED.read_text() + '\n[[deviations]]\nwhat = "window"\nwhy = "strike"\nwhen = "before unblinding"\n'
    path = tmp_path / "p.toml"
    path.write_text("# another comment\n" + text)
    assert plan_digest(read_plan(path)) == plan_digest(plan)
    assert read_plan(path).deviations[0].why == "strike"


def test_what_changed_after_the_lock_is_listed_field_by_field(tmp_path, write_trial) -> None:
    plan = quick(tmp_path)
    assert run("lock", plan).exit_code == 0
    assert changes_since(read_plan(plan), plan.with_suffix(".lock.json")) == []
    plan.write_text(plan.read_text().replace("primary_day = 14.0", "primary_day = 28.0"))
    assert changes_since(read_plan(plan), plan.with_suffix(".lock.json")) == ["outcome.primary_day: 14.0 -> 28.0"]
    outcome = run(write_trial(per_arm=12), "--plan", plan, "--out", tmp_path / "out")
    assert "changed after the lock: outcome.primary_day: 14.0 -> 28.0" in outcome.output
    assert "outcome.primary_day" in (tmp_path / "out" / "report.html").read_text()


def test_a_lock_is_never_overwritten_and_an_edited_one_is_refused(tmp_path) -> None:
    plan = quick(tmp_path)
    run("lock", plan)
    assert "locked already" in str(run("lock", plan).exception)
    file = plan.with_suffix(".lock.json")
    content = lock(read_plan(plan))
    content["plan"]["version"] = 2
    file.write_text(json.dumps(content))
    with pytest.raises(KerpError, match="the lock was edited"):
        changes_since(read_plan(plan), file)


def test_all_faults_of_a_plan_are_listed_at_once_with_their_lines(tmp_path) -> None:
    path = edited(
        tmp_path,
        ("primary_day = 14.0", "primary_day = 15.0"),
        ("from_day = 12.0", "from_day = 9.0"),
        ('"farris2013.response"', '"farris.reponse"'),
        ("draws = 100", "draws = 1"),
        ('reference = "sequential"', 'reference = "concurrent"'),
        ("tolerance_fraction = 0.05", "tolerance_fraction = 5.0"),
    )
    with pytest.raises(KerpError) as caught:
        read_plan(path)
    text = str(caught.value)
    said = (
        "primary day is no visit",
        "windows cross",
        "no such outcome rule",
        "two imputations",
        "itself",
        "no share",
    )
    for message in said:
        assert message in text
    assert all(fault.line and fault.ways_out and fault.ways_out[0] for fault in caught.value.faults)
    assert "did you mean farris2013.response?" in text


def test_an_unknown_key_and_a_missing_one_are_refused(tmp_path) -> None:
    path = edited(tmp_path, ("version = 1", 'vresion = "one"'))
    with pytest.raises(KerpError) as caught:
        read_plan(path)
    assert {fault.field for fault in caught.value.faults} == {"version", "vresion"}
    ways = {fault.field: fault.ways_out[0] for fault in caught.value.faults}
    assert ways == {"version": "add version", "vresion": "remove vresion, or correct its spelling"}


def test_missing_tables_columns_and_arms_are_refused_all_at_once(tmp_path, write_trial) -> None:
    folder = write_trial()
    (folder / "vitals.csv").unlink()
    (folder / "allocation.csv").unlink()
    guesses = folder / "guesses.csv"
    guesses.write_text(guesses.read_text().replace("certainty", "sureness", 1))
    outcome = run(folder, "--plan", SHIPPED, "--out", tmp_path / "out")
    text = str(outcome.exception)
    assert "vitals" in text
    assert "columns are missing: certainty" in text
    assert "arms of the participants are needed" in text
    assert not (tmp_path / "out").exists()


def test_a_participant_without_an_arm_and_one_with_two_are_refused(write_trial) -> None:
    folder = write_trial()
    allocation = folder / "allocation.csv"
    text = allocation.read_text()
    allocation.write_text("\n".join(text.splitlines()[:-1]) + "\n")
    with pytest.raises(KerpError, match="no arm in the allocation: K031"):
        read_tables(folder)
    allocation.write_text(text + "K000,sequential\n")
    with pytest.raises(KerpError, match="allocated twice: K000"):
        read_tables(folder)


def test_parquet_tables_are_read_like_csv(tmp_path, write_trial) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.csv
    import pyarrow.parquet

    folder = write_trial(per_arm=4)
    expected = read_tables(folder)
    other = tmp_path / "parquet"
    other.mkdir()
    shutil.copy(folder / "allocation.csv", other)
    for name in SCHEMA:
        pyarrow.parquet.write_table(pyarrow.csv.read_csv(folder / f"{name}.csv"), other / f"{name}.parquet")
    assert read_tables(other) == expected


def test_the_report_compares_contact_time_therapists_and_strata_between_the_arms(write_trial) -> None:
    folder = write_trial()
    tables, plan = read_tables(folder), read_plan(SHIPPED)
    conduct = describe.conduct(tables, plan)
    own = {who for who, arm in tables.arm_of.items() if arm == "concurrent"}
    minutes = [row["contact_min"] for row in tables.rows["sessions"] if row["participant"] in own]
    found = conduct["contact_min"]["concurrent"]
    assert found["mean"] * found["n"] == pytest.approx(sum(minute or 0.0 for minute in minutes))
    assert set(conduct["therapists"]) == {"concurrent", "sequential"}
    low = min(row["spo2_pct"] for row in tables.rows["vitals"] if row["participant"] in own and row["spo2_pct"])
    assert conduct["lowest_spo2_pct"]["concurrent"]["mean"] >= low
    strata = next(
        c
        for c in describe.baseline_table(tables, plan, outcomes_of(tables, plan))["counts"]
        if c["name"] == "stratum"
    )
    assert all(sum(by.values()) == 16 for by in strata["by_arm"].values())


def test_the_report_warns_where_one_arm_had_more_contact_and_not_where_both_had_the_same(
    tmp_path, write_trial
) -> None:
    folder = write_trial(per_arm=12)
    equal = run(folder, "--plan", quick(tmp_path), "--out", tmp_path / "equal")
    assert "UNEQUAL CONTACT" not in equal.output + (tmp_path / "equal" / "report.html").read_text()
    sessions = folder / "sessions.csv"
    arms = dict(line.split(",") for line in (folder / "allocation.csv").read_text().split())
    lines = sessions.read_text().splitlines()
    longer = [row.replace(",60", ",66") if arms.get(row.split(",")[0]) == "sequential" else row for row in lines]
    sessions.write_text("\n".join(longer) + "\n")
    outcome = run(folder, "--plan", quick(tmp_path), "--out", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    said = "UNEQUAL CONTACT TIME: exposure per participant was 60 min in concurrent and 66 min in sequential"
    for text in (outcome.output, page):
        assert said in text
        assert "is not the effect of timing or drug alone" in text
    contact = json.loads((tmp_path / "out" / "results.json").read_text())["contact"]
    assert contact["share"] == pytest.approx(6 / 66)


@pytest.mark.parametrize(
    ("minutes", "tolerance", "warned"),
    [
        ((60, 60), 0.0, ""),
        ((60, 58), 0.05, ""),
        ((60, 58), 0.0, "UNEQUAL"),
        ((0, 0), 0.0, ""),
        ((60, 0), 0.5, "100%"),
    ],
)
def test_contact_is_unequal_beyond_the_tolerance_of_the_plan(minutes, tolerance, warned) -> None:
    found = compare_contact(dict(zip("ab", map(float, minutes), strict=True)), "a", "b", tolerance)
    assert warned in found.warning if warned else not found.warning


def test_contact_that_nobody_recorded_is_not_called_equal() -> None:
    found = compare_contact({"a": 60.0, "b": None}, "a", "b", 0.05)
    assert found.share is None
    assert "recorded in b: whether contact was equal is not known" in found.warning


def test_a_visit_of_the_plan_that_nobody_has_an_outcome_of_is_said_beside_the_course(tmp_path, write_trial) -> None:
    folder = write_trial(per_arm=12, leave=0.0)
    scores = folder / "scores.csv"
    kept = [line for line in scores.read_text().splitlines() if line.split(",")[1] != "42"]
    scores.write_text("\n".join(kept) + "\n")
    outcome = run(folder, "--plan", quick(tmp_path), "--out", tmp_path / "out")
    said = "Day 42 is a visit of the plan and nobody has a valid Y-BOCS between days 38 and 49"
    assert f"warning: {said}" in outcome.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert said in page
    assert "Day 28 is a visit of the plan and nobody" not in page


def test_two_times_of_asking_are_two_indices_and_a_second_answer_at_one_time_counts_for_none(
    tmp_path, write_trial
) -> None:
    folder = write_trial(per_arm=8, guess=False)
    columns = list(SCHEMA["guesses"])
    rows = [",".join(columns)]
    for k in range(16):
        for session, visit, day, word in (
            ("dosing", "", 0, "active"),
            ("", "day7", 7, "comparison"),
            ("", "day7", 8, "active"),
        ):
            cells = {"participant": f"K{k:03d}", "session": session, "visit": visit, "study_day": day}
            cells |= {"by": "participant", "guess": word, "certainty": 60}
            rows.append(",".join(str(cells.get(name, "")) for name in columns))
    (folder / "guesses.csv").write_text("\n".join(rows) + "\n")
    outcome = run(folder, "--plan", quick(tmp_path), "--out", tmp_path / "out", "--json")
    blinding = json.loads(outcome.output)["blinding"]
    found = [(row["when"], row["arm"], row["correct"], row["wrong"]) for row in blinding["bang"]]
    assert found == [
        ("dosing", "concurrent", 8, 0),
        ("dosing", "sequential", 0, 8),
        ("day7", "concurrent", 0, 8),
        ("day7", "sequential", 8, 0),
    ]
    assert blinding["belief"]["shares"] == [1.0, 1.0]
