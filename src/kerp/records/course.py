"""A log read once: state, sessions as they ended, study days. What tables and reports look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from kerp.base.elapsed import MS_PER_MIN
from kerp.instrument.model import Instrument
from kerp.protocol.model import Protocol
from kerp.records.logfile import Log
from kerp.session.calendar import study_days_between
from kerp.session.events import Entry, LogOpened
from kerp.session.fold import fold
from kerp.session.state import SessionRecord, State
from kerp.session.view import View, views_of
from kerp.session.visits import dose_entries, exposure_entries


@dataclass(frozen=True)
class Course:
    """One participant's course. `instrument` gives an instrument by id (it reads a file, so it comes in)."""

    protocol: Protocol
    entries: tuple[Entry, ...]
    instrument: Callable[[str], Instrument]

    @cached_property
    def state(self) -> State:
        """Everything read."""
        return fold(self.protocol, self.entries)

    @property
    def opened(self) -> LogOpened:
        """What the log was opened with."""
        event = self.entries[0].event
        assert isinstance(event, LogOpened)
        return event

    @property
    def participant(self) -> str:
        """Study code."""
        return self.opened.participant

    @property
    def end_ms(self) -> int:
        """The newest moment the log knows of."""
        return max((max(entry.recorded_ms, entry.occurred_ms) for entry in self.entries), default=0)

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Every session as it ended, in order."""
        return tuple(sorted(views_of(self.protocol, self.state, self.end_ms), key=_began))

    @cached_property
    def day_zero(self) -> Entry | None:
        """The entry that began the first dose, or, in a drug-free course, the first exposure."""
        return next(iter(dose_entries(self.state) or exposure_entries(self.state)), None)

    def study_day(self, entry: Entry) -> int | None:
        """Study day of an entry; None before anything was given."""
        return None if self.day_zero is None else study_days_between(self.day_zero, entry)

    def minute(self, record: SessionRecord, at_ms: int) -> float | None:
        """Minutes since T0 of a session."""
        view = next((view for view in self.views if view.record.id == record.id), None)
        if view is None or view.t0_ms is None:
            return None
        return round((at_ms - view.t0_ms) / MS_PER_MIN, 4)

    def as_read(self, identifier: str) -> Entry:
        """An entry as it is read now, corrections applied; `KeyError` when it does not stand."""
        for record in (self.state.course, *self.state.sessions):
            for series in record.strands:
                for item in series:
                    if item.id == identifier:
                        return item.entry
        raise KeyError(identifier)


def _began(view: View) -> int:
    starts = [next(iter(series)).at_ms for series in view.record.strands if len(series)]
    return min(starts, default=0)


def course_of(log: Log, protocol: Protocol, instrument: Callable[[str], Instrument]) -> Course:
    """The course a log tells, read under `protocol` (its own: `kerp.records.replay.protocol_of`)."""
    return Course(protocol, log.entries, instrument)
