"""What happens to outcomes before they reach a table: events, belief, therapists, sites, dropout, rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerp.base.seeds import Stream, generator
from kerp.learning.scales import constant
from kerp.trial.assign import Ints
from kerp.trial.design import Arm
from kerp.trial.scenario import Scenario
from kerp.trial.sizing import design_residual_sd

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
ACTIVE = frozenset({"ketamine", "esketamine"})


@dataclass(frozen=True, slots=True)
class Chance:
    """Uniform and normal numbers of the processes, drawn before any arm is known (arms and mechanisms share them)."""

    stopped: Floats  # (t, n)
    rescued: Floats
    psychotic: Floats
    believes: Floats
    leaves: Floats
    therapist: Floats  # (t, k)
    site: Floats  # (t, sites)
    therapist_of: Ints  # (t, n)
    site_of: Ints
    month: Floats  # (t, n) of enrolment
    screened: Ints  # (t, n) people screened until this one was eligible


@dataclass(frozen=True, slots=True)
class Flags:
    """Events of each participant (t, n)."""

    stopped: Bools
    rescued: Bools
    psychotic: Bools
    believes: Bools


def draw_chance(scenario: Scenario, root: int, block: int, trials: int, patients: int) -> Chance:
    """The numbers behind every process of one block."""
    chance = generator(root, Stream.PROCESS, block)
    shape = (trials, patients)
    therapists = scenario.design.clustering.therapists if scenario.design.clustering else 1
    sites = int(scenario.planning.sites.value)
    stopped, rescued, psychotic, believes, leaves = (chance.random(shape) for _ in range(5))
    return Chance(
        stopped,
        rescued,
        psychotic,
        believes,
        leaves,
        chance.standard_normal((trials, therapists)),
        chance.standard_normal((trials, sites)),
        chance.integers(0, therapists, shape),
        chance.integers(0, sites, shape),
        _enrolment(scenario, chance, shape),
        np.cumsum(chance.geometric(scenario.planning.eligible_share.value, shape), axis=1),
    )


def _enrolment(scenario: Scenario, chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Months until each participant is enrolled: all sites together are one Poisson process."""
    per_month = scenario.planning.sites.value * scenario.planning.enrolment_per_site.value
    return np.asarray(np.cumsum(chance.exponential(1.0 / per_month, shape), axis=1))


def events(scenario: Scenario, chance: Chance, arms: Ints) -> Flags:
    """Who stops an infusion, needs rescue, reacts with psychosis, and believes they had the active drug."""
    planning, design = scenario.planning, scenario.design
    on = 1.0 if scenario.layers.events else 0.0
    active = np.asarray([arm.drug in ACTIVE for arm in design.arms])[arms]
    believed = np.asarray([_belief(scenario, arm) for arm in design.arms])[arms]
    return Flags(
        stopped=chance.stopped < on * active * planning.severe_event_rate.value,
        rescued=chance.rescued < on * planning.rescue_rate.value,
        psychotic=chance.psychotic < on * active * planning.psychotic_rate.value,
        believes=chance.believes < believed,
    )


def _belief(scenario: Scenario, arm: Arm) -> float:
    planning = scenario.planning
    value = planning.believes_active_given_active if arm.drug in ACTIVE else planning.believes_active_given_control
    return value.value


def rated(scenario: Scenario, latent: Floats, chance: Chance, flags: Flags, arms: Ints) -> Floats:
    """Ratings (t, n, v) as a rater would write them down: belief, therapist and site effects, whole points."""
    layers, planning = scenario.layers, scenario.planning
    sd = design_residual_sd(planning) * scenario.sd_factor
    shift = np.zeros(latent.shape[:2])
    if layers.belief:
        shift = shift - planning.expectancy_effect.value * sd * flags.believes
    if layers.therapists and scenario.design.clustering:
        shift = shift + _therapist_effects(scenario, chance, arms)
    if layers.sites:
        shift = shift + planning.site_sd.value * np.take_along_axis(chance.site, chance.site_of, axis=1)
    scores = latent + shift[..., None]
    highest = 2.0 * constant("ybocs", "subscale_max")
    return np.clip(np.round(scores), 0.0, highest) if layers.rounding else scores


def _therapist_effects(scenario: Scenario, chance: Chance, arms: Ints) -> Floats:
    """Shared by a therapist's patients; a nested therapist treats only one arm."""
    clustering, planning = scenario.design.clustering, scenario.planning
    assert clustering is not None
    sd = np.sqrt(planning.therapist_icc.value) * design_residual_sd(planning)
    who = chance.therapist_of
    if not clustering.crossed:
        count = len(scenario.design.arms)
        who = (who // count * count + arms) % clustering.therapists
    return np.asarray(sd * np.take_along_axis(chance.therapist, who, axis=1))


def observed(scenario: Scenario, chance: Chance, flags: Flags) -> Bools:
    """Which ratings (t, n, v) reach the table: monotone dropout, and nothing after rescue (hypothetical strategy).

    Dropout is spread evenly over the time to the last visit, so that the planned share has left by then.
    """
    days = np.asarray(scenario.design.endpoint.visit_days)
    kept = np.ones((*chance.leaves.shape, len(days)), dtype=bool)
    if scenario.layers.dropout:
        rate = scenario.planning.dropout.value
        hazard = -np.log1p(-rate) / days[-1]
        leaving_day = -np.log(chance.leaves) / hazard
        kept &= days < leaving_day[..., None]
    if scenario.layers.events:
        kept &= ~(flags.rescued[..., None] & (days >= scenario.design.endpoint.day))
    return kept
