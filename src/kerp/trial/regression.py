"""The two analyses, for a block of trials at once: ANCOVA at the endpoint, and repeated measures by batched REML."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerp.trial.assign import Ints
from kerp.trial.course import Bools
from kerp.trial.design import Design

Floats = NDArray[np.float64]
_SINGULAR = 1e-10
_CONSTANT = 1e-20  # residual variance over mean square below which an outcome does not vary


@dataclass(frozen=True, slots=True)
class Tables:
    """What the analysis sees: baseline, arms (t, n); ratings and which were observed (t, n, v); strata (t, n, f)."""

    baseline: Floats
    ratings: Floats
    observed: Bools
    arms: Ints
    levels: Ints


@dataclass(frozen=True, slots=True)
class Estimates:
    """Contrasts (t, c): estimate, standard error, degrees of freedom; `fitted` (t,) is false where there is none."""

    estimate: Floats
    se: Floats
    df: Floats
    fitted: Bools


def estimate(design: Design, tables: Tables) -> Estimates:
    """The analysis that the design names."""
    x = regressors(design, tables)
    weights = np.stack([_on_dummies(design.weights(contrast), x.shape[-1]) for contrast in design.contrasts])
    if design.endpoint.analysis == "ancova":
        visit = design.endpoint.visit_days.index(design.endpoint.day)
        return ancova(x, tables.ratings[..., visit], tables.observed[..., visit], weights)
    return _repeated(design, x, tables, weights)


def regressors(design: Design, tables: Tables) -> Floats:
    """Intercept, arms against the first, baseline, strata: (t, n, p)."""
    columns = [np.ones_like(tables.baseline)]
    columns += [(tables.arms == arm).astype(float) for arm in range(1, len(design.arms))]
    columns.append(tables.baseline - tables.baseline.mean(axis=1, keepdims=True))
    if design.endpoint.adjust_for_strata:
        for index, stratum in enumerate(design.strata):
            columns += [(tables.levels[..., index] == level).astype(float) for level in range(1, len(stratum.levels))]
    return np.stack(columns, axis=-1)


def _on_dummies(weights: tuple[float, ...], width: int) -> Floats:
    """Contrast weights sum to zero, so that the weight of the first arm drops out against the intercept."""
    out = np.zeros(width)
    out[1 : len(weights)] = weights[1:]
    return out


def ancova(x: Floats, y: Floats, observed: Bools, weights: Floats) -> Estimates:
    """Ordinary least squares of each trial: `x` (t, n, p), `y` and `observed` (t, n), contrasts `weights` (c, p)."""
    used = observed[..., None] * x
    cross = np.swapaxes(used, 1, 2) @ x
    n = observed.sum(axis=1)
    scale = np.sqrt(np.maximum(np.diagonal(cross, axis1=1, axis2=2), 1e-300))
    scaled = cross / (scale[:, :, None] * scale[:, None, :])
    fitted = (np.linalg.eigvalsh(scaled)[:, 0] > _SINGULAR) & (n > x.shape[-1])
    scaled = np.where(fitted[:, None, None], scaled, np.eye(x.shape[-1]))
    inverse = np.linalg.inv(scaled) / (scale[:, :, None] * scale[:, None, :])
    right = np.einsum("tnp,tn->tp", used, np.where(observed, y, 0.0))
    beta = np.einsum("tpq,tq->tp", inverse, right)
    residual = np.where(observed, y - np.einsum("tnp,tp->tn", x, beta), 0.0)
    df = (n - x.shape[-1]).astype(float)
    variance = (residual**2).sum(axis=1) / np.where(fitted, df, 1.0)
    spread = np.einsum("cp,tpq,cq->tc", weights, inverse, weights)
    se = np.sqrt(np.maximum(variance[:, None] * spread, 0.0))
    fitted &= variance > _CONSTANT * np.where(observed, y**2, 0.0).sum(axis=1) / np.maximum(n, 1)
    return Estimates(beta @ weights.T, se, np.broadcast_to(df[:, None], se.shape), fitted)


def residual_variance(x: Floats, y: Floats, observed: Bools) -> Floats:
    """Residual variance (t,) of ordinary least squares: blinded when `x` holds no arm."""
    used = observed[..., None] * x
    cross = np.swapaxes(used, 1, 2) @ x + _SINGULAR * np.eye(x.shape[-1])
    beta = np.linalg.solve(cross, np.einsum("tnp,tn->tp", used, np.where(observed, y, 0.0))[..., None])[..., 0]
    residual = np.where(observed, y - np.einsum("tnp,tp->tn", x, beta), 0.0)
    return np.asarray((residual**2).sum(axis=1) / np.maximum(observed.sum(axis=1) - x.shape[-1], 1))


def _repeated(design: Design, x: Floats, tables: Tables, weights: Floats) -> Estimates:
    from kerp.analysis.batch import BatchDesign
    from kerp.analysis.batch_fit import fit_batch, sufficient
    from kerp.analysis.covariance import Structure
    from kerp.analysis.degrees import Method

    visits, width = tables.observed.shape[-1], x.shape[-1]
    masks = np.tril(np.ones((visits, visits), dtype=bool))  # missingness of simulated trials is monotone
    end = design.endpoint.visit_days.index(design.endpoint.day)
    wide = np.zeros((len(weights), visits, width))
    wide[:, end] = weights
    plan = BatchDesign(
        Structure(design.endpoint.covariance), masks, np.eye(visits * width), wide.reshape(len(weights), -1)
    )
    found = fit_batch(sufficient(x, tables.ratings, tables.observed, masks), plan, Method(design.endpoint.df))
    return Estimates(found.estimate, found.se, found.df, found.converged)
