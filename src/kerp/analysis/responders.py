"""Response counts in two arms: risk difference with exact and Bayesian intervals, Fisher's test, exact proportions.

Every count travels with the definition of response it was made with (M14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from kerp.base.errors import Fault, KerpError

Array = Any
_JEFFREYS = 0.5
_NUISANCE = np.linspace(0.0005, 0.9995, 200)
_STRIP = (np.arange(2000) + 0.5) / 2000


@dataclass(frozen=True, slots=True)
class Arm:
    """Responders among the participants whose response is known; `unknown` could not be determined."""

    name: str
    responders: int
    known: int
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval."""

    low: float
    high: float


@dataclass(frozen=True)
class RiskDifference:
    """Arm minus reference. `definition` says what counts as response; `notes` what cannot be estimated."""

    definition: str
    arm: Arm
    reference: Arm
    difference: float
    exact: Interval
    bayesian: Interval
    probability_better: float
    fisher_p: float
    arm_interval: Interval
    reference_interval: Interval
    notes: tuple[str, ...]


def compare_responders(arm: Arm, reference: Arm, definition: str, level: float = 0.95) -> RiskDifference:
    """Risk difference (arm minus reference). Raises when an arm has nobody whose response is known."""
    for side in (arm, reference):
        if side.known <= 0 or not 0 <= side.responders <= side.known:
            message = "nobody's response is known in this arm: no proportion can be estimated"
            raise KerpError(Fault(message, field=side.name, found=f"{side.responders} of {side.known}"))
    table = [
        [arm.responders, arm.known - arm.responders],
        [reference.responders, reference.known - reference.responders],
    ]
    return RiskDifference(
        definition=definition,
        arm=arm,
        reference=reference,
        difference=arm.responders / arm.known - reference.responders / reference.known,
        exact=exact_interval(arm, reference, level),
        bayesian=bayesian_interval(arm, reference, level),
        probability_better=1.0 - _posterior(arm, reference)(0.0),
        fisher_p=float(stats.fisher_exact(table).pvalue),
        arm_interval=clopper_pearson(arm.responders, arm.known, level),
        reference_interval=clopper_pearson(reference.responders, reference.known, level),
        notes=_notes(arm, reference),
    )


def _notes(arm: Arm, reference: Arm) -> tuple[str, ...]:
    notes = []
    extremes = [side.responders in (0, side.known) for side in (arm, reference)]
    if any(extremes):
        message = (
            "an arm has only responders or only non-responders (perfect separation): the odds ratio and a logistic"
        )
        notes.append(message + " regression cannot be estimated; the risk difference and its intervals can")
    notes += [
        f"{side.name}: response of {side.unknown} participants is not known and is counted as neither"
        for side in (arm, reference)
        if side.unknown
    ]
    return tuple(notes)


def clopper_pearson(responders: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval of one proportion (Clopper and Pearson 1934)."""
    tail = (1.0 - level) / 2.0
    low = 0.0 if responders == 0 else float(stats.beta.ppf(tail, responders, n - responders + 1))
    high = 1.0 if responders == n else float(stats.beta.ppf(1.0 - tail, responders + 1, n - responders))
    return Interval(low, high)


def bayesian_interval(arm: Arm, reference: Arm, level: float = 0.95) -> Interval:
    """Equal-tailed posterior interval of the difference, independent Jeffreys priors."""
    tail = (1.0 - level) / 2.0
    below = _posterior(arm, reference)

    def solve(probability: float) -> float:
        return float(optimize.brentq(lambda d: below(d) - probability, -1.0, 1.0, xtol=1e-7))

    return Interval(solve(tail), solve(1.0 - tail))


def _posterior(arm: Arm, reference: Arm) -> Callable[[float], float]:
    """Function d -> P(p_arm - p_reference <= d), integrated over the reference's posterior quantiles."""
    a, b = ((s.responders + _JEFFREYS, s.known - s.responders + _JEFFREYS) for s in (arm, reference))
    quantiles = special.betaincinv(*b, _STRIP)
    return lambda d: float(np.mean(special.betainc(*a, np.clip(quantiles + d, 0.0, 1.0))))


def exact_interval(arm: Arm, reference: Arm, level: float = 0.95) -> Interval:
    """Unconditional exact interval: all differences that a two-sided score test does not reject.

    Agresti and Min 2001 (Biometrics 57:963), with the score statistic of Miettinen and Nurminen 1985.
    """
    alpha = 1.0 - level
    observed = arm.responders / arm.known - reference.responders / reference.known

    def excess(difference: float) -> float:
        return _exact_p(arm, reference, difference) - alpha

    return Interval(_edge(excess, observed, -1.0), _edge(excess, observed, 1.0))


def _edge(excess: Callable[[float], float], inside: float, outside: float) -> float:
    """The farthest accepted value towards `outside`, from a coarse scan and then bisection."""
    scan = np.linspace(outside, inside, 41)
    accepted = next((k for k, value in enumerate(scan) if excess(float(value)) > 0), len(scan) - 1)
    if accepted == 0:
        return outside
    far, near = float(scan[accepted - 1]), float(scan[accepted])
    while abs(near - far) > 1e-6:
        middle = (far + near) / 2.0
        far, near = (far, middle) if excess(middle) > 0 else (middle, near)
    return near


def _exact_p(arm: Arm, reference: Arm, difference: float) -> float:
    """Largest probability, over the unknown level, of a table at least as far from `difference` as this one."""
    n, m = arm.known, reference.known
    x, y = np.arange(n + 1)[:, None], np.arange(m + 1)[None, :]
    distance = np.abs(_score(x, n, y, m, difference))
    extreme = distance >= distance[arm.responders, reference.responders] - 1e-9
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    level = low + (high - low) * _NUISANCE
    of_arm = _binomial(n, np.clip(level + difference, 0, 1))
    of_reference = _binomial(m, level)
    return float(np.max(np.sum((of_arm @ extreme) * of_reference, axis=1)))


def _binomial(n: int, p: Array) -> Array:
    """Probabilities of 0 to n successes for each p, (len(p), n + 1)."""
    x = np.arange(n + 1)
    ways = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    return np.exp(ways + special.xlogy(x, p[:, None]) + special.xlog1py(n - x, -p[:, None]))


def _score(x: Array, n: int, y: Array, m: int, difference: float) -> Array:
    """Score statistic with the proportions fitted under p_arm - p_reference = difference."""
    q = _restricted(x, n, y, m, difference)
    p = np.clip(q + difference, 0.0, 1.0)
    variance = p * (1 - p) / n + q * (1 - q) / m
    gap = x / n - y / m - difference
    return np.where(np.abs(gap) < 1e-12, 0.0, gap / np.sqrt(np.maximum(variance, 1e-12)))


def _restricted(x: Array, n: int, y: Array, m: int, difference: float) -> Array:
    """Reference proportion of highest likelihood under the difference (cubic of Farrington and Manning 1990)."""
    total = n + m
    a = float(total)
    b = (m + 2 * n) * difference - total - x - y
    c = (n * difference - total - 2 * x) * difference + x + y
    d = x * difference * (1 - difference)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.maximum(b**2 / (3 * a) ** 2 - c / (3 * a), 1e-20))
    w = (np.pi + np.arccos(np.clip(v / u**3, -1.0, 1.0))) / 3.0
    arm_level = 2 * u * np.cos(w) - b / (3 * a)
    return np.clip(arm_level, max(0.0, -difference), min(1.0, 1.0 - difference))
