"""Restricted maximum likelihood for repeated measures: the plain NumPy reference, any design, one data set.

-2 log L_R = (n - q) log 2 pi + sum log|V_i| + log|X'V^-1X| + r'V^-1 r (Patterson and Thompson 1971, as R nlme::gls
and SAS PROC MIXED print it). Maximised by Newton steps on the observed information, average information where that
is not positive definite, each step halved until the likelihood rises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerp.analysis.covariance import Structure, first, second, sigma, start

Array = Any
TOLERANCE = 1e-10  # log-likelihood units
MAX_ITERATIONS = 100
_HALVINGS = 30


@dataclass(frozen=True)
class Pattern:
    """Participants seen at the same visits: `visits` (v,), design `x` (n, v, q), outcome `y` (n, v)."""

    visits: Array
    x: Array
    y: Array


@dataclass(frozen=True)
class Problem:
    """A repeated-measures data set, grouped by which visits were observed."""

    patterns: tuple[Pattern, ...]
    n_visits: int
    n_observations: int
    n_coefficients: int


@dataclass(frozen=True)
class Pieces:
    """What inference needs at one parameter value; `p`, `q`, `r` are P, Q, R of Kenward and Roger 1997."""

    neg2_loglik: float
    beta: Array
    phi: Array
    gradient: Array
    observed: Array
    average: Array
    p: Array
    q: Array
    r: Array


@dataclass(frozen=True)
class Convergence:
    """How the optimum was reached. `decrement`: the rise in log-likelihood one more Newton step promised."""

    converged: bool
    iterations: int
    decrement: float
    smallest_eigenvalue: float
    reason: str = ""


@dataclass(frozen=True)
class RemlFit:
    """The optimum: parameters, covariance (m, m), the pieces for inference, and the convergence measure."""

    structure: Structure
    theta: Array
    sigma: Array
    pieces: Pieces
    convergence: Convergence
    theta_covariance: Array = field(repr=False)


def group(x: Array, y: Array, observed: Array) -> Problem:
    """Group rows by missingness. `x` (N, m, q), `y` (N, m), `observed` (N, m) booleans."""
    patterns = []
    for row in np.unique(observed[observed.any(axis=1)], axis=0):
        chosen = (observed == row).all(axis=1)
        visits = np.flatnonzero(row)
        patterns.append(Pattern(visits, x[chosen][:, visits], y[chosen][:, visits]))
    return Problem(tuple(patterns), y.shape[1], int(observed.sum()), x.shape[2])


def crude_covariance(problem: Problem) -> Array:
    """A positive definite start: variances of ordinary least-squares residuals, correlations shrunk by half."""
    x = np.concatenate([p.x.reshape(-1, problem.n_coefficients) for p in problem.patterns])
    y = np.concatenate([p.y.ravel() for p in problem.patterns])
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    m = problem.n_visits
    cross, count = np.zeros((m, m)), np.zeros((m, m))
    for pattern in problem.patterns:
        residual = pattern.y - pattern.x @ beta
        cell = np.ix_(pattern.visits, pattern.visits)
        cross[cell] += residual.T @ residual
        count[cell] += len(residual)
    return shrink(cross / np.maximum(count, 1.0))


def shrink(crude: Array) -> Array:
    """Halve the correlations until the matrix is safely positive definite."""
    variance = np.diag(crude)
    floor = max(float(variance.mean()), 1e-12) * 1e-3
    diagonal = np.diag(np.maximum(variance, floor))
    off = (crude - np.diag(variance)) * 0.5
    while np.linalg.eigvalsh(diagonal + off)[0] < 0.05 * float(np.diag(diagonal).min()):
        off = off * 0.5
    return diagonal + off


def neg2_loglik(problem: Problem, structure: Structure, theta: Array) -> float:
    """-2 restricted log-likelihood; infinite where the covariance is not positive definite."""
    value = profile(problem, sigma(structure, theta, problem.n_visits))
    return np.inf if value is None else value[0]


def profile(problem: Problem, full: Array) -> tuple[float, Array, Array, list[Array]] | None:
    """-2 log L_R, generalised least-squares coefficients, their covariance and the inverses per pattern."""
    q = problem.n_coefficients
    xx, xy, yy, logdet = np.zeros((q, q)), np.zeros(q), 0.0, 0.0
    inverses = []
    for pattern in problem.patterns:
        part = full[np.ix_(pattern.visits, pattern.visits)]
        try:
            root = np.linalg.cholesky(part)
        except np.linalg.LinAlgError:
            return None
        inverse = np.linalg.inv(part)
        inverses.append(inverse)
        logdet += 2.0 * len(pattern.y) * float(np.log(np.diag(root)).sum())
        weighted = inverse @ pattern.x
        xx += np.einsum("nvi,nvj->ij", pattern.x, weighted)
        xy += np.einsum("nvi,nv->i", weighted, pattern.y)
        yy += float(np.einsum("nv,vw,nw->", pattern.y, inverse, pattern.y))
    sign, logdet_xx = np.linalg.slogdet(xx)
    if sign <= 0 or not np.isfinite(logdet_xx):
        return None
    phi = np.linalg.inv(xx)
    beta = phi @ xy
    degrees = problem.n_observations - q
    return degrees * float(np.log(2 * np.pi)) + logdet + float(logdet_xx) + yy - float(xy @ beta), beta, phi, inverses


@dataclass
class _Sums:
    """Running sums over patterns; first index k, second l."""

    trace1: Array
    trace2: Array
    trace_kl: Array
    p: Array
    q: Array
    r: Array
    u: Array
    quad1: Array
    quad2: Array
    quad_kl: Array


def _empty(k: int, q: int) -> _Sums:
    z = np.zeros
    return _Sums(
        z(k),
        z((k, k)),
        z((k, k)),
        z((k, q, q)),
        z((k, k, q, q)),
        z((k, k, q, q)),
        z((k, q)),
        z(k),
        z((k, k)),
        z((k, k)),
    )


def _add(sums: _Sums, pattern: Pattern, inverse: Array, slopes: Array, bends: Array, beta: Array) -> None:
    """Add one pattern's participants. `slopes` (K,v,v) and `bends` (K,K,v,v) are derivatives of its covariance."""
    n = len(pattern.y)
    left = inverse @ slopes  # V^-1 V_k
    once = left @ inverse  # V^-1 V_k V^-1
    twice = np.einsum("kab,lbc->klac", left, once)  # V^-1 V_k V^-1 V_l V^-1
    bend = np.einsum("ab,klbc,cd->klad", inverse, bends, inverse)
    residual = pattern.y - pattern.x @ beta
    sums.trace1 += n * np.einsum("kaa->k", left)
    sums.trace2 += n * np.einsum("kab,lba->kl", left, left)
    sums.trace_kl += n * np.einsum("ab,klba->kl", inverse, bends)
    xx = np.einsum("nai,nbj->abij", pattern.x, pattern.x)
    rr = residual.T @ residual
    sums.p -= np.einsum("kab,abij->kij", once, xx)
    sums.q += np.einsum("klab,abij->klij", twice, xx)
    sums.r += np.einsum("klab,abij->klij", bend, xx)
    sums.u += np.einsum("kab,nai,nb->ki", once, pattern.x, residual)
    sums.quad1 += np.einsum("kab,ab->k", once, rr)
    sums.quad2 += np.einsum("klab,ab->kl", twice, rr)
    sums.quad_kl += np.einsum("klab,ab->kl", bend, rr)


