"""Tables about the record itself: visits, deviations, what is missing, what was written late or corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from kerp.records.course import Course
from kerp.report.page import Table
from kerp.report.session.conduct_tables import minutes, plain_words
from kerp.session.deviations import Deviation, deviations
from kerp.session.events import Corrected, LateEntryNoted, RatingMissed, Signature
from kerp.session.prompts import Slot, SlotState, slots_of
from kerp.session.state import FlagKind
from kerp.session.visits import visits_of

_FREE_TEXT = {"noted", "transition_overridden", "advice_overridden", "start_corrected"}
_LEFT_OUT = "in the log (free text is not exported, M22)"
_SHOWN_ELSEWHERE = {FlagKind.LATE}


def visits_table(course: Course) -> Table:
    """Visits and calls with their windows."""
    rows = []
    for status in visits_of(course.protocol, course.state, course.end_ms):
        visit = status.visit
        window = f"{visit.day - visit.window_before_days:g} to {visit.day + visit.window_after_days:g}"
        window = window.replace("-", "−")
        state = plain_words(status.state) + (f", {status.tries} tries reached nobody" if status.tries else "")
        day = None if status.day is None else f"{status.day}".replace("-", "−")
        rows.append((visit.title, visit.kind, window, day, state, visit.mandatory))
    columns = ("visit or call", "kind", "window, study days", "done on day", "state when the log ends", "mandatory")
    return Table("Visits and calls", columns, rows, (2, 3))


def deviations_table(course: Course, *, free_text: bool) -> Table:
    """Departures from the protocol: written down by somebody, or read off the record."""
    rows = [
        _deviation(course, found, free_text=free_text)
        for found in deviations(course.protocol, course.state, course.end_ms)
        if found.kind != "not_asked"
    ]
    columns = ("session", "min", "kind", "major", "what")
    return Table("Deviations", columns, rows, (1,), note="Ratings that were not asked stand under missing data.")


def _deviation(course: Course, found: Deviation, *, free_text: bool) -> tuple[Any, ...]:
    record = course.state.session(found.session)
    at_min = course.minute(record, found.at_ms) if record else None
    said = found.text if free_text or found.kind not in _FREE_TEXT else _LEFT_OUT
    return found.session, minutes(at_min), plain_words(found.kind), found.major, said


def missing_table(course: Course) -> Table:
    """What was to be asked and what became of it, prompt by prompt."""
    rows = []
    for view in course.views:
        slots: dict[str, list[Slot]] = {}
        for slot in slots_of(view):
            slots.setdefault(slot.prompt.id, []).append(slot)
        for group in slots.values():
            absent = [slot for slot in group if slot.state is not SlotState.ANSWERED]
            if absent:
                rows.append(_missing(course, view.record.id, group, absent))
    columns = (
        "session",
        "asked for",
        "whose",
        "due",
        "answered",
        "declined",
        "missed",
        "missing at, min",
        "required",
    )
    note = (
        "Missed: not asked in time, or written down later from memory; it stays missing. Declined: asked and not "
        f"answered, with a recorded reason{_reasons(course)}. Prompts that were all answered are not listed."
    )
    return Table("Missing data: prompts not answered in time", columns, rows, (3, 4, 5, 6), note=note)


def _missing(course: Course, session: str, group: list[Slot], absent: list[Slot]) -> tuple[Any, ...]:
    tally = Counter(slot.state for slot in group)
    record = course.state.session(session)
    times = [course.minute(record, slot.due_ms) for slot in absent] if record else []
    known = [minutes(at) for at in times if at is not None]
    shown = ", ".join(at for at in known if at)
    first = group[0].prompt
    return (
        session,
        first.title,
        plain_words(first.asked_by),
        len(group),
        tally[SlotState.ANSWERED],
        tally[SlotState.DECLINED],
        len(group) - tally[SlotState.ANSWERED] - tally[SlotState.DECLINED],
        shown,
        first.required,
    )


def _reasons(course: Course) -> str:
    reasons = Counter(plain_words(item.event.reason) for item in course.state.everywhere(RatingMissed))
    listed = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    return f" ({listed})" if listed else ""


def late_table(course: Course) -> Table:
    """Entries written down late, with why where somebody said so."""
    notes = {item.event.entry: item.event for item in course.state.everywhere(LateEntryNoted)}
    late = [flag for flag in course.state.flags if flag.kind is FlagKind.LATE]
    rows = []
    for flag in late:
        entry = course.state.index.get(flag.entries[-1])
        if entry is None:
            continue
        record, note = course.state.session(entry.session), notes.get(entry.id)
        delay = (entry.recorded_ms - entry.occurred_ms) / 60_000
        at_min = minutes(course.minute(record, entry.occurred_ms)) if record else None
        memory = note.from_memory if note else None
        rows.append((entry.session, at_min, plain_words(entry.event.type), minutes(delay), entry.actor, memory))
    columns = ("session", "happened at, min", "what", "written down after, min", "by", "from memory")
    return Table("Late entries", columns, rows, (1, 3))


def corrections_table(course: Course, *, free_text: bool) -> Table:
    """Corrections: what was read before, what is read now. Nothing was edited."""
    rows = list(_corrections(course, free_text=free_text))
    columns = ["entry", "what", "was", "is read as", "by"] + (["reason"] if free_text else [])
    return Table("Corrections", columns, rows)


def _corrections(course: Course, *, free_text: bool) -> Iterator[tuple[Any, ...]]:
    for applied in course.state.applied:
        event, before = applied.correction.event, applied.before
        if not isinstance(event, Corrected):
            continue
        after = event.replacement or before.event
        moved = (
            ""
            if event.occurred_ms is None
            else f"moved by {(event.occurred_ms - before.occurred_ms) / 60_000:+.1f} min"
        )
        said = "retracted" if event.retracted else moved or _value(after)
        row = (before.seq, plain_words(before.event.type), _value(before.event), said, applied.correction.actor)
        yield (*row, event.reason) if free_text else row


def _value(event: object) -> str:
    """The number of a rating; other events by their type alone, so that no free text slips through."""
    for name in ("value", "weight_kg", "number"):
        value = getattr(event, name, None)
        if value is not None:
            return f"{value:g}"
    return "another content"


def flags_table(course: Course) -> Table:
    """Everything else that is odd about entries."""
    shown = [flag for flag in course.state.flags if flag.kind not in _SHOWN_ELSEWHERE]
    rows = [(flag.session, plain_words(flag.kind), flag.text) for flag in shown]
    return Table("Odd entries: kept, used, and flagged", ("session", "kind", "what"), rows)


def signatures_table(course: Course) -> Table:
    """Who signed what."""
    rows = [
        (item.event.name, plain_words(item.event.meaning), item.event.through_seq, item.entry.local_date)
        for item in course.state.everywhere(Signature)
    ]
    columns = ("name", "meaning", "up to entry", "date")
    return Table("Signatures", columns, rows, (2,), empty="Nobody has signed this record.")
