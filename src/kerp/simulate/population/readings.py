"""Every scale besides the Y-BOCS, read where a session or a dose would be rated: what the tables of arms hold.

In session every five minutes from its start: SUDS (as held, and as answered with error and digit preference),
expectancy, urge, rituals per hour. After each dose at the schedule's minutes: OCD-VAS, felt effect, CADSS, and the
YBOCCS over its past hour. Per session: rituals counted. Daily: the A-YBOCS over its past day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy import special

from kerp.base.elapsed import MIN_PER_DAY
from kerp.drug.cadss import drawn_person, mean_total
from kerp.learning.contract import Signals
from kerp.learning.scales import (
    constant,
    expectancy,
    felt_effect,
    ocd_vas,
    rated,
    ritual_rate_per_h,
    suds,
    urge,
    windows_days,
    ybocs_rated,
)
from kerp.patient.record import Column, Population
from kerp.protocol.schedule import Schedule
from kerp.simulate.population.grid import Grid
from kerp.simulate.population.process import Block, Processes

_EVERY_MIN = 5.0  # how often a curve in session is read: display, not protocol
IN_SESSION = ("suds", "suds_answered", "expectancy", "urge", "rituals_per_h", "ocdvas")
AFTER_DOSE = ("ocdvas", "felt_effect", "cadss", "yboccs")
TOPS: Mapping[str, float] = {
    "suds": 100.0, "suds_answered": 100.0, "expectancy": 100.0, "urge": 100.0, "rituals_per_h": 60.0,
    "ocdvas": 10.0, "felt_effect": 10.0, "cadss": 92.0, "yboccs": 40.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Places:
    """Where something is read: the panel after which (-1 at the start), which session or dose, minutes since it."""

    panels: tuple[int, ...]
    which: tuple[int, ...]
    minutes: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.panels)

    def groups(self) -> dict[int, list[int]]:
        """Positions of each session or dose."""
        return {key: list(rows) for key, rows in groupby(range(len(self)), key=lambda k: self.which[k])}


def session_places(schedule: Schedule, grid: Grid) -> Places:
    """The start of every session, every five minutes, and its end."""
    found: list[tuple[int, int, float]] = []
    for index, session in enumerate(schedule.sessions):
        inside = np.flatnonzero(grid.session == index)
        if not inside.size:
            continue
        if inside[0] == 0 or not grid.closes[inside[0] - 1]:  # else the session before has not been closed there
            found.append((int(inside[0]) - 1, index, 0.0))
        last = 0.0
        for panel in inside:
            minute = round(float(grid.end[panel] - session.day) * MIN_PER_DAY, 3)
            if minute - last >= _EVERY_MIN - 1e-6 or panel == inside[-1]:
                found.append((int(panel), index, minute))
                last = minute
    return _places(found)


def dose_places(schedule: Schedule, grid: Grid) -> Places:
    """The minutes after each dose at which the acute scales are asked; before the start everyone is at rest."""
    found = []
    for index, dose in enumerate(schedule.doses):
        for minute in schedule.vas_min:
            day = dose.day + minute / MIN_PER_DAY
            if day <= float(grid.end[-1]) + 1e-9:
                found.append((grid.panel_ending_at(day), index, minute))
    return _places(found)


def _places(rows: list[tuple[int, int, float]]) -> Places:
    panels, which, minutes = zip(*rows, strict=True) if rows else ((), (), ())
    return Places(tuple(panels), tuple(which), tuple(minutes))


def in_session(
    shown: Signals, places: Places, people: Population, adherence: Column, block: Block, on: Processes
) -> dict[str, Column]:
    """Ratings by measure, (places, people); `shown` and `adherence` at these places, absent people not a number."""
    m = people.parameters.get("m", 1.0)
    return {
        "suds": suds(shown),
        "suds_answered": _answered(suds(shown), places, people, block, on),
        "expectancy": expectancy(shown),
        "urge": urge(shown),
        "rituals_per_h": ritual_rate_per_h(shown, m, adherence),
        "ocdvas": ocd_vas(shown),
    }


def ritual_counts(per_h: Column, places: Places, schedule: Schedule, people: Population, block: Block) -> Column:
    """Overt rituals counted in each session, (sessions, people): Poisson around the mean rate of its readings."""
    chance = block.uniform("rituals counted", max(len(schedule.sessions), 1))[: people.count]
    counts = np.full((len(schedule.sessions), people.count), np.nan)
    for index, rows in places.groups().items():
        expected = np.maximum(per_h[rows].mean(axis=0) * schedule.sessions[index].minutes / 60.0, 1e-12)
        drawn = np.ceil(np.maximum(np.nan_to_num(special.pdtrik(chance[:, index], expected)), 0.0))
        counts[index] = np.where(
            np.isfinite(per_h[rows[0]]), np.where(chance[:, index] <= np.exp(-expected), 0.0, drawn), np.nan
        )
    return counts


def _answered(mean: Column, places: Places, people: Population, block: Block, on: Processes) -> Column:
    """SUDS as people say it: with error, and in fives where digit preference is on."""
    if not on.rater_error:
        return mean
    digit = constant("suds", "digit") if on.digits else 0.0
    names = [f"suds {s} {minute:g}" for s, minute in zip(places.which, places.minutes, strict=True)]
    errors = [block.error(name, 1)[: people.count, 0] for name in names]
    rows = [rated(row, constant("suds", "sd"), e, 100.0, digit) for row, e in zip(mean, errors, strict=True)]
    return np.array(rows).reshape(mean.shape)


def after_dose(
    obsession: Column, felt: Column, schedule: Schedule, places: Places, people: Population
) -> dict[str, Column]:
    """OCD-VAS, felt effect and CADSS (its expected total), (places, people), from O and F at these places."""
    routes = [schedule.doses[dose].route for dose in places.which]
    person = {route: _readiness(route, people) for route in set(routes)}
    cadss = [mean_total(row[:, None], route, person[route])[:, 0] for row, route in zip(felt, routes, strict=True)]
    return {
        "ocdvas": 10.0 * obsession,
        "felt_effect": felt_effect(felt, people.traits["felt_use"]),
        "cadss": np.array(cadss).reshape(felt.shape),
    }


def _readiness(route: str, people: Population) -> Column:
    """How readily each person dissociates; the typical one where the drug response is typical."""
    seeds, numbers = people.traits["drug_seed"], people.traits["number"]
    found = np.ones(people.count)
    for seed in np.unique(seeds[seeds >= 0]):
        own = np.flatnonzero(seeds == seed)
        first, last = int(numbers[own].min()), int(numbers[own].max())
        found[own] = drawn_person(route, last - first + 1, int(seed), first)[numbers[own] - first]
    return found


def form(name: str, O: Column, C: Column, people: Population, key: str, block: Block, on: Processes) -> Column:  # noqa: E741  symbols of MODEL.md
    """A Y-BOCS form (A-YBOCS, YBOCCS) as rated from the means of its own window: whole points, 0-40."""
    errors = block.error(f"{name} {key}", 2)[: people.count] if on.rater_error else np.zeros((people.count, 2))
    return np.asarray(ybocs_rated(O, C, people.traits["scale_use"], errors))


def window_of(name: str) -> float:
    """Days a form asks about."""
    return windows_days()[name]
