"""Random-effects pooling: DerSimonian-Laird, REML, and REML with the Hartung-Knapp-Sidik-Jonkman interval.

I2 is tau2 / (tau2 + typical sampling variance) (Higgins and Thompson 2002). The prediction interval is that of
Higgins, Thompson and Spiegelhalter 2009 with k - 2 degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from kerp.analysis.comparisons import Comparison
from kerp.base.errors import Fault, KerpError

Array = Any
_GRID = 200  # between-study variances tried


class Method(StrEnum):
    """How between-study variance and the interval are found."""

    DL = "dl"
    REML = "reml"
    HKSJ = "hksj"


TITLES = {
    Method.DL: "DerSimonian-Laird, normal interval",
    Method.REML: "restricted maximum likelihood, normal interval",
    Method.HKSJ: "restricted maximum likelihood, Hartung-Knapp-Sidik-Jonkman t interval",
}


@dataclass(frozen=True)
class Pooled:
    """A pooled effect. What needs more comparisons than there are is None, with the reason in `notes`."""

    method: Method
    k: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    tau: float | None
    i2: float | None
    q: float | None
    q_p: float | None
    prediction_low: float | None
    prediction_high: float | None
    weights: tuple[float, ...]
    notes: tuple[str, ...]


def pool(
    comparisons: Sequence[Comparison], method: Method = Method.HKSJ, *, mix_open: bool = False, level: float = 0.95
) -> Pooled:
    """Pool effects. Open and controlled studies together are refused unless asked for, and then said (M23)."""
    if not comparisons:
        raise KerpError(Fault("no comparison is left to pool", ways_out=("widen the filter (--where)",)))
    notes = _mixing(comparisons, mix_open=mix_open)
    effect = np.array([c.effect for c in comparisons])
    variance = np.array([c.se**2 for c in comparisons])
    if len(comparisons) == 1:
        return _alone(comparisons[0], method, notes, level)
    tau2 = dersimonian_laird(effect, variance) if method is Method.DL else reml_tau2(effect, variance)
    return _pooled(effect, variance, tau2, method, notes, level)


def _mixing(comparisons: Sequence[Comparison], *, mix_open: bool) -> tuple[str, ...]:
    without = sorted(c.study for c in comparisons if not c.controlled)
    if not without or len(without) == len(comparisons):
        return ("no study here has a control group: changes may be the course of time",) if without else ()
    if not mix_open:
        others = len(comparisons) - len(without)
        message = f"{len(without)} open and {others} controlled studies would be pooled together"
        ways = ("pool them apart with --where", "--mix-open pools them, and says so beside the result")
        raise KerpError(Fault(message, found=", ".join(without), ways_out=ways))
    return (f"OPEN AND CONTROLLED STUDIES POOLED TOGETHER; open: {', '.join(without)}",)


def dersimonian_laird(effect: Array, variance: Array) -> float:
    """Moment estimate of between-study variance, not below zero."""
    w = 1.0 / variance
    mean = float(w @ effect / w.sum())
    q = float(w @ (effect - mean) ** 2)
    return max(0.0, (q - (len(effect) - 1)) / float(w.sum() - (w**2).sum() / w.sum()))


def reml_tau2(effect: Array, variance: Array) -> float:
    """Restricted maximum-likelihood between-study variance, not below zero.

    Very unequal studies can give the likelihood two peaks: the highest is found on a grid, then by its slope.
    """
    spread = float(np.var(effect, ddof=1)) + float(variance.max())
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 10.0, _GRID) * spread])
    best = int(np.argmax([_reml(effect, variance, tau2) for tau2 in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _GRID)])
    if _reml_slope(effect, variance, low) <= 0.0 or _reml_slope(effect, variance, high) >= 0.0:
        return float(grid[best])  # at zero
    return float(brentq(lambda tau2: _reml_slope(effect, variance, tau2), low, high, xtol=1e-14, rtol=1e-13))


def _reml(effect: Array, variance: Array, tau2: float) -> float:
    """Restricted log-likelihood, without its constant."""
    w = 1.0 / (variance + tau2)
    mean = float(w @ effect / w.sum())
    return 0.5 * float(np.log(w).sum() - np.log(w.sum()) - w @ (effect - mean) ** 2)


def _reml_slope(effect: Array, variance: Array, tau2: float) -> float:
    w = 1.0 / (variance + tau2)
    mean = float(w @ effect / w.sum())
    return 0.5 * float(w**2 @ (effect - mean) ** 2 - w.sum() + (w**2).sum() / w.sum())


def _pooled(
    effect: Array, variance: Array, tau2: float, method: Method, notes: tuple[str, ...], level: float
) -> Pooled:
    k = len(effect)
    w = 1.0 / (variance + tau2)
    mean = float(w @ effect / w.sum())
    se, multiplier = float(1.0 / np.sqrt(w.sum())), float(stats.norm.ppf(0.5 + level / 2))
    if method is Method.HKSJ:
        se = float(np.sqrt(w @ (effect - mean) ** 2 / (k - 1) / w.sum()))
        multiplier = float(stats.t.ppf(0.5 + level / 2, k - 1))
    fixed = 1.0 / variance
    q = float(fixed @ (effect - fixed @ effect / fixed.sum()) ** 2)
    typical = (k - 1) * float(fixed.sum()) / float(fixed.sum() ** 2 - (fixed**2).sum())
    low, high, notes = _prediction(mean, se, tau2, k, level, notes)
    return Pooled(
        method=method,
        k=k,
        estimate=mean,
        se=se,
        ci_low=mean - multiplier * se,
        ci_high=mean + multiplier * se,
        tau=float(np.sqrt(tau2)),
        i2=tau2 / (tau2 + typical),
        q=q,
        q_p=float(stats.chi2.sf(q, k - 1)),
        prediction_low=low,
        prediction_high=high,
        weights=tuple(float(x) for x in w / w.sum()),
        notes=notes,
    )


def _prediction(
    mean: float, se: float, tau2: float, k: int, level: float, notes: tuple[str, ...]
) -> tuple[float | None, float | None, tuple[str, ...]]:
    if k < 3:
        return None, None, (*notes, "two comparisons: no prediction interval can be given")
    half = float(stats.t.ppf(0.5 + level / 2, k - 2)) * float(np.sqrt(tau2 + se**2))
    return mean - half, mean + half, notes


def _alone(only: Comparison, method: Method, notes: tuple[str, ...], level: float) -> Pooled:
    half = float(stats.norm.ppf(0.5 + level / 2)) * only.se
    reason = "one comparison: nothing is pooled, and between-study variance cannot be estimated"
    interval = (only.effect - half, only.effect + half)
    none = (None,) * 6
    return Pooled(method, 1, only.effect, only.se, *interval, *none, (1.0,), (*notes, reason))


@dataclass(frozen=True)
class LeaveOneOut:
    """The pooled effect without one study."""

    without: str
    estimate: float
    ci_low: float
    ci_high: float


def leave_one_out(
    comparisons: Sequence[Comparison], method: Method, *, mix_open: bool = False
) -> tuple[LeaveOneOut, ...]:
    """Influence of each trial: pooled again without it."""
    out = []
    for trial in dict.fromkeys(c.trial for c in comparisons):
        rest = [c for c in comparisons if c.trial != trial]
        if rest:
            found = pool(rest, method, mix_open=mix_open)
            out.append(LeaveOneOut(trial, found.estimate, found.ci_low, found.ci_high))
    return tuple(out)
