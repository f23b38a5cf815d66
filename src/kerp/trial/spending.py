"""Spending functions: how much of an error rate may have been spent when a fraction of the information is in."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import ndtr, ndtri

from kerp.base.errors import Fault, KerpError

Spending = Callable[[float], float]


def obrien_fleming_type(error: float) -> Spending:
    """Lan-DeMets spending close to O'Brien-Fleming: `2 - 2 Phi(z_{1 - error/2} / sqrt(t))` (Lan and DeMets 1983)."""
    quantile = float(ndtri(1.0 - error / 2.0))
    return lambda t: 0.0 if t <= 0 else 2.0 * float(ndtr(-quantile / math.sqrt(min(t, 1.0))))


def pocock_type(error: float) -> Spending:
    """Lan-DeMets spending close to Pocock: `error * log(1 + (e - 1) t)`."""
    return lambda t: error * math.log1p((math.e - 1.0) * min(max(t, 0.0), 1.0))


def hwang_shih_decani(error: float, gamma: float) -> Spending:
    """`error * (1 - exp(-gamma t)) / (1 - exp(-gamma))`; gamma 0 is linear (Hwang, Shih and DeCani 1990)."""
    if gamma == 0:
        return lambda t: error * min(max(t, 0.0), 1.0)
    return lambda t: error * math.expm1(-gamma * min(max(t, 0.0), 1.0)) / math.expm1(-gamma)


def spending(kind: str, error: float, gamma: float | None = None) -> Spending:
    """The spending function called `ldof`, `ldpocock` or `hsd` (which needs gamma)."""
    if kind == "ldof":
        return obrien_fleming_type(error)
    if kind == "ldpocock":
        return pocock_type(error)
    if kind == "hsd" and gamma is not None:
        return hwang_shih_decani(error, gamma)
    message = (
        "the Hwang-Shih-DeCani spending needs its gamma" if kind == "hsd" else "there is no such spending function"
    )
    raise KerpError(
        Fault(
            message,
            field="gamma" if kind == "hsd" else "kind",
            found=kind,
            allowed="ldof, ldpocock, hsd",
            ways_out=("give a gamma, for example -4 (late, near O'Brien-Fleming) or 1 (early, near Pocock)",),
        )
    )
