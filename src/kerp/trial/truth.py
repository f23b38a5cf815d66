"""What the estimand really is in a simulated world: potential outcomes of a large population, arm against arm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kerp.trial import course
from kerp.trial.scenario import Scenario
from kerp.trial.world import World, world_of

TRUTH_BLOCK = 1_000_000_000  # far beyond any block of a run, so that truth shares no chance with trials
CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Truth:
    """True contrasts (order of the design) with Monte-Carlo SE, and arm means, at the endpoint.

    Treatment policy for stopped infusions and belief; hypothetical (as if it had not happened) for dropout, rescue.
    """

    contrasts: tuple[float, ...]
    se: tuple[float, ...]
    arm_means: tuple[float, ...]
    population: int


def truth_of(scenario: Scenario, root: int, population: int = 40_000) -> Truth:
    """Put everyone of a large population into every arm and compare."""
    plain = replace(scenario, effect_spread_points=0.0)
    world = world_of(plain)
    chunks = -(-population // CHUNK)
    means = np.concatenate([_everywhere(plain, world, root, TRUTH_BLOCK + k) for k in range(chunks)])
    weights = np.asarray([plain.design.weights(contrast) for contrast in plain.design.contrasts])
    people = means @ weights.T
    return Truth(
        tuple(float(value) for value in people.mean(axis=0)),
        tuple(float(value) for value in people.std(axis=0, ddof=1) / np.sqrt(len(people))),
        tuple(float(value) for value in means.mean(axis=0)),
        len(people),
    )


def _everywhere(scenario: Scenario, world: World, root: int, block: int) -> np.ndarray:
    """Endpoint score of each person in each arm (n, a)."""
    patients = world.draw(scenario, root, block, 1, CHUNK)
    chance = course.draw_chance(scenario, root, block, 1, CHUNK)
    visit = scenario.design.endpoint.visit_days.index(scenario.design.endpoint.day)
    columns = []
    for arm in range(len(scenario.design.arms)):
        arms = np.full((1, CHUNK), arm)
        flags = course.events(scenario, chance, arms)
        latent = world.outcomes(scenario, patients, arms, ~flags.stopped)
        columns.append(course.rated(scenario, latent, chance, flags, arms)[0, :, visit])
    return np.stack(columns, axis=-1)
