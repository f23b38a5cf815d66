"""Visits and calls of the course: which are due, done, missed, or to be escalated (M13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kerp.base.elapsed import MS_PER_DAY, MS_PER_MIN
from kerp.protocol.model import Protocol, Visit
from kerp.session.calendar import (
    day_start_ms,
    knows_time_of_day,
    local_time_ms,
    study_day_at,
    study_days_between,
)
from kerp.session.drug_track import drug_track
from kerp.session.events import CallBooked, CallMade, Entry, Observed, Strand, VisitHeld
from kerp.session.exposure_track import exposure_track
from kerp.session.state import SessionRecord, State


class VisitState(StrEnum):
    """How a visit stands."""

    PLANNED = "planned"
    DUE = "due"
    ESCALATED = "escalated"  # mandatory, and its hour has passed
    MISSED = "missed"
    DONE = "done"
    DONE_OUTSIDE = "done_outside_window"


@dataclass(frozen=True, slots=True)
class VisitStatus:
    """A visit of the protocol and how it stands. `due_ms` is None while its anchor has not happened."""

    visit: Visit
    state: VisitState
    day: int | None  # study day on which it was done
    due_ms: int | None
    escalate_ms: int | None
    entry: str = ""
    tries: int = 0  # calls that reached nobody
    booked: Observed[CallBooked] | None = None  # the newest; a booking never moves the hour of escalation (M13)
    booked_ms: int | None = None

    def late_at(self, now_ms: int) -> bool:
        """Whether the hour that was agreed has passed, and nobody was reached."""
        done = {VisitState.DONE, VisitState.DONE_OUTSIDE}
        return self.booked_ms is not None and self.state not in done and now_ms > self.booked_ms


def dose_entries(state: State) -> tuple[Entry, ...]:
    """The start of each dose given in the course, in order."""
    return _in_order(record.once(_dose_entry) for record in state.sessions)


def _dose_entry(record: SessionRecord) -> Entry | None:
    return _named(record, Strand.DRUG, drug_track(record).t0_entry)


def exposure_entries(state: State) -> tuple[Entry, ...]:
    """The first exposure of each session, in order."""
    return _in_order(record.once(_first_exposure_entry) for record in state.sessions)


def _first_exposure_entry(record: SessionRecord) -> Entry | None:
    blocks = exposure_track(record).blocks
    return _named(record, Strand.EXPOSURE, min(blocks, key=lambda block: block.started_ms).entry) if blocks else None


def _named(record: SessionRecord, strand: Strand, identifier: str) -> Entry | None:
    return next((item.entry for item in record.strand(strand) if item.id == identifier), None)


def _in_order(found: Iterable[Entry | None]) -> tuple[Entry, ...]:
    return tuple(sorted((entry for entry in found if entry), key=lambda entry: (entry.occurred_ms, entry.seq)))


def anchor_of(state: State, visit: Visit) -> Entry | None:
    """The entry from which the days of a visit are counted."""
    if visit.anchor == "first_exposure":
        return next(iter(exposure_entries(state)), None)
    doses = dose_entries(state) or exposure_entries(state)
    if not doses:
        return None
    return doses[-1] if visit.anchor == "last_dose" else doses[0]


def visits_of(protocol: Protocol, state: State, now_ms: int) -> tuple[VisitStatus, ...]:
    """Every visit of the protocol, in its order."""
    return state.once(_visits, protocol, now_ms)


def _visits(state: State, protocol: Protocol, now_ms: int) -> tuple[VisitStatus, ...]:
    return tuple(visit_status(state, visit, now_ms) for visit in protocol.visits)


def visit_status(state: State, visit: Visit, now_ms: int) -> VisitStatus:
    """How one visit stands at `now_ms`."""
    anchor = anchor_of(state, visit)
    done = _done(state, visit, anchor)
    tries = sum(1 for call in state.everywhere(CallMade) if call.event.visit == visit.id and not call.event.reached)
    due_ms = _day_ms(anchor, visit.day - visit.window_before_days) if anchor else None
    escalate = _escalate_ms(anchor, visit) if anchor else None
    day = study_days_between(anchor, done.entry) if anchor and done else None
    shown = done.id if done else ""
    booked = _booked(state, visit, anchor)
    booked_ms = local_time_ms(booked.entry, booked.event.at) if booked else None
    now = _state(visit, anchor, done, now_ms, escalate)
    return VisitStatus(visit, now, day, due_ms, escalate, shown, tries, booked, booked_ms)


def _booked(state: State, visit: Visit, anchor: Entry | None) -> Observed[CallBooked] | None:
    """The newest booking of a call; one made before its anchor spoke of another dose."""
    found = [item for item in state.everywhere(CallBooked) if item.event.visit == visit.id]
    after = [item for item in found if anchor is None or item.at_ms >= anchor.occurred_ms]
    return max(after, key=lambda item: (item.at_ms, item.entry.seq), default=None)


def _done(state: State, visit: Visit, anchor: Entry | None) -> Observed[VisitHeld] | Observed[CallMade] | None:
    """The entry that counts; a call counts when somebody was reached, a later visit only after its anchor."""
    held = [item for item in state.everywhere(VisitHeld) if item.event.visit == visit.id]
    calls = [item for item in state.everywhere(CallMade) if item.event.visit == visit.id and item.event.reached]
    both: list[Observed[VisitHeld] | Observed[CallMade]] = [*held, *calls]
    found = sorted(both, key=lambda item: item.at_ms)
    after = [item for item in found if visit.day <= 0 or anchor is None or item.at_ms >= anchor.occurred_ms]
    return after[0] if after else None


def _day_ms(anchor: Entry, day: float) -> int:
    return day_start_ms(anchor) + round(day * MS_PER_DAY)


def _escalate_ms(anchor: Entry, visit: Visit) -> int | None:
    """So many hours after midnight of its day. Where the time of day is unknown, the hour of the dose itself."""
    if visit.escalate_after_h is None:
        return None
    hours = visit.escalate_after_h if knows_time_of_day(anchor) else 0.0
    return _day_ms(anchor, visit.day) + round(hours * 60 * MS_PER_MIN)


def _state(
    visit: Visit,
    anchor: Entry | None,
    done: Observed[VisitHeld] | Observed[CallMade] | None,
    now_ms: int,
    escalate_ms: int | None,
) -> VisitState:
    first, last = visit.day - visit.window_before_days, visit.day + visit.window_after_days
    if done is not None:
        inside = anchor is None or first <= study_days_between(anchor, done.entry) <= last
        return VisitState.DONE if inside else VisitState.DONE_OUTSIDE
    if anchor is None:
        return VisitState.DUE if visit.day <= 0 else VisitState.PLANNED
    today = study_day_at(anchor, now_ms)
    if escalate_ms is not None and visit.mandatory and now_ms >= escalate_ms:
        return VisitState.ESCALATED
    if today > last:
        return VisitState.MISSED
    return VisitState.DUE if today >= first else VisitState.PLANNED
