"""Tables about how the session was conducted: deviations, advice, what was asked, SUDS falls and their causes."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.elapsed import MS_PER_MIN
from kerp.evidence.sourced import Mark
from kerp.protocol.model import Level, Track
from kerp.records.course import Course
from kerp.records.history import advice_history
from kerp.records.tables.columns import PARTICIPANT, PLAN, SESSION, Row, Table, flag, number, text, whole
from kerp.session.advice import AdviceState
from kerp.session.deviations import deviations
from kerp.session.falls import falls_of
from kerp.session.prompts import SlotState, slots_of

_FREE_TEXT = {"noted", "transition_overridden", "advice_overridden", "start_corrected"}


def _plan(course: Course, session: str) -> str | None:
    record = course.state.session(session)
    return record.plan_id if record else None


def _minute(course: Course, session: str, at_ms: int) -> float | None:
    record = course.state.session(session)
    return course.minute(record, at_ms) if record else None


def _deviations(course: Course) -> Iterator[Row]:
    """Text that a person wrote stays in the log (M22); what the engine says is given."""
    for deviation in deviations(course.protocol, course.state, course.end_ms):
        yield {
            "participant": course.participant,
            "session": deviation.session,
            "plan": _plan(course, deviation.session),
            "at_min": _minute(course, deviation.session, deviation.at_ms),
            "kind": deviation.kind,
            "major": deviation.major,
            "text": None if deviation.kind in _FREE_TEXT else deviation.text,
            "entries": "; ".join(deviation.entries),
        }


DEVIATIONS = Table(
    "deviations",
    "one departure from the protocol, written down by somebody or derived by the engine",
    (
        PARTICIPANT,
        SESSION,
        PLAN,
        number("at_min", "minutes since T0 of the session", "min", "outside a session"),
        text("kind", "kind of deviation"),
        flag("major", "major deviation"),
        text("text", "what the engine says", "written by a person: free text is not exported (M22)"),
        text("entries", "ids of the log entries that show it, joined by '; '", "shown by an absence"),
    ),
    _deviations,
)


def _advice(course: Course) -> Iterator[Row]:
    for span in advice_history(course):
        if span.is_prompt:
            continue
        yield {
            "participant": course.participant,
            "session": span.session,
            "plan": _plan(course, span.session),
            "rule": span.rule_id,
            "level": span.level,
            "track": span.track,
            "first_min": _minute(course, span.session, span.shown_ms),
            "cleared_min": None if span.cleared_ms is None else _minute(course, span.session, span.cleared_ms),
            "who_decides": span.who_decides,
            "answer": span.state,
            "answered_by": span.answered_by,
            "answered_after_min": span.answered_after_min,
            "step": span.step,
            "source": span.source,
            "mark": span.mark,
        }


ADVICE = Table(
    "advice",
    "one advice the engine gave, from when it first showed until it cleared; what is due: table prompts",
    (
        PARTICIPANT,
        SESSION,
        PLAN,
        text("rule", "rule id"),
        text("level", "how loud", "", Level),
        text("track", "what it concerns", "", Track),
        number("first_min", "first shown, after T0", "min", "before T0 was known, or outside a session"),
        number("cleared_min", "cleared, after T0", "min", "not cleared, or outside a session"),
        text("who_decides", "who decides"),
        text("answer", "what was done with it", "", AdviceState),
        text("answered_by", "who answered", "nobody did"),
        number("answered_after_min", "minutes until it was answered", "min", "nobody did"),
        whole("step", "step of a graded response that was reached", "step"),
        text("source", "source of the threshold or phase"),
        text("mark", "how sure the source is", "", Mark),
    ),
    _advice,
)


def _asked(course: Course) -> Iterator[Row]:
    for view in course.views:
        for slot in slots_of(view):
            yield {
                "participant": course.participant,
                "session": view.record.id,
                "plan": view.record.plan_id,
                "prompt": slot.prompt.id,
                "instrument": slot.prompt.instrument,
                "asked_by": slot.prompt.asked_by,
                "due_min": course.minute(view.record, slot.due_ms),
                "state": slot.state,
                "required": slot.prompt.required,
                "entry": slot.answer,
            }


ASKED = Table(
    "prompts",
    "one moment at which something was to be asked, and what became of it",
    (
        PARTICIPANT,
        SESSION,
        PLAN,
        text("prompt", "id of the prompt in the protocol"),
        text("instrument", "what was to be asked"),
        text("asked_by", "whose it was"),
        number("due_min", "due, after T0", "min", "the session has no T0"),
        text("state", "what became of it; a missed one stays missed (M9)", "", SlotState),
        flag("required", "the protocol demands it"),
        text("entry", "id of the log entry that answers it", "not answered"),
    ),
    _asked,
)


def _falls(course: Course) -> Iterator[Row]:
    for view in course.views:
        for fall in falls_of(view):
            yield {
                "participant": course.participant,
                "session": view.record.id,
                "plan": view.record.plan_id,
                "block": fall.block,
                "item": fall.item,
                "from_min": course.minute(view.record, fall.from_ms),
                "to_min": course.minute(view.record, fall.to_ms),
                "minutes": round((fall.to_ms - fall.from_ms) / MS_PER_MIN, 4),
                "suds_from": fall.from_suds,
                "suds_to": fall.to_suds,
                "possible_causes": "; ".join(fall.causes),
                "habituation": fall.is_habituation,
                "judged_by": fall.judged_by,
            }


FALLS = Table(
    "suds_falls",
    "one unbroken fall of SUDS within a block, and what it may come from (M10)",
    (
        PARTICIPANT,
        SESSION,
        PLAN,
        text("block", "exposure block"),
        text("item", "item of the hierarchy"),
        number("from_min", "highest rating, after T0", "min"),
        number("to_min", "lowest rating, after T0", "min"),
        number("minutes", "how long it took", "min"),
        whole("suds_from", "highest rating", "SUDS 0-100"),
        whole("suds_to", "lowest rating", "SUDS 0-100"),
        text("possible_causes", "habituation, ritual, avoidance, distraction, drug, joined by '; '"),
        flag("habituation", "may be counted as habituation: none of the other causes is possible"),
        text("judged_by", "clinician who named the causes", "derived from the record"),
    ),
    _falls,
)
