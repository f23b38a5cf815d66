"""Covariance structures of repeated visits, with first and second derivatives, for one trial or a batch of trials.

Parameters are unconstrained: log standard deviations, and correlations through x / sqrt(1 + x^2); the unstructured
matrix is S = (D L)(D L)' with D = diag(exp(theta)) and L unit lower triangular. This is the parametrisation that the
R package mmrm documents, which matters only to the second-derivative term of Kenward-Roger (see `degrees`).

Every function takes `theta` of shape (..., K) and an array namespace `xp` (NumPy or jax.numpy).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np

Array = Any


class Structure(StrEnum):
    """How the residuals of one participant vary and correlate over visits."""

    US = "us"
    AR1 = "ar1"
    ARH1 = "arh1"
    TOEP = "toep"
    CS = "cs"


TITLES = {
    Structure.US: "unstructured",
    Structure.AR1: "first-order autoregressive",
    Structure.ARH1: "heterogeneous first-order autoregressive",
    Structure.TOEP: "Toeplitz",
    Structure.CS: "compound symmetry",
}


def n_parameters(structure: Structure, m: int) -> int:
    """Number of covariance parameters for `m` visits."""
    return {
        Structure.US: m * (m + 1) // 2,
        Structure.AR1: 2,
        Structure.ARH1: m + 1,
        Structure.TOEP: m,
        Structure.CS: 2,
    }[structure]


def sigma(structure: Structure, theta: Array, m: int, xp: Any = np) -> Array:
    """Covariance matrix (..., m, m)."""
    if structure is Structure.US:
        root = _root(theta, m, xp)
        return root @ xp.swapaxes(root, -1, -2)
    scale, correlation = _scale(structure, theta, m, xp), _correlation(structure, theta, m, xp)[0]
    return scale * correlation


def first(structure: Structure, theta: Array, m: int, xp: Any = np) -> Array:
    """Derivatives of the matrix by each parameter, (..., K, m, m)."""
    if structure is Structure.US:
        root = _root(theta, m, xp)
        half = _root_first(theta, m, xp) @ xp.swapaxes(root, -1, -2)[..., None, :, :]
        return half + xp.swapaxes(half, -1, -2)
    scale = _scale(structure, theta, m, xp)[..., None, :, :]
    value, slope, _ = _correlation(structure, theta, m, xp)
    by_sd = scale * value[..., None, :, :] * _sd_marks(structure, m)
    return xp.concatenate([by_sd, scale * slope], axis=-3)


def second(structure: Structure, theta: Array, m: int, xp: Any = np) -> Array:
    """Second derivatives, (..., K, K, m, m)."""
    if structure is Structure.US:
        return _us_second(theta, m, xp)
    scale = _scale(structure, theta, m, xp)[..., None, None, :, :]
    value, slope, bend = _correlation(structure, theta, m, xp)
    marks = _sd_marks(structure, m)
    sd_sd = scale * value[..., None, None, :, :] * (marks[:, None] * marks[None, :])
    sd_cor = scale * marks[:, None] * slope[..., None, :, :, :]
    eye = np.eye(slope.shape[-3])[:, :, None, None]
    cor_cor = scale * eye * bend[..., None, :, :, :]
    top = xp.concatenate([sd_sd, sd_cor], axis=-3)
    bottom = xp.concatenate([xp.swapaxes(sd_cor, -3, -4), cor_cor], axis=-3)
    return xp.concatenate([top, bottom], axis=-4)


def curvature(structure: Structure, theta: Array, weight: Array, m: int, xp: Any = np) -> Array:
    """Cells of symmetric `weight` (..., m, m) times second derivatives, summed to (..., K, K)."""
    if structure is not Structure.US:
        return xp.sum(weight[..., None, None, :, :] * second(structure, theta, m, xp), axis=(-1, -2))
    slope = _root_first(theta, m, xp)
    flat = slope.reshape(*slope.shape[:-2], m * m)
    weighted = (weight[..., None, :, :] @ slope).reshape(flat.shape)
    cross = flat @ xp.swapaxes(weighted, -1, -2)
    by_row = xp.sum((weight @ _root(theta, m, xp))[..., None, :, :] * slope, axis=-1)  # (..., l, row k)
    count = slope.shape[-3]
    top = xp.swapaxes(by_row, -1, -2)  # a log sd with any parameter
    rest = xp.concatenate([by_row[..., m:, :], xp.zeros((*by_row.shape[:-2], count - m, count - m))], axis=-1)
    return 2.0 * (cross + xp.concatenate([top, rest], axis=-2))


def start(structure: Structure, crude: Array, xp: Any = np) -> Array:
    """Starting parameters (..., K) from a crude positive definite covariance (..., m, m)."""
    m = crude.shape[-1]
    if structure is Structure.US:
        root = xp.linalg.cholesky(crude)
        diagonal = xp.diagonal(root, axis1=-2, axis2=-1)
        rows, columns = np.tril_indices(m, -1)
        return xp.concatenate([xp.log(diagonal), root[..., rows, columns] / diagonal[..., rows]], axis=-1)
    sd = xp.sqrt(xp.diagonal(crude, axis1=-2, axis2=-1))
    log_sd = xp.log(sd) if structure is Structure.ARH1 else xp.log(xp.mean(sd, axis=-1, keepdims=True))
    correlation = crude / (sd[..., :, None] * sd[..., None, :])
    return xp.concatenate([log_sd, _free(_start_correlation(structure, correlation, xp), xp)], axis=-1)


def _start_correlation(structure: Structure, correlation: Array, xp: Any) -> Array:
    m = correlation.shape[-1]
    lags = [xp.mean(xp.diagonal(correlation, offset=k, axis1=-2, axis2=-1), axis=-1) for k in range(1, m)]
    if structure is Structure.TOEP:
        return xp.clip(0.8 * xp.stack(lags, axis=-1), -0.9, 0.9)
    if structure is Structure.CS:
        return xp.clip(xp.mean(xp.stack(lags, axis=-1), axis=-1, keepdims=True), -0.3 / m, 0.9)
    return xp.clip(lags[0][..., None], -0.9, 0.9)


def _free(correlation: Array, xp: Any) -> Array:
    return correlation / xp.sqrt(1.0 - correlation**2)


def _root(theta: Array, m: int, xp: Any) -> Array:
    """D L: exp(log sd) times unit lower triangle."""
    rows, columns = np.tril_indices(m, -1)
    place = np.zeros((len(rows), m, m))
    place[np.arange(len(rows)), rows, columns] = 1.0
    unit = np.eye(m) + xp.tensordot(theta[..., m:], place, axes=1)
    return xp.exp(theta[..., :m])[..., :, None] * unit


def _root_first(theta: Array, m: int, xp: Any) -> Array:
    rows, columns = np.tril_indices(m, -1)
    keep_row = np.eye(m)[:, :, None]
    place = np.zeros((len(rows), m, m))
    place[np.arange(len(rows)), rows, columns] = 1.0
    by_sd = keep_row * _root(theta, m, xp)[..., None, :, :]
    return xp.concatenate([by_sd, xp.exp(theta[..., :m])[..., None, :, None] * place], axis=-3)


def _us_second(theta: Array, m: int, xp: Any) -> Array:
    root, slope = _root(theta, m, xp), _root_first(theta, m, xp)
    count = slope.shape[-3]
    keep_row = np.zeros((count, m, 1))
    keep_row[:m, :, 0] = np.eye(m)
    # a log sd scales its row, so its second derivative with any parameter is that row of the first derivative
    bend = keep_row[:, None] * slope[..., None, :, :, :]
    lower = (np.arange(count)[:, None] >= m) & (np.arange(count)[None, :] < m)
    bend = xp.where(lower[:, :, None, None], xp.swapaxes(bend, -3, -4), bend)
    half = bend @ xp.swapaxes(root, -1, -2)[..., None, None, :, :]
    cross = slope[..., :, None, :, :] @ xp.swapaxes(slope, -1, -2)[..., None, :, :, :]
    total = half + cross
    return total + xp.swapaxes(total, -1, -2)


def _lag(m: int) -> Array:
    index = np.arange(m)
    return np.abs(index[:, None] - index[None, :])


def _sd_marks(structure: Structure, m: int) -> Array:
    """How often each standard deviation enters cell (i, j)."""
    if structure is not Structure.ARH1:
        return np.full((1, m, m), 2.0)
    eye = np.eye(m)
    return eye[:, :, None] + eye[:, None, :]


def _scale(structure: Structure, theta: Array, m: int, xp: Any) -> Array:
    count = m if structure is Structure.ARH1 else 1
    sd = xp.exp(theta[..., :count]) * np.ones(m)
    return sd[..., :, None] * sd[..., None, :]


def _correlation(structure: Structure, theta: Array, m: int, xp: Any) -> tuple[Array, Array, Array]:
    """Correlations (..., m, m), and their first and second derivatives by each parameter (..., Q, m, m)."""
    count = m if structure is Structure.ARH1 else 1
    free = theta[..., count:]
    norm = 1.0 + free**2
    rho, slope, bend = (x[..., None, None] for x in (free / norm**0.5, norm**-1.5, -3.0 * free * norm**-2.5))
    lag = _lag(m)
    if structure in (Structure.AR1, Structure.ARH1):
        power = rho**lag
        down = lag * rho ** np.maximum(lag - 1, 0)
        twice = lag * (lag - 1) * rho ** np.maximum(lag - 2, 0)
        return power[..., 0, :, :], down * slope, twice * slope**2 + down * bend
    cells = np.stack([lag == k for k in range(1, m)]) if structure is Structure.TOEP else (lag > 0)[None]
    value = np.eye(m) + xp.sum(rho * cells, axis=-3)
    return value, slope * cells, bend * cells
