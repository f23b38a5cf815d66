"""Rows SR135-140: sleepstudy with random slopes, as lme4, lmerTest and pbkrtest print it.

kerp offers no random slopes, but its likelihood, Satterthwaite and Kenward-Roger take any covariance that is given
with its derivatives: here Z G Z' + s2 I, linear in its parameters as in lme4. The data come with mixedlm (a test
dependency) and are not copied.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from kerp.analysis import degrees
from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method
from kerp.analysis.reml import Convergence, Problem, RemlFit, _add, _assemble, _empty, group, profile
from kerp.base.data import DATA

DAYS = np.arange(10.0)
Z = np.column_stack([np.ones(10), DAYS])


@pytest.fixture(scope="module")
def problem() -> Problem:
    found = importlib.util.find_spec("mixedlm")
    assert found is not None, "mixedlm belongs to the packages of the test suite (requirements/dev.txt)"
    path = Path(found.submodule_search_locations[0]) / "datasets" / "data" / "sleepstudy.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        data = sorted((r["Subject"], float(r["Days"]), float(r["Reaction"])) for r in csv.DictReader(stream))
    assert [days for _, days, _ in data] == list(DAYS) * 18
    y = np.array([reaction for _, _, reaction in data]).reshape(18, 10)
    return group(np.repeat(Z[None], 18, axis=0), y, np.ones((18, 10), dtype=bool))


@pytest.fixture(scope="module")
def rows() -> dict[str, list[float]]:
    table = csv.DictReader((DATA / "evidence" / "stat_references.csv").open(encoding="utf-8"))
    chosen = {r["reference_value"]: r for r in table if "sleepstudy" in r["setting"]}
    assert sorted(chosen) == [f"SR{n}" for n in range(135, 141)]
    return {name: [float(x) for x in re.split(r"\|", row["expected"])] for name, row in chosen.items()}


def covariance(theta: np.ndarray) -> np.ndarray:
    """`theta`: intercept variance, covariance, slope variance, residual variance."""
    g = np.array([[theta[0], theta[1]], [theta[1], theta[2]]])
    return Z @ g @ Z.T + theta[3] * np.eye(10)


@pytest.fixture(scope="module")
def fitted(problem: Problem) -> RemlFit:
    def unfold(free: np.ndarray) -> np.ndarray:
        root = np.array([[np.exp(free[0]), 0.0], [free[1], np.exp(free[2])]])
        g = root @ root.T
        return np.array([g[0, 0], g[0, 1], g[1, 1], np.exp(2 * free[3])])

    start = np.array([3.0, 0.0, 1.5, 3.2])

    def criterion(free: np.ndarray) -> float:
        return profile(problem, covariance(unfold(free)))[0]

    # differences of the criterion end 1e-4 short of the optimum on some processors: a simplex goes on from there
    near = minimize(criterion, start, method="BFGS").x
    exact = {"xatol": 1e-8, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000}
    found = minimize(criterion, near, method="Nelder-Mead", options=exact)
    theta = unfold(found.x)
    value, beta, phi, inverses = profile(problem, covariance(theta))
    slopes = np.array(
        [
            np.outer(Z[:, 0], Z[:, 0]),
            np.outer(Z[:, 0], Z[:, 1]) + np.outer(Z[:, 1], Z[:, 0]),
            np.outer(Z[:, 1], Z[:, 1]),
            np.eye(10),
        ]
    )
    sums = _empty(4, 2)
    _add(sums, problem.patterns[0], inverses[0], slopes, np.zeros((4, 4, 10, 10)), beta)
    pieces = _assemble(value, beta, phi, sums)
    information = 2.0 * np.linalg.inv(pieces.observed)
    done = Convergence(True, found.nit, 0.0, 1.0)
    return RemlFit(Structure.US, theta, covariance(theta), pieces, done, information)


def test_fixed_effects_and_their_errors_are_those_of_lme4(fitted: RemlFit, rows: dict[str, list[float]]) -> None:
    errors = np.sqrt(np.diag(fitted.pieces.phi))
    assert [fitted.pieces.beta[0], errors[0]] == pytest.approx(rows["SR135"], rel=1e-3)
    assert [fitted.pieces.beta[1], errors[1]] == pytest.approx(rows["SR136"], rel=1e-3)


def test_variances_and_criterion_are_those_of_lme4(fitted: RemlFit, rows: dict[str, list[float]]) -> None:
    a, c, b, s2 = fitted.theta
    assert [a, b, c / np.sqrt(a * b), s2] == pytest.approx(rows["SR137"], rel=1e-3)
    assert fitted.pieces.neg2_loglik == pytest.approx(rows["SR138"][0], rel=1e-3)


@pytest.mark.parametrize(("row", "method"), [("SR139", Method.SATTERTHWAITE), ("SR140", Method.KR)])
def test_degrees_of_freedom_are_those_of_lmertest_and_pbkrtest(
    fitted: RemlFit, rows: dict[str, list[float]], row: str, method: Method
) -> None:
    found = [degrees.contrast(fitted, weights, method).df for weights in np.eye(2)]
    assert found == pytest.approx(rows[row], rel=1e-3)


def test_kenward_roger_leaves_the_errors_of_a_balanced_design_as_they_are(fitted: RemlFit) -> None:
    plain, adjusted = (
        [degrees.contrast(fitted, weights, method).se for weights in np.eye(2)]
        for method in (Method.SATTERTHWAITE, Method.KR)
    )
    assert adjusted == pytest.approx(plain, rel=1e-3)
