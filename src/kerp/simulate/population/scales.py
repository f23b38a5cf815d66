"""Collects the readings of `readings` over blocks of people: one spread per scale and place."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerp.base.elapsed import MIN_PER_DAY
from kerp.learning.contract import Signals
from kerp.patient.record import Column, Population
from kerp.protocol.schedule import Schedule
from kerp.simulate.population.grid import Grid
from kerp.simulate.population.outcome import window_means
from kerp.simulate.population.process import Block, Processes
from kerp.simulate.population.readings import (
    AFTER_DOSE,
    IN_SESSION,
    TOPS,
    after_dose,
    dose_places,
    form,
    in_session,
    ritual_counts,
    session_places,
    window_of,
)
from kerp.simulate.population.spread import Spread
from kerp.simulate.population.stepping import Conduct

_MOST_RITUALS = 500.0


class Scales:
    """Every scale besides the Y-BOCS of one arm. `watch`: the panels to watch, those of sessions first."""

    def __init__(self, arm: Schedule, grid: Grid, days: Column) -> None:
        self.arm, self.grid, self.days = arm, grid, days
        self.sessions, self.doses = session_places(arm, grid), dose_places(arm, grid)
        self.watch = (*self.sessions.panels, *self.doses.panels)
        self.in_session = {name: Spread(len(self.sessions), 0.0, TOPS[name]) for name in IN_SESSION}
        self.after_dose = {name: Spread(len(self.doses), 0.0, TOPS[name]) for name in AFTER_DOSE}
        self.rituals = Spread(len(arm.sessions), 0.0, _MOST_RITUALS)
        self.aybocs = Spread(days.size, 0.0, 40.0)

    def add(self, people: Population, shown: Signals, walked: Any, block: Block, on: Processes) -> None:
        """One block: `shown` are its signals at the watched panels, `walked` its run."""
        count = len(self.sessions)
        within = Signals(*(field[:count] for field in shown))
        found = in_session(within, self.sessions, people, self._adherence(walked.doing), block, on)
        for name, values in found.items():
            self.in_session[name].add(values)
        self.rituals.add(ritual_counts(found["rituals_per_h"], self.sessions, self.arm, people, block))
        acute = after_dose(*self._acute(walked, count), self.arm, self.doses, people)
        for name, values in acute.items():
            self.after_dose[name].add(values)
        self.after_dose["yboccs"].add(self._forms("yboccs", walked, self._dose_days(), people, block, on))
        self.aybocs.add(self._forms("aybocs", walked, self.days, people, block, on))

    def _adherence(self, doing: Conduct) -> Column:
        return np.asarray(doing.adherence.T[list(self.sessions.which)])

    def _acute(self, walked: Any, first: int) -> tuple[Column, Column]:
        """O out of session and F at the places after doses, (places, people)."""
        states = type(walked.track.rest)(*(field[first : first + len(self.doses)] for field in walked.track.states))
        obsession = walked.model.severity(np, states, walked.p)[0]
        rows = 2 * self.grid.count + int(self.grid.closes.sum()) + first + np.arange(len(self.doses))
        felt = walked.drug.F[rows]
        return np.broadcast_to(obsession, felt.shape), felt

    def _dose_days(self) -> Column:
        at = [
            self.arm.doses[k].day + m / MIN_PER_DAY for k, m in zip(self.doses.which, self.doses.minutes, strict=True)
        ]
        return np.array(at, float)

    def _forms(self, name: str, walked: Any, days: Column, people: Population, block: Block, on: Processes) -> Column:
        rows = []
        for day in days:
            o, c = window_means(walked.model, walked.p, walked.track, self.grid, float(day), window_of(name))
            rows.append(form(name, o, c, people, f"{day:.6g}", block, on))
        return np.array(rows).reshape(len(rows), people.count)
