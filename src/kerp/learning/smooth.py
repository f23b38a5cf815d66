"""Bounds with usable gradients, and an exact step of the only nonlinear equation."""

from __future__ import annotations

from typing import Any

from kerp.learning.contract import Array

_TINY = 1e-12  # keeps roots and quotients differentiable at 0; far below any rating


def logistic(xp: Any, x: Array) -> Array:
    """`s(x) = 1/(1 + exp(-x))`, safe for any finite x and for complex steps."""
    return 0.5 * (1.0 + xp.tanh(0.5 * x))


def logit(xp: Any, probability: Array) -> Array:
    """The inverse of `logistic`."""
    return xp.log(probability) - xp.log1p(-probability)


def cap(xp: Any, x: Array) -> Array:
    """`min(x, 1)` for x >= 0 without its corner: `x / (1 + x^8)^(1/8)`.

    Exact at 0, always below 1, a gradient everywhere; within 1 % of the corner below 0.68 and above 1.45, 8 % under
    it at x = 1.
    """
    fourth = (x * x) * (x * x)
    return x / xp.sqrt(xp.sqrt(xp.sqrt(1.0 + fourth * fourth)))


def root(xp: Any, x: Array) -> Array:
    """Square root with a finite gradient at zero."""
    return xp.sqrt(x + _TINY)


def share(part: Array, whole: Array) -> Array:
    """`part / whole`, and 0 where both are 0."""
    return part / (whole + _TINY)


def approach(xp: Any, rate: Array, days: Array) -> Array:
    """How much of the way to its target a first-order process goes: `1 - exp(-rate days)`, to 1e-16 absolute."""
    return 1.0 - xp.exp(-rate * days)


def riccati(xp: Any, v: Array, loss: Array, gain: Array, pull: Array, rest: Array, days: Array) -> Array:
    """Exact change of v over `days` under `v' = -loss v + gain v (1 - v) + pull (rest - v)`.

    From the closed form `dv = 2 f / (w coth(w days / 2) - f')`, with f and f' the right side and its slope at v and w
    the root of the discriminant. Zero at a fixed point to the last bit; stays in [0, 1] for rest in [0, 1].
    """
    slope0 = gain - loss - pull
    f = v * (slope0 - gain * v) + pull * rest
    slope = slope0 - 2.0 * gain * v
    w = xp.sqrt(slope0 * slope0 + 4.0 * gain * pull * rest + _TINY)
    t = xp.tanh(0.5 * w * days)
    # w - slope without cancellation where both are positive: w^2 - slope^2 = 4 gain f
    size = xp.where(slope > 0.0, slope, -slope)  # not abs: complex steps pass through
    gap = xp.where(slope > 0.0, (4.0 * gain * f + _TINY) / (w + size), w - slope)
    dv = 2.0 * f * t / (gap + slope * (1.0 - t))
    return xp.clip(dv, -v, 1.0 - v)  # round-off only: next to an unstable fixed point it can decide the direction
