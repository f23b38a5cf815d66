"""Tables about what went wrong or otherwise than planned: adverse events, medication, intercurrent events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kerp.records.course import Course
from kerp.records.tables.columns import (
    AT_MIN,
    ENTRY,
    PARTICIPANT,
    PLAN,
    SESSION,
    STUDY_DAY,
    Row,
    Table,
    flag,
    number,
    text,
    whole,
)
from kerp.session.drug_track import DrugStatus
from kerp.session.events import (
    AdverseEvent,
    AdverseEventFollowed,
    AnxietyStepTaken,
    MedicationGiven,
    MedicationKind,
    Observed,
    PatientStop,
    Relation,
    Unblinded,
    Withdrawal,
)


def _base(course: Course, item: Observed[Any]) -> Row:
    record = course.state.session(item.entry.session)
    return {
        "participant": course.participant,
        "session": item.entry.session,
        "plan": record.plan_id if record else None,
        "study_day": course.study_day(item.entry),
        "at_min": course.minute(record, item.at_ms) if record else None,
        "entry": item.id,
    }


_WHEN = (PARTICIPANT, SESSION, PLAN, STUDY_DAY, AT_MIN)


def _adverse_events(course: Course) -> Iterator[Row]:
    follow_ups = course.state.everywhere(AdverseEventFollowed)
    for item in course.state.everywhere(AdverseEvent):
        later = [f for f in follow_ups if f.event.adverse_event == item.id]
        ended = next((f for f in reversed(later) if f.event.ended), None)
        grades = [item.event.grade, *(f.event.grade for f in later if f.event.grade is not None)]
        yield _base(course, item) | {
            "code": item.event.code,
            "grade_first": item.event.grade,
            "grade_highest": max(grades),
            "serious": item.event.serious,
            "relation": item.event.relation,
            "ended": ended is not None,
            "ended_study_day": course.study_day(ended.entry) if ended else None,
            "reported_after_h": round((item.entry.recorded_ms - item.entry.occurred_ms) / 3_600_000, 4),
        }


ADVERSE_EVENTS = Table(
    "adverse_events",
    "one adverse event; free text is left out (M22)",
    (
        *_WHEN,
        text("code", "what happened"),
        whole("grade_first", "grade when first recorded", "grade 1-5"),
        whole("grade_highest", "highest grade recorded", "grade 1-5"),
        flag("serious", "serious adverse event"),
        text("relation", "what it is thought to come from", "", Relation),
        flag("ended", "recorded as over"),
        whole("ended_study_day", "study day it was over", "days", "not over"),
        number("reported_after_h", "hours from event to entry", "h"),
        ENTRY,
    ),
    _adverse_events,
)


def _medications(course: Course) -> Iterator[Row]:
    for item in course.state.everywhere(MedicationGiven):
        event = item.event
        yield _base(course, item) | {
            "kind": event.kind,
            "name": event.name,
            "amount": event.amount,
            "route": event.route,
            "rescue": event.rescue,
        }


MEDICATIONS = Table(
    "medications",
    "one medication other than the study drug",
    (
        *_WHEN,
        text("kind", "why it was given; a benzodiazepine may blunt learning", "", MedicationKind),
        text("name", "name"),
        text("amount", "amount as written", "not recorded"),
        text("route", "route", "not recorded"),
        flag("rescue", "given for something that happened in the session"),
        ENTRY,
    ),
    _medications,
)


def _intercurrent(course: Course) -> Iterator[Row]:
    state = course.state
    found: list[tuple[Observed[Any], str, str]] = [
        *(
            (item, f"withdrawal_from_{item.event.scope}", item.event.initiated_by)
            for item in state.everywhere(Withdrawal)
        ),
        *((item, "patient_stop", "participant") for item in state.everywhere(PatientStop)),
        *(
            (item, f"rescue_{item.event.kind}", "clinician")
            for item in state.everywhere(MedicationGiven)
            if item.event.rescue
        ),
        *((item, "unblinding", "clinician") for item in state.everywhere(Unblinded)),
        *(
            (item, f"paradoxical_anxiety_step_{item.event.step}", "clinician")
            for item in state.everywhere(AnxietyStepTaken)
        ),
    ]
    for item, kind, by in found:
        yield _base(course, item) | {"kind": kind, "by": by}
    yield from _incomplete_doses(course)


def _incomplete_doses(course: Course) -> Iterator[Row]:
    for view in course.views:
        if view.drug.status is DrugStatus.STOPPED or view.drug.withheld:
            yield {
                "participant": course.participant,
                "session": view.record.id,
                "plan": view.record.plan_id,
                "study_day": course.study_day(course.as_read(view.drug.t0_entry)) if view.drug.t0_entry else None,
                "at_min": None if view.drug.ended_ms is None else course.minute(view.record, view.drug.ended_ms),
                "kind": "dose_not_completed",
                "by": "clinician",
                "entry": view.drug.t0_entry,
            }


INTERCURRENT = Table(
    "intercurrent_events",
    "one event after the start of treatment that changes what an outcome means (ICH E9(R1))",
    (*_WHEN, text("kind", "what happened"), text("by", "who brought it about"), ENTRY),
    _intercurrent,
)
