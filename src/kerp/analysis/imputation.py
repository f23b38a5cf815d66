"""Multiple imputation on the repeated-measures model: missing at random, and the reference-based departures from it.

Carpenter, Roger and Kenward 2013 (J Biopharm Stat 23:1352). Parameters are drawn from their large-sample
distribution, outcomes from the conditional normal of each participant; the last visit is analysed by ANCOVA and
pooled by Rubin's rules with Barnard and Rubin's degrees of freedom. Variances are thus information-anchored
(Cro, Carpenter and Kenward 2019), not those of repeated sampling under the reference-based assumption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from kerp.analysis import design
from kerp.analysis.ancova import least_squares
from kerp.analysis.columns import Columns
from kerp.analysis.covariance import sigma
from kerp.analysis.degrees import Estimate, t_estimate
from kerp.analysis.mmrm import MmrmResult, arrange
from kerp.analysis.reml import group, profile
from kerp.base.errors import Fault, KerpError

Array = Any


class Assumption(StrEnum):
    """What outcomes would have been after they stopped being observed."""

    MAR = "mar"
    J2R = "j2r"
    CR = "cr"
    CIR = "cir"


TITLES = {
    Assumption.MAR: "missing at random: as others of the same arm with the same past",
    Assumption.J2R: "jump to reference: after the last visit the mean of the reference arm",
    Assumption.CR: "copy reference: the mean of the reference arm throughout",
    Assumption.CIR: "copy increments: from the last visit on, the reference arm's changes",
}


@dataclass(frozen=True)
class People:
    """Everybody randomised to the two arms: designs under their own arm and under the reference (n, m, q)."""

    arm: Array  # (n,) 1 in the compared arm
    own: Array
    reference: Array
    outcome: Array  # (n, m), NaN where missing
    covariates: Array  # (n, c) for the final ANCOVA, without the intercept


@dataclass(frozen=True)
class Imputed:
    """A pooled estimate; `missing_at_end` counts reference and arm, `lost_information` is a share."""

    assumption: Assumption
    delta: float
    result: Estimate
    draws: int
    missing_at_end: tuple[int, int]
    lost_information: float


def people_of(columns: Columns, result: MmrmResult, arm: str) -> People:
    """Everybody of `arm` and the reference, also those without any outcome; covariates as first recorded."""
    spec, table = result.spec, result.table
    who = columns.complete(spec.subject)
    first: dict[str, int] = {}
    complete = [name for name in result.model.variables if name not in (spec.arm, spec.visit, spec.time)]
    for row, name in enumerate(who):
        if all(columns.text(c)[row] is not None for c in complete):
            first.setdefault(name, row)
    arms = columns.complete(spec.arm)
    chosen = [row for row in first.values() if arms[row] in (table.arms[0], arm)]
    code = np.array([float(arms[row] == arm) for row in chosen])
    names = [who[row] for row in chosen]
    own = _designs(columns, result, chosen, [arms[row] for row in chosen])
    reference = _designs(columns, result, chosen, [table.arms[0]] * len(chosen))
    covariates = [_columns_of(columns, result, c, chosen) for c in complete]
    extra = np.concatenate(covariates, axis=1) if covariates else np.zeros((len(chosen), 0))
    return People(code, own, reference, _outcomes(result, names), extra)


def _columns_of(columns: Columns, result: MmrmResult, name: str, rows: list[int]) -> Array:
    variable = result.model.variables[name]
    values = columns.text(name)
    if isinstance(variable, design.Numeric):
        return np.array([[float(values[row] or "nan")] for row in rows])
    return np.stack([variable.at(str(values[row])) for row in rows])


def _designs(columns: Columns, result: MmrmResult, rows: list[int], arms: list[str]) -> Array:
    spec, model, table = result.spec, result.model, result.table
    n, m = len(rows), len(table.visits)
    blocks = {}
    for name, variable in model.variables.items():
        if name == spec.arm:
            assert isinstance(variable, design.Factor)
            blocks[name] = np.repeat(np.stack([variable.at(arm) for arm in arms]), m, axis=0)
        elif name == spec.time:
            blocks[name] = np.tile(np.array([[table.time_of[visit]] for visit in table.visits]), (n, 1))
        elif name == spec.visit:
            assert isinstance(variable, design.Factor)
            blocks[name] = np.tile(np.stack([variable.at(visit) for visit in table.visits]), (n, 1))
        else:
            blocks[name] = np.repeat(_columns_of(columns, result, name, rows), m, axis=0)
    return design.matrix(model.terms, blocks).reshape(n, m, -1)


def _outcomes(result: MmrmResult, names: list[str]) -> Array:
    table = result.table
    out = np.full((len(names), len(table.visits)), np.nan)
    place = {name: row for row, name in enumerate(names)}
    for subject, visit, value in zip(table.subject_code, table.visit_code, table.outcome, strict=True):
        row = place.get(table.subjects[subject])
        if row is not None:
            out[row, visit] = value
    return out


def draw_parameters(result: MmrmResult, draws: int, rng: np.random.Generator) -> list[tuple[Array, Array]]:
    """Coefficients and covariance matrices drawn from their large-sample distribution."""
    if not result.converged:
        raise KerpError(
            Fault("the model did not converge, so nothing can be imputed from it", found=result.convergence.reason)
        )
    problem = group(*arrange(result.table, result.model.x))
    structure, m = result.covariance_structure, len(result.visits)
    out: list[tuple[Array, Array]] = []
    while len(out) < draws:
        theta = rng.multivariate_normal(result.fit.theta, result.fit.theta_covariance)
        full = sigma(structure, theta, m)
        found = profile(problem, full)
        if found is not None:  # a draw outside the positive definite region is drawn again
            out.append((rng.multivariate_normal(found[1], found[2]), full))
    return out


def complete(
    people: People, beta: Array, full: Array, assumption: Assumption, rng: np.random.Generator, delta: float = 0.0
) -> Array:
    """Outcomes (n, m), the missing ones drawn; `delta` is added to draws of the arm after its last visit."""
    means = _means(people, beta, assumption)
    out = people.outcome.copy()
    seen = ~np.isnan(out)
    for row in np.unique(seen, axis=0):
        if row.all():
            continue
        members = np.flatnonzero((seen == row).all(axis=1))
        out[np.ix_(members, ~row)] = _draw(people.outcome[members], means[members], full, row, rng)
    after = ~seen & (np.arange(out.shape[1]) > _last(seen)[:, None])
    return out + delta * after * people.arm[:, None]


def _last(seen: Array) -> Array:
    """Index of the last observed visit, -1 where there is none."""
    m = seen.shape[1]
    return np.where(seen.any(axis=1), m - 1 - np.argmax(seen[:, ::-1], axis=1), -1)


def _means(people: People, beta: Array, assumption: Assumption) -> Array:
    own, reference = people.own @ beta, people.reference @ beta
    if assumption is Assumption.MAR:
        return own
    if assumption is Assumption.CR:
        return reference
    last = _last(~np.isnan(people.outcome))
    later = np.arange(own.shape[1]) > last[:, None]
    if assumption is Assumption.J2R:
        return np.where(later, reference, own)
    at = np.maximum(last, 0)[:, None]
    step = np.take_along_axis(own, at, axis=1) - np.take_along_axis(reference, at, axis=1)
    return np.where(later, reference + np.where(last[:, None] < 0, 0.0, step), own)


def _draw(outcome: Array, mean: Array, full: Array, seen: Array, rng: np.random.Generator) -> Array:
    gone = ~seen
    inner = full[np.ix_(gone, gone)]
    centre = mean[:, gone]
    if seen.any():
        weight = np.linalg.solve(full[np.ix_(seen, seen)], full[np.ix_(seen, gone)])
        centre = centre + (outcome[:, seen] - mean[:, seen]) @ weight
        inner = inner - full[np.ix_(gone, seen)] @ weight
    root = np.linalg.cholesky(inner + 1e-12 * np.eye(len(inner)) * np.trace(inner))
    return centre + rng.standard_normal(centre.shape) @ root.T


def impute(
    columns: Columns,
    result: MmrmResult,
    arm: str,
    assumption: Assumption,
    rng: np.random.Generator,
    draws: int = 100,
    delta: float = 0.0,
) -> Imputed:
    """Arm minus reference at the last visit under an assumption about what was not observed."""
    people = people_of(columns, result, arm)
    found = [
        _analyse(people, complete(people, beta, full, assumption, rng, delta)[:, -1])
        for beta, full in draw_parameters(result, draws, rng)
    ]
    estimate, lost = rubin(np.array([f.estimate for f in found]), np.array([f.se for f in found]), found[0].df)
    gone = np.isnan(people.outcome[:, -1])
    counts = (int(gone[people.arm == 0].sum()), int(gone[people.arm == 1].sum()))
    return Imputed(assumption, delta, estimate, draws, counts, lost)


def _analyse(people: People, outcome: Array) -> Estimate:
    x = np.column_stack([np.ones(len(outcome)), people.arm, people.covariates])
    names = ["(Intercept)", "arm", *(f"covariate {i}" for i in range(people.covariates.shape[1]))]
    return least_squares(x, outcome, names).estimate("arm")


def rubin(estimates: Array, errors: Array, complete_df: float) -> tuple[Estimate, float]:
    """Pool imputations (Rubin 1987; df of Barnard and Rubin 1999), and the share of information lost."""
    draws = len(estimates)
    within, between = float(np.mean(errors**2)), float(np.var(estimates, ddof=1))
    total = within + (1 + 1 / draws) * between
    lost = (1 + 1 / draws) * between / total
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - lost)
    df = observed if lost < 1e-12 else 1 / (1 / ((draws - 1) / lost**2) + 1 / observed)
    return t_estimate(float(estimates.mean()), float(np.sqrt(total)), df), lost


@dataclass(frozen=True)
class TippingPoint:
    """Results along a line of deltas; `delta` is the first at which p passes alpha, None where none does."""

    delta: float | None
    results: tuple[Imputed, ...]
    alpha: float


def tipping_point(
    columns: Columns,
    result: MmrmResult,
    arm: str,
    deltas: Sequence[float],
    fresh: Callable[[], np.random.Generator],
    draws: int = 50,
    alpha: float = 0.05,
) -> TippingPoint:
    """How much worse unobserved outcomes must be before significance is lost.

    `fresh` gives the same generator anew for every delta, so that only delta differs between the rows.
    """
    rows = tuple(impute(columns, result, arm, Assumption.MAR, fresh(), draws, float(delta)) for delta in deltas)
    first = next((row.delta for row in rows if row.result.p > alpha), None)
    return TippingPoint(first, rows, alpha)
