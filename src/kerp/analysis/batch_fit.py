"""Runs the batched REML: sufficient statistics, the loop to the optimum, failures counted and never dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats as distributions

from kerp.analysis import batch
from kerp.analysis.batch import BatchDesign, Inference, Statistics
from kerp.analysis.covariance import Structure, n_parameters, start
from kerp.analysis.degrees import Method
from kerp.base.errors import Fault, KerpError

Array = Any
TOLERANCE = 1e-9  # log-likelihood still to gain
_ROUNDS = 14  # steps for the whole batch; stragglers go on by themselves
_LAST_ROUNDS = 60


@dataclass(frozen=True)
class BatchResult:
    """One row per trial. A trial that did not converge keeps its place, with NaN estimates and `converged` False."""

    estimate: Array  # (t, c)
    se: Array
    df: Array
    p: Array
    neg2_loglik: Array  # (t,)
    converged: Array  # (t,) bool
    decrement: Array  # (t,) log-likelihood a further step promised
    iterations: Array  # (t,)
    theta: Array  # (t, k)


def visit_design(
    structure: Structure, masks: Array, n_regressors: int, shared: tuple[int, ...] = (), last_only: int | None = None
) -> BatchDesign:
    """Each regressor has its own coefficient at each visit, but those in `shared` have one for all visits.

    Contrasts: regressor 1 (the arm) at each visit, or regressor `last_only` at the last visit.
    """
    m = masks.shape[1]
    keys = [(0 if a in shared else v, a) for v in range(m) for a in range(n_regressors)]
    wanted = list(dict.fromkeys(keys))
    joined = np.array([[1.0 if key == column else 0.0 for column in wanted] for key in keys])
    chosen = [(m - 1, last_only)] if last_only is not None else [(v, 1) for v in range(m)]
    contrasts = np.stack([joined[v * n_regressors + a] for v, a in chosen])
    return BatchDesign(structure, masks, joined, contrasts)


def patterns_of(observed: Array) -> Array:
    """All missingness patterns (g, v) with at least one visit, over every trial of (t, n, v) masks."""
    flat = observed.reshape(-1, observed.shape[-1])
    codes = np.unique(flat @ (1 << np.arange(flat.shape[1])))
    return ((codes[codes > 0][:, None] >> np.arange(flat.shape[1])) & 1).astype(bool)


def sufficient(x: Array, y: Array, observed: Array, masks: Array) -> Statistics:
    """Cross-products per pattern. `x` (t, n, a), `y` (t, n, v) with anything where `observed` (t, n, v) is false."""
    bits = 1 << np.arange(masks.shape[1])
    code = observed @ bits
    joined = np.concatenate([x, np.where(observed, y, 0.0)], axis=-1)
    n, cross = [], []
    for mask in masks:
        member = (code == mask @ bits).astype(float)
        n.append(member.sum(axis=1))
        cross.append(np.swapaxes(joined * member[..., None], 1, 2) @ joined)
    return Statistics(np.stack(n, axis=1), np.stack(cross, axis=1))


def starting_values(stats: Statistics, design: BatchDesign) -> Array:
    """Parameters (t, k) from ordinary least squares at each visit, correlations shrunk by half."""
    m, masks = design.n_visits, design.masks.astype(float)
    p = stats.cross.shape[-1] - m
    xx = np.einsum("tgab,gv->tvab", stats.cross[..., :p, :p], masks)
    xy = np.swapaxes(stats.cross[..., :p, p:].sum(axis=1), -1, -2)
    b = np.linalg.solve(xx + 1e-9 * np.eye(p), xy[..., None])[..., 0]
    take = np.concatenate([-b, np.broadcast_to(np.eye(m), (len(b), m, m))], axis=-1)[:, None]
    both = masks[:, :, None] * masks[:, None, :]
    cross = (take @ stats.cross @ np.swapaxes(take, -1, -2) * both).sum(axis=1)
    crude = cross / np.maximum(np.einsum("tg,gvw->tvw", stats.n, both), 1.0)
    return np.asarray(start(design.structure, _safe(crude)))


def _safe(crude: Array) -> Array:
    """Half the correlations, and none where that is still not positive definite."""
    variance = np.diagonal(crude, axis1=-2, axis2=-1)
    floor = np.maximum(variance.mean(axis=-1, keepdims=True) * 1e-3, 1e-12)
    diagonal = np.maximum(variance, floor)[..., None] * np.eye(crude.shape[-1])
    off = 0.5 * (crude - variance[..., None] * np.eye(crude.shape[-1]))
    low = np.linalg.eigvalsh(diagonal + off)[..., 0] < 0.02 * floor[..., 0]
    return diagonal + np.where(low[:, None, None], 0.0, off)


Stepper = Callable[[Array, Statistics], tuple[Array, Array, Array]]


def fit_batch(
    stats: Statistics, design: BatchDesign, method: Method = Method.SATTERTHWAITE, backend: str = "numpy"
) -> BatchResult:
    """Fit every trial of a batch. `backend` is `numpy` or `jax` (extra `kerp[lab]`)."""
    if design.n_visits < 2:
        raise KerpError(Fault("repeated measures need at least two visits", found=str(design.n_visits)))
    with np.errstate(all="ignore"):  # a trial that cannot be fitted says so through `converged`
        stepper, inference = _engine(_key(design), backend)
        theta, decrement, rounds = _climb(starting_values(stats, design), stats, stepper, _ROUNDS)
        late = np.flatnonzero(~(decrement < TOLERANCE))
        if late.size:
            plain, _ = _engine(_key(design), "numpy")
            again = _climb(starting_values(stats.take(late), design), stats.take(late), plain, _LAST_ROUNDS)
            theta[late], decrement[late], rounds[late] = again
        found = inference(theta, stats, method)
    return _tabulate(found, theta, decrement, rounds)


def _climb(theta: Array, stats: Statistics, stepper: Stepper, rounds: int) -> tuple[Array, Array, Array]:
    """Average-information steps; a trial whose step lowers its likelihood goes back and halves it."""
    value, move, decrement = (np.array(part) for part in stepper(theta, stats))
    used = np.zeros(len(theta), dtype=int)
    for _ in range(rounds):
        active = ~(decrement < TOLERANCE)
        if not active.any():
            break
        size = np.abs(move).max(axis=1, keepdims=True)
        move = move * np.minimum(1.0, 3.0 / np.maximum(size, 1e-300))
        ahead = np.where(active[:, None], theta + np.nan_to_num(move), theta)
        value_ahead, move_ahead, decrement_ahead = (np.asarray(part) for part in stepper(ahead, stats))
        better = active & (value_ahead <= value + 1e-8)
        theta = np.where(better[:, None], ahead, theta)
        value = np.where(better, value_ahead, value)
        decrement = np.where(better, decrement_ahead, decrement)
        move = np.where(better[:, None], move_ahead, move / 2.0)
        used += active
    return theta, decrement, used


def _tabulate(found: Inference, theta: Array, decrement: Array, rounds: Array) -> BatchResult:
    estimate, se, df = np.asarray(found.estimate), np.asarray(found.se), np.asarray(found.df)
    good = (decrement < 1e-5) & np.asarray(found.regular) & np.isfinite(se).all(axis=1) & np.isfinite(df).all(axis=1)
    estimate, se, df = (np.where(good[:, None], part, np.nan) for part in (estimate, se, df))
    p = 2.0 * distributions.t.sf(np.abs(estimate / se), df)
    return BatchResult(estimate, se, df, p, np.asarray(found.neg2_loglik), good, decrement, rounds, theta)


_Key = tuple[str, tuple[int, ...], bytes, tuple[int, ...], bytes, tuple[int, ...], bytes]


def _key(design: BatchDesign) -> _Key:
    masks, expand, contrasts = (
        np.ascontiguousarray(a, dtype=float) for a in (design.masks, design.expand, design.contrasts)
    )
    return (
        design.structure.value,
        *(masks.shape, masks.tobytes()),
        *(expand.shape, expand.tobytes()),
        *(contrasts.shape, contrasts.tobytes()),
    )


@lru_cache(maxsize=32)
def _engine(key: _Key, backend: str) -> tuple[Stepper, Any]:
    """The step and inference functions of a design, compiled once for JAX."""
    masks, expand, contrasts = (np.frombuffer(raw).reshape(shape) for shape, raw in (key[1:3], key[3:5], key[5:7]))
    design = BatchDesign(Structure(key[0]), masks > 0, expand, contrasts)
    if backend == "numpy":
        return (
            lambda theta, s: batch.step(theta, s, design, np),
            lambda theta, s, method: batch.infer(theta, s, design, method, np),
        )
    if backend == "jax":
        return _compiled(design)
    raise KerpError(Fault("unknown backend", field="backend", found=backend, allowed="numpy, jax"))


def _compiled(design: BatchDesign) -> tuple[Stepper, Any]:
    try:
        import jax
        import jax.numpy as jnp
    except ModuleNotFoundError:
        raise KerpError(Fault("the JAX kernel needs an extra", ways_out=("pip install kerp[lab]",))) from None

    def step(theta: Array, *s: Array) -> Any:
        return batch.step(theta, Statistics(*s), design, jnp)

    def infer(theta: Array, method: Method, *s: Array) -> Any:
        found = batch.infer(theta, Statistics(*s), design, method, jnp)
        return tuple(getattr(found, name) for name in Inference.__dataclass_fields__)

    fast_step, fast_infer = jax.jit(step), jax.jit(infer, static_argnums=1)

    def run_step(theta: Array, s: Statistics) -> Any:
        with jax.enable_x64(True):
            return fast_step(theta, s.n, s.cross)

    def run_infer(theta: Array, s: Statistics, method: Method) -> Inference:
        with jax.enable_x64(True):
            return Inference(*fast_infer(theta, method, s.n, s.cross))

    return run_step, run_infer


def parameters(design: BatchDesign) -> int:
    """Number of covariance parameters."""
    return n_parameters(design.structure, design.n_visits)
