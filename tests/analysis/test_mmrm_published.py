"""FEV data (R mmrm, SAS PROC MIXED, an independent tight REML) and Orthodont (nlme): values others have printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kerp.analysis.columns import read_columns
from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method
from kerp.analysis.mmrm import MmrmResult, fit_mmrm
from kerp.analysis.spec import MmrmSpec
from kerp.base.data import DATA
from kerp.cli.main import cli

FEV = MmrmSpec(
    *("FEV1", "USUBJID", "AVISIT", "ARMCD", ("RACE", "SEX")),
    references={"SEX": "Male"},  # the data set's own order of levels
    covariance=Structure.US,
    method=Method.SATTERTHWAITE,
)
NAMES = {  # name in the acceptance table -> R's name
    "(Intercept)": "(Intercept)",
    "RACEBlack": "RACEBlack or African American",
    "RACEWhite": "RACEWhite",
    "SEXFemale": "SEXFemale",
    "ARMCDTRT": "ARMCDTRT",
    **{f"VIS{v}": f"AVISITVIS{v}" for v in (2, 3, 4)},
    **{f"TRT:VIS{v}": f"ARMCDTRT:AVISITVIS{v}" for v in (2, 3, 4)},
}


@pytest.fixture(scope="module")
def fev(shared_evidence: Path) -> MmrmResult:
    return fit_mmrm(read_columns(shared_evidence / "fev_data.csv"), FEV)


def _rows(acceptance: dict[str, dict[str, str]], start: str) -> dict[str, list[str]]:
    chosen = [
        r for r in acceptance.values() if "FEV1 ~" in r["dataset_or_design"] and r["quantity"].startswith(start)
    ]
    assert chosen, f"no acceptance row starts with {start!r}"
    return {row["quantity"].removeprefix(start): row["expected"].split("|") for row in chosen}


@pytest.mark.validate
def test_the_restricted_likelihood_of_the_fev_trial_agrees_to_five_decimals(fev: MmrmResult, acceptance) -> None:
    (expected,) = _rows(acceptance, "-2 REML log-likelihood").values()
    assert fev.neg2_loglik == pytest.approx(float(expected[0]), abs=1e-5)
    assert (fev.n_observations, fev.n_subjects, fev.converged) == (537, 197, True)


@pytest.mark.validate
def test_every_coefficient_and_standard_error_agrees_with_an_independent_reml(fev: MmrmResult, acceptance) -> None:
    rows = _rows(acceptance, "beta|SE ")
    assert set(rows) == set(NAMES)
    for name, (beta, se) in rows.items():
        found = fev.coefficients[NAMES[name]]
        assert found.estimate == pytest.approx(float(beta), abs=1e-5), name
        assert found.se == pytest.approx(float(se), abs=1e-5), name


@pytest.mark.validate
def test_every_coefficient_agrees_with_sas_at_its_printed_digits(fev: MmrmResult, acceptance) -> None:
    rows = _rows(acceptance, "SAS PROC MIXED beta|SE|df ")
    assert set(rows) == set(NAMES)
    for name, (beta, se, df) in rows.items():
        found = fev.coefficients[NAMES[name]]
        assert found.estimate == pytest.approx(float(beta), abs=5e-4), name
        assert found.se == pytest.approx(float(se), abs=5e-4), name
        assert found.df == pytest.approx(float(df), abs=1.0), name


@pytest.mark.validate
def test_satterthwaite_degrees_of_freedom_agree_with_r_mmrm(fev: MmrmResult, acceptance) -> None:
    rows = _rows(acceptance, "Satterthwaite df ")
    assert set(rows) == set(NAMES)
    for name, (df,) in rows.items():
        assert fev.coefficients[NAMES[name]].df == pytest.approx(float(df), abs=0.05), name


@pytest.mark.validate
def test_the_covariance_of_the_visits_agrees(fev: MmrmResult, acceptance) -> None:
    (expected,) = _rows(acceptance, "Sigma").values()
    assert fev.covariance == pytest.approx(
        np.array([[float(c) for c in row.split(",")] for row in expected]), abs=1e-3
    )


@pytest.mark.validate
def test_treatment_differences_by_visit_agree_with_sas_least_squares_means(fev: MmrmResult, acceptance) -> None:
    found = {c.visit: c.result for c in fev.contrasts}
    rows = _rows(acceptance, "SAS LSMEANS TRT-PBO ")
    assert len(rows) == 4
    for name, (est, se, df, p, low, high) in rows.items():
        result = found[name.split(":")[0]]
        got = [result.estimate, result.se, result.ci_low, result.ci_high]
        assert got == pytest.approx([float(est), float(se), float(low), float(high)], abs=5e-4)
        assert result.df == pytest.approx(float(df), abs=1.0)
        assert result.p < 1e-4 if p.startswith("<") else result.p == pytest.approx(float(p), abs=5e-5)
    (final,) = _rows(acceptance, "TRT-PBO VIS4 est|SE").values()
    assert [found["VIS4"].estimate, found["VIS4"].se] == pytest.approx([float(x) for x in final], abs=1e-5)


@pytest.mark.validate
def test_kenward_roger_standard_errors_agree_with_r_mmrm(shared_evidence: Path, acceptance) -> None:
    spec = MmrmSpec(**{**FEV.__dict__, "method": Method.KR})
    found = {c.visit: c.result for c in fit_mmrm(read_columns(shared_evidence / "fev_data.csv"), spec).contrasts}
    rows = _rows(acceptance, "Kenward-Roger TRT-PBO ")
    assert len(rows) == 4
    for name, (est, se, df) in rows.items():
        result = found[name.split(":")[0]]
        assert result.estimate == pytest.approx(float(est), abs=5e-3)
        assert result.se == pytest.approx(float(se), abs=1e-3)
        assert result.df == pytest.approx(float(df), abs=1.0)


@pytest.mark.validate
def test_least_squares_means_differ_by_the_contrast(fev: MmrmResult) -> None:
    means = {(m.visit, m.arm): m.result.estimate for m in fev.ls_means}
    for c in fev.contrasts:
        assert means[c.visit, c.arm] - means[c.visit, c.reference] == pytest.approx(c.result.estimate, abs=1e-10)


def _orthodont(path: Path, covariance: str) -> dict:
    arguments = [
        "analyse",
        "mmrm",
        "--data",
        str(path),
        "--outcome",
        "distance",
        "--subject",
        "Subject",
        "--visit",
        "age",
    ]
    arguments += ["--arm", "Sex", "--reference", "Sex=Male", "--time", "age", "--covariance", covariance]
    outcome = CliRunner().invoke(cli, [*arguments, "--df", "satterthwaite", "--json"])
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.output)


def test_orthodont_unstructured_growth_agrees_with_nlme(orthodont: Path) -> None:
    found = _orthodont(orthodont, "us")
    assert -found["neg2_loglik"] / 2 == pytest.approx(-212.2734, abs=1e-4)
    age, slower = found["coefficients"]["age"], found["coefficients"]["SexFemale:age"]
    assert [age["estimate"], age["se"]] == pytest.approx([0.826803689, 0.082217714], abs=1e-4)
    assert [slower["estimate"], slower["se"]] == pytest.approx([-0.350438999, 0.128810402], abs=1e-4)


def test_orthodont_compound_symmetry_is_the_random_intercept_model_of_nlme(orthodont: Path) -> None:
    found = _orthodont(orthodont, "cs")
    names = ("(Intercept)", "age", "SexFemale", "SexFemale:age")
    assert -found["neg2_loglik"] / 2 == pytest.approx(-216.878625, abs=1e-4)
    betas = [found["coefficients"][n]["estimate"] for n in names]
    errors = [found["coefficients"][n]["se"] for n in names]
    assert betas == pytest.approx([16.340625, 0.784375, 1.03210227, -0.304829545], abs=1e-4)
    assert errors == pytest.approx([0.98131224, 0.07750110, 1.53742081, 0.12142090], abs=1e-4)
    between, total = found["covariance"][0][1], found["covariance"][0][0]
    assert [between, total - between] == pytest.approx([3.29863403, 1.92205480], abs=1e-4)


def test_orthodont_compound_symmetry_degrees_of_freedom_are_those_of_a_balanced_split_plot(orthodont: Path) -> None:
    found = _orthodont(orthodont, "cs")
    # 27 children x 4 ages, 2 slopes, 27 child means: 108 - 27 - 2 = 79 within-child degrees of freedom
    assert found["coefficients"]["age"]["df"] == pytest.approx(79, abs=0.05)


def test_dietox_random_intercept_agrees_with_lme4() -> None:
    path = _statsmodels_file("regression/tests/results/dietox.csv")
    columns = read_columns(path)
    times = sorted({cell for cell in columns.text("Time") if cell}, key=float)
    fitted = _single_arm(columns, times)
    assert -fitted.pieces.neg2_loglik / 2 == pytest.approx(-2404.775337, abs=1e-4)
    assert fitted.pieces.beta == pytest.approx([15.723523069, 6.942505005], abs=1e-4)
    assert np.sqrt(np.diag(fitted.pieces.phi)) == pytest.approx([0.788053737, 0.033387274], abs=1e-4)
    assert [fitted.sigma[0, 1], fitted.sigma[0, 0] - fitted.sigma[0, 1]] == pytest.approx(
        [40.39395242, 11.36691854], abs=1e-4
    )


def _statsmodels_file(name: str) -> Path:
    import statsmodels

    path = Path(statsmodels.__file__).parent / name
    if not path.exists():
        pytest.skip(f"this build of statsmodels does not ship {name}")
    return path


def test_dietox_random_slopes_maximise_our_restricted_likelihood_where_lme4_says() -> None:
    """Rows SR156-158. kerp offers no random slopes, but its likelihood takes any covariance."""
    from scipy.optimize import minimize

    from kerp.analysis.reml import profile

    columns = read_columns(_statsmodels_file("regression/tests/results/dietox.csv"))
    times = sorted({cell for cell in columns.text("Time") if cell}, key=float)
    problem = _problem(columns, times)
    z = np.column_stack([np.ones(len(times)), [float(time) for time in times]])

    def covariance(theta):
        root = z @ np.array([[np.exp(theta[0]), 0.0], [theta[1], np.exp(theta[2])]])
        return root @ root.T + np.exp(2.0 * theta[3]) * np.eye(len(times))

    start = np.log([5.0, 1.0, 0.5, 2.5])
    found = minimize(lambda theta: profile(problem, covariance(theta))[0], start, method="BFGS")
    value, beta, phi, _ = profile(problem, covariance(found.x))
    assert -value / 2 == pytest.approx(-2217.047459, abs=1e-4)
    assert beta == pytest.approx([15.738650178, 6.939014134], abs=1e-4)
    assert np.sqrt(np.diag(phi)) == pytest.approx([0.550118854, 0.079825089], abs=1e-4)


def _single_arm(columns, times):
    from kerp.analysis.reml import fit

    return fit(_problem(columns, times), Structure.CS)


def _problem(columns, times):
    from kerp.analysis.reml import group

    pigs = list(dict.fromkeys(columns.complete("Pig")))
    x, y, seen = (
        np.zeros((len(pigs), len(times), 2)),
        np.zeros((len(pigs), len(times))),
        np.zeros((len(pigs), len(times)), bool),
    )
    rows = zip(columns.complete("Pig"), columns.complete("Time"), columns.numbers("Weight"), strict=True)
    for pig, time, weight in rows:
        i, j = pigs.index(pig), times.index(time)
        x[i, j], y[i, j], seen[i, j] = (1.0, float(time)), weight, True
    return group(x, y, seen)


def test_every_acceptance_row_is_on_the_validation_page_with_its_test_or_its_reason() -> None:
    page = (Path(__file__).parents[2] / "docs" / "validation" / "analysis.md").read_text(encoding="utf-8")
    named: set[int] = set()
    for first, last in re.findall(r"SR(\d{3})(?:-(\d{3}))?", page):
        named.update(range(int(first), int(last or first) + 1))
    table = (DATA / "evidence" / "stat_references.csv").read_text(encoding="utf-8")
    rows = {int(number) for number in re.findall(r"^SR(\d{3}),", table, flags=re.MULTILINE)}
    assert len(rows) > 140
    assert not rows - named
