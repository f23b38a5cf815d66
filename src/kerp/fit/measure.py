"""What a design would measure, and what the model expects there: the bridge from states to data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerp.base.data import ids, path_of
from kerp.base.elapsed import MIN_PER_DAY
from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.tomlfile import TomlDocument, dotted, read_toml
from kerp.learning.contract import Inputs, LearningModel, Phase
from kerp.learning.scales import constant, expectancy, ocd_vas, suds
from kerp.patient.draw import reference_person
from kerp.patient.record import Column, Population
from kerp.patient.response import drug_inputs
from kerp.patient.values import values_of
from kerp.protocol.schedule import Schedule, load_schedule
from kerp.simulate.population.grid import build
from kerp.simulate.population.outcome import latent
from kerp.simulate.population.stepping import Conduct, Trajectory, run

FOLDER = "identify"
MEASURES = ("suds", "dissociative_distress", "ocdvas", "expectancy", "ybocs")
_IN_SESSION = frozenset({"suds", "dissociative_distress"})
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of rating: its error, and in sessions how often it is asked."""

    kind: str
    sd: float
    every_min: float = 0.0


@dataclass(frozen=True, slots=True)
class Arm:
    """A schedule and how many people follow it."""

    schedule: Schedule
    people: int


@dataclass(frozen=True, slots=True)
class Design:
    """Arms and measures."""

    id: str
    title: str
    arms: tuple[Arm, ...]
    measures: tuple[Measure, ...]

    @property
    def people(self) -> int:
        return sum(arm.people for arm in self.arms)


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected data of one arm, (data, people), with names, days and error SD of each datum."""

    names: tuple[str, ...]
    days: Column
    sd: Column
    values: Column


def design_ids() -> list[str]:
    """Ids of the shipped designs."""
    return ids(FOLDER)


def load_design(id_or_path: str, people: int | None = None) -> Design:
    """A shipped design by id, or a file. `people` scales the arms to that total."""
    if id_or_path.endswith(".toml"):
        document = read_toml(Path(id_or_path))
    elif id_or_path in design_ids():
        document = read_toml(path_of(FOLDER, id_or_path))
    else:
        raise UnknownIdError("identification design", id_or_path, design_ids(), field="--design")
    design = parse_design(document, Path(document.where).stem)
    return design if people is None else scaled(design, people)


def parse_design(document: TomlDocument, identifier: str) -> Design:
    """A design from parsed TOML; every fault with its line."""
    reader = _Reader(document)
    reader.form()
    arms = [arm for index, table in enumerate(document.data.get("arms", [])) for arm in reader.arm(index, table)]
    measures = [
        one for kind, table in document.data.get("measures", {}).items() for one in reader.measure(kind, table)
    ]
    if not arms and not reader.faults:
        reader.faults.append(Fault("the design has no arms", where=document.where))
    if not measures and not reader.faults:
        reader.faults.append(Fault("the design measures nothing", where=document.where, allowed=", ".join(MEASURES)))
    if reader.faults:
        raise KerpError(*reader.faults)
    return Design(identifier, str(document.data.get("title", identifier)), tuple(arms), tuple(measures))


class _Reader:
    """Collects every fault of a design file."""

    def __init__(self, document: TomlDocument) -> None:
        self.document = document
        self.faults: list[Fault] = []

    def form(self) -> None:
        """Arms are a list of tables, measures a table of tables; nothing can be read of any other form."""
        arms, measures = self.document.data.get("arms", []), self.document.data.get("measures", {})
        listed = isinstance(arms, list) and all(isinstance(arm, dict) for arm in arms)
        named = isinstance(measures, dict) and all(isinstance(one, dict) for one in measures.values())
        for key, ok, allowed in (("arms", listed, "[[arms]] tables"), ("measures", named, "[measures.KIND] tables")):
            if not ok:
                line = self.document.line_of((key,))
                self.faults.append(Fault("this is of the wrong kind", self.document.where, line, key, "", allowed))
        if self.faults:
            raise KerpError(*self.faults)

    def number(
        self, table: Mapping[str, Any], key: str, path: tuple[str | int, ...], high: float, whole: bool = False
    ) -> float:
        value: Any = table.get(key)
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if real and 0 < value <= high and (value % 1 == 0 or not whole):
            return float(value)
        line = self.document.line_of((*path, key))
        field = dotted((*path, key))
        message = f"a {'whole ' if whole else ''}number above 0 is expected"
        self.faults.append(Fault(message, self.document.where, line, field, str(value), f"0 to {high:g}"))
        return 1.0

    def arm(self, index: int, table: Mapping[str, Any]) -> Iterator[Arm]:
        people = int(self.number(table, "people", ("arms", index), _MOST, whole=True))
        try:
            yield Arm(load_schedule(str(table.get("schedule", ""))), people)
        except KerpError as error:
            self.faults.extend(error.faults)

    def measure(self, kind: str, table: Mapping[str, Any]) -> Iterator[Measure]:
        path = ("measures", kind)
        if kind not in MEASURES:
            line = self.document.line_of(path)
            allowed = ", ".join(MEASURES)
            self.faults.append(Fault("no such measure", self.document.where, line, dotted(path), kind, allowed))
            return
        every = self.number(table, "every_min", path, 240) if kind in _IN_SESSION else 0.0
        yield Measure(kind, self.number(table, "sd_points", path, 100), every)


def scaled(design: Design, people: int) -> Design:
    """The same design with another total, shares of the arms kept (whole people, at least one)."""
    if not len(design.arms) <= people <= _MOST:
        allowed = f"{len(design.arms)} to {_MOST}"
        raise KerpError(
            Fault("the number of people is out of range", field="--n", found=str(people), allowed=allowed)
        )
    arms = tuple(Arm(arm.schedule, max(1, round(arm.people * people / design.people))) for arm in design.arms)
    return Design(design.id, design.title, arms, design.measures)


def expected(
    design: Design, arm: Arm, model: LearningModel, values: Mapping[str, Any], fixed: Mapping[str, float]
) -> Expected:
    """What the model expects in one arm for parameters shaped (people,), real or complex; no process, no chance."""
    schedule = arm.schedule
    occasions = _occasions(design, schedule)
    grid = build(schedule, marks=tuple(one.day for one in occasions))
    watch = tuple(sorted({grid.panel_ending_at(one.day) for one in occasions} - {-1})) or (grid.count - 1,)
    person = reference_person(fixed)
    drug = drug_inputs(person, schedule, grid.moments(watch), fixed=fixed)
    p = model.parameters(np, dict(values_of(model, person, fixed)) | dict(values))
    count = next(iter(values.values())).shape[0]
    track = run(model, p, grid, drug, _full_conduct(person, count, max(len(schedule.sessions), 1)), 1.0, watch)
    rows = 2 * grid.count + int(grid.closes.sum()) + np.arange(len(watch))
    shown = _shown(model, p, track, Inputs(drug.E[rows], drug.F[rows], drug.P[rows], 1.0, 0.0, 1.0))
    place = {panel: k for k, panel in enumerate(watch)}
    data: list[tuple[str, float, float, Any]] = []
    for one in occasions:
        k = place.get(grid.panel_ending_at(one.day))
        if k is not None:
            data.append((f"{one.measure.kind} {one.when}", one.day, one.measure.sd, shown[one.measure.kind][k]))
    for measure in (one for one in design.measures if one.kind == "ybocs"):
        for day in (day for day in schedule.rating_days if schedule.rating_valid(day)):
            week = latent(model, p, track, grid, np.array([day]), constant("ybocs", "window"))
            data.append((f"ybocs day {day:g}", day, measure.sd, week[:, 0].sum(axis=0)))
    if not data:
        message = "these measures give no data in this arm"
        kinds = ", ".join(one.kind for one in design.measures)
        ways = ("suds needs exposure sessions; ybocs needs visits with a week free of doses",)
        raise KerpError(Fault(message, field=f"schedule {schedule.id}", found=kinds, ways_out=ways))
    names, days, sds, means = zip(*data, strict=True)
    table = np.array([np.broadcast_to(mean, (count,)) for mean in means])
    return Expected(names, np.array(days), np.array(sds), table)


def _shown(model: LearningModel, p: Any, track: Trajectory, u: Inputs) -> dict[str, Any]:
    """Every rating at every watched place, (watched, people)."""
    inside = model.observe(np, track.states, p, u, Phase.SESSION)
    outside = model.observe(np, track.states, p, u, Phase.BETWEEN)
    return {
        "suds": suds(inside),
        "dissociative_distress": 100.0 * inside.lam,
        "ocdvas": ocd_vas(outside),
        "expectancy": expectancy(outside),
    }


def _full_conduct(person: Population, count: int, sessions: int) -> Conduct:
    """Everybody comes, with the reference adherence."""
    r = 1.0 / (1.0 + np.exp(-person.traits["adherence_logit"][0]))
    ones = np.ones((count, sessions))
    return Conduct(r * ones, ones, ones.astype(bool))


@dataclass(frozen=True, slots=True)
class _Occasion:
    """A rating: when, and of what."""

    day: float
    measure: Measure
    when: str


def _occasions(design: Design, schedule: Schedule) -> list[_Occasion]:
    """Every rating within sessions, before sessions and after doses."""
    found: list[_Occasion] = []
    for measure in design.measures:
        if measure.every_min:
            found += _within_sessions(measure, schedule)
        elif measure.kind == "ocdvas":
            minutes = [m for m in schedule.vas_min if m > 0]
            found += [
                _Occasion(d.day + m / MIN_PER_DAY, measure, "after dose") for d in schedule.doses for m in minutes
            ]
        elif measure.kind == "expectancy":
            sessions = enumerate(schedule.sessions, start=1)
            found += [_Occasion(s.day, measure, f"before session {k}") for k, s in sessions]
    return found


def _within_sessions(measure: Measure, schedule: Schedule) -> Iterator[_Occasion]:
    """Every so many minutes; a session shorter than that (a probe) is rated once, at its end."""
    for number, session in enumerate(schedule.sessions, start=1):
        minutes = np.arange(measure.every_min, session.minutes + 1e-9, measure.every_min)
        for minute in minutes if minutes.size else (session.minutes,):
            yield _Occasion(session.day + float(minute) / MIN_PER_DAY, measure, f"session {number}")
