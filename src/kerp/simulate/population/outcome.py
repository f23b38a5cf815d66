"""What a block of people shows: latent severity, rated visits, responses by their definitions, SUDS, indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerp.instrument.outcome import Criterion, Rule
from kerp.instrument.outcome_load import load_outcome, outcome_ids
from kerp.learning.contract import Inputs, LearningModel, Phase, Signals
from kerp.learning.scales import constant, ybocs_mean, ybocs_rated
from kerp.patient.record import Column, Population
from kerp.patient.response import DrugInputs
from kerp.simulate.population.grid import Grid, window_weights
from kerp.simulate.population.process import Block, Processes, rating_errors, shift_points
from kerp.simulate.population.stepping import Conduct, Trajectory

_KNOWN = ("fall_percent", "fall_points", "total")  # measures of an outcome rule that a Y-BOCS alone can answer


@dataclass(frozen=True, slots=True)
class Visits:
    """Rated Y-BOCS, (visits, people); visit 0 is the baseline, before any treatment."""

    days: tuple[float, ...]
    rated: Column


def window_means(model: LearningModel, p: Any, track: Trajectory, grid: Grid, day: float, length: float) -> Any:
    """Means of O and C over `length` days before `day`; the untreated rest counts before the start."""
    weights, rest = window_weights(grid, day, length)
    at_rest = model.severity(np, track.rest, p)
    used = np.flatnonzero(weights)  # one stretch: the cost of a day does not grow with the length of the course
    inside = slice(used[0], used[-1] + 1) if used.size else slice(0)
    o, c = (weights[inside] @ shown[inside] for shown in (track.obsession, track.compulsion))
    return o + rest * at_rest[0], c + rest * at_rest[1]


def latent(model: LearningModel, p: Any, track: Trajectory, grid: Grid, days: Column, length: float = 1.0) -> Column:
    """What the model holds: obsession and compulsion points over the last `length` days, (2, days, people)."""
    means = [ybocs_mean(*window_means(model, p, track, grid, float(day), length)) for day in days]
    return np.stack([np.stack([np.broadcast_to(m[k], track.obsession.shape[1:]) for m in means]) for k in (0, 1)])


def visits(
    people: Population,
    model: LearningModel,
    p: Any,
    track: Trajectory,
    grid: Grid,
    days: tuple[float, ...],
    block: Block,
    on: Processes,
) -> Visits:
    """What a rater writes down at each visit: the past week in whole points, with the layers outside the model."""
    rows, start = [], float(grid.start[0])
    for day in days:
        o, c = window_means(model, p, track, grid, day, constant("ybocs", "window"))
        errors = rating_errors(people, day, block, on)
        points = ybocs_rated(o, c, people.traits["scale_use"], errors)
        shift = shift_points(people, day - start, block, on)
        rows.append(np.clip(np.rint(points + shift), 0.0, 2.0 * constant("ybocs", "subscale_max")))
    return Visits(days, np.stack(rows))


def definitions() -> dict[str, Criterion]:
    """Outcome rules that Y-BOCS totals alone can answer, by `set.criterion` (DESIGN decision 14)."""
    found: dict[str, Criterion] = {}
    for set_id in outcome_ids():
        rules = load_outcome(set_id)
        if rules.instrument == "ybocs":
            found |= {f"{set_id}.{one.id}": one for one in rules.criteria if one.rule.measure in _KNOWN}
    return found


def shares(seen: Visits, rules: Mapping[str, Criterion]) -> dict[str, Column]:
    """For every definition the number of people who meet it at each visit, (visits,)."""
    base = seen.rated[0]
    fall = base - seen.rated
    measures = {"fall_points": fall, "fall_percent": 100.0 * fall / np.maximum(base, 1.0), "total": seen.rated}
    return {name: meets(one.rule, measures).sum(axis=1) for name, one in rules.items()}


def meets(rule: Rule, measures: Mapping[str, Column]) -> Column:
    """A bound on one measure, for everyone at once; the same bounds as `instrument.outcome.truth`."""
    value = measures[rule.measure]
    met = np.ones(value.shape, dtype=bool)
    if rule.at_least is not None:
        met &= value >= rule.at_least
    if rule.at_most is not None:
        met &= value <= rule.at_most
    if rule.below is not None:
        met &= value < rule.below
    return met


def _intensity(grid: Grid, session: Column) -> Column:
    """Planned intensity in each session, 0 outside."""
    planned = {int(k): float(i) for k, i in zip(grid.session, grid.intensity, strict=True)}
    return np.array([planned.get(int(k), 0.0) for k in session])


def session_signals(
    model: LearningModel,
    p: Any,
    track: Trajectory,
    grid: Grid,
    drug: DrugInputs,
    conduct: Conduct,
    sessions: tuple[int, ...] | None = None,
) -> Signals:
    """Signals at the end of every watched panel, (watched, people); absent people show nothing (NaN).

    `sessions` says in which session each watched panel is read (-1: in none) where that is not the panel's own.
    """
    rows = 2 * grid.count + int(grid.closes.sum()) + np.arange(len(track.watch))
    session = grid.session[list(track.watch)] if sessions is None else np.array(sessions, dtype=int)
    inside = session >= 0
    who = np.maximum(session, 0)
    u = Inputs(
        drug.E[rows],
        drug.F[rows],
        drug.P[rows],
        conduct.intensity.T[who] * _intensity(grid, session)[:, None],
        conduct.adherence.T[who],
        1.0,
    )
    shown = model.observe(np, track.states, p, u, Phase.SESSION)
    there = conduct.attends.T[who] & inside[:, None]
    return Signals(*(np.where(there, np.broadcast_to(field, there.shape), np.nan) for field in shown))
