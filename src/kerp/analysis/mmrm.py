"""The mixed model for repeated measures on a long table: what is asked, what is refused, what is estimated.

Fixed effects: intercept, baseline, covariates, arm, visit, baseline by visit if asked, arm by visit (or arm, time and
arm by time). Residuals of one participant follow a covariance structure; there are no random effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerp.analysis import degrees, design
from kerp.analysis.columns import Columns
from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Estimate, Method
from kerp.analysis.long_table import LongTable, NotEstimable, long_table
from kerp.analysis.reml import Convergence, RemlFit, fit, group
from kerp.analysis.small_samples import default_choice
from kerp.analysis.spec import MmrmSpec
from kerp.base.errors import Fault, KerpError

Array = Any


@dataclass(frozen=True)
class VisitContrast:
    """Arm minus reference at one visit."""

    visit: str
    arm: str
    reference: str
    result: Estimate


@dataclass(frozen=True)
class LsMean:
    """Model mean of one arm at one visit: factors averaged with equal weights, numbers at their mean."""

    visit: str
    arm: str
    result: Estimate


@dataclass(frozen=True)
class Model:
    """Terms and variables of the fixed effects, aligned with the rows of the long table."""

    terms: tuple[design.Term, ...]
    variables: Mapping[str, design.Variable]
    names: tuple[str, ...]
    x: Array  # (rows, q)

    def row(self, settings: Mapping[str, Array]) -> Array:
        """Coefficient weights (q,) at given dummy rows, the other variables averaged."""
        blocks = {name: settings.get(name, variable.balanced()) for name, variable in self.variables.items()}
        return design.matrix(self.terms, blocks)[0]


@dataclass(frozen=True)
class MmrmResult:
    """Everything a table or a report needs from one fit."""

    spec: MmrmSpec
    covariance_structure: Structure
    method: Method
    n_subjects: int
    n_observations: int
    neg2_loglik: float
    convergence: Convergence
    coefficients: Mapping[str, Estimate]
    contrasts: tuple[VisitContrast, ...]
    ls_means: tuple[LsMean, ...]
    visits: tuple[str, ...]
    covariance: Array
    notes: tuple[str, ...]
    not_estimable: tuple[NotEstimable, ...]
    table: LongTable = field(repr=False)
    model: Model = field(repr=False)
    fit: RemlFit = field(repr=False)

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached and is regular."""
        return self.convergence.converged


def fit_mmrm(columns: Columns, spec: MmrmSpec) -> MmrmResult:
    """Fit the model. Raises `KerpError` naming what cannot be estimated; never returns NaN without a reason."""
    table = long_table(columns, spec)
    model = build_model(table, spec)
    usual = default_choice(table.smallest_arm())
    structure, method = spec.covariance or usual.covariance, spec.method or usual.method
    _refuse_impossible(table, model, structure)
    fitted = fit(group(*arrange(table, model.x)), structure)
    asked = "; the covariance and method asked for were used" if spec.covariance and spec.method else ""
    notes = table.notes + ((usual.reason + asked,) if usual.reason else ())
    if not fitted.convergence.converged:
        notes += (f"NOT CONVERGED: {fitted.convergence.reason}; the figures are not to be relied on",)
    return _result(spec, table, model, fitted, method, notes)


def build_model(table: LongTable, spec: MmrmSpec) -> Model:
    """Fixed effects of the spec on the rows of the table."""
    clock = spec.time or spec.visit
    terms: list[design.Term] = [(spec.baseline,)] if spec.baseline else []
    terms += [(name,) for name in spec.covariates]
    terms += [(spec.arm,), (clock,)]
    if spec.baseline and spec.baseline_by_visit:
        terms.append((spec.baseline, clock))
    terms.append((spec.arm, clock))
    variables = {name: table.variables[name] for term in terms for name in term}
    x = design.matrix(terms, {name: v.columns() for name, v in variables.items()})
    return Model(tuple(terms), variables, design.column_names(terms, variables), x)


def arrange(table: LongTable, x: Array) -> tuple[Array, Array, Array]:
    """Rows to cubes: design (subjects, visits, q), outcome and observed mask (subjects, visits)."""
    shape = (len(table.subjects), len(table.visits))
    cube, y, seen = np.zeros((*shape, x.shape[1])), np.zeros(shape), np.zeros(shape, dtype=bool)
    cube[table.subject_code, table.visit_code] = x
    y[table.subject_code, table.visit_code] = table.outcome
    seen[table.subject_code, table.visit_code] = True
    return cube, y, seen


