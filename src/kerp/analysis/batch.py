"""REML for thousands of trials at once, from sufficient statistics, on NumPy or JAX through the same source.

Every trial has the same visits and the same subject-level regressors x_i (intercept, arms, baseline ...); the mean at
visit v is x_i' b_v, and `expand` ties the b_v together where a coefficient is shared by visits. Then a trial is
known by, for each missingness pattern g, the count n_g and the cross-products of x and y: nothing else is touched
while the likelihood is maximised. Independent of `reml`, which works on participants and any design; tests compare
the two. Index letters: t trial, g pattern, v w visits, a b regressors, i j coefficients, k l covariance parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerp.analysis.covariance import Structure, curvature, first, sigma
from kerp.analysis.degrees import Method

Array = Any


@dataclass(frozen=True)
class BatchDesign:
    """What all trials of a batch share.

    `masks` (g, v) which visits a pattern has; `expand` (v * a, i) from coefficients to visit-by-regressor means;
    `contrasts` (c, i) what is estimated.
    """

    structure: Structure
    masks: Array
    expand: Array
    contrasts: Array

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return int(self.masks.shape[1])


@dataclass(frozen=True)
class Statistics:
    """Sufficient statistics: `n` (t, g) and `cross` (t, g, a + v, a + v), products of regressors and outcomes."""

    n: Array
    cross: Array

    def take(self, rows: Array) -> Statistics:
        """Some of the trials."""
        return Statistics(self.n[rows], self.cross[rows])


@dataclass(frozen=True)
class Point:
    """Likelihood at one parameter value and everything later formulas share."""

    neg2_loglik: Array
    inverse: Array  # (t, g, v, w), zero where a visit is missing
    phi: Array  # (t, i, j)
    phi_wide: Array  # (t, v, a, w, b)
    beta: Array  # (t, i)
    xx: Array  # (t, g, a, b)
    residual_x: Array  # (t, g, v, a): residual times regressor
    residual2: Array  # (t, g, v, w): residual times residual
    spread: Array  # (t, g, v, w): sum of x_i' Phi x_i


def invert(matrix: Array, xp: Any) -> tuple[Array, Array]:
    """Inverse and log determinant of symmetric positive definite matrices (..., m, m) by sweeping scaled pivots.

    Where a matrix is not positive definite the log determinant is NaN. Goodnight 1979, Am Stat 33:149.
    """
    root = xp.sqrt(xp.diagonal(matrix, axis1=-2, axis2=-1))
    scale = root[..., :, None] * root[..., None, :]
    units = np.eye(matrix.shape[-1])

    def sweep(k: Any, state: tuple[Array, Array]) -> tuple[Array, Array]:
        swept, logdet = state
        unit = xp.asarray(units)[k]
        column = xp.sum(swept * unit, axis=-1)
        pivot = xp.sum(column * unit, axis=-1)
        reduced = column - unit
        swept = swept - reduced[..., :, None] * (reduced / pivot[..., None])[..., None, :]
        return swept - 2.0 * unit[:, None] * unit, logdet + xp.log(pivot)

    swept, logdet = _repeat(len(units), sweep, (matrix / scale, 2.0 * xp.sum(xp.log(root), axis=-1)), xp)
    return -swept / scale, logdet


def _repeat(count: int, body: Any, state: Any, xp: Any) -> Any:
    """A loop: Python's for NumPy; one that compiles in a fraction of the time of an unrolled one for JAX."""
    if xp is np:
        for k in range(count):
            state = body(k, state)
        return state
    from jax import lax

    return lax.fori_loop(0, count, body, state)


def _turn(x: Array, xp: Any) -> Array:
    return xp.swapaxes(x, -1, -2)


def _over_patterns(left: Array, right: Array, xp: Any) -> Array:
    """sum_g left (t, g, A, B) times right (t, g, C, D) -> (t, A, B, C, D)."""
    t, g, *ab = left.shape
    cd = right.shape[2:]
    return (_turn(left.reshape(t, g, -1), xp) @ right.reshape(t, g, -1)).reshape(t, *ab, *cd)


