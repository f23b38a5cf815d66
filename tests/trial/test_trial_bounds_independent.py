"""Bounds for every number of looks against the multivariate normal distribution itself (Genz), not the recursion.

The published tables stop at a few looks; here the joint distribution of the statistics is integrated by SciPy, which
knows nothing of looks, spending or independent increments.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from kerp.trial.bounds import KINDS, Bounds, bounds, equal_information

SLOW = [pytest.param(looks, marks=pytest.mark.slow) for looks in (6, 7, 8, 10, 12, 15, 20)]
SPENT = {  # Lan and DeMets 1983; Hwang, Shih and DeCani 1990, gamma -4
    "ldof": lambda t: 2 * norm.sf(norm.isf(0.025 / 2) / math.sqrt(t)),
    "ldpocock": lambda t: 0.025 * math.log(1 + (math.e - 1) * t),
    "hsd": lambda t: 0.025 * (1 - math.exp(4 * t)) / (1 - math.exp(4)),
}


def design(kind: str, looks: int) -> Bounds:
    return bounds(kind, equal_information(looks), 0.025, 0.9, -4.0 if kind == "hsd" else None)


def crossed(found: Bounds, looks: int, drift: float) -> float:
    """Probability of having passed a bound at any of the first looks."""
    t = np.asarray(found.information[:looks])
    if looks == 1:
        return float(norm.sf(found.z[0] - drift * math.sqrt(t[0])))
    together = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    law = multivariate_normal(
        drift * np.sqrt(t), together, maxpts=50_000 * looks, abseps=5e-6, releps=0, seed=np.random.default_rng(1)
    )
    return 1.0 - float(law.cdf(np.asarray(found.z[:looks])))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("looks", [2, 3, 4, 5, *SLOW])
def test_alpha_and_power_are_those_of_the_joint_normal_distribution(kind: str, looks: int) -> None:
    found = design(kind, looks)
    assert crossed(found, looks, 0.0) == pytest.approx(0.025, abs=2e-5)
    assert crossed(found, looks, found.drift) == pytest.approx(0.9, abs=2e-5)


@pytest.mark.parametrize("kind", SPENT)
@pytest.mark.parametrize("looks", [5, pytest.param(10, marks=pytest.mark.slow)])
def test_at_every_look_as_much_alpha_is_spent_as_the_function_says(kind: str, looks: int) -> None:
    found = design(kind, looks)
    spent = [crossed(found, look, 0.0) for look in range(1, looks + 1)]
    assert spent == pytest.approx([SPENT[kind](k / looks) for k in range(1, looks + 1)], abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("looks", [4, pytest.param(8, marks=pytest.mark.slow)])
def test_the_average_size_is_the_mean_of_where_the_joint_distribution_stops(kind: str, looks: int) -> None:
    found = design(kind, looks)
    going = [1.0] + [1.0 - crossed(found, look, found.drift) for look in range(1, looks)]
    assert found.asn_ratio == pytest.approx(found.inflation * sum(going) / looks, abs=5e-5)


@pytest.mark.parametrize("kind", ["obf", "pocock"])
@pytest.mark.parametrize("looks", range(1, 21))
def test_fixed_shapes_keep_their_shape_for_every_number_of_looks(kind: str, looks: int) -> None:
    z = np.asarray(bounds(kind, equal_information(looks), 0.025).z)
    shape = np.sqrt(np.asarray(equal_information(looks))) if kind == "obf" else np.ones(looks)
    assert z * shape == pytest.approx(np.full(looks, z[-1]), rel=1e-12)
    if looks > 1:
        before = bounds(kind, equal_information(looks - 1), 0.025)
        assert z[-1] > before.z[-1]  # every further look costs
