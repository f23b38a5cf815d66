"""One visit from the command line; what has no interval says why; who was assessed, and arms that do not fit."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kerp.analysis.columns import parse_csv
from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method, t_estimate
from kerp.analysis.mmrm import fit_mmrm
from kerp.analysis.mmrm_output import as_dict
from kerp.analysis.plan_file import plan_path, read_plan
from kerp.analysis.run_plan import run_plan
from kerp.analysis.spec import MmrmSpec
from kerp.analysis.tables import read_tables
from kerp.base.errors import KerpError
from kerp.cli.main import cli
from kerp.report.analysis import analysis_report


def long_csv(path: Path, per_arm: int = 20, arms: str = "AB", seed: int = 5) -> Path:
    rng = np.random.default_rng(seed)
    lines = ["id,visit,arm,base,site,y"]
    for i in range(per_arm * len(arms)):
        base, arm = 25 + rng.normal(0, 4), arms[i % len(arms)]
        for visit in (7, 14):
            y = base - visit / 2 - 2 * (arm == arms[-1]) + rng.normal(0, 2)
            lines.append(f"P{i},{visit},{arm},{base:.2f},s{i // 3 % 4},{y:.2f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def asked(*arguments: str) -> dict:
    found = CliRunner().invoke(cli, ["analyse", "ancova", *arguments, "--json"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return json.loads(found.output)


def test_ancova_from_the_command_line_agrees_with_statsmodels(tmp_path: Path) -> None:
    pandas, ols = pytest.importorskip("pandas"), pytest.importorskip("statsmodels.formula.api").ols
    path = long_csv(tmp_path / "long.csv", arms="ABC")
    common = ("--data", str(path), "--outcome", "y", "--subject", "id", "--arm", "arm", "--baseline", "base")
    found = asked(*common, "--covariates", "site", "--at", "visit=14", "--reference", "arm=B")
    table = pandas.read_csv(path).query("visit == 14")
    peer = ols("y ~ base + C(site) + C(arm, Treatment('B'))", table).fit()
    for arm in "AC":
        name = f"C(arm, Treatment('B'))[T.{arm}]"
        ours = found["contrasts"][arm]
        assert [ours["estimate"], ours["se"], ours["p"]] == pytest.approx(
            [peer.params[name], peer.bse[name], peer.pvalues[name]], rel=1e-9
        )
        assert [ours["ci_low"], ours["ci_high"]] == pytest.approx(list(peer.conf_int().loc[name]), rel=1e-9)
    assert found["residual_sd"] == pytest.approx(peer.mse_resid**0.5)
    assert found["n_per_arm"] == {"A": 20, "B": 20, "C": 20}
    assert found["randomisation_test"] is None
    assert "more than two arms" in " ".join(found["notes"])


def test_a_small_trial_is_told_to_read_the_lottery_and_every_allocation_is_looked_at(tmp_path: Path) -> None:
    found = asked(
        *("--data", str(long_csv(tmp_path / "a.csv", per_arm=6)), "--outcome", "y", "--arm", "arm", "--at", "visit=7")
    )
    assert found["randomisation_test"]["exact"]
    assert found["randomisation_test"]["allocations"] == 924  # 12 over 6
    assert "randomisation test" in found["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--subject", "id"], "P0 has two rows"),
        (["--at", "visit=15"], "no row has this level"),
        (["--at", "visit"], "COL=LEVEL"),
        (["--at", "visit=14", "--reference", "arm=Z"], "no level of arm called 'Z'"),
    ],
)
def test_what_cannot_be_asked_of_one_visit_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    common = ["analyse", "ancova", "--data", str(long_csv(tmp_path / "a.csv")), "--outcome", "y", "--arm", "arm"]
    found = CliRunner().invoke(cli, common + arguments)
    assert isinstance(found.exception, KerpError)
    assert said in str(found.exception)


def test_next_to_no_degrees_of_freedom_give_no_interval_but_a_reason() -> None:
    rows = (
        "P00,V1,A,28.05,22.782",
        "P00,V2,A,28.05,22.738",
        "P01,V1,B,27.43,22.649",
        "P01,V2,B,27.43,22.468",
        "P02,V1,A,25.5,19.206",
        "P02,V2,A,25.5,20.907",
    )
    text = "\n".join(("id,visit,arm,base,y", *rows))
    spec = MmrmSpec("y", "id", "visit", "arm", (), "base", covariance=Structure.AR1, method=Method.SATTERTHWAITE)
    out = as_dict(fit_mmrm(parse_csv(text, "three.csv"), spec))
    contrast = out["contrasts"]["V2"]
    assert contrast["df"] < 0.5
    assert contrast["p"] is None
    assert contrast["ci_low"] is None
    assert "degrees of freedom are left" in contrast["reason"]
    assert t_estimate(1.0, 1.0, 0.6).why_not == ""


def test_a_number_that_no_scale_has_is_refused_by_line(tmp_path: Path) -> None:
    path = long_csv(tmp_path / "a.csv")
    path.write_text(path.read_text().replace("P0,7,A,", "P0,7,A,1e200,s0,1e200\n#", 1).split("#")[0])
    common = ["analyse", "mmrm", "--data", str(path), "--outcome", "y", "--subject", "id", "--visit", "visit"]
    found = CliRunner().invoke(cli, [*common, "--arm", "arm"])
    assert isinstance(found.exception, KerpError)
    assert "not a finite number" in str(found.exception)


def test_a_reference_arm_without_outcomes_is_said_to_be_empty_not_unknown() -> None:
    text = "id,visit,arm,y\n" + "\n".join(
        f"P{i},V{v},{'AB'[i % 2]},{'' if i % 2 else 20 + i + v}" for i in range(12) for v in (1, 2)
    )
    with pytest.raises(KerpError, match="arm B has no observed outcome"):
        fit_mmrm(parse_csv(text, "t.csv"), MmrmSpec("y", "id", "visit", "arm", references={"arm": "B"}))


def rewrite(path: Path, keep) -> None:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
        names = list(rows[0])
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(row for row in map(keep, rows) if row is not None)


def only_screened(folder: Path, who: str) -> None:
    """Somebody who was looked at and found not eligible: a log, no arm, no treatment."""
    rewrite(folder / "allocation.csv", lambda row: None if row["participant"] == who else row)
    for table in ("sessions", "exposure_blocks", "suds_falls", "vitals", "guesses"):
        rewrite(folder / f"{table}.csv", lambda row: None if row["participant"] == who else row)
    failed = {"eligible": "false", "criteria_not_met": "systolic_below_160; no_psychosis", "withdrawn": "false"}
    rewrite(folder / "participants.csv", lambda row: row | failed if row["participant"] == who else row)


def test_the_flow_begins_with_everybody_assessed_and_says_why_some_were_not_randomised(write_trial) -> None:
    folder = write_trial()
    only_screened(folder, "K031")
    data = run_plan(read_tables(folder), read_plan(plan_path("timing-two-arm")))
    assert data["screening"] == {
        "assessed": 32,
        "not_randomised": 1,
        "reasons": {"not met: no_psychosis": 1, "not met: systolic_below_160": 1},
        "randomised": 31,
    }
    page = analysis_report(data)
    assert "assessed for eligibility: 32" in page
    assert "not met: systolic below 160: 1" in page


def test_everybody_randomised_is_analysed_or_left_out_for_one_stated_reason(write_trial) -> None:
    folder = write_trial(leave=0.3)
    rewrite(folder / "scores.csv", lambda r: None if (r["participant"], r["study_day"]) == ("K004", "-7") else r)
    flow = run_plan(read_tables(folder), read_plan(plan_path("timing-two-arm")))["flow"]
    by_step = {row["step"]: row["by_arm"] for row in flow}
    assert by_step["left out: no valid baseline"] == {"concurrent": 1, "sequential": 0}
    assert sum(by_step["left out: no usable outcome"].values()) > 0
    for arm in ("concurrent", "sequential"):
        analysed = by_step["in the primary analysis"][arm]
        left_out = sum(counts[arm] for step, counts in by_step.items() if step.startswith("left out"))
        assert analysed + left_out == by_step["randomised"][arm] == 16


def test_arms_of_the_plan_that_nobody_has_are_refused_with_those_that_there_are(write_trial) -> None:
    folder = write_trial()
    rewrite(folder / "allocation.csv", lambda row: row | {"arm": row["arm"].upper()})
    with pytest.raises(KerpError) as caught:
        run_plan(read_tables(folder), read_plan(plan_path("timing-two-arm")))
    assert [fault.field for fault in caught.value.faults] == ["arms.compared", "arms.reference"]
    assert "CONCURRENT 16, SEQUENTIAL 16" in str(caught.value)


def test_an_arm_without_any_row_to_analyse_is_named_by_ancova(tmp_path: Path) -> None:
    path = long_csv(tmp_path / "long.csv", arms="ABC")
    text = "\n".join(
        line.rpartition(",")[0] + ",NA" if ",C," in line else line for line in path.read_text().splitlines()
    )
    path.write_text(text + "\n", encoding="utf-8")
    found = asked("--data", str(path), "--outcome", "y", "--arm", "arm", "--at", "visit=14")
    assert any("arm C: no row to analyse" in note for note in found["notes"])
