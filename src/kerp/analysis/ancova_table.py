"""Analysis of covariance on any table, one row per participant, with the trial's lottery repeated beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerp.analysis import design
from kerp.analysis.ancova import LinearFit, least_squares
from kerp.analysis.columns import Columns
from kerp.analysis.degrees import Estimate
from kerp.analysis.long_table import as_factor, as_variable, refuse_references
from kerp.analysis.mmrm_output import estimate_dict
from kerp.analysis.randomisation import RandomisationTest, randomisation_test
from kerp.analysis.small_samples import FEW_PER_ARM
from kerp.base.errors import Fault, KerpError
from kerp.base.seeds import Stream, generator

Array = Any


@dataclass(frozen=True)
class AncovaSpec:
    """Column names. `only` keeps the rows of one level (COL, LEVEL): one visit of a long table."""

    outcome: str
    arm: str
    subject: str | None = None
    baseline: str | None = None
    covariates: tuple[str, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, str] | None = None
    draws: int = 4_999
    seed: int = 1
    level: float = 0.95


@dataclass(frozen=True)
class AncovaResult:
    """One fit: coefficients by R's names, each arm minus the reference, and the lottery (two arms only)."""

    n: int
    per_arm: Mapping[str, int]
    reference: str
    coefficients: Mapping[str, Estimate]
    contrasts: Mapping[str, Estimate]
    residual_sd: float
    lottery: RandomisationTest | None
    notes: tuple[str, ...]


def fit_ancova(columns: Columns, spec: AncovaSpec) -> AncovaResult:
    """Least squares on the complete rows. Raises `KerpError` naming what cannot be estimated."""
    refuse_references(spec.references, (spec.arm, *spec.covariates))
    rows, notes = _usable(columns, spec)
    arm = as_factor(rows, spec.arm, spec.references)
    if len(arm.levels) < 2:
        message = "a treatment effect cannot be estimated: only one arm has an observed outcome"
        raise KerpError(Fault(message, rows.where, field=spec.arm, found=arm.levels[0]))
    names = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    variables: dict[str, design.Variable] = {name: as_variable(rows, name, spec) for name in names}
    variables[spec.arm] = arm
    terms = [(name,) for name in (*names, spec.arm)]
    x = design.matrix(terms, {name: v.columns() for name, v in variables.items()})
    y = rows.numbers(spec.outcome)
    fitted = least_squares(x, y, design.column_names(terms, variables), rows.where)
    counts = {level: int((arm.codes == code).sum()) for code, level in enumerate(arm.levels)}
    return _result(spec, arm, fitted, counts, _lottery(spec, x, y, arm), notes)


def _result(
    spec: AncovaSpec,
    arm: design.Factor,
    fitted: LinearFit,
    counts: Mapping[str, int],
    lottery: RandomisationTest | None,
    notes: tuple[str, ...],
) -> AncovaResult:
    few = min(counts.values())
    if few < FEW_PER_ARM:
        notes += (f"the smallest arm has {few} participants: read the randomisation test beside the t test",)
    if lottery is None:
        notes += ("more than two arms: the randomisation test compares two and is left out",)
    return AncovaResult(
        n=len(fitted.residuals),
        per_arm=counts,
        reference=arm.levels[0],
        coefficients={name: fitted.estimate(name, spec.level) for name in fitted.names},
        contrasts={level: fitted.estimate(f"{spec.arm}{level}", spec.level) for level in arm.levels[1:]},
        residual_sd=fitted.residual_sd,
        lottery=lottery,
        notes=notes,
    )


def _usable(columns: Columns, spec: AncovaSpec) -> tuple[Columns, tuple[str, ...]]:
    """Rows of the level asked for that have everything; two rows of one participant are refused."""
    columns.complete(spec.arm)
    outcome = columns.numbers(spec.outcome)
    keep = ~np.isnan(outcome)
    if spec.only is not None:
        name, wanted = spec.only
        at = np.array([cell == wanted for cell in columns.text(name)])
        if not at.any():
            known = ", ".join(dict.fromkeys(cell for cell in columns.text(name) if cell))
            raise KerpError(Fault("no row has this level", columns.where, field=name, found=wanted, allowed=known))
        keep &= at
    needed = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    whole = keep.copy()
    for name in needed:
        whole &= np.array([cell is not None for cell in columns.text(name)], dtype=bool)
    if not whole.any():
        raise KerpError(Fault("no row has an observed outcome and all covariates", columns.where, field=spec.outcome))
    _once(columns, spec, whole)
    lost = int(keep.sum() - whole.sum())
    notes: tuple[str, ...] = (
        (f"{lost} rows with an outcome are left out for a missing {' or '.join(needed)}",) if lost else ()
    )
    arms = columns.complete(spec.arm)
    empty = sorted(set(arms) - {arms[row] for row in np.flatnonzero(whole)})
    notes += tuple(f"{spec.arm} {arm}: no row to analyse, so nothing is estimated for it" for arm in empty)
    return columns.where_rows(list(whole)), notes


def _once(columns: Columns, spec: AncovaSpec, whole: Array) -> None:
    if spec.subject is None:
        return
    first: dict[str, int] = {}
    faults = []
    for row in np.flatnonzero(whole):
        who = columns.complete(spec.subject)[row]
        if who in first:
            message = f"{who} has two rows (the other is on line {columns.line(first[who])})"
            way = ("give one visit: --at COL=LEVEL", "kerp analyse mmrm takes all visits")
            faults.append(Fault(message, columns.where, columns.line(int(row)), spec.subject, ways_out=way))
        first.setdefault(who, int(row))
    if faults:
        raise KerpError(*faults[:10])


def _lottery(spec: AncovaSpec, x: Array, y: Array, arm: design.Factor) -> RandomisationTest | None:
    """The randomisation test on outcomes from which baseline and covariates are taken once, without the arm."""
    if len(arm.levels) != 2:
        return None
    others = x[:, : x.shape[1] - 1]
    rest = y - others @ np.linalg.lstsq(others, y, rcond=None)[0]
    rng = generator(spec.seed, Stream.ANALYSIS)
    return randomisation_test(rest, (arm.codes == 1).astype(float), np.zeros(len(y)), rng, None, spec.draws)


def ancova_dict(result: AncovaResult) -> dict[str, Any]:
    """Plain data, with the keys of `kerp analyse mmrm` where both have the figure."""
    lottery = result.lottery
    return {
        "n_subjects": result.n,
        "n_per_arm": dict(result.per_arm),
        "reference": result.reference,
        "coefficients": {name: estimate_dict(value, interval=False) for name, value in result.coefficients.items()},
        "contrasts": {
            level: {"arm": level, "reference": result.reference} | estimate_dict(value)
            for level, value in result.contrasts.items()
        },
        "residual_sd": result.residual_sd,
        "randomisation_test": None
        if lottery is None
        else {
            "statistic": lottery.statistic,
            "p": lottery.p,
            "allocations": lottery.allocations,
            "exact": lottery.exact,
            "p_mcse": lottery.p_mcse,
        },
        "notes": list(result.notes),
    }
