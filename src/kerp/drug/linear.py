"""The linear-compartment core: a cascade of reversible stages, solved in closed form or by matrix exponential.

`dx/dt = K x + B u(t)`, x in mg per compartment, u in mg/min per channel and constant between edges. Each stage
exchanges reversibly (detailed balance), so its eigenvalues are real and come from a symmetric matrix; stages feed
only later ones, so the modes of the whole follow without a general eigensolver. Leading axis of every array: people.

The array namespace `xp` is passed in: `numpy`, or `jax.numpy` for the same arithmetic compiled and differentiable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = Any  # an array of `xp`
Host = NDArray[np.float64]

_GRID_FROM = 32  # points of an even grid from which factoring the exponentials pays
_GRID_STEP_MIN = 0.05  # below it `expm1` is needed while drug runs in: the plain exponential would cancel
_TAYLOR_TERMS = 14  # norm at most 1/2: the rest is below 1e-17


@dataclass(frozen=True)
class Stage:
    """Compartments that exchange reversibly: `generator` (people, n, n) per min, `volumes` (people, n) in balance."""

    generator: Array
    volumes: Array


@dataclass(frozen=True)
class Network:
    """Stages from upstream to downstream, what feeds what, where doses enter, what is measured.

    `couplings`: (to, from, matrix (people, n_to, n_from) per min), from earlier to later stages. `inputs` (people, n,
    p): share of each channel that reaches each compartment. `outputs` (people, m, n): measured units per mg.
    """

    stages: tuple[Stage, ...]
    couplings: tuple[tuple[int, int, Array], ...]
    inputs: Array
    outputs: Array
    channels: tuple[str, ...]
    analytes: tuple[str, ...]


@dataclass(frozen=True)
class Modes:
    """Eigenvalues `rates` (people, n) and the transforms to and from them (people, n, n)."""

    rates: Array
    vectors: Array
    inverse: Array


@dataclass(frozen=True)
class Course:
    """Inputs in time: between `edges[k]` and the next, `rates[k]` (p,) per min; at `edges[k]`, `jumps[k]` (p,)."""

    edges: Host
    rates: Host
    jumps: Host


def generator_of(network: Network, xp: Any = np) -> Array:
    """The whole generator matrix K (people, n, n) per min."""
    sizes = [stage.volumes.shape[1] for stage in network.stages]
    people = network.inputs.shape[0]
    blocks = [[xp.zeros((people, rows, columns)) for columns in sizes] for rows in sizes]
    for index, stage in enumerate(network.stages):
        blocks[index][index] = stage.generator
    for to, origin, matrix in network.couplings:
        blocks[to][origin] = matrix
    return xp.concatenate([xp.concatenate(row, axis=2) for row in blocks], axis=1)


def modes_of(network: Network, xp: Any = np) -> Modes:
    """Modes of the whole cascade, stage by stage."""
    whole = _stage_modes(network.stages[0], xp)
    starts = np.cumsum([0] + [stage.volumes.shape[1] for stage in network.stages])
    for index in range(1, len(network.stages)):
        down = _stage_modes(network.stages[index], xp)
        feeding = [(origin, matrix) for to, origin, matrix in network.couplings if to == index]
        pieces = [_piece(origin, feeding, network.stages, down, xp) for origin in range(index)]
        whole = _cascade(whole, xp.concatenate(pieces, axis=2), down, xp)
    assert whole.rates.shape[1] == starts[-1]
    return whole


def respond(modes: Modes, network: Network, course: Course, times: Host, xp: Any = np) -> Array:
    """Measured values (people, m, times) in closed form. `times` in order."""
    seen = network.outputs @ modes.vectors
    entry = modes.inverse @ network.inputs
    state = xp.zeros(modes.rates.shape)
    pieces = []
    for start, end, inside, rates, jumps in _intervals(course, times):
        state = state + _mix(entry, jumps, xp)
        push = _mix(entry, rates, xp) if rates.any() else None
        pieces.append(_within(seen, modes.rates, state, push, times[inside] - start, xp))
        if math.isfinite(end):
            state = _advance(modes.rates, state, push, end - start, xp)
    return xp.concatenate(pieces, axis=2)


def respond_by_exponential(network: Network, course: Course, times: Host, xp: Any = np) -> Array:
    """Measured values (people, m, times) by batched matrix exponential, one per distinct step."""
    states = states_by_exponential(network, course, times, xp)
    return xp.swapaxes(states @ xp.swapaxes(network.outputs, 1, 2), 1, 2)


def states_by_exponential(network: Network, course: Course, times: Host, xp: Any = np) -> Array:
    """Amounts (people, times, n) in mg by batched matrix exponential."""
    generator = _augmented(generator_of(network, xp), network.inputs, xp)
    size = network.inputs.shape[1]
    grid = np.union1d(times, course.edges)
    grid = grid[grid <= max(times[-1], course.edges[0])]
    steps = np.round(np.diff(grid), 12)
    transitions = {float(step): exponential(generator, float(step), xp) for step in np.unique(steps)}
    state = xp.zeros((generator.shape[0], size))
    kept = []
    for index, now in enumerate(grid):
        segment = int(np.searchsorted(course.edges, now, side="right")) - 1
        if segment >= 0 and course.edges[segment] == now:
            state = state + _mix(network.inputs, course.jumps[segment], xp)
        if now in times:
            kept.append(state)
        if index < len(steps):
            rates = course.rates[segment] if segment >= 0 else np.zeros(course.rates.shape[1])
            state = _step(transitions[float(steps[index])], state, rates, size, xp)
    every = xp.stack(kept, axis=1)
    return every[:, np.searchsorted(np.unique(times), times), :]


def exponential(generator: Array, step: float, xp: Any = np) -> Array:
    """`exp(generator * step)` of matrices with no negative entry off the diagonal (people, n, n).

    Shifted by the fastest loss, every term is positive: nothing cancels, so even tiny entries keep their digits.
    """
    host = np.asarray(generator)
    shift = float(-np.min(np.diagonal(host, axis1=1, axis2=2)))
    eye = xp.eye(generator.shape[1])[None]
    positive = (generator + shift * eye) * step
    norm = float(np.max(np.sum(np.abs(host), axis=2))) * step + shift * step
    squarings = max(0, math.ceil(math.log2(max(norm, 1e-300) * 2)))
    scaled = positive / 2**squarings
    result = term = eye + 0 * scaled
    for order in range(1, _TAYLOR_TERMS + 1):
        term = term @ scaled / order
        result = result + term
    result = result * math.exp(-shift * step / 2**squarings)
    for _ in range(squarings):
        result = result @ result
    return result


def smallest_gap(modes: Modes) -> Host:
    """The least relative distance between two modes of each person (people,): near 0 the closed form loses digits."""
    ordered = np.sort(np.asarray(modes.rates), axis=1)
    if ordered.shape[1] < 2:
        return np.ones(ordered.shape[0])
    gaps: Host = np.min(np.diff(ordered, axis=1) / np.maximum(np.abs(ordered[:, :-1]), 1e-300), axis=1)
    return gaps


def _stage_modes(stage: Stage, xp: Any) -> Modes:
    if stage.volumes.shape[1] == 1:
        one = xp.ones(stage.generator.shape)
        return Modes(stage.generator[:, :, 0], one, one)
    root = xp.sqrt(stage.volumes)
    symmetric = stage.generator * root[:, None, :] / root[:, :, None]
    rates, vectors = xp.linalg.eigh(symmetric)
    return Modes(rates, root[:, :, None] * vectors, xp.swapaxes(vectors, 1, 2) / root[:, None, :])


def _piece(origin: int, feeding: list[tuple[int, Array]], stages: tuple[Stage, ...], down: Modes, xp: Any) -> Array:
    for source, matrix in feeding:
        if source == origin:
            return matrix
    return xp.zeros((down.rates.shape[0], down.rates.shape[1], stages[origin].volumes.shape[1]))


def _cascade(up: Modes, coupling: Array, down: Modes, xp: Any) -> Modes:
    """Modes of `up` feeding `down`: the block-triangular eigenproblem solved mode by mode."""
    gap = up.rates[:, None, :] - down.rates[:, :, None]
    mixed = (down.inverse @ coupling @ up.vectors) / xp.where(gap == 0, 1e-300, gap)
    none = xp.zeros((*up.rates.shape, down.rates.shape[1]))
    vectors = [xp.concatenate([up.vectors, none], 2), xp.concatenate([down.vectors @ mixed, down.vectors], 2)]
    inverse = [xp.concatenate([up.inverse, none], 2), xp.concatenate([-(mixed @ up.inverse), down.inverse], 2)]
    rates = xp.concatenate([up.rates, down.rates], axis=1)
    return Modes(rates, xp.concatenate(vectors, axis=1), xp.concatenate(inverse, axis=1))


def _intervals(course: Course, times: Host) -> list[tuple[float, float, slice, Host, Host]]:
    """(start, end, slice of `times` inside, rates, jumps) of each stretch of constant input."""
    width = course.rates.shape[1]
    edges = course.edges
    first = float(min(times[0], edges[0]))
    starts = [first, *map(float, edges)]
    ends = [*map(float, edges), math.inf]
    cuts = np.searchsorted(times, edges, side="left")
    bounds = [0, *map(int, cuts), len(times)]
    none = np.zeros(width)
    rows = [(none, none), *zip(course.rates, course.jumps, strict=True)]
    return [(starts[k], ends[k], slice(bounds[k], bounds[k + 1]), rows[k][0], rows[k][1]) for k in range(len(starts))]


def _mix(matrix: Array, amounts: Host, xp: Any) -> Array:
    """(people, n, p) with (p,) to (people, n)."""
    return matrix @ xp.asarray(amounts)


def _within(seen: Array, rates: Array, state: Array, push: Array | None, since: Host, xp: Any) -> Array:
    """Measured values `since` minutes after the start of a stretch."""
    if since.size == 0:
        return xp.zeros((seen.shape[0], seen.shape[1], 0))
    weights = seen * state[:, None, :]
    start = xp.sum(weights, axis=2)[:, :, None]
    level = 0 if push is None else seen * (push / rates)[:, None, :]
    if _evenly_spaced(since):
        values = _decay_on_grid(weights + level, rates, since, xp)
        values = values if push is None else values - xp.sum(level, axis=2)[:, :, None]
        return xp.concatenate([start, values[:, :, 1:]], axis=2) if since[0] == 0 else values
    exponent = rates[:, :, None] * xp.asarray(since)[None, None, :]
    if push is None:
        return weights @ xp.exp(exponent)
    return (weights + level) @ xp.expm1(exponent) + start


def _evenly_spaced(since: Host) -> bool:
    if since.size < _GRID_FROM or since[1] < _GRID_STEP_MIN:
        return False
    steps = np.diff(since)
    return bool(np.abs(steps - steps[0]).max() <= 1e-12 * abs(since[-1]))


def _decay_on_grid(weights: Array, rates: Array, since: Host, xp: Any) -> Array:
    """The same on an even grid: e^(a + b) = e^a e^b turns most exponentials into one small matrix product."""
    step = float(since[-1] - since[0]) / (since.size - 1)
    width = math.isqrt(since.size - 1) + 1
    rows = -(-since.size // width)
    fine = xp.exp(rates[:, :, None] * xp.asarray(since[0] + step * np.arange(width)))
    coarse = xp.exp(rates[:, None, :] * xp.asarray(step * width * np.arange(rows))[None, :, None])
    table = (weights[:, :, None, :] * coarse[:, None, :, :]) @ fine[:, None, :, :]
    return table.reshape(*weights.shape[:2], rows * width)[:, :, : since.size]


def _advance(rates: Array, state: Array, push: Array | None, minutes: float, xp: Any) -> Array:
    moved = state * xp.exp(rates * minutes)
    return moved if push is None else moved + push * xp.expm1(rates * minutes) / rates


def _augmented(generator: Array, inputs: Array, xp: Any) -> Array:
    """[[K, B], [0, 0]]: its exponential gives the step of the state and of a constant input at once."""
    people, size, channels = inputs.shape
    top = xp.concatenate([generator, inputs], axis=2)
    return xp.concatenate([top, xp.zeros((people, channels, size + channels))], axis=1)


def _step(transition: Array, state: Array, rates: Host, size: int, xp: Any) -> Array:
    moved = (transition[:, :size, :size] @ state[:, :, None])[:, :, 0]
    if not rates.any():
        return moved
    return moved + _mix(transition[:, :size, size:], rates, xp)


def with_reader(network: Network, row: Array, rate: Array, name: str, xp: Any = np) -> Network:
    """Append a first-order reader of `row` (people, n): it follows what `row` measures at `rate` (people,) per min.

    An effect site or a tolerance state is such a reader: it takes no drug, so mass balance is untouched.
    """
    people, size, channels = network.inputs.shape
    feed = rate[:, None] * row
    starts = np.cumsum([0] + [stage.volumes.shape[1] for stage in network.stages])
    pieces = tuple(
        (len(network.stages), index, feed[:, None, int(starts[index]) : int(starts[index + 1])])
        for index in range(len(network.stages))
    )
    outputs = xp.concatenate([network.outputs, xp.zeros((people, network.outputs.shape[1], 1))], axis=2)
    own = xp.concatenate([xp.zeros((people, 1, size)), xp.ones((people, 1, 1))], axis=2)
    return Network(
        (*network.stages, Stage(-rate[:, None, None], xp.ones((people, 1)))),
        (*network.couplings, *pieces),
        xp.concatenate([network.inputs, xp.zeros((people, 1, channels))], axis=1),
        xp.concatenate([outputs, own], axis=1),
        network.channels,
        (*network.analytes, name),
    )
