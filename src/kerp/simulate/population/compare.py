"""Arms side by side: the same people, the same chance, one schedule after another, in blocks with flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerp.learning.contract import Inputs, LearningModel, Phase
from kerp.learning.indices import aberrant_update_hours, paradoxical_probability
from kerp.learning.priors import fitting
from kerp.patient.draw import BLOCK, blocks, reference_person
from kerp.patient.record import Column, Population
from kerp.patient.response import DrugInputs, drug_inputs, response
from kerp.patient.values import constant_of, values_of
from kerp.protocol.schedule import Schedule
from kerp.simulate.population import compiled, stepping
from kerp.simulate.population.grid import Grid, build
from kerp.simulate.population.outcome import definitions, latent, session_signals, shares, visits
from kerp.simulate.population.process import ALL, NONE, Block, Processes, conduct, given
from kerp.simulate.population.readings import AFTER_DOSE, IN_SESSION, Places
from kerp.simulate.population.scales import Scales
from kerp.simulate.population.spread import Spread

ENGINES = ("numpy", "jax")
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
_HIGH_SUDS = 90.0  # where a curve counts as not having fallen, for the safety table


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: arms, model, people, overrides, processes."""

    arms: tuple[Schedule, ...]
    model: LearningModel
    count: int = 1000
    seed: int = 1
    fixed: Mapping[str, float] = field(default_factory=dict)
    typical: bool = False
    processes: Processes = ALL
    engine: str = "numpy"
    fineness: int = 1
    people: Population | None = None  # instead of drawing: the people of a file


@dataclass(frozen=True, slots=True)
class Track:
    """A quantity over places (days, minutes): mean, standard deviation and bands (5, 25, 50, 75, 95 %)."""

    at: tuple[float, ...]
    mean: list[float]
    sd: list[float]
    bands: dict[float, list[float]]


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm. `responses` by definition: share of people at each rated day. `safety`: indices and counts.

    `suds` by session, over minutes since its start.
    """

    id: str
    title: str
    contact_h: float
    latent: Track
    obsessions: Track
    compulsions: Track
    rated: Track
    rated_valid: tuple[bool, ...]
    responses: dict[str, list[float]]
    loop_number: Track
    suds: dict[int, Track]
    scales: dict[str, Track]  # every other scale, `cadss_dose_1` over minutes, `aybocs_rated` over days
    safety: dict[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every arm, and what was asked."""

    request: Request
    people: int
    arms: dict[str, ArmResult]


