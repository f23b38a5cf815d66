"""What cannot be estimated is said in words, by line and with a way out; no NaN without its reason."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from kerp.analysis.columns import parse_csv, read_columns
from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method
from kerp.analysis.mmrm import fit_mmrm
from kerp.analysis.mmrm_output import as_dict
from kerp.analysis.spec import MmrmSpec
from kerp.base.errors import KerpError
from kerp.cli.main import cli

SPEC = MmrmSpec("y", "id", "visit", "arm", covariance=Structure.US, method=Method.SATTERTHWAITE)


def trial(n: int = 12, visits: int = 3, seed: int = 1) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    people = rng.normal(size=2 * n)
    return [
        [f"P{i}", f"V{v}", "AB"[i % 2], f"{25 + 3 * people[i] - v + rng.normal():.3f}"]
        for i in range(2 * n)
        for v in range(visits)
    ]


def table(rows: list[list[str]]):
    return parse_csv("id,visit,arm,y\n" + "\n".join(",".join(row) for row in rows) + "\n", "trial.csv")


def refused(rows: list[list[str]], spec: MmrmSpec = SPEC) -> str:
    with pytest.raises(KerpError) as caught:
        fit_mmrm(table(rows), spec)
    return str(caught.value)


def test_an_ordinary_trial_is_estimated_without_missing_figures() -> None:
    out = as_dict(fit_mmrm(table(trial()), SPEC))
    assert out["converged"]
    assert "null" not in json.dumps(out)


def test_an_arm_without_any_outcome_leaves_no_treatment_effect() -> None:
    rows = [[i, v, a, "NA" if a == "B" else y] for i, v, a, y in trial()]
    assert "only one arm has an observed outcome" in refused(rows)


def test_a_third_arm_without_any_outcome_is_named_and_the_others_are_estimated() -> None:
    rows = trial() + [["P99", f"V{v}", "C", "NA"] for v in range(3)]
    result = fit_mmrm(table(rows), SPEC)
    assert [item.what for item in result.not_estimable] == ["arm C"]
    assert {c.arm for c in result.contrasts} == {"B"}


def test_one_visit_is_sent_to_ancova() -> None:
    text = refused(trial(visits=1))
    assert "only one visit has an observed outcome" in text
    assert "ANCOVA" in text


def test_a_visit_that_nobody_attended_is_named_not_estimated() -> None:
    rows = [[i, v, a, "" if v == "V2" else y] for i, v, a, y in trial()]
    result = fit_mmrm(table(rows), SPEC)
    assert result.visits == ("V0", "V1")
    assert [item.what for item in result.not_estimable] == ["visit V2"]


def test_an_arm_that_missed_one_visit_entirely_is_refused_with_ways_out() -> None:
    rows = [[i, v, a, "" if (v, a) == ("V2", "B") else y] for i, v, a, y in trial()]
    text = refused(rows)
    assert "arm B has no observed outcome at visit V2" in text
    assert "way out" in text


def test_a_constant_outcome_has_no_variance() -> None:
    assert "same value" in refused([[i, v, a, "20"] for i, v, a, _ in trial()])


@pytest.mark.parametrize("covariance", [Structure.US, Structure.ARH1])
def test_a_visit_without_spread_is_refused_and_never_given_a_tiny_standard_error(covariance: Structure) -> None:
    spec = replace(SPEC, covariance=covariance)
    constant = [[i, v, a, "5" if v == "V2" else y] for i, v, a, y in trial()]
    separated = [[i, v, a, str(5 + (a == "B")) if v == "V1" else y] for i, v, a, y in trial()]
    assert "at visit V2 no outcome differs" in refused(constant, spec)
    assert "at visit V1 no outcome differs" in refused(separated, spec)
    assert fit_mmrm(table(constant), replace(SPEC, covariance=Structure.CS)).converged


def test_an_outcome_the_model_fits_exactly_has_no_standard_error() -> None:
    rows = [[i, v, a, str(20 + 3 * (a == "B") + int(v[1]))] for i, v, a, _ in trial()]
    assert "fits every value exactly" in refused(rows)


def test_a_covariate_that_repeats_the_arm_is_named() -> None:
    rows = trial()
    text = "id,visit,arm,y,centre\n" + "\n".join(",".join([*row, "x" + row[2]]) for row in rows) + "\n"
    with pytest.raises(KerpError, match="cannot be told apart from others: armB"):
        fit_mmrm(parse_csv(text, "t.csv"), MmrmSpec(**{**SPEC.__dict__, "covariates": ("centre",)}))


def test_visits_never_seen_together_cannot_have_an_unstructured_covariance() -> None:
    rows = [row for k, row in enumerate(trial(30)) if row[1] != ("V1" if (k // 6) % 2 else "V2")]
    text = refused(rows)
    assert "V1 and V2" in text
    assert "--covariance" in text


def test_too_few_participants_for_an_unstructured_covariance_is_said_before_fitting() -> None:
    assert "too few participants" in refused(trial(n=2, visits=4))


def test_two_rows_for_one_visit_are_refused_by_line() -> None:
    rows = trial()
    text = refused([*rows, rows[0]])
    assert f"trial.csv:{len(rows) + 2}" in text
    assert "P0 has two rows for visit V0 (the other is on line 2)" in text


def test_a_participant_who_changes_arm_is_refused() -> None:
    rows = trial()
    rows[1][2] = "B"
    assert "P0 changes arm" in refused(rows)


def test_text_in_the_outcome_is_refused_by_line_and_column() -> None:
    rows = trial()
    rows[4][3] = "many"
    text = refused(rows)
    assert "trial.csv:6 y" in text
    assert "many" in text


def test_an_infinite_outcome_is_refused() -> None:
    rows = trial()
    rows[0][3] = "inf"
    assert "finite" in refused(rows)


def test_an_unknown_column_offers_the_nearest(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,visit,arm,ybocs\nP1,V1,A,20\n")
    args = [
        "analyse",
        "mmrm",
        "--data",
        str(path),
        "--outcome",
        "ybcs",
        "--subject",
        "id",
        "--visit",
        "visit",
        "--arm",
        "arm",
    ]
    outcome = CliRunner().invoke(cli, args)
    assert isinstance(outcome.exception, KerpError)
    assert "did you mean ybocs" in str(outcome.exception)


def test_an_unknown_reference_level_lists_the_levels() -> None:
    with pytest.raises(KerpError, match="no level of arm called 'C'"):
        fit_mmrm(table(trial()), MmrmSpec(**{**SPEC.__dict__, "references": {"arm": "C"}}))


def test_a_row_of_the_wrong_length_is_refused_by_line(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,visit\nP1,V1\nP2\n")
    with pytest.raises(KerpError, match=r"t\.csv:3: a row has the wrong number of cells"):
        read_columns(path)


def test_below_twelve_per_arm_the_default_changes_and_says_why() -> None:
    spec = MmrmSpec("y", "id", "visit", "arm")
    small, usual = fit_mmrm(table(trial(n=8)), spec), fit_mmrm(table(trial(n=12)), spec)
    assert (small.covariance_structure, small.method) == (Structure.TOEP, Method.KR)
    assert any("below 12 per arm" in note for note in small.notes)
    assert (usual.covariance_structure, usual.method) == (Structure.US, Method.SATTERTHWAITE)


@pytest.mark.parametrize("seed", range(6))
def test_with_four_people_a_standard_error_that_does_not_exist_has_its_reason(seed: int) -> None:
    out = as_dict(fit_mmrm(table(trial(n=2, visits=3, seed=seed)), MmrmSpec("y", "id", "visit", "arm")))
    rows = [*out["contrasts"].values(), *out["ls_means"], *out["coefficients"].values()]
    assert all(("reason" in row) == (None in row.values()) for row in rows)
    json.dumps(out, allow_nan=False)


def test_what_the_analyst_asks_for_is_not_overruled_in_a_small_trial() -> None:
    result = fit_mmrm(table(trial(n=8)), SPEC)
    assert (result.covariance_structure, result.method) == (Structure.US, Method.SATTERTHWAITE)


def test_numbers_as_visits_run_in_numeric_order() -> None:
    rows = [[i, str({"V0": 2, "V1": 10, "V2": 8}[v]), a, y] for i, v, a, y in trial()]
    assert fit_mmrm(table(rows), SPEC).visits == ("2", "8", "10")


def test_complete_data_with_visit_specific_baseline_equal_ancova_at_each_visit() -> None:
    """Same regressors at every visit: generalised and ordinary least squares coincide (Kruskal's condition)."""
    rows = trial()
    rng = np.random.default_rng(3)
    base = {f"P{i}": f"{rng.normal(25, 4):.2f}" for i in range(24)}
    text = "id,visit,arm,y,base\n" + "\n".join(",".join([*r, base[r[0]]]) for r in rows) + "\n"
    spec = MmrmSpec(
        "y",
        "id",
        "visit",
        "arm",
        baseline="base",
        baseline_by_visit=True,
        covariance=Structure.US,
        method=Method.SATTERTHWAITE,
    )
    last = fit_mmrm(parse_csv(text, "t.csv"), spec).contrasts[-1].result
    chosen = [r for r in rows if r[1] == "V2"]
    x = np.array([[1.0, r[2] == "B", float(base[r[0]])] for r in chosen])
    y = np.array([float(r[3]) for r in chosen])
    beta = np.linalg.solve(x.T @ x, x.T @ y)
    s2 = np.sum((y - x @ beta) ** 2) / (len(y) - 3)
    assert last.estimate == pytest.approx(beta[1], abs=1e-9)
    assert last.se == pytest.approx(np.sqrt(s2 * np.linalg.inv(x.T @ x)[1, 1]), rel=1e-6)
    assert last.df == pytest.approx(len(y) - 3, rel=1e-6)


def with_baseline(rows: list[list[str]]) -> list[list[str]]:
    return [[*row, f"{20 + k % 7}.5"] for k, row in enumerate(rows)]


def refused_text(rows: list[list[str]], spec: MmrmSpec) -> str:
    text = "id,visit,arm,y,base\n" + "\n".join(",".join(row) for row in rows) + "\n"
    with pytest.raises(KerpError) as caught:
        fit_mmrm(parse_csv(text, "t.csv"), spec)
    return str(caught.value)


@pytest.mark.parametrize("spec", [replace(SPEC, baseline="base"), replace(SPEC, covariates=("base",))])
def test_a_slip_in_a_column_of_numbers_is_named_by_its_line_also_after_rows_left_out(spec: MmrmSpec) -> None:
    rows = with_baseline(trial())
    for k in (3, 5, 7):
        rows[k][3] = "NA"
    rows[40][4] = "2O.5"
    said = refused_text(rows, spec)
    assert "t.csv:42 base" in said
    assert "2O.5" in said


def test_lines_are_those_of_the_file_where_it_has_empty_lines() -> None:
    columns = parse_csv("id,y\n\na,1\n\n\nb,x\n", "t.csv")
    with pytest.raises(KerpError, match=r"t\.csv:6 y"):
        columns.numbers("y")


@pytest.mark.parametrize("name", ["nothing", "base", "y"])
def test_a_reference_level_that_would_change_nothing_is_refused(name: str) -> None:
    said = refused_text(with_baseline(trial()), replace(SPEC, baseline="base", references={name: "A"}))
    assert "--reference: there is no factor of this model" in said


def test_a_slope_by_visit_without_a_baseline_is_refused() -> None:
    assert "--baseline" in refused(trial(), replace(SPEC, baseline_by_visit=True))


def test_numbers_too_large_for_any_measurement_are_refused_and_the_largest_allowed_still_fit() -> None:
    rows = trial()
    huge = [[i, v, a, f"{float(y) * 1e40:g}"] for i, v, a, y in rows]
    assert "not a finite number" in refused(huge)
    large = [[i, v, a, f"{float(y) * 1e28:g}"] for i, v, a, y in rows]
    fitted, plain = fit_mmrm(table(large), SPEC), fit_mmrm(table(rows), SPEC)
    assert fitted.contrasts[-1].result.p == pytest.approx(plain.contrasts[-1].result.p, rel=1e-4)
