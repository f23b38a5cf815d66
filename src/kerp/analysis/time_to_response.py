"""Time to response: product-limit curves and the log-rank test; times are days of the visits that saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from kerp.base.errors import Fault, KerpError

Array = Any


@dataclass(frozen=True)
class Curve:
    """Share not yet responding after each day with a response; `median_day` is None where half never respond."""

    days: tuple[float, ...]
    not_responding: tuple[float, ...]
    se: tuple[float, ...]
    at_risk: tuple[int, ...]
    median_day: float | None
    note: str


def kaplan_meier(day: Array, responded: Array) -> Curve:
    """Product-limit curve of days (n,); `responded` False is censored at its day. Greenwood's standard error."""
    day, responded = np.asarray(day, float), np.asarray(responded, bool)
    if not len(day):
        raise KerpError(Fault("nobody was followed: no curve can be estimated"))
    times = np.unique(day[responded])
    at_risk = np.array([(day >= t).sum() for t in times], dtype=int)
    events = np.array([((day == t) & responded).sum() for t in times], dtype=int)
    share = np.cumprod(1.0 - events / np.maximum(at_risk, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(at_risk > events, events / (at_risk * (at_risk - events)), 0.0)
    se = share * np.sqrt(np.cumsum(terms))
    below = times[share <= 0.5]
    note = "" if len(times) else "nobody responded: the curve stays at 1 and no median exists"
    if len(times) and not len(below):
        note = "fewer than half responded: no median exists"
    median = float(below[0]) if len(below) else None
    return Curve(
        tuple(map(float, times)),
        tuple(map(float, share)),
        tuple(map(float, se)),
        tuple(map(int, at_risk)),
        median,
        note,
    )


@dataclass(frozen=True, slots=True)
class LogRank:
    """Observed minus expected responses in arm 1, its variance, chi-square with one degree of freedom and p."""

    difference: float
    variance: float
    chi2: float | None
    p: float | None
    reason: str = ""


def log_rank(day: Array, responded: Array, arm: Array) -> LogRank:
    """Compare two arms (codes 0 and 1). Without any response there is no test, and the reason is said."""
    day, responded, arm = np.asarray(day, float), np.asarray(responded, bool), np.asarray(arm)
    if not (arm == 1).any() or not (arm == 0).any():
        raise KerpError(Fault("one arm is empty: no comparison can be made", field="arm"))
    difference = variance = 0.0
    for t in np.unique(day[responded]):
        risk, risk1 = float((day >= t).sum()), float(((day >= t) & (arm == 1)).sum())
        events = float(((day == t) & responded).sum())
        difference += float(((day == t) & responded & (arm == 1)).sum()) - events * risk1 / risk
        if risk > 1:
            variance += events * (risk1 / risk) * (1 - risk1 / risk) * (risk - events) / (risk - 1)
    if variance <= 0:
        return LogRank(difference, variance, None, None, "no response was seen while both arms were followed")
    chi2 = difference**2 / variance
    return LogRank(difference, variance, chi2, float(stats.chi2.sf(chi2, 1)))