def evaluate(theta: Array, stats: Statistics, design: BatchDesign, xp: Any) -> Point:
    """-2 log L_R of each trial with its generalised least-squares fit."""
    masks, m = np.asarray(design.masks, dtype=float), design.n_visits
    t, p, q = theta.shape[0], stats.cross.shape[-1] - m, design.expand.shape[1]
    xx = stats.cross[..., :p, :p]
    gaps = np.eye(m) * (1.0 - masks)[:, None, :]
    seen = sigma(design.structure, theta, m, xp)[:, None] * (masks[:, :, None] * masks[:, None, :])
    inverse, logdet = invert(seen + gaps, xp)
    inverse = inverse - gaps
    wide = _over_patterns(inverse, xx, xp).transpose(0, 1, 3, 2, 4).reshape(t, m * p, m * p)
    phi, logdet_xx = invert(_both_sides(wide, design.expand, xp), xp)
    right = xp.sum(inverse @ _turn(stats.cross[..., :p, p:], xp), axis=1).reshape(t, m * p) @ design.expand
    beta = (phi @ right[..., None])[..., 0]
    b = (beta @ design.expand.T).reshape(t, m, p)
    take = xp.concatenate([-b, np.eye(m) * xp.ones((t, 1, 1))], axis=-1)[:, None]
    reach = take @ stats.cross
    residual2 = reach @ _turn(take, xp)
    degrees = stats.n @ masks.sum(axis=1) - q
    fit = xp.sum(inverse * residual2, axis=(1, 2, 3))
    value = degrees * np.log(2 * np.pi) + xp.sum(stats.n * logdet, axis=-1) + logdet_xx + fit
    phi_wide = _both_sides(phi, design.expand.T, xp).reshape(t, m, p, m, p)
    flat = phi_wide.transpose(0, 1, 3, 2, 4).reshape(t, m * m, p * p)
    spread = _turn(flat @ _turn(xx.reshape(t, -1, p * p), xp), xp).reshape(t, -1, m, m)
    return Point(value, inverse, phi, phi_wide, beta, xx, reach[..., :p], residual2, spread)


def _both_sides(middle: Array, outer: Array, xp: Any) -> Array:
    """The product outer' middle outer for symmetric middle (t, n, n); the identity costs nothing."""
    if outer.shape[0] == outer.shape[1] and np.array_equal(outer, np.eye(len(outer))):
        return middle
    return xp.tensordot(xp.tensordot(middle, outer, axes=([2], [0])), outer, axes=([1], [0]))


def slope_matrix(here: Point, stats: Statistics, xp: Any) -> Array:
    """Derivative of -2 log L_R by the covariance, as a matrix (t, v, w): its product with V_k is the gradient."""
    inner = here.residual2 + here.spread
    return xp.sum(stats.n[..., None, None] * here.inverse - here.inverse @ inner @ here.inverse, axis=1)


def _kernel(inverse: Array, weight: Array, flat: Array, xp: Any) -> Array:
    """sum_g tr(V_k V^-1 V_l W_g) for all k, l; `weight` (t, g, v, w), `flat` (t, k, v * w)."""
    t, m = flat.shape[0], inverse.shape[-1]
    joint = _over_patterns(inverse, weight, xp)  # b c d a
    square = joint.transpose(0, 4, 1, 2, 3).reshape(t, m * m, m * m)
    return flat @ square @ _turn(flat, xp)


def _through(inverse: Array, right: Array, flat: Array, xp: Any) -> Array:
    """sum_g V^-1 V_k right_g, (t, k, v * a); `right` (t, g, w, a)."""
    t, m, p = inverse.shape[0], inverse.shape[-1], right.shape[-1]
    joint = _over_patterns(inverse, right, xp)  # v c d a
    return flat @ joint.transpose(0, 2, 3, 1, 4).reshape(t, m * m, m * p)


def average_information(here: Point, flat: Array, xp: Any) -> Array:
    """Average information y'P V_k P V_l P y (t, k, l), positive semidefinite: Gilmour, Thompson and Cullis 1995."""
    t, size = flat.shape[0], here.phi_wide.shape[1] * here.phi_wide.shape[2]
    square = _kernel(here.inverse, here.inverse @ here.residual2 @ here.inverse, flat, xp)
    u = _through(here.inverse, here.inverse @ here.residual_x, flat, xp)
    total = square - u @ here.phi_wide.reshape(t, size, size) @ _turn(u, xp)
    return (total + _turn(total, xp)) / 2.0


def _flat_slopes(theta: Array, design: BatchDesign, xp: Any) -> Array:
    slopes = first(design.structure, theta, design.n_visits, xp)
    return slopes.reshape(*slopes.shape[:2], -1)


def step(theta: Array, stats: Statistics, design: BatchDesign, xp: Any) -> tuple[Array, Array, Array]:
    """-2 log L_R, the average-information step and the rise in log-likelihood it promises, per trial."""
    here = evaluate(theta, stats, design, xp)
    flat = _flat_slopes(theta, design, xp)
    gradient = (flat @ slope_matrix(here, stats, xp).reshape(len(theta), -1, 1))[..., 0]
    information = average_information(here, flat, xp)
    count = information.shape[-1]
    ridge = 1e-9 * xp.trace(information, axis1=-2, axis2=-1)[:, None, None] / count
    inverse, _ = invert(information + ridge * np.eye(count), xp)
    move = -(inverse @ gradient[..., None])[..., 0]
    return here.neg2_loglik, move, -xp.sum(gradient * move, axis=-1) / 4.0


