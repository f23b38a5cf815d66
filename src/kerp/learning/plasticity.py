"""The window of plasticity after doses (PAPER P6, P38): slow on, slower off, saturating over repeated doses."""

from __future__ import annotations

from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.learning.contract import Array


def window(
    xp: Any, day: Array, dose_days: Array, relative_doses: Array, tau_on_days: float, tau_off_days: float
) -> Array:
    """`P(t) = 1 - prod_k(1 - p_k(t))` in [0, 1], shaped like `day` with any leading axes of `relative_doses`.

    p_k is the double exponential of dose k with its peak set to 1, times the dose relative to the protocol's, at
    most 1. `relative_doses` is shaped (..., doses). The kernel and its time constants are assumed (MODEL.md).
    """
    if tau_off_days <= tau_on_days:
        raise KerpError(
            Fault(
                "the plasticity window must open faster than it closes",
                field="tau_on_days, tau_off_days",
                found=f"{tau_on_days}, {tau_off_days}",
                allowed="tau_on_days < tau_off_days",
            )
        )
    peak_day = xp.log(tau_off_days / tau_on_days) * tau_on_days * tau_off_days / (tau_off_days - tau_on_days)
    top = xp.exp(-peak_day / tau_off_days) - xp.exp(-peak_day / tau_on_days)
    closed = 1.0
    for k in range(len(dose_days)):
        since = xp.maximum(day - dose_days[k], 0.0)
        kernel = (xp.exp(-since / tau_off_days) - xp.exp(-since / tau_on_days)) / top
        strength = xp.minimum(relative_doses[..., k], 1.0)
        closed = closed * (1.0 - strength[..., None] * kernel)
    return 1.0 - closed
