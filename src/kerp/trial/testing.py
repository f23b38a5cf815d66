"""From estimates to decisions: looks, bounds, multiplicity, safety stops, blinded re-estimation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betainc, ndtr, ndtri, stdtr

from kerp.trial.bounds import Bounds, Futility, bounds
from kerp.trial.course import Bools
from kerp.trial.design import Design, SafetyRule
from kerp.trial.power import contrast_power
from kerp.trial.regression import Estimates
from kerp.trial.sizing import alpha_one_sided

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NOT_TESTED = 2.0  # a p value no alpha reaches


@dataclass(frozen=True, slots=True)
class Looks:
    """When and against what the primary contrast is looked at. `sizes` are participants with an outcome due."""

    sizes: tuple[int, ...]
    upper: tuple[float, ...]
    lower: tuple[float, ...]
    sides: int

    @property
    def last(self) -> int:
        """Index of the final analysis."""
        return len(self.sizes) - 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of each trial: its last look and futility (t,), rejections for benefit and for harm of each contrast (t, c)."""

    look: Ints
    benefit: Bools
    harm: Bools
    futile: Bools


def looks_of(design: Design, n_total: int) -> Looks:
    """Looks at whole numbers of participants; spending is by those, not by the planned fractions."""
    alpha = alpha_one_sided(design, design.primary)
    plan = design.interim
    if plan is None:
        return Looks((n_total,), (float(ndtri(1.0 - alpha)),), (-math.inf,), design.errors.sides)
    sizes = tuple(round(fraction * n_total) for fraction in plan.information)
    found = _bounds_at(design, tuple(size / n_total for size in sizes), alpha)
    lower = (*found.futility_z[:-1], -math.inf) if found.futility_z else (-math.inf,) * len(sizes)
    return Looks(sizes, found.z, lower, design.errors.sides)


def _bounds_at(design: Design, information: tuple[float, ...], alpha: float) -> Bounds:
    plan = design.interim
    assert plan is not None
    futility = None
    if plan.futility != "none":
        futility = Futility(kind=plan.futility, gamma=plan.futility_gamma, binding=plan.binding)
    return bounds(plan.kind, information, alpha, design.size.target_power or 0.8, plan.gamma, futility)


