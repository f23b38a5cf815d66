"""What the estimand really is in a simulated world: potential outcomes of a large population, arm against arm."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from kerp.trial import course
from kerp.trial.scenario import NORMAL, Scenario
from kerp.trial.tally import Tally, number, row, total
from kerp.trial.world import world_of

TRUTH_BLOCK = 1_000_000_000  # far beyond any block of a run, so that truth shares no chance with trials
NORMAL_PEOPLE, NORMAL_CHUNKS = 10_000, 4
VIRTUAL_PEOPLE, VIRTUAL_CHUNKS = 2_048, 2


@dataclass(frozen=True, slots=True)
class TruthTask:
    """One part of the population, put into every arm: the other kind of work that goes to workers."""

    scenario: Scenario
    root: int
    number: int


@dataclass(frozen=True, slots=True)
class Truth:
    """True contrasts and arm means (order of the design) at the endpoint, both with Monte-Carlo SE.

    Treatment policy for stopped infusions and belief; hypothetical (as if it had not happened) for dropout, rescue.
    """

    contrasts: tuple[float, ...]
    se: tuple[float, ...]
    arm_means: tuple[float, ...]
    arm_se: tuple[float, ...]
    population: int


def truth_tasks(scenario: Scenario, root: int) -> list[TruthTask]:
    """The parts of the population of a world."""
    plain = replace(scenario, effect_spread_points=0.0)
    chunks = NORMAL_CHUNKS if scenario.model == NORMAL else VIRTUAL_CHUNKS
    return [TruthTask(plain, root, chunk) for chunk in range(chunks)]


def run_truth(task: TruthTask) -> Tally:
    """Sums over one part of the population."""
    scenario = task.scenario
    means = _everywhere(task)
    weights = np.asarray([scenario.design.weights(contrast) for contrast in scenario.design.contrasts])
    people = means @ weights.T
    return {
        "people": float(len(people)),
        "contrast": people.sum(axis=0).tolist(),
        "contrast2": (people**2).sum(axis=0).tolist(),
        "arm": means.sum(axis=0).tolist(),
        "arm2": (means**2).sum(axis=0).tolist(),
    }


def truth_from(tally: Tally) -> Truth:
    """The truth from the sums of all parts."""
    people = number(tally, "people")
    contrasts, errors = _means(row(tally, "contrast"), row(tally, "contrast2"), people)
    arms, arm_errors = _means(row(tally, "arm"), row(tally, "arm2"), people)
    return Truth(contrasts, errors, arms, arm_errors, int(people))


def _means(sums: list[float], squares: list[float], people: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and their Monte-Carlo standard errors."""
    means = tuple(value / people for value in sums)
    spread = [max(square / people - mean**2, 0.0) for mean, square in zip(means, squares, strict=True)]
    return means, tuple(math.sqrt(variance / people) for variance in spread)


def truth_of(scenario: Scenario, root: int) -> Truth:
    """Put everyone of a large population into every arm and compare."""
    return truth_from(total([run_truth(task) for task in truth_tasks(scenario, root)]))


def _everywhere(task: TruthTask) -> np.ndarray:
    """Endpoint score of each person in each arm (n, a)."""
    scenario, block = task.scenario, TRUTH_BLOCK + task.number
    world = world_of(scenario)
    count = NORMAL_PEOPLE if scenario.model == NORMAL else VIRTUAL_PEOPLE
    patients = world.draw(scenario, task.root, block, 1, count)
    chance = course.draw_chance(scenario, task.root, block, 1, count)
    visit = scenario.design.endpoint.visit_days.index(scenario.design.endpoint.day)
    columns = []
    for arm in range(len(scenario.design.arms)):
        arms = np.full((1, count), arm)
        flags = course.events(scenario, chance, arms)
        latent = world.outcomes(scenario, patients, arms, ~flags.stopped)
        columns.append(course.rated(scenario, latent, chance, flags, arms)[0, :, visit])
    return np.stack(columns, axis=-1)
