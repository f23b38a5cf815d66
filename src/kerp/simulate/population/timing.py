"""What one exposure is worth, by its start relative to the dose and by the dose: the whole surface, no best point.

The value of the session is the latent Y-BOCS without it minus with it, on the same people, with the same dose,
on a later day. Every place uses the same people and the same chance, so that differences are the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from kerp.base.data import path_of
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import read_toml
from kerp.learning.contract import LearningModel
from kerp.learning.priors import fitting, names
from kerp.patient.draw import BLOCK, blocks
from kerp.patient.record import Column, Population
from kerp.patient.response import DrugInputs, drug_inputs, pressure_over_baseline, response
from kerp.patient.values import values_of
from kerp.protocol.schedule import PlannedDose, PlannedSession, Schedule
from kerp.simulate.population import stepping
from kerp.simulate.population.grid import Grid, build
from kerp.simulate.population.outcome import latent, session_signals
from kerp.simulate.population.process import Block, Processes, conduct
from kerp.simulate.population.spread import Spread

_COUPLINGS = ("kappa_a", "kappa_c", "kappa_p")
_DURATION_MIN = 40.0  # of the infusion, PAPER P27
_WHO_STAYS = Processes(dropout=False, intolerance=False)  # one session: nobody has left yet


@dataclass(frozen=True, slots=True)
class TimingRequest:
    """Offsets in minutes from the start of administration, doses in mg/kg, the day on which the gain is read."""

    model: LearningModel
    offsets_min: tuple[float, ...]
    doses_mg_per_kg: tuple[float, ...] = (0.5,)
    session_min: float = 60.0
    day: int = 14
    count: int = 500
    seed: int = 1
    fixed: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Surface:
    """Mean gain in Y-BOCS points and its Monte-Carlo standard error, [dose][offset], in one world of couplings.

    Limits of the session in that world: mean highest SUDS, share of people sensitised (lam > V).
    """

    title: str
    gain: list[list[float]]
    gain_se: list[list[float]]
    suds_max: list[list[float]]
    sensitised: list[list[float]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Surfaces by set of couplings; `felt` and `systolic_mmhg`: mean of each person's highest during the session."""

    request: TimingRequest
    surfaces: dict[str, Surface]
    without_drug: float
    felt: list[list[float]]
    systolic_mmhg: list[list[float]]


@cache
def coupling_sets() -> dict[str, tuple[str, dict[str, float]]]:
    """Title and values of each set of couplings, from `data/priors/couplings.toml`."""
    tables = read_toml(path_of("priors", "couplings")).data["sets"]
    return {key: (table["title"], {name: float(table[name]) for name in _COUPLINGS}) for key, table in tables.items()}


def worlds(model: LearningModel) -> dict[str, tuple[str, dict[str, float]]]:
    """The sets of couplings that this model can be in; a coupling it does not read or holds is not set."""
    card, read = model.card, names(model)
    found: dict[str, tuple[str, dict[str, float]]] = {}
    for key, (title, couplings) in coupling_sets().items():
        free = {name: value for name, value in couplings.items() if name in read and name not in card.fixed}
        same = all(value == card.fixed.get(name, 0.0) for name, value in couplings.items() if name not in free)
        if same and all(value * card.signs.get(name, 0) >= 0 for name, value in free.items()):
            found[key] = (title if set(couplings) & set(read) else card.title, free)
    return found


def offsets_of(text: str) -> tuple[float, ...]:
    """`-10:60:5` from, to (included), step, in minutes."""
    parts = text.split(":")
    try:
        first, last, step = (float(part) for part in parts)
    except ValueError:
        first, last, step = 0.0, 0.0, 0.0
    ok = len(parts) == 3 and np.isfinite([first, last, step]).all() and step > 0 and -600 <= first <= last <= 10080
    count = round((last - first) / step) + 1 if ok else 0
    if not ok or count > 400:
        allowed = "from:to:step in minutes, from -600 to 10080, at most 400 places, for example -10:60:5"
        raise KerpError(Fault("these are no offsets", field="--offsets", found=text, allowed=allowed))
    return tuple(first + k * step for k in range(count) if first + k * step <= last + 1e-9)


def surface(request: TimingRequest, progress: Callable[[int, int], None] | None = None) -> Timing:
    """The whole surface, every place on the same people."""
    _check(request)
    shape = len(request.doses_mg_per_kg), len(request.offsets_min)
    places = [(d, o) for d in range(shape[0]) for o in range(shape[1])]
    sets = worlds(request.model)
    tally = {name: _Tally(shape) for name in sets}
    felt, pressure, plain = _Tally(shape), _Tally(shape), Spread(1, -40.0, 40.0)
    people_blocks = (request.count - 1) // BLOCK + 1
    for number, people in enumerate(blocks(request.count, request.seed, request.fixed)):
        block = Block(request.seed, number)
        plain.add(_gain(request, people, block, _arm(request, None, 0.0), {})[0][None])
        for index, (d, o) in enumerate(places):
            dose, offset = request.doses_mg_per_kg[d], request.offsets_min[o]
            _place(request, people, block, dose, offset, {n: t.at(d, o) for n, t in tally.items()},
                   felt.at(d, o), pressure.at(d, o))  # fmt: skip
            if progress:
                progress(number * len(places) + index + 1, people_blocks * len(places))
    surfaces = {name: _surface(title, tally[name]) for name, (title, _) in sets.items()}
    return Timing(request, surfaces, plain.mean()[0], felt.means(0), pressure.means(0))


