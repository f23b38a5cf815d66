"""The time grid of a schedule: cut at every event, fine where the drug or an exposure is, a quarter day elsewhere.

A panel is two equal sub-steps, so that Simpson's rule gives its means. The lengths keep the change of the Y-BOCS
under halving below 1e-3 point for everyone drawn, not only for a typical person (tests/simulate): what counts is the
first minutes of a dose (couplings of 2 SD), its first night, and dissolution that goes within a day or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kerp.base.elapsed import MIN_PER_DAY
from kerp.learning.contract import Phase
from kerp.patient.record import Column
from kerp.protocol.schedule import Schedule

# (until minutes after a dose, longest panel in minutes): numerical, not clinical
_AFTER_DOSE = (
    (2.0, 0.25), (15.0, 0.5), (60.0, 1.0), (180.0, 3.0), (360.0, 15.0), (720.0, 30.0),
    (1440.0, 45.0), (2880.0, 60.0), (7200.0, 120.0), (17280.0, 240.0),
)  # fmt: skip
_IN_SESSION_MIN = 10.0
_ELSEWHERE_MIN = 360.0
_SAME = 1e-9  # days: closer marks are one mark


@dataclass(frozen=True, slots=True)
class Grid:
    """Panels in order. `session` is the index of the open session or -1; `closes` marks its last panel."""

    start: Column
    days: Column
    session: Column
    closes: Column
    intensity: Column
    mct: Column
    fineness: int

    @property
    def count(self) -> int:
        return int(self.start.size)

    @property
    def end(self) -> Column:
        return self.start + self.days

    def phase(self, panel: int) -> Phase:
        return Phase.SESSION if self.session[panel] >= 0 else Phase.BETWEEN

    def middles(self) -> Column:
        """Middle of each sub-step, (2 panels,)."""
        return np.stack([self.start + 0.25 * self.days, self.start + 0.75 * self.days], axis=1).ravel()

    def moments(self, watch: tuple[int, ...] = ()) -> Column:
        """Where the drug is needed: middles of all sub-steps, ends of closing panels, ends of watched panels.

        The watched panel -1 is the start.
        """
        watched = np.append(self.end, self.start[0])[list(watch)]
        return np.concatenate([self.middles(), self.end[self.closes], watched])

    def in_sessions(self) -> tuple[int, ...]:
        """The panels of all exposure sessions."""
        return tuple(np.flatnonzero(self.session >= 0).tolist())

    def panel_ending_at(self, day: float) -> int:
        """The panel whose end is this day; -1 at (or before) the start."""
        return int(np.searchsorted(self.end, day + _SAME, side="right")) - 1


def build(
    schedule: Schedule, fineness: int = 1, marks: tuple[float, ...] = (), until_day: float | None = None
) -> Grid:
    """The grid of a schedule. `fineness` 2 halves every step; `marks` are further days to cut at."""
    last = float(schedule.follow_up_days if until_day is None else until_day)
    edges = _edges(schedule, marks, last)
    rows = [row for a, b in pairwise(edges) for row in _panels(schedule, a, b, fineness)]
    start, days, session, closes, intensity = (np.array(column) for column in zip(*rows, strict=True))
    mct = np.isin(np.floor(start + _SAME), np.floor(np.array(schedule.mct_days)))
    return Grid(start, days, session.astype(int), closes.astype(bool), intensity, mct, fineness)


def _edges(schedule: Schedule, marks: tuple[float, ...], last: float) -> list[float]:
    first = float(np.floor(schedule.first_day))
    found = [*np.arange(first, last + 1.0), last, *marks, *(day - 7.0 for day in schedule.rating_days)]
    found += schedule.rating_days
    for session in schedule.sessions:
        found += [session.day, session.end_day]
    for dose in schedule.doses:
        found += [dose.day, dose.day + dose.minutes / MIN_PER_DAY]
        found += [dose.day + minutes / MIN_PER_DAY for minutes, _ in _AFTER_DOSE]
        found += [dose.day + minutes / MIN_PER_DAY for minutes in schedule.vas_min]
    inside = np.sort([day for day in found if first - _SAME <= day <= last + _SAME])
    return [float(day) for day in inside[np.append(True, np.diff(inside) > _SAME)]]


def _panels(schedule: Schedule, a: float, b: float, fineness: int) -> list[tuple[float, float, int, bool, float]]:
    middle = 0.5 * (a + b)
    index = next((k for k, s in enumerate(schedule.sessions) if s.day < middle < s.end_day), -1)
    longest = _IN_SESSION_MIN if index >= 0 else _ELSEWHERE_MIN
    for dose in schedule.doses:
        since = (middle - dose.day) * MIN_PER_DAY
        if dose.active and since > 0:
            longest = min([longest, *(step for until, step in _AFTER_DOSE if since < until)])
    count = max(1, int(np.ceil((b - a) * MIN_PER_DAY / longest - 1e-6))) * fineness
    width = (b - a) / count
    intensity = schedule.sessions[index].intensity if index >= 0 else 0.0
    ends = index >= 0 and abs(schedule.sessions[index].end_day - b) <= _SAME
    return [(a + k * width, width, index, ends and k == count - 1, intensity) for k in range(count)]


def window_weights(grid: Grid, day: float, window_days: float) -> tuple[Column, float]:
    """Weights of the panel means in the mean over `window_days` before `day`, and the weight of the rest before."""
    overlap = np.minimum(grid.end, day) - np.maximum(grid.start, day - window_days)
    weights = np.clip(overlap, 0.0, None) / window_days
    return weights, float(max(1.0 - weights.sum(), 0.0))
