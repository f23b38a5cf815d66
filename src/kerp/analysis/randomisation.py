"""The randomisation test: how often the trial's own lottery would have given a difference as large (Fisher 1935)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from kerp.base.errors import Fault, KerpError

Array = Any
EXACT_BELOW = 20_000
Statistic = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class RandomisationTest:
    """Two-sided p; `exact` when every allocation was enumerated, otherwise its Monte-Carlo standard error."""

    statistic: float
    p: float
    allocations: int
    exact: bool
    p_mcse: float


def randomisation_test(
    outcome: Array,
    arm: Array,
    baseline: Array,
    rng: np.random.Generator,
    strata: Array | None = None,
    draws: int = 9_999,
) -> RandomisationTest:
    """Re-randomise the arm (n,) of 0 and 1 within strata; the statistic is the baseline-adjusted difference.

    Adjustment is done once, without the arm, so the same residuals serve every allocation. Where all allocations
    number under 20,000 and there is one stratum, every one is looked at; otherwise `draws` are taken with `rng`.
    """
    arm = np.asarray(arm, dtype=float)
    if not 0 < arm.sum() < len(arm):
        raise KerpError(Fault("one arm is empty: there is nothing to re-randomise", field="arm"))
    residual = _adjusted(np.asarray(outcome, float), np.asarray(baseline, float))
    groups = np.zeros(len(arm), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    size = int(arm.sum())
    observed = float(_difference(residual, arm[None])[0])
    if groups.max() == 0 and comb(len(arm), size) < EXACT_BELOW:
        return _enumerate(residual, size, observed)
    chosen = np.stack([_shuffled(arm, groups, rng) for _ in range(draws)])
    as_far = np.abs(_difference(residual, chosen)) >= abs(observed) * (1 - 1e-12)
    p = float((1 + as_far.sum()) / (1 + draws))
    return RandomisationTest(observed, p, draws, False, float(np.sqrt(p * (1 - p) / draws)))


def _adjusted(outcome: Array, baseline: Array) -> Array:
    centred = baseline - baseline.mean()
    spread = float(centred @ centred)
    slope = 0.0 if spread == 0 else float(centred @ outcome) / spread
    return outcome - outcome.mean() - slope * centred


def _difference(residual: Array, arms: Array) -> Array:
    """Mean difference for each allocation (k, n)."""
    first = arms @ residual / arms.sum(axis=1)
    return first - (1 - arms) @ residual / (1 - arms).sum(axis=1)


def _shuffled(arm: Array, groups: Array, rng: np.random.Generator) -> Array:
    out = arm.copy()
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        out[members] = rng.permutation(arm[members])
    return out


def _enumerate(residual: Array, size: int, observed: float) -> RandomisationTest:
    n = len(residual)
    arms = np.zeros((comb(n, size), n))
    for row, members in enumerate(combinations(range(n), size)):
        arms[row, list(members)] = 1.0
    p = float(np.mean(np.abs(_difference(residual, arms)) >= abs(observed) * (1 - 1e-12)))
    return RandomisationTest(observed, p, len(arms), True, 0.0)