def _check(request: TimingRequest) -> None:
    faults = [
        Fault("a dose is out of range", field="--dose", found=f"{dose:g}", allowed="above 0, at most 2 mg/kg")
        for dose in request.doses_mg_per_kg
        if not 0 < dose <= 2
    ]
    if not request.doses_mg_per_kg or len(set(request.doses_mg_per_kg)) < len(request.doses_mg_per_kg):
        found = ",".join(f"{dose:g}" for dose in request.doses_mg_per_kg)
        faults.append(Fault("no dose is named, or one twice", field="--dose", found=found, allowed="each dose once"))
    if chosen := sorted(set(fitting(request.model, request.fixed or {})) & set(_COUPLINGS)):
        message = "the couplings are what the worlds of the surface set"
        ways = ("kerp arm compare --set asks about one world",)
        faults.append(Fault(message, field="--set", found=", ".join(chosen), ways_out=ways))
    if not 1 <= request.day <= 120:
        faults.append(Fault("the day is out of range", field="--day", found=str(request.day), allowed="1 to 120"))
    last = max(request.offsets_min) + request.session_min
    if not 1 <= request.session_min <= 240 or last > 1440 * request.day:
        faults.append(Fault("the session does not end before that day", field="--session-min", found=f"{last:g} min"))
    if faults:
        raise KerpError(*faults)


class _Cell:
    """Four running quantities at one place: gain, highest SUDS, sensitised, one more."""

    def __init__(self) -> None:
        self.spread = Spread(4, -200.0, 400.0)

    def add(self, *values: Column) -> None:
        rows = list(values) + [np.zeros_like(values[0])] * (4 - len(values))
        self.spread.add(np.stack(rows))


class _Tally:
    def __init__(self, shape: tuple[int, int]) -> None:
        self.cells = [[_Cell() for _ in range(shape[1])] for _ in range(shape[0])]

    def at(self, d: int, o: int) -> _Cell:
        return self.cells[d][o]

    def means(self, which: int) -> list[list[float]]:
        return [[cell.spread.mean()[which] for cell in row] for row in self.cells]

    def errors(self, which: int) -> list[list[float]]:
        return [[cell.spread.sd()[which] / cell.spread.number[which] ** 0.5 for cell in row] for row in self.cells]


def _surface(title: str, tally: _Tally) -> Surface:
    return Surface(title, tally.means(0), tally.errors(0), tally.means(1), tally.means(2))


def _arm(request: TimingRequest, dose: float | None, offset_min: float) -> Schedule:
    """One dose at day 0 (or none) and one session."""
    given = PlannedDose(
        day=0.0, agent="ketamine", route="iv_infusion", dose_mg_per_kg=dose or 0.0, duration_min=_DURATION_MIN
    )
    session = PlannedSession(day=offset_min / 1440.0, minutes=request.session_min)
    doses = () if dose is None else (given,)
    return Schedule(
        id="timing", title="", idea="", claims=(), follow_up_days=request.day, doses=doses, sessions=(session,)
    )


def _place(
    request: TimingRequest,
    people: Population,
    block: Block,
    dose: float,
    offset: float,
    cells: Mapping[str, _Cell],
    felt: _Cell,
    pressure: _Cell,
) -> None:
    arm = _arm(request, dose, offset)
    grid = build(arm, until_day=float(request.day))
    watch = _watched(grid)
    drug = drug_inputs(people, arm, grid.moments(watch), None, request.fixed, response(people, arm))
    rows = 2 * grid.count + 1 + np.arange(len(watch))
    felt.add(drug.F[rows].max(axis=0))
    pressure.add(_systolic(people, arm, grid))
    for name, (_, couplings) in worlds(request.model).items():
        cells[name].add(*_gain(request, people, block, arm, couplings, grid, drug))


def _gain(
    request: TimingRequest,
    people: Population,
    block: Block,
    arm: Schedule,
    couplings: Mapping[str, float],
    grid: Grid | None = None,
    drug: DrugInputs | None = None,
) -> tuple[Column, Column, Column]:
    """Points gained by the session, highest SUDS, and whether it sensitised, per person."""
    grid = grid or build(arm, until_day=float(request.day))
    watch = _watched(grid)
    drug = drug or drug_inputs(people, arm, grid.moments(watch))
    held = dict(request.fixed or {}) | dict(couplings)
    held.pop("r", None)
    p = request.model.parameters(np, values_of(request.model, people, held))
    with_it = conduct(people, arm, block, _WHO_STAYS)
    without = replace(with_it, attends=np.zeros_like(with_it.attends))
    day = np.array([float(request.day)])
    tracks = [stepping.run(request.model, p, grid, drug, doing, 1.0, watch) for doing in (with_it, without)]
    totals = [latent(request.model, p, track, grid, day)[:, 0].sum(axis=0) for track in tracks]
    shown = session_signals(request.model, p, tracks[0], grid, drug, with_it, (0,) * len(watch))
    sensitised = np.any(shown.lam > shown.V, axis=0).astype(float)
    return totals[1] - totals[0], 100.0 * shown.D.max(axis=0), sensitised


def _watched(grid: Grid) -> tuple[int, ...]:
    """The start of the session and the end of each of its panels: distress is often highest at the start."""
    inside = grid.in_sessions()
    return (inside[0] - 1, *inside)


def _systolic(people: Population, arm: Schedule, grid: Grid) -> Column:
    """Each person's highest rise of systolic pressure during the session, mmHg."""
    ends = grid.end[list(grid.in_sessions())] * 1440.0
    minutes = np.unique(ends[ends > 0])
    if not minutes.size or not arm.doses:
        return np.zeros(people.count)
    return np.asarray(pressure_over_baseline(people, arm.doses[0], minutes, response(people, arm)).max(axis=1))