def pieces(problem: Problem, structure: Structure, theta: Array) -> Pieces | None:
    """Likelihood, coefficients, gradient and information at `theta`; None where it is not positive definite."""
    m = problem.n_visits
    found = profile(problem, sigma(structure, theta, m))
    if found is None:
        return None
    value, beta, phi, inverses = found
    slopes, bends = first(structure, theta, m), second(structure, theta, m)
    sums = _empty(len(theta), problem.n_coefficients)
    for pattern, inverse in zip(problem.patterns, inverses, strict=True):
        cell = np.ix_(pattern.visits, pattern.visits)
        _add(sums, pattern, inverse, slopes[:, *cell], bends[:, :, *cell], beta)
    return _assemble(value, beta, phi, sums)


def _assemble(value: float, beta: Array, phi: Array, s: _Sums) -> Pieces:
    """Derivatives of -2 log L_R from P = V^-1 - V^-1 X Phi X' V^-1 (Searle, Casella and McCulloch 1992, ch. 6)."""
    phi_p = phi @ s.p
    gradient = s.trace1 + np.einsum("ij,kji->k", phi, s.p) - s.quad1
    expected = s.trace2 - 2 * np.einsum("ij,klji->kl", phi, s.q) + np.einsum("kij,lji->kl", phi_p, phi_p)
    average = s.quad2 - s.u @ phi @ s.u.T
    curved = s.trace_kl - np.einsum("ij,klji->kl", phi, s.r) - s.quad_kl
    observed = curved - expected + 2 * average
    return Pieces(value, beta, phi, gradient, (observed + observed.T) / 2, (average + average.T) / 2, s.p, s.q, s.r)


