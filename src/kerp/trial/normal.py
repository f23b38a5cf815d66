"""The plain generator: correlated normal outcomes whose truth is known, against which everything else is checked.

Baseline B is normal; the outcome at visit v of arm a is `mean + slope (B - mean B) + change_a(v) + residual_v`,
the residual being an AR(1) process in time whose SD is the residual SD of the planning table. Arms share every
random number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerp.base.seeds import Stream, generator
from kerp.trial.assign import Ints
from kerp.trial.scenario import Scenario
from kerp.trial.sizing import design_residual_sd

Floats = NDArray[np.float64]
DAYS_PER_WEEK = 7.0


@dataclass(frozen=True, slots=True)
class Patients:
    """Participants before any arm: baseline (t, n), residuals (t, n, v), benefit of the primary contrast (t,)."""

    baseline: Floats
    residual: Floats
    benefit: Floats


def draw(scenario: Scenario, root: int, block: int, trials: int, patients: int) -> Patients:
    """Participants of one block of trials."""
    planning = scenario.planning
    chance = generator(root, Stream.PATIENT, block)
    baseline = planning.baseline_mean.value + planning.baseline_sd.value * _entry(scenario, chance, trials, patients)
    visits = scenario.design.endpoint.visit_days
    innovations = chance.standard_normal((trials, patients, len(visits)))
    sd = design_residual_sd(planning) * scenario.sd_factor
    spread = scenario.effect_spread_points * chance.standard_normal(trials)
    return Patients(
        baseline,
        sd * _in_time(innovations, visits, planning.visit_correlation_per_week.value),
        scenario.effect_points + spread,
    )


def outcomes(scenario: Scenario, patients: Patients, arms: Ints, on_drug: NDArray[np.bool_]) -> Floats:
    """Y-BOCS (t, n, v) of everyone in the arm given (t, n). Whoever is not `on_drug` misses the primary effect."""
    planning = scenario.planning
    common, effect = mean_changes(scenario)
    slope = planning.baseline_endpoint_correlation.value * planning.endpoint_sd.value / planning.baseline_sd.value
    centred = patients.baseline - planning.baseline_mean.value
    benefit = patients.benefit[:, None, None] * on_drug[..., None] * effect[arms]
    mean = planning.baseline_mean.value + common[arms] - benefit
    return np.asarray(mean + slope * centred[..., None] + patients.residual)


def mean_changes(scenario: Scenario) -> tuple[Floats, Floats]:
    """Mean change of each arm without the primary effect (a, v), and share of one point of benefit it gets (a, v)."""
    design, planning = scenario.design, scenario.planning
    days = np.asarray(design.endpoint.visit_days)
    grown = 1.0 - 0.5 ** (days / planning.change_half_time.value)
    end = 1.0 - 0.5 ** (design.endpoint.day / planning.change_half_time.value)
    full = np.asarray(
        [planning.erp_change.value if a.erp_days else planning.placebo_change.value for a in design.arms]
    )
    weights = np.asarray(design.weights(design.primary))
    return np.outer(full, grown / end), np.outer(weights / (weights @ weights), grown / end)


def _entry(scenario: Scenario, chance: np.random.Generator, trials: int, patients: int) -> Floats:
    """Standardised baselines; with selection, everyone whose noisy screening score is too low is drawn again."""
    shape = (trials, patients)
    true = chance.standard_normal(shape)
    if not scenario.layers.selection:
        return true
    planning = scenario.planning
    threshold = (planning.entry_threshold.value - planning.baseline_mean.value) / planning.baseline_sd.value
    noise = planning.screening_noise.value
    screened = true + noise * chance.standard_normal(shape)
    while (low := screened < threshold).any():
        true = np.where(low, chance.standard_normal(shape), true)
        screened = np.where(low, true + noise * chance.standard_normal(shape), screened)
    return true


def _in_time(innovations: Floats, days: tuple[float, ...], per_week: float) -> Floats:
    """Stationary AR(1) in continuous time with unit variance, observed on the visit days."""
    out = np.empty_like(innovations)
    out[..., 0] = innovations[..., 0]
    for visit in range(1, len(days)):
        kept = per_week ** ((days[visit] - days[visit - 1]) / DAYS_PER_WEEK)
        out[..., visit] = kept * out[..., visit - 1] + np.sqrt(1.0 - kept**2) * innovations[..., visit]
    return out
