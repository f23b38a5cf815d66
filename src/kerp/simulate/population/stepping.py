"""Many people through one schedule, on the grid, in NumPy. `compiled` is its JAX twin, on the same equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerp.learning.contract import Array, Inputs, LearningModel, Phase
from kerp.patient.record import Column
from kerp.patient.response import DrugInputs
from kerp.simulate.population.grid import Grid

Watch = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Conduct:
    """What people do in sessions, each (people, sessions): adherence r, intensity factor, whether they came."""

    adherence: Column
    intensity: Column
    attends: Column


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a run leaves: panel means of O and C, (panels, people), and states after the watched panels.

    `states` is the model's state with a leading axis over `watch`; `rest` is the state at the start.
    """

    obsession: Column
    compulsion: Column
    states: Any
    rest: Any
    watch: Watch


def run(
    model: LearningModel,
    p: Any,
    grid: Grid,
    drug: DrugInputs,
    conduct: Conduct,
    mct_factor: float = 1.0,
    watch: Watch = (),
) -> Trajectory:
    """Step everyone through the grid. `p` from `model.parameters(numpy, ...)`; `drug` at `grid.moments()`.

    Watched states are those at the end of a panel before its session is closed; the watched panel -1 is the start.
    """
    rest = state = model.init(np, p)
    people = conduct.attends.shape[0]
    shown = model.severity(np, state, p)
    obsession, compulsion = np.empty((2, grid.count, people), dtype=np.result_type(*shown, float))
    kept: dict[int, Any] = {-1: rest}
    wanted, closed = frozenset(watch), 0
    for k in range(grid.count):
        doing, mct = doing_in(grid, conduct, k), mct_factor if grid.mct[k] else 1.0
        o, c = shown
        for j, weight in ((0, 4.0), (1, 1.0)):
            u = _inputs(drug, 2 * k + j, doing, mct)
            state = advance(model, state, p, u, grid.phase(k), 0.5 * grid.days[k], doing[2])
            shown = model.severity(np, state, p)
            o, c = o + weight * shown[0], c + weight * shown[1]
        obsession[k], compulsion[k] = o / 6.0, c / 6.0
        if k in wanted:
            kept[k] = state
        if grid.closes[k]:
            u = _inputs(drug, 2 * grid.count + closed, doing, mct)
            state, closed = model.step(np, state, p, u, Phase.SESSION_END, 0.0), closed + 1
            shown = model.severity(np, state, p)
    return Trajectory(obsession, compulsion, stacked([kept[k] for k in watch], rest), rest, watch)


def advance(model: LearningModel, state: Any, p: Any, u: Inputs, phase: Phase, days: Array, attends: Any) -> Any:
    """One sub-step; who does not attend a session lives on meanwhile."""
    if phase == Phase.BETWEEN or attends is True:
        return model.step(np, state, p, u, phase, days)
    there = model.step(np, state, p, u, Phase.SESSION, days)
    away = model.step(np, state, p, u._replace(i=0.0, r=0.0), Phase.BETWEEN, days)
    return type(state)(*(np.where(attends, a, b) for a, b in zip(there, away, strict=True)))


def doing_in(grid: Grid, conduct: Conduct, k: int) -> tuple[Any, Any, Any]:
    """Adherence, intensity and attendance in panel k; attendance is True where everybody is there."""
    session = grid.session[k]
    if session < 0:
        return 0.0, 0.0, True
    attends = conduct.attends[:, session]
    intensity = grid.intensity[k] * conduct.intensity[:, session]
    return conduct.adherence[:, session], intensity, True if attends.all() else attends


def _inputs(drug: DrugInputs, row: int, doing: tuple[Any, Any, Any], mct: float) -> Inputs:
    return Inputs(drug.E[row], drug.F[row], drug.P[row], doing[1], doing[0], mct)


def stacked(states: list[Any], like: Any) -> Any:
    """States as one state with a leading axis; empty arrays where nothing was watched."""
    if not states:
        return type(like)(*(np.empty((0, np.size(field))) for field in like))
    return type(like)(*(np.stack(np.broadcast_arrays(*fields)) for fields in zip(*states, strict=True)))