def fit(problem: Problem, structure: Structure, max_iterations: int = MAX_ITERATIONS) -> RemlFit:
    """Maximise the restricted likelihood. Never raises for want of convergence: look at `convergence`."""
    theta = np.asarray(start(structure, crude_covariance(problem)))
    here = pieces(problem, structure, theta)
    if here is None:
        theta = np.asarray(start(structure, np.diag(np.diag(crude_covariance(problem)))))
        here = pieces(problem, structure, theta)
    if here is None:
        raise ValueError("the design is not of full rank")  # callers check rank first
    decrement, iterations, moved = np.inf, 0, True
    while iterations < max_iterations:
        iterations += 1
        step, decrement = _step(here)
        if decrement < TOLERANCE or not moved:
            break
        theta, moved = _line_search(problem, structure, theta, step, here.neg2_loglik)
        here = pieces(problem, structure, theta) or here
    return _conclude(problem, structure, theta, here, iterations, decrement)


def _step(here: Pieces) -> tuple[Array, float]:
    hessian = here.observed
    if not np.all(np.isfinite(hessian)) or np.linalg.eigvalsh(hessian)[0] <= 0:
        ridge = 1e-8 * max(float(np.trace(here.average)), 1e-8)
        hessian = here.average + ridge * np.eye(len(here.gradient))
    step = -np.linalg.solve(hessian, here.gradient)
    return step, float(-here.gradient @ step) / 4.0


def _line_search(
    problem: Problem, structure: Structure, theta: Array, step: Array, before: float
) -> tuple[Array, bool]:
    scale = min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-300))
    for _ in range(_HALVINGS):
        if neg2_loglik(problem, structure, theta + scale * step) <= before + 1e-9:
            return theta + scale * step, True
        scale /= 2.0
    return theta, False


def _conclude(
    problem: Problem, structure: Structure, theta: Array, here: Pieces, iterations: int, decrement: float
) -> RemlFit:
    eigenvalues = np.linalg.eigvalsh(here.observed)
    full = sigma(structure, theta, problem.n_visits)
    condition = float(np.linalg.cond(full))
    reasons = []
    if decrement >= 1e-6:
        reasons.append(f"the likelihood could still rise by about {decrement:.2g}")
    if eigenvalues[0] <= 0:
        reasons.append("the information matrix is not positive definite at the end")
    if condition > 1e10:
        reasons.append(f"the covariance is nearly singular (condition number {condition:.1g})")
    convergence = Convergence(not reasons, iterations, decrement, float(eigenvalues[0]), "; ".join(reasons))
    covariance = 2.0 * np.linalg.pinv(here.observed, hermitian=True)
    return RemlFit(structure, theta, full, here, convergence, covariance)


def residuals(problem: Problem, beta: Array) -> Sequence[Array]:
    """Residuals (n, v) of each pattern, for model checks."""
    return [pattern.y - pattern.x @ beta for pattern in problem.patterns]
