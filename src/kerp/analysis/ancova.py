"""Analysis of covariance: one trial with its report, or thousands at once; ordinary least squares by QR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from kerp.analysis.degrees import Estimate, t_estimate
from kerp.analysis.design import aliased
from kerp.base.errors import Fault, KerpError

Array = Any


@dataclass(frozen=True)
class LinearFit:
    """Ordinary least squares: coefficients by name, their covariance, residual SD and degrees of freedom."""

    names: tuple[str, ...]
    beta: Array
    covariance: Array
    residual_sd: float
    df: int
    residuals: Array

    def estimate(self, name: str, level: float = 0.95) -> Estimate:
        """One coefficient."""
        weights = np.array([float(other == name) for other in self.names])
        return self.contrast(weights, level)

    def contrast(self, weights: Array, level: float = 0.95) -> Estimate:
        """A linear combination of coefficients."""
        se = float(np.sqrt(weights @ self.covariance @ weights))
        return t_estimate(float(weights @ self.beta), se, float(self.df), level)


def least_squares(x: Array, y: Array, names: Sequence[str], where: str = "") -> LinearFit:
    """Fit y (n,) on x (n, q). Refuses what has no standard error: too few rows, tied columns, an exact fit."""
    n, q = x.shape
    faults = []
    if n <= q:
        faults.append(Fault(f"{n} participants cannot carry {q} coefficients and a residual variance", where))
    elif lost := aliased(x, names):
        faults.append(Fault("these coefficients cannot be told apart from others: " + ", ".join(lost), where))
    if n and float(np.ptp(y)) == 0.0:
        faults.append(
            Fault("every outcome has the same value: no standard error can be estimated", where, found=f"{y[0]:g}")
        )
    if faults:
        raise KerpError(*faults)
    scale = np.linalg.norm(x, axis=0)
    orthogonal, triangular = np.linalg.qr(x / scale)
    beta = np.linalg.solve(triangular, orthogonal.T @ y) / scale
    residuals = y - x @ beta
    variance = float(residuals @ residuals) / (n - q)
    if variance <= 1e-20 * float(y @ y) / n:
        raise KerpError(Fault("the model fits every outcome exactly: no standard error can be estimated", where))
    root = np.linalg.inv(triangular) / scale[:, None]
    return LinearFit(tuple(names), beta, variance * root @ root.T, float(np.sqrt(variance)), n - q, residuals)


def ancova(outcome: Array, arm: Array, baseline: Array, level: float = 0.95, where: str = "") -> Estimate:
    """Arm 1 minus arm 0 adjusted for baseline; all (n,), without missing values."""
    for code in (0, 1):
        if not (np.asarray(arm) == code).any():
            raise KerpError(Fault(f"arm {code} is empty: no difference can be estimated", where))
    x = np.column_stack([np.ones(len(outcome)), arm, baseline])
    return least_squares(x, np.asarray(outcome, float), ("(Intercept)", "arm", "baseline"), where).estimate(
        "arm", level
    )


@dataclass(frozen=True)
class BatchAncova:
    """One row per trial: difference, standard error, two-sided p; `df` (t,)."""

    estimate: Array
    se: Array
    p: Array
    df: Array


def ancova_batch(outcome: Array, arm: Array, baseline: Array, observed: Array | None = None) -> BatchAncova:
    """ANCOVA of every trial: `outcome`, `arm`, `baseline`, `observed` (t, n). NaN where a trial cannot be estimated.

    The arm's effect after partialling out baseline and mean (Frisch and Waugh 1933): closed form, no loop.
    """
    w = np.ones_like(outcome) if observed is None else observed.astype(float)
    y = outcome if observed is None else np.where(observed, outcome, 0.0)
    n = w.sum(axis=1)
    with np.errstate(all="ignore"):
        yc, ac, bc = (_centred(part, w, n) for part in (y, arm, baseline))
        slope = _dot(ac, bc) / _dot(bc, bc)
        arm_left = ac - slope[:, None] * bc
        saa = _dot(arm_left, arm_left)
        estimate = _dot(arm_left, yc) / saa
        base = _dot(bc, yc) / _dot(bc, bc)
        rss = _dot(yc, yc) - base * _dot(bc, yc) - estimate**2 * saa
        df = n - 3.0
        se = np.sqrt(np.maximum(rss, 0.0) / df / saa)
        bad = (df < 1) | ~(saa > 1e-12 * n) | ~(se > 0)
        estimate, se = np.where(bad, np.nan, estimate), np.where(bad, np.nan, se)
        return BatchAncova(estimate, se, 2.0 * stats.t.sf(np.abs(estimate / se), df), df)


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("tn,tn->t", a, b)


def _centred(values: Array, w: Array, n: Array) -> Array:
    return (values - (np.einsum("tn,tn->t", values, w) / n)[:, None]) * w
