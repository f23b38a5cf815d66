"""The batched kernel, the plain reference and JAX give the same answer; its error rates are those published."""

from __future__ import annotations

import numpy as np
import pytest

from kerp.analysis import covariance, degrees, reml
from kerp.analysis.batch_fit import fit_batch, patterns_of, sufficient, visit_design
from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method


def trials(count: int, per_arm: int, *, effect: float = 3.5, hazard: float = 0.06, gaps: float = 0.0, seed: int = 0):
    """Correlated-normal trials: baseline and five visits, SD 6, AR(1) 0.8, monotone dropout, optional gaps."""
    rng, m = np.random.default_rng(seed), 5
    root = np.linalg.cholesky(36 * 0.8 ** np.abs(np.subtract.outer(np.arange(m + 1), np.arange(m + 1))))
    path = 25 + rng.normal(size=(count, 2 * per_arm, m + 1)) @ root.T
    arm = np.tile(np.repeat([0.0, 1.0], per_arm), (count, 1))
    y = path[..., 1:] - effect * arm[..., None] * np.arange(1, m + 1) / m
    gone = rng.uniform(size=y.shape) < hazard
    gone[..., 0] = False
    seen = (np.cumsum(gone, axis=-1) == 0) & (rng.uniform(size=y.shape) >= gaps)
    return np.stack([np.ones_like(arm), arm, path[..., 0] - 25], axis=-1), y, seen


def reference(x, y, seen, design, method):
    wide = np.zeros((len(x), 5, 15))
    for v in range(5):
        wide[:, v, 3 * v : 3 * v + 3] = x
    fitted = reml.fit(reml.group(wide @ design.expand, y, seen), design.structure)
    return fitted, [degrees.contrast(fitted, row, method) for row in design.contrasts]


@pytest.mark.parametrize("structure", Structure)
@pytest.mark.parametrize("method", Method)
def test_the_batched_kernel_agrees_with_the_reference_for_one_data_set_at_a_time(structure, method) -> None:
    x, y, seen = trials(3, 20, gaps=0.1, seed=4)
    shared = (2,) if structure in (Structure.AR1, Structure.US) else ()  # one slope on baseline, or one per visit
    design = visit_design(structure, patterns_of(seen), 3, shared)
    found = fit_batch(sufficient(x, y, seen, design.masks), design, method)
    assert found.converged.all()
    for t in range(3):
        fitted, rows = reference(x[t], y[t], seen[t], design, method)
        assert found.neg2_loglik[t] == pytest.approx(fitted.pieces.neg2_loglik, abs=1e-6)
        assert found.estimate[t] == pytest.approx([row.estimate for row in rows], abs=2e-4)
        assert found.se[t] == pytest.approx([row.se for row in rows], rel=1e-4)
        assert found.df[t] == pytest.approx([row.df for row in rows], rel=1e-3)


def test_jax_and_numpy_agree_to_rounding() -> None:
    pytest.importorskip("jax", reason="the JAX kernel needs kerp[lab]")
    x, y, seen = trials(16, 25, seed=2)
    design = visit_design(Structure.US, patterns_of(seen), 3, last_only=1)
    stats = sufficient(x, y, seen, design.masks)
    plain, fast = fit_batch(stats, design), fit_batch(stats, design, backend="jax")
    assert fast.estimate == pytest.approx(plain.estimate, abs=1e-8)
    assert fast.se == pytest.approx(plain.se, rel=1e-8)
    assert fast.df == pytest.approx(plain.df, rel=1e-8)


@pytest.mark.parametrize("structure", Structure)
def test_derivatives_of_the_covariance_agree_with_finite_differences(structure) -> None:
    m, small = 4, 1e-6
    count = covariance.n_parameters(structure, m)
    theta = np.random.default_rng(0).normal(size=count) * 0.3
    slopes, bends = covariance.first(structure, theta, m), covariance.second(structure, theta, m)
    weight = covariance.sigma(Structure.AR1, np.array([0.2, 0.5]), m)
    assert covariance.curvature(structure, theta, weight, m) == pytest.approx(np.einsum("ij,klij->kl", weight, bends))
    for k, unit in enumerate(np.eye(count) * small):
        up, down = (covariance.sigma(structure, theta + s * unit, m) for s in (1, -1))
        assert (up - down) / (2 * small) == pytest.approx(slopes[k], abs=1e-7)
        up, down = (covariance.first(structure, theta + s * unit, m) for s in (1, -1))
        assert (up - down) / (2 * small) == pytest.approx(bends[k], abs=1e-6)


def test_a_trial_that_cannot_be_fitted_keeps_its_place_and_is_counted() -> None:
    x, y, seen = trials(4, 20, seed=5)
    y[2] = 20.0  # constant outcome
    design = visit_design(Structure.US, patterns_of(seen), 3, last_only=1)
    found = fit_batch(sufficient(x, y, seen, design.masks), design)
    assert list(found.converged) == [True, True, False, True]
    assert np.isnan(found.estimate[2]).all()


def test_power_and_degrees_of_freedom_agree_with_the_measured_ones() -> None:
    """Research table: 50 per arm, 6 % hazard of dropout: power 0.789, mean df 83.5, model SE 1.244."""
    x, y, seen = trials(600, 50, seed=7)
    design = visit_design(Structure.US, patterns_of(seen), 3, last_only=1)
    found = fit_batch(sufficient(x, y, seen, design.masks), design)
    assert found.converged.all()
    power = np.mean(found.p[:, 0] < 0.05)
    assert power == pytest.approx(0.789, abs=3 * np.sqrt(0.789 * 0.211 * (1 / 600 + 1 / 10_000)))
    assert found.df.mean() == pytest.approx(83.5, abs=0.5)
    assert found.se.mean() == pytest.approx(1.244, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("per_arm", "satterthwaite", "normal", "ratio"),
    [(8, 0.0596, 0.0908, 0.965), (12, 0.0543, 0.074, 0.968), (20, 0.0487, 0.0607, 0.993), (50, 0.049, 0.0527, 0.988)],
)
def test_type_one_error_in_small_trials_is_the_one_published(per_arm, satterthwaite, normal, ratio) -> None:
    x, y, seen = trials(3000, per_arm, effect=0.0, hazard=0.05, seed=per_arm)
    enough = seen[..., -1].sum(axis=1) >= 10
    x, y, seen = x[enough], y[enough], seen[enough]
    design = visit_design(Structure.US, patterns_of(seen), 3, last_only=1)
    found = fit_batch(sufficient(x, y, seen, design.masks), design)
    good = found.converged
    assert good.mean() > 0.99
    z = np.abs(found.estimate[good] / found.se[good])
    margin = 3 * np.sqrt(2) * 0.004
    assert np.mean(found.p[good] < 0.05) == pytest.approx(satterthwaite, abs=margin)
    assert np.mean(z > 1.959964) == pytest.approx(normal, abs=margin + 0.004)
    root_mean_square = np.sqrt(np.mean(found.se[good] ** 2))
    spread = 1.2 * np.sqrt(2) / np.sqrt(2 * 3000)  # of the ratio of two simulations, tails heavier than normal
    assert root_mean_square / found.estimate[good].std() == pytest.approx(ratio, abs=3 * spread)