def _refuse_impossible(table: LongTable, model: Model, structure: Structure) -> None:
    faults: list[Fault] = []
    lost = design.aliased(model.x, model.names)
    if lost:
        message = "these coefficients cannot be told apart from others: " + ", ".join(lost)
        faults.append(Fault(message, table.where, ways_out=("leave out a covariate", "merge levels or visits")))
    else:
        faults += _perfect_fit(table, model) or _visits_without_spread(table, model, structure)
    faults += table.covariance_faults(structure)
    if faults:
        raise KerpError(*faults)


def _perfect_fit(table: LongTable, model: Model) -> list[Fault]:
    beta = np.linalg.lstsq(model.x, table.outcome, rcond=None)[0]
    residual = table.outcome - model.x @ beta
    spread = float(np.abs(table.outcome - table.outcome.mean()).max())
    if len(residual) > len(beta) and float(np.abs(residual).max()) > 1e-10 * max(spread, 1e-12):
        return []
    message = (
        "the model fits every value exactly: no residual variance is left, so no standard error can be estimated"
    )
    return [Fault(message, table.where, field=table.outcome_name)]


def _visits_without_spread(table: LongTable, model: Model, structure: Structure) -> list[Fault]:
    """Visits whose outcome is constant, or exactly what arm and covariates predict.

    A variance of their own would go to zero and the likelihood to infinity.
    """
    if structure not in (Structure.US, Structure.ARH1):
        return []
    faults = []
    for code, visit in enumerate(table.visits):
        x, y = model.x[table.visit_code == code], table.outcome[table.visit_code == code]
        beta, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
        scale = max(float(np.abs(table.outcome - table.outcome.mean()).max()), 1e-12)
        if len(y) > rank and float(np.abs(y - x @ beta).max()) <= 1e-10 * scale:
            message = (
                f"at visit {visit} no outcome differs from what the model predicts: it has no variance to estimate"
            )
            ways = ("leave that visit out", "a covariance with one variance for all visits (--covariance cs)")
            faults.append(Fault(message, table.where, field=table.outcome_name, ways_out=ways))
    return faults


def _result(
    spec: MmrmSpec, table: LongTable, model: Model, fitted: RemlFit, method: Method, notes: tuple[str, ...]
) -> MmrmResult:
    def estimate(weights: Array) -> Estimate:
        return degrees.contrast(fitted, weights, method, spec.level)

    eye = np.eye(len(model.names))
    return MmrmResult(
        spec=spec,
        covariance_structure=fitted.structure,
        method=method,
        n_subjects=len(table.subjects),
        n_observations=len(table.outcome),
        neg2_loglik=fitted.pieces.neg2_loglik,
        convergence=fitted.convergence,
        coefficients={name: estimate(eye[i]) for i, name in enumerate(model.names)},
        contrasts=tuple(VisitContrast(v, a, r, estimate(w)) for v, a, r, w in _contrast_rows(spec, table, model)),
        ls_means=tuple(LsMean(v, a, estimate(w)) for v, a, w in _mean_rows(spec, table, model)),
        visits=table.visits,
        covariance=fitted.sigma,
        notes=notes,
        not_estimable=table.not_estimable,
        table=table,
        model=model,
        fit=fitted,
    )


def _mean_rows(spec: MmrmSpec, table: LongTable, model: Model) -> list[tuple[str, str, Array]]:
    return [
        (visit, arm, cell_weights(spec, table, model, visit, arm)) for visit in table.visits for arm in table.arms
    ]


def cell_weights(spec: MmrmSpec, table: LongTable, model: Model, visit: str, arm: str) -> Array:
    """Coefficient weights (q,) of the model mean of one arm at one visit."""
    arms = model.variables[spec.arm]
    assert isinstance(arms, design.Factor)
    settings = {spec.arm: arms.at(arm)}
    if spec.time:
        settings[spec.time] = np.array([table.time_of[visit]])
    else:
        visits = model.variables[spec.visit]
        assert isinstance(visits, design.Factor)
        settings[spec.visit] = visits.at(visit)
    return model.row(settings)


def _contrast_rows(spec: MmrmSpec, table: LongTable, model: Model) -> list[tuple[str, str, str, Array]]:
    reference, *others = table.arms
    rows = []
    for visit in table.visits:
        base = cell_weights(spec, table, model, visit, reference)
        rows += [(visit, arm, reference, cell_weights(spec, table, model, visit, arm) - base) for arm in others]
    return rows