def benefit_z(found: Estimates) -> Floats:
    """Signed normal scores (t, c): positive is a lower score where the weights are positive. NaN where not fitted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(found.fitted[:, None], -found.estimate / found.se, np.nan)
        return np.asarray(np.sign(statistic) * -ndtri(stdtr(found.df, -np.abs(statistic))))


def judge(design: Design, looks: Looks, analyse: Callable[[int], Estimates], *, obey_futility: bool) -> Verdict:
    """Walk through the looks. `analyse(k)` gives the estimates with the participants of look k.

    The primary contrast alone decides about stopping; where it is rejected, or at the end, the others are tested by
    the design's multiplicity rule with the data of that look.
    """
    verdict: Verdict | None = None
    for k in range(len(looks.sizes)):
        z = benefit_z(analyse(k))
        if verdict is None:
            none = np.zeros(z.shape, dtype=bool)
            verdict = Verdict(np.full(len(z), looks.last), none, none.copy(), none[:, 0].copy())
            going = np.ones(len(z), dtype=bool)
        going = _look(design, looks, k, z, verdict, going, obey_futility)
    assert verdict is not None
    return verdict


def _look(
    design: Design, looks: Looks, k: int, z: Floats, verdict: Verdict, going: Bools, obey_futility: bool
) -> Bools:
    primary = design.contrasts.index(design.primary)
    up = z[:, primary] >= looks.upper[k]
    down = (z[:, primary] <= -looks.upper[k]) & (looks.sides == 2)
    futile = (z[:, primary] < looks.lower[k]) & ~down & obey_futility
    stops = going & (up | down | futile | (k == looks.last))
    verdict.look[stops] = k
    verdict.futile[stops & futile & ~up] = True
    benefit, harm = _others(design, z, up, down, primary)
    verdict.benefit[stops] = benefit[stops]
    verdict.harm[stops] = harm[stops]
    return going & ~stops


def _others(design: Design, z: Floats, up: Bools, down: Bools, primary: int) -> tuple[Bools, Bools]:
    """Rejections of every contrast once the trial has ended, in the order of the file."""
    alpha = design.errors.alpha / design.errors.sides
    p = np.where(np.isnan(z), NOT_TESTED, ndtr(-np.abs(np.nan_to_num(z))))
    if design.errors.sides == 1:
        p = np.where(z > 0, p, NOT_TESTED)
    rejected = _reject(design, p, alpha, up | down, primary)
    return rejected & (z > 0), rejected & (z < 0)


def _reject(design: Design, p: Floats, alpha: float, primary_rejected: Bools, primary: int) -> Bools:
    rule, count = design.errors.multiplicity, p.shape[1]
    if rule == "bonferroni":
        return np.asarray(p <= alpha / count)
    if rule == "holm":
        order = np.argsort(p, axis=1, kind="stable")
        passed = np.take_along_axis(p, order, axis=1) <= alpha / (count - np.arange(count))
        rejected = np.zeros_like(passed)
        np.put_along_axis(rejected, order, np.logical_and.accumulate(passed, axis=1), axis=1)
        return np.asarray(rejected)
    small = p <= alpha
    small[:, primary] = primary_rejected
    sequence = [primary, *(index for index in range(count) if index != primary)]
    rejected = np.zeros_like(small)
    rejected[:, sequence] = np.logical_and.accumulate(small[:, sequence], axis=1)
    return rejected


def safety_stop(rule: SafetyRule, happened: Bools, arms: Ints, n_arms: int) -> Ints:
    """Participants enrolled when the rule first stops the trial (t,); one more than all where it never does."""
    n = happened.shape[1]
    first = np.full(len(happened), n + 1)
    for arm in range(n_arms):
        inside = arms == arm
        seen = np.cumsum(inside, axis=1)
        bad = np.cumsum(inside & happened, axis=1)
        looked = inside & (seen >= rule.from_people) & ((seen - rule.from_people) % rule.every_people == 0)
        certain = 1.0 - betainc(1.0 + bad, 1.0 + seen - bad, rule.rate) > rule.certainty
        stop = looked & certain
        first = np.where(stop.any(axis=1), np.minimum(first, stop.argmax(axis=1) + 1), first)
    return np.asarray(first)


def reestimated_sizes(design: Design, planned_points: float, variance: Floats) -> Ints:
    """Sizes (t,) after the blinded look: the closed form with the SD that was seen, within the design's limits."""
    plan = design.reestimation
    assert plan is not None
    per_round = sum(design.shares)
    smallest = per_round if plan.may_shrink else design.size.n_total
    largest = int(plan.max_factor * design.size.n_total) // per_round * per_round
    sizes = np.arange(smallest, largest + 1, per_round)
    alpha = alpha_one_sided(design, design.primary)
    target = design.size.target_power or 0.8
    effects = _findable(tuple(sizes.tolist()), target, design.weights(design.primary), design.shares, alpha)
    wanted = np.searchsorted((planned_points / np.asarray(effects)) ** 2, variance)
    return np.asarray(sizes[np.minimum(wanted, len(sizes) - 1)])


@lru_cache(maxsize=16)
def _findable(
    sizes: tuple[int, ...], target: float, weights: tuple[float, ...], shares: tuple[int, ...], alpha: float
) -> tuple[float, ...]:
    """The effect in residual SDs that each size finds with the target power."""

    def shortfall(effect_sd: float, size: int) -> float:
        return contrast_power(size, effect_sd, weights, shares, alpha) - target

    return tuple(float(brentq(shortfall, 1e-6, 50.0, args=(size,), xtol=1e-9)) for size in sizes)
