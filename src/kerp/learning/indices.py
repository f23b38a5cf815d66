"""Research indices of two risks the paper names. Never a diagnosis, never a reason to treat or not to treat."""

from __future__ import annotations

import numpy as np

from kerp.learning.contract import Array
from kerp.learning.priors import Prior, priors

ABERRANT_UPDATE = (
    "Aberrant-update index: how much faster a belief fed by noise would drift while the drug acts, in extra hours of "
    "ordinary drift (PAPER P35). A research index of the model; it does not diagnose."
)
PARADOXICAL = (
    "Paradoxical-anxiety index: the probability that a person's dissociative aversiveness belongs to the second "
    "component of its prior (PAPER P37). A research index of the model; it does not diagnose."
)


def aberrant_update_hours(kappa_a: Array, effect: Array, days: Array) -> Array:
    """`AB = integral of [(eta/eta0)^2 - 1] dt` over the acute drug effect, in hours; negative where kappa_a < 0.

    `effect` is E per step, shaped (..., steps); `days` the length of each step.
    """
    extra = np.expm1(2.0 * np.asarray(kappa_a)[..., None] * effect)
    return 24.0 * np.sum(extra * days, axis=-1)


def paradoxical_probability(zeta: Array, prior: Prior | None = None) -> Array:
    """Posterior weight of the paradoxical component for given zeta, in [0, 1]."""
    a = (prior or priors()["zeta"]).arguments
    weight = a["second_weight"]
    main = (1.0 - weight) * 2.0 * _density(np.asarray(zeta), 0.0, a["scale"])
    second = weight * _density(np.asarray(zeta), a["second_mean"], a["second_scale"])
    return second / (main + second)


def _density(x: np.ndarray, mean: float, sd: float) -> Array:
    return np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2.0 * np.pi))
