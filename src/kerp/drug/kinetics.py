"""Concentrations: a model, the people's parameters, what was given, and when to look.

Minutes from administration onset, mg, ng/mL. Every curve names the site its model was sampled at: arterial and venous
concentrations of one infusion differ by half (design decision 10), so a number without its site means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.drug import structure
from kerp.drug.events import LONGEST_MIN, Doses
from kerp.drug.linear import (
    Array,
    Course,
    Host,
    Network,
    modes_of,
    respond,
    respond_by_exponential,
    smallest_gap,
)
from kerp.drug.model import DrugModel, Moiety, internal

CLOSED, EXPONENTIAL = "closed", "exponential"
_CHUNK = 512  # people at a time: the working set stays in cache
_TOO_CLOSE = 1e-3  # relative gap of modes below which the exponential takes over


@dataclass(frozen=True)
class Curve:
    """A concentration in time: `ng_per_ml` (people, times) of `analyte` at `sampling_site`."""

    model: str
    analyte: str
    sampling_site: str
    times_min: Host
    ng_per_ml: NDArray[np.float64]


@dataclass(frozen=True)
class Exposure:
    """Per person: peak, its minute, and area under the curve up to `to_h` hours (people,)."""

    cmax_ng_per_ml: Host
    tmax_min: Host
    auc_ng_h_per_ml: Host
    to_h: float


def concentration(
    model: DrugModel,
    parameters: Mapping[str, Array],
    doses: Doses,
    times_min: Any,
    analyte: str = "",
    method: str = CLOSED,
    xp: Any = np,
) -> Curve:
    """Concentration of `analyte` (default: the model's main one) of every person at `times_min`.

    `parameters`: arrays (people,) from `population.typical` or `population.draw`. `method`: `closed`, `exponential`.
    """
    times = checked_times(times_min)
    analyte = checked_analyte(model, analyte)
    parts = (
        _moiety_curve(model, moiety, analyte, parameters, doses, times, method, xp)
        for moiety in moieties_of(model, analyte)
    )
    return Curve(model.id, analyte, model.sampling_site, times, reduce(add, parts))


def compiled(
    model: DrugModel, doses: Doses, times_min: Any, analyte: str = ""
) -> Callable[[Mapping[str, Array]], Array]:
    """The same arithmetic compiled by JAX (extra `lab`): parameters to ng/mL (people, times); differentiable."""
    jax, xp = jax_namespace()
    times = checked_times(times_min)
    chosen = checked_analyte(model, analyte)

    def run(parameters: Mapping[str, Array]) -> Array:
        parts = (
            _moiety_curve(model, moiety, chosen, parameters, doses, times, CLOSED, xp)
            for moiety in moieties_of(model, chosen)
        )
        return reduce(add, parts)

    function: Callable[[Mapping[str, Array]], Array] = jax.jit(run)
    return function


def exposure(
    model: DrugModel,
    parameters: Mapping[str, Array],
    doses: Doses,
    to_h: float,
    analyte: str = "",
    step_min: float = 1.0,
) -> Exposure:
    """Peak, its minute and area (trapezoid) on a grid of `step_min` minutes that also holds every dose event."""
    grid = np.arange(0.0, to_h * 60 + step_min / 2, step_min)
    edges = course_of(doses, model).edges
    times = np.union1d(grid, edges[(edges >= 0) & (edges <= grid[-1])])
    values = np.asarray(concentration(model, parameters, doses, times, analyte).ng_per_ml)
    peak = values.argmax(axis=1)
    area = np.asarray(np.trapezoid(values, times / 60, axis=1))
    return Exposure(values.max(axis=1), times[peak], area, to_h)


def network_of(
    model: DrugModel, moiety: Moiety, parameters: Mapping[str, Array], analytes: tuple[str, ...], xp: Any = np
) -> Network:
    """Compartments of one moiety of a model (its own multipliers applied)."""
    own = {name: xp.asarray(value) for name, value in parameters.items()}
    for name, factor in moiety.multipliers.items():
        own[name] = own[name] * factor.value
    if model.structure not in structure.STRUCTURES:
        raise UnknownIdError("structure", model.structure, list(structure.STRUCTURES), field="structure")
    return structure.STRUCTURES[model.structure](own, analytes, xp)


def course_of(doses: Doses, model: DrugModel, share: float = 1.0) -> Course:
    """Doses as inputs of the model's channels. Devices enter the nose at once, the throat over `Dsw` minutes."""
    nasal = model.structure == "nasal_hepatic"
    if doses.devices and not nasal:
        raise KerpError(_no_route(model, "nasal devices", "perezruixo2021"))
    pieces = [(s.from_min, s.to_min, 0, s.mg_per_min * share) for s in doses.segments]
    jumps: list[tuple[float, int, float]] = []
    swallowed_min = internal(model.parameters["Dsw"]) if nasal else 0.0  # the same for everyone: none varies it
    for index, device in enumerate(doses.devices):
        later = min(index, 1)
        jumps.append((device.at_min, 1 + later, device.dose_mg * share))
        end = device.at_min + swallowed_min
        pieces.append((device.at_min, end, 3 + later, device.dose_mg * share / swallowed_min))
    return _course(pieces, jumps, 5 if nasal else 1)


def moieties_of(model: DrugModel, analyte: str) -> tuple[Moiety, ...]:
    """The moieties whose sum is this analyte: one enantiomer, or all of them."""
    named = tuple(moiety for moiety in model.moieties if moiety.analyte == analyte)
    return named or model.moieties


def checked_times(times_min: Any) -> Host:
    """Sampling minutes as an array: finite, in range, increasing."""
    times = np.atleast_1d(np.asarray(times_min, dtype=float))
    if times.ndim != 1 or times.size == 0:
        raise KerpError(Fault("at least one sampling time is needed", field="times_min"))
    if not np.isfinite(times).all() or np.abs(times).max() > LONGEST_MIN:
        allowed = f"finite minutes up to {LONGEST_MIN:g}"
        raise KerpError(
            Fault("a sampling time is not a minute", field="times_min", found=_some(times), allowed=allowed)
        )
    if (np.diff(times) <= 0).any():
        raise KerpError(Fault("sampling times must increase", field="times_min", found=_some(times)))
    return times


def checked_analyte(model: DrugModel, analyte: str) -> str:
    """The analyte, or the model's main one; an unknown one is refused."""
    if not analyte:
        return model.main_analyte
    if analyte not in model.analytes:
        raise UnknownIdError(f"analyte of {model.id}", analyte, list(model.analytes), field="analyte")
    return analyte


def jax_namespace() -> tuple[Any, Any]:
    """`jax` and `jax.numpy` in double precision; says which extra to install where they are missing."""
    try:
        import jax
    except ImportError:
        way = "pip install 'kerp[lab]'"
        raise KerpError(Fault("JAX is not installed", allowed="the extra `lab`", ways_out=(way,))) from None
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    return jax, jax.numpy


def chunks(people: int) -> Iterator[slice]:
    """Slices of people small enough for the cache; results do not depend on them."""
    for start in range(0, people, _CHUNK):
        yield slice(start, min(start + _CHUNK, people))


def _moiety_curve(
    model: DrugModel,
    moiety: Moiety,
    analyte: str,
    parameters: Mapping[str, Array],
    doses: Doses,
    times: Host,
    method: str,
    xp: Any,
) -> Array:
    """(people, times) of one moiety."""
    course = course_of(doses, model, moiety.fraction_of_dose.value)
    metabolite = bool(model.metabolite) and analyte == model.metabolite
    wanted = (moiety.analyte, analyte) if metabolite else (moiety.analyte,)

    def solve(part: Mapping[str, Array]) -> Array:
        network = network_of(model, moiety, part, wanted, xp)
        return solved(network, course, times, method, xp)[:, -1, :]

    return by_chunks(solve, parameters, xp)


def by_chunks(solve: Callable[[Mapping[str, Array]], Array], parameters: Mapping[str, Array], xp: Any) -> Array:
    """Apply `solve` to people in cache-sized chunks (NumPy) or all at once (a compiler does better itself)."""
    people = next(iter(parameters.values())).shape[0]
    if xp is not np or people <= _CHUNK:
        return solve(parameters)
    whole = None
    for part in chunks(people):
        found = solve({name: value[part] for name, value in parameters.items()})
        whole = np.empty((people, *found.shape[1:])) if whole is None else whole
        whole[part] = found
    return whole


def solved(network: Network, course: Course, times: Host, method: str = CLOSED, xp: Any = np) -> Array:
    """Outputs (people, m, times) by the method asked for; people whose modes nearly coincide by the exponential."""
    if method == EXPONENTIAL:
        return respond_by_exponential(network, course, times, xp)
    if method != CLOSED:
        raise UnknownIdError("method", method, [CLOSED, EXPONENTIAL], field="method")
    modes = modes_of(network, xp)
    values = respond(modes, network, course, times, xp)
    if xp is np and len(network.stages) > 1:
        close = smallest_gap(modes) < _TOO_CLOSE
        if close.any():
            values[close] = respond_by_exponential(_some_people(network, close), course, times)
    return values


def _some_people(network: Network, which: NDArray[np.bool_]) -> Network:
    stages = tuple(type(s)(s.generator[which], s.volumes[which]) for s in network.stages)
    couplings = tuple((to, origin, matrix[which]) for to, origin, matrix in network.couplings)
    inputs, outputs = network.inputs[which], network.outputs[which]
    return Network(stages, couplings, inputs, outputs, network.channels, network.analytes)


def _course(
    pieces: list[tuple[float, float, int, float]], jumps: list[tuple[float, int, float]], width: int
) -> Course:
    """Pieces (from, to, channel, mg/min) and jumps (at, channel, mg) cut at every change."""
    marks = {0.0} | {t for start, end, _, _ in pieces for t in (start, end)} | {at for at, _, _ in jumps}
    edges = np.array(sorted(marks))
    rates, steps = np.zeros((edges.size, width)), np.zeros((edges.size, width))
    for start, end, channel, rate in pieces:
        rates[(edges >= start) & (edges < end), channel] += rate
    for at, channel, amount in jumps:
        steps[edges == at, channel] += amount
    return Course(edges, rates, steps)


def _no_route(model: DrugModel, what: str, instead: str) -> Fault:
    ways = (f"use a model of that route, for example {instead}",)
    return Fault(f"{model.id} takes no {what}", field="model", allowed=", ".join(model.routes), ways_out=ways)


def _some(times: Host) -> str:
    shown = ", ".join(f"{t:g}" for t in times[:8])
    return shown + (", ..." if times.size > 8 else "")
