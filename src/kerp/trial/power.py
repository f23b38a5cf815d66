"""Closed forms: power and size of a contrast of group means by the noncentral t distribution.

The residual standard deviation is 1 throughout: an effect is a number of residual SDs, that is, SDs left after the
baseline has been adjusted for. Convention of every function: t with `N - groups - 1` degrees of freedom (ANCOVA with
one baseline covariate) unless the degrees of freedom are given; power counts the tail on the side of the effect only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy.optimize import brentq
from scipy.special import nctdtr, ndtri, stdtrit

from kerp.base.errors import Fault, KerpError

MOST_PATIENTS = 10_000_000


def t_power(noncentrality: float, df: float, alpha_one_sided: float) -> float:
    """Probability that a t statistic passes its one-sided critical value, the effect being in that direction."""
    return float(nctdtr(df, -noncentrality, stdtrit(df, alpha_one_sided)))  # the mirror image keeps small tails exact


def two_sample_power(n_per_arm: float, effect_sd: float, alpha: float = 0.05, sides: int = 2) -> float:
    """Power of the two-sample t test with `2 n - 2` degrees of freedom (R's `power.t.test`, strict = FALSE)."""
    return t_power(effect_sd * math.sqrt(n_per_arm / 2.0), 2.0 * n_per_arm - 2.0, alpha / sides)


def two_sample_n_per_arm(effect_sd: float, power: float, alpha: float = 0.05, sides: int = 2) -> float:
    """Size of each arm (not rounded) at which the two-sample t test has the power."""
    _check(effect_sd, power, alpha)
    return float(
        brentq(lambda n: two_sample_power(n, effect_sd, alpha, sides) - power, 2.0, MOST_PATIENTS, xtol=1e-9)
    )


def variance_factor(weights: Sequence[float], shares: Sequence[float]) -> float:
    """`N Var(contrast) / sigma^2` for contrast weights over groups of the given allocation shares.

    4 for a difference of two equal arms, 16 for the interaction of a 2x2: an interaction of the same size needs four
    times the patients.
    """
    total = math.fsum(shares)
    return math.fsum(w * w * total / s for w, s in zip(weights, shares, strict=True) if w)


def contrast_power(
    n_total: float, effect_sd: float, weights: Sequence[float], shares: Sequence[float], alpha_one_sided: float
) -> float:
    """Power of a contrast when `n_total` patients are allocated by `shares`, adjusted for one baseline."""
    df = n_total - len(shares) - 1
    if df < 1:
        return alpha_one_sided
    return t_power(abs(effect_sd) * math.sqrt(n_total / variance_factor(weights, shares)), df, alpha_one_sided)


def contrast_n_total(
    effect_sd: float, target: float, weights: Sequence[float], shares: Sequence[int], alpha_one_sided: float
) -> int:
    """Smallest total that is a whole number of allocation rounds and has the target power.

    A round is `sum(shares)` patients: every arm gets its share. Raises `KerpError` where no trial is large enough.
    """
    _check(effect_sd, target, alpha_one_sided)
    round_size = sum(shares)

    def enough(rounds: int) -> bool:
        return contrast_power(rounds * round_size, effect_sd, weights, shares, alpha_one_sided) >= target

    rounds = _smallest(enough, MOST_PATIENTS // round_size)
    if rounds is None:
        message = f"more than {MOST_PATIENTS:,} patients would be needed"
        raise KerpError(
            Fault(message, field="effect_sd", found=f"{effect_sd}", ways_out=("plan for a larger effect",))
        )
    return rounds * round_size


def _smallest(enough: Callable[[int], bool], most: int) -> int | None:
    """Smallest whole number for which a monotone condition holds, by doubling and halving; None beyond `most`."""
    high = 1
    while not enough(high):
        if high > most:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def t_drift(noncentrality: float, df: float, alpha_one_sided: float) -> float:
    """The normal drift with the power of the t test: how small-sample loss enters group-sequential formulas.

    This is the convention of rpact for means of unknown variance; with known variance the drift is the noncentrality.
    """
    power = t_power(noncentrality, df, alpha_one_sided)
    return float(ndtri(power) - ndtri(alpha_one_sided))


def residual_sd(sd: float, correlation: float) -> float:
    """SD left after adjusting for a baseline that correlates with the outcome: `sd sqrt(1 - rho^2)` (Borm 2007)."""
    return sd * math.sqrt(1.0 - correlation**2)


def nested_design_effect(cluster_size: float, icc: float) -> float:
    """Variance inflation when each therapist treats in one arm only: `1 + (m - 1) icc`."""
    return 1.0 + (cluster_size - 1.0) * icc


def precision_n_per_arm(half_width_sd: float, confidence: float = 0.95) -> int:
    """Smallest arm of a two-arm pilot whose difference has an expected interval of at most this half-width.

    Half-width in residual SDs, t with `2 n - 3` degrees of freedom: a pilot is sized by what it will tell,
    not by power.
    """
    if half_width_sd <= 0 or not 0 < confidence < 1:
        raise KerpError(Fault("a half-width is positive, a confidence between 0 and 1", found=f"{half_width_sd}"))
    n = _smallest(lambda size: half_width(size, confidence) <= half_width_sd, MOST_PATIENTS)
    if n is None:
        raise KerpError(Fault("no pilot is that precise", field="half_width_sd", found=f"{half_width_sd}"))
    return n


def half_width(n_per_arm: int, confidence: float = 0.95) -> float:
    """Half-width of the interval for a two-arm difference, in residual SDs."""
    if n_per_arm < 2:
        return math.inf
    quantile = -float(stdtrit(2 * n_per_arm - 3, (1.0 - confidence) / 2.0))
    return quantile * math.sqrt(2.0 / n_per_arm)


def _check(effect_sd: float, power: float, alpha: float) -> None:
    faults = []
    if not math.isfinite(effect_sd) or effect_sd == 0:
        faults.append(Fault("the effect must be a number other than 0", field="effect_sd", found=f"{effect_sd}"))
    if not alpha < power < 1:
        faults.append(Fault("the power is out of range", field="target", found=f"{power}", allowed="alpha to 1"))
    if not 0 < alpha < 1:
        faults.append(Fault("alpha is out of range", field="alpha", found=f"{alpha}", allowed="0 to 1"))
    if faults:
        raise KerpError(*faults)