@dataclass(frozen=True)
class Inference:
    """Estimates of the contrasts (t, c) with standard errors and degrees of freedom, and what the fit was."""

    estimate: Array
    se: Array
    df: Array
    neg2_loglik: Array
    regular: Array  # (t,) information positive definite


def infer(theta: Array, stats: Statistics, design: BatchDesign, method: Method, xp: Any) -> Inference:
    """Contrasts with Satterthwaite df from the observed information, and the standard error the method asks for."""
    here = evaluate(theta, stats, design, xp)
    flat = _flat_slopes(theta, design, xp)
    inverse, logdet = invert(_observed(theta, here, stats, flat, design, xp), xp)
    covariance = 2.0 * inverse
    v = xp.tensordot(here.phi, design.contrasts.T, axes=1).transpose(0, 2, 1)  # t c i
    variance = xp.sum(v * design.contrasts, axis=-1)
    pv = _p_times(here, v, flat, design, xp)  # t c k (v * a)
    wide = v @ design.expand.T
    gradient = -(pv @ wide[..., None])[..., 0]
    turned = xp.sum((gradient @ covariance) * gradient, axis=-1)
    if method is not Method.SATTERTHWAITE:
        bends = method is Method.KR
        extra = _kenward_roger(theta, here, (wide, pv, covariance), flat, design, bends, xp)
    else:
        extra = 0.0
    estimate = here.beta @ design.contrasts.T
    return Inference(
        estimate, xp.sqrt(variance + extra), 2.0 * variance**2 / turned, here.neg2_loglik, xp.isfinite(logdet)
    )


def _p_times(here: Point, v: Array, flat: Array, design: BatchDesign, xp: Any) -> Array:
    """P_k v = -sum X'V^-1 V_k V^-1 X v before the coefficients are tied, (t, c, k, v * a)."""
    t, c, m = v.shape[0], v.shape[1], design.n_visits
    wide = (v @ design.expand.T).reshape(t, c, m, -1)
    each = [_through(here.inverse, here.inverse @ (wide[:, j, None] @ here.xx), flat, xp) for j in range(c)]
    return -xp.stack(each, axis=1)


def _observed(theta: Array, here: Point, stats: Statistics, flat: Array, design: BatchDesign, xp: Any) -> Array:
    """Second derivatives of -2 log L_R, (t, k, l)."""
    curved = curvature(design.structure, theta, slope_matrix(here, stats, xp), design.n_visits, xp)
    weight = stats.n[..., None, None] * here.inverse - 2.0 * here.inverse @ here.spread @ here.inverse
    expected = _kernel(here.inverse, weight, flat, xp) + _phi_p_phi_p(here, flat, xp)
    total = curved - expected + 2.0 * average_information(here, flat, xp)
    return (total + _turn(total, xp)) / 2.0


def _phi_p_phi_p(here: Point, flat: Array, xp: Any) -> Array:
    """tr(Phi P_k Phi P_l), (t, k, l)."""
    t, g, m, _ = here.inverse.shape
    k, p = flat.shape[1], here.xx.shape[-1]
    slopes = flat.reshape(t, 1, k, m, m)
    once = here.inverse[:, :, None] @ slopes @ here.inverse[:, :, None]  # t g k w' w
    right = once.transpose(0, 1, 3, 2, 4).reshape(t, g * m, k * m)
    left = here.phi_wide.reshape(t, 1, -1, p) @ here.xx  # t g (v a w') b
    left = left.reshape(t, g, m * p, m, p).transpose(0, 2, 4, 1, 3).reshape(t, m * p * p, g * m)
    turned = (left @ right).reshape(t, m * p, p, k, m)  # va b k w
    there = turned.transpose(0, 3, 1, 4, 2).reshape(t, k, -1)  # k va wb
    back = turned.transpose(0, 3, 4, 2, 1).reshape(t, k, -1)  # k wb va
    return there @ _turn(back, xp)


def _kenward_roger(
    theta: Array, here: Point, parts: Any, flat: Array, design: BatchDesign, bends: bool, xp: Any
) -> Array:
    """What Kenward and Roger add to each contrast's variance, (t, c)."""
    wide, pv, covariance = parts
    t, m = theta.shape[0], design.n_visits
    size = wide.shape[-1]
    phi = here.phi_wide.reshape(t, size, size)
    extra = []
    for j in range(wide.shape[1]):
        v = wide[:, j].reshape(t, 1, m, -1)
        weight = here.inverse @ (v @ here.xx @ _turn(v, xp)) @ here.inverse
        inner = _kernel(here.inverse, weight, flat, xp) - pv[:, j] @ phi @ _turn(pv[:, j], xp)
        if bends:
            inner = inner - 0.25 * curvature(design.structure, theta, xp.sum(weight, axis=1), m, xp)
        extra.append(2.0 * xp.sum(covariance * inner, axis=(-1, -2)))
    return xp.stack(extra, axis=-1)
