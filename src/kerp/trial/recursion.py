"""Where a group-sequential test statistic can go: recursive numerical integration of its joint distribution.

The statistics Z_1..Z_K are normal with means `drift * sqrt(t_k)`, variance 1 and covariance `sqrt(t_j / t_k)`, where
t_k is the information fraction of look k and `drift` the mean of the statistic at full information. The sub-density
of the trials still running is carried from look to look on Gauss-Legendre nodes (Armitage, McPherson and Rowe
1969; Jennison and Turnbull 2000, chapter 19).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

REACH = 8.5  # standard deviations beyond which a normal density is nothing (1e-17)
NODES_PER_SD = 4  # of the increment between two looks: bounds are then good to 1e-12
LEAST_NODES = 64
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class Exits:
    """Probability of leaving at each look: `upper` (efficacy), `lower` (futility), shapes (K,)."""

    upper: Floats
    lower: Floats

    @property
    def stopped(self) -> Floats:
        """Probability of stopping at each look, the last look counting as a stop for all who reach it."""
        stopped = self.upper + self.lower
        stopped[-1] = 1.0 - stopped[:-1].sum()
        return stopped


@dataclass(frozen=True, slots=True)
class Running:
    """Trials that go on after a look: nodes (score scale), their weight times sub-density, information so far."""

    scores: Floats
    masses: Floats
    information: float

    def beyond(self, bound_z: float, information: float, drift: float) -> float:
        """Probability that a running trial has Z above `bound_z` at the next look."""
        step = information - self.information
        edge = bound_z * math.sqrt(information)
        return float(self.masses @ ndtr((self.scores + drift * step - edge) / math.sqrt(step)))

    def below(self, bound_z: float, information: float, drift: float) -> float:
        """Probability that a running trial has Z below `bound_z` at the next look."""
        step = information - self.information
        edge = bound_z * math.sqrt(information)
        return float(self.masses @ ndtr((edge - self.scores - drift * step) / math.sqrt(step)))

    def advance(self, low_z: float, high_z: float, information: float, drift: float) -> Running:
        """The trials that stay between the two bounds at the next look (bounds may be infinite)."""
        step = information - self.information
        spread = math.sqrt(step)
        nodes, weights = _nodes(*_interval(low_z, high_z, information, drift), spread)
        distance = (nodes[:, None] - self.scores[None, :] - drift * step) / spread
        density = np.exp(-0.5 * distance**2) @ self.masses / (spread * _ROOT_TWO_PI)
        return Running(nodes, weights * density, information)


START = Running(np.zeros(1), np.ones(1), 0.0)


def exits(information: Sequence[float], lower: Sequence[float], upper: Sequence[float], drift: float) -> Exits:
    """Crossing probabilities of each look.

    Parameters
    ----------
    information
        Information fractions, increasing, the last usually 1 (K values).
    lower, upper
        Bounds on Z at each look; minus infinity is no futility bound.
    drift
        Mean of Z at information 1.
    """
    up, down = np.zeros(len(information)), np.zeros(len(information))
    running = START
    for look, fraction in enumerate(information):
        up[look] = running.beyond(upper[look], fraction, drift)
        down[look] = running.below(lower[look], fraction, drift)
        if look < len(information) - 1:
            running = running.advance(lower[look], upper[look], fraction, drift)
    return Exits(up, down)


def _interval(low_z: float, high_z: float, information: float, drift: float) -> tuple[float, float]:
    """Continuation interval on the score scale, cut where the density is nothing."""
    root = math.sqrt(information)
    centre = drift * information
    low = max(low_z * root if math.isfinite(low_z) else -math.inf, centre - REACH * root)
    high = min(high_z * root if math.isfinite(high_z) else math.inf, centre + REACH * root)
    return (low, high) if low < high else (low, low)


def _nodes(low: float, high: float, spread: float) -> tuple[Floats, Floats]:
    count = max(LEAST_NODES, math.ceil(NODES_PER_SD * (high - low) / spread))
    abscissae, weights = _legendre(32 * math.ceil(count / 32))
    half = 0.5 * (high - low)
    return low + half * (abscissae + 1.0), half * weights


@lru_cache(maxsize=64)
def _legendre(count: int) -> tuple[Floats, Floats]:
    abscissae, weights = np.polynomial.legendre.leggauss(count)
    return np.asarray(abscissae), np.asarray(weights)