def compare(request: Request, progress: Callable[[int, int], None] | None = None) -> Comparison:
    """Run every arm on the same people. `progress(done, all)` counts blocks of people times arms."""
    fitting(request.model, request.fixed)
    tallies = [_Tally(request, arm) for arm in request.arms]
    total = len(tallies) * ((people_in(request) - 1) // BLOCK + 1)
    done = 0
    for number, people in enumerate(_people(request)):
        for tally in tallies:
            tally.add(people, Block(max(request.seed, 0), number))
            done += 1
            if progress:
                progress(done, total)
    return Comparison(request, people_in(request), {tally.arm.id: tally.result() for tally in tallies})


def people_in(request: Request) -> int:
    """How many people the request is about."""
    if request.typical:
        return 1
    return request.count if request.people is None else request.people.count


def _people(request: Request) -> Any:
    if request.typical:
        return [reference_person(request.fixed)]
    if request.people is not None:
        starts = range(0, request.people.count, BLOCK)
        return (request.people.rows(slice(start, start + BLOCK)) for start in starts)
    return blocks(request.count, request.seed, request.fixed, request.model.card.signs)


def days_of(arm: Schedule) -> Column:
    """The days at which the latent score is reported: every day from the start."""
    return np.arange(np.floor(arm.first_day), arm.follow_up_days + 1.0)


@dataclass(frozen=True, slots=True)
class Walked:
    """One block of people through one arm."""

    model: LearningModel
    p: Any
    grid: Grid
    drug: DrugInputs
    doing: stepping.Conduct
    track: stepping.Trajectory
    shares: Column


def walk(
    request: Request, arm: Schedule, people: Population, block: Block, grid: Grid, watch: stepping.Watch = ()
) -> Walked:
    """Apply the processes, let the drug act, and step everyone through the grid."""
    on = NONE if request.typical else request.processes
    part = given(people, arm, block, on)
    who = response(people, arm)
    drug = drug_inputs(people, arm, grid.moments(watch), part, request.fixed, who)
    doing = conduct(people, arm, block, on)
    values = values_of(request.model, people, {k: v for k, v in request.fixed.items() if k != "r"})
    mct = constant_of("mct_factor", people, request.fixed)
    p = request.model.parameters(np, values)
    if request.engine == "jax":
        track = compiled.run(request.model, values, grid, drug, doing, mct, watch)
    else:
        track = stepping.run(request.model, p, grid, drug, doing, mct, watch)
    return Walked(request.model, p, grid, drug, doing, track, part)


class _Tally:
    """Collects one arm over blocks."""

    def __init__(self, request: Request, arm: Schedule) -> None:
        self.request, self.arm = request, arm
        self.grid = build(arm, request.fineness)
        self.days = days_of(arm)
        self.rated_days = tuple(sorted({self.grid.start[0].item(), *(d for d in arm.rating_days if d != 0)}))
        self.rules = definitions()
        self.scales = Scales(arm, self.grid, self.days)
        self.day_ends = tuple(self.grid.panel_ending_at(float(day)) for day in self.days[1:])
        top = 40.0
        self.severity = [Spread(self.days.size, 0.0, limit) for limit in (top, top / 2, top / 2)]
        self.rated = Spread(len(self.rated_days), 0.0, top)
        self.loop = Spread(self.days.size, -1e3, 1e3, scale=0.01)
        self.met = dict.fromkeys(self.rules, np.zeros(len(self.rated_days)))
        self.counts: dict[str, float] = {}
        self.people = 0

    def add(self, people: Population, block: Block) -> None:
        request = self.request
        walked = walk(request, self.arm, people, block, self.grid, (*self.scales.watch, *self.day_ends))
        parts = latent(walked.model, walked.p, walked.track, self.grid, self.days)
        for spread, values in zip(self.severity, (parts[0] + parts[1], parts[0], parts[1]), strict=True):
            spread.add(values)
        on = NONE if request.typical else request.processes
        seen = visits(people, walked.model, walked.p, walked.track, self.grid, self.rated_days, block, on)
        self.rated.add(seen.rated)
        for name, number in shares(seen, self.rules).items():
            self.met[name] = self.met[name] + number
        self._signals(people, walked, block, on)
        self.people += people.count

    def _signals(self, people: Population, walked: Walked, block: Block, on: Processes) -> None:
        sessions = len(self.scales.sessions)
        where = (*self.scales.sessions.which, *[-1] * (len(walked.track.watch) - sessions))
        shown = session_signals(walked.model, walked.p, walked.track, self.grid, walked.drug, walked.doing, where)
        self.scales.add(people, shown, walked, block, on)
        self.loop.add(self._loop_numbers(walked))
        lam, V, D = shown.lam[:sessions], shown.V[:sessions], shown.D[:sessions]
        if sessions:
            self._count("sensitised (lam > V) in some session", np.any(lam > V, axis=0))
            ever = np.any(100.0 * D >= _HIGH_SUDS, axis=0)
            self._count(f"SUDS {_HIGH_SUDS:g} or more at some time", ever)
            self._count("left treatment before the last session", ~walked.doing.attends.all(axis=1))
        if walked.shares.size:
            self._count("some dose stopped early or not given", (walked.shares < 1).any(axis=1))
        self._indices(people, walked)

    def _indices(self, people: Population, walked: Walked) -> None:
        free = getattr(walked.p, "free", None)
        if free is None:
            return
        count = self.grid.count
        effect = 0.5 * (walked.drug.E[0 : 2 * count : 2] + walked.drug.E[1 : 2 * count : 2])
        kappa = np.broadcast_to(np.asarray(free.kappa_a, float), (people.count,))
        self._count("aberrant-update index, hours", aberrant_update_hours(kappa, effect.T, self.grid.days))
        zeta = np.broadcast_to(np.asarray(free.zeta, float), (people.count,))
        self._count("paradoxical-anxiety index, mean probability", paradoxical_probability(zeta))

    def _loop_numbers(self, walked: Walked) -> Column:
        """R at the end of every day, 1 at the start by construction."""
        before = len(self.scales.watch)
        rows = 2 * self.grid.count + int(self.grid.closes.sum()) + before + np.arange(len(self.day_ends))
        states = type(walked.track.states)(*(field[before:] for field in walked.track.states))
        u = Inputs(walked.drug.E[rows], walked.drug.F[rows], walked.drug.P[rows], 0.0, 0.0, 1.0)
        numbers = walked.model.observe(np, states, walked.p, u, Phase.BETWEEN).R
        start = walked.model.observe(np, walked.track.rest, walked.p, Inputs(), Phase.BETWEEN).R
        return np.concatenate([np.broadcast_to(start, numbers.shape[1:])[None], numbers])

    def _count(self, name: str, values: Any) -> None:
        self.counts[name] = self.counts.get(name, 0.0) + float(np.sum(values))

    def result(self) -> ArmResult:
        """The finished arm."""
        days = tuple(self.days.tolist())
        total, obsessions, compulsions = (_track(spread, days) for spread in self.severity)
        responses = {name: (number / self.people).tolist() for name, number in self.met.items()}
        return ArmResult(
            id=self.arm.id,
            title=self.arm.title,
            contact_h=self.arm.contact_h,
            latent=total,
            obsessions=obsessions,
            compulsions=compulsions,
            rated=_track(self.rated, self.rated_days),
            rated_valid=tuple(self.arm.rating_valid(day) for day in self.rated_days),
            responses=responses,
            loop_number=_track(self.loop, days),
            suds=dict(_by_place(self.scales.in_session["suds"], self.scales.sessions)),
            scales=self._scales(days),
            safety={name: number / self.people for name, number in self.counts.items()},
        )

    def _scales(self, days: tuple[float, ...]) -> dict[str, Track]:
        """Every other scale by name: `urge_session_3`, `cadss_dose_1`, `rituals_counted` by session."""
        held, found = self.scales, {}
        for name in IN_SESSION[1:]:
            for index, track in _by_place(held.in_session[name], held.sessions):
                found[f"{name}_session_{index + 1}"] = track
        for name in AFTER_DOSE:
            for index, track in _by_place(held.after_dose[name], held.doses):
                found[f"{name}_dose_{index + 1}"] = track
        if self.arm.sessions:
            found["rituals_counted"] = _track(held.rituals, tuple(k + 1.0 for k in range(len(self.arm.sessions))))
        return found | {"aybocs_rated": _track(held.aybocs, days)}


def _by_place(spread: Spread, places: Places) -> Iterator[tuple[int, Track]]:
    """One curve per session or dose, over minutes since its start."""
    if not len(places):
        return
    whole = _track(spread, places.minutes)
    for index, rows in places.groups().items():
        bands = {share: [values[k] for k in rows] for share, values in whole.bands.items()}
        at = tuple(whole.at[k] for k in rows)
        yield index, Track(at, [whole.mean[k] for k in rows], [whole.sd[k] for k in rows], bands)


def _track(spread: Spread, at: tuple[float, ...]) -> Track:
    return Track(at, spread.mean(), spread.sd(), {share: spread.quantile(share) for share in BANDS})
