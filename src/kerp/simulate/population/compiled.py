"""The same course compiled by JAX (extra `lab`): one scan over the panels, the equations taken from `learning`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from kerp.drug.kinetics import jax_namespace
from kerp.learning.contract import Inputs, LearningModel, Phase
from kerp.learning.registry import model as model_of
from kerp.patient.record import Column
from kerp.patient.response import DrugInputs
from kerp.simulate.population.grid import Grid
from kerp.simulate.population.stepping import Conduct, Trajectory, Watch

_BETWEEN, _SESSION, _MIXED = 0, 1, 2


def run(
    model: LearningModel,
    values: Mapping[str, Any],
    grid: Grid,
    drug: DrugInputs,
    conduct: Conduct,
    mct_factor: float = 1.0,
    watch: Watch = (),
) -> Trajectory:
    """As `stepping.run`, but takes the natural-scale `values` (bound inside, so that gradients reach them)."""
    jax, xp = jax_namespace()
    function = _compiled(model.card.id, bool(watch))
    inputs = panels(grid, drug, conduct, mct_factor)
    people = conduct.attends.shape[0]
    shaped = {name: xp.broadcast_to(xp.asarray(value, float), (people,)) for name, value in values.items()}
    obsession, compulsion, states, rest = jax.block_until_ready(function(shaped, inputs))
    kept = rest if not watch else type(rest)(*(_watched(*pair, watch) for pair in zip(states, rest, strict=True)))
    return Trajectory(np.asarray(obsession), np.asarray(compulsion), kept, rest, watch)


def _watched(field: Any, at_start: Any, watch: Watch) -> Column:
    """States after the watched panels; the start, -1, stands behind the last."""
    return np.concatenate([np.asarray(field), np.asarray(at_start)[None]])[list(watch)]


def panels(grid: Grid, drug: DrugInputs, conduct: Conduct, mct_factor: float) -> dict[str, Column]:
    """What the scan reads, each with a leading axis over panels."""
    count, session = grid.count, np.maximum(grid.session, 0)
    inside = grid.session >= 0
    everyone = np.asarray(conduct.attends.all(axis=0))[session]
    table: dict[str, Column] = {
        "code": np.where(inside, np.where(everyone, _SESSION, _MIXED), _BETWEEN).astype(np.int32),
        "days": 0.5 * grid.days,
        "closes": grid.closes,
        "mct": np.where(grid.mct, mct_factor, 1.0),
        "r": conduct.adherence.T[session],
        "i": conduct.intensity.T[session] * grid.intensity[:, None],
        "attends": conduct.attends.T[session],
    }
    for name in ("E", "F", "P"):
        rows = getattr(drug, name)
        table[name] = rows[: 2 * count].reshape(count, 2, -1)
        at_end = np.zeros((count, rows.shape[1]))
        at_end[grid.closes] = rows[2 * count : 2 * count + int(grid.closes.sum())]
        table[f"{name}_end"] = at_end
    return table


@cache
def _compiled(model_id: str, keep: bool) -> Callable[..., Any]:
    jax, xp = jax_namespace()
    model = model_of(model_id)

    def course(values: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
        p = model.parameters(xp, values)
        rest = model.init(xp, p)
        rest = type(rest)(*(xp.broadcast_to(field, inputs["r"].shape[1:]) for field in rest))

        def panel(state: Any, x: Mapping[str, Any]) -> tuple[Any, Any]:
            return _panel(jax, xp, model, p, state, x, keep)

        _, (obsession, compulsion, states) = jax.lax.scan(panel, rest, inputs)
        return obsession, compulsion, states, rest

    function: Callable[..., Any] = jax.jit(course)
    return function


def _panel(
    jax: Any, xp: Any, model: LearningModel, p: Any, state: Any, x: Mapping[str, Any], keep: bool
) -> tuple[Any, Any]:
    """Two sub-steps, the means by Simpson's rule, and the end of the session where there is one."""
    branches = [_between(xp, model, p, x), _session(xp, model, p, x), _mixed(xp, model, p, x)]

    def half(s: Any, drug: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        s = jax.lax.switch(x["code"], branches, s, Inputs(*drug, x["i"], x["r"], x["mct"]))
        return s, model.severity(xp, s, p)

    first = model.severity(xp, state, p)
    state, shown = jax.lax.scan(half, state, (x["E"], x["F"], x["P"]))
    means = tuple((start + 4.0 * later[0] + later[1]) / 6.0 for start, later in zip(first, shown, strict=True))
    before = state if keep else None
    at_end = Inputs(x["E_end"], x["F_end"], x["P_end"], x["i"], x["r"], x["mct"])
    state = jax.lax.cond(
        x["closes"], lambda s: model.step(xp, s, p, at_end, Phase.SESSION_END, 0.0), lambda s: s, state
    )
    return state, (*means, before)


def _between(xp: Any, model: LearningModel, p: Any, x: Mapping[str, Any]) -> Callable[[Any, Inputs], Any]:
    return lambda s, u: model.step(xp, s, p, u._replace(i=0.0, r=0.0), Phase.BETWEEN, x["days"])


def _session(xp: Any, model: LearningModel, p: Any, x: Mapping[str, Any]) -> Callable[[Any, Inputs], Any]:
    return lambda s, u: model.step(xp, s, p, u, Phase.SESSION, x["days"])


def _mixed(xp: Any, model: LearningModel, p: Any, x: Mapping[str, Any]) -> Callable[[Any, Inputs], Any]:
    def step(s: Any, u: Inputs) -> Any:
        there, away = _session(xp, model, p, x)(s, u), _between(xp, model, p, x)(s, u)
        return type(s)(*(xp.where(x["attends"], a, b) for a, b in zip(there, away, strict=True)))

    return step
