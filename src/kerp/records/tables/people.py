"""Tables about the participant and the course: participants, sessions, visits, guesses, checks."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.elapsed import MS_PER_MIN
from kerp.records.course import Course
from kerp.records.tables.columns import (
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
)  # fmt: skip
from kerp.session.events import (
    ArmGuess,
    ConsentChecked,
    EligibilityItem,
    Guesser,
    HierarchyItem,
    ItemsChosen,
    MetacognitiveSession,
    PatientStop,
    SessionOpened,
    Unblinded,
    Weighed,
    Withdrawal,
    WithdrawalScope,
)
from kerp.session.view import View
from kerp.session.visits import VisitState, visits_of


def _participants(course: Course) -> Iterator[Row]:
    opened, state = course.opened, course.state
    items = state.everywhere(EligibilityItem)
    latest = {item.event.criterion: item.event.met for item in items}
    weights = state.everywhere(Weighed)
    consent = state.everywhere(ConsentChecked)
    withdrawal = state.course.first(Withdrawal)
    yield {
        "participant": course.participant,
        "site": opened.site,
        "protocol": opened.protocol_id,
        "protocol_digest": opened.protocol_digest,
        "stopping_rules_version": opened.stopping_rules_version,
        "engine_version": opened.engine_version,
        "eligible": all(latest.values()) if latest else None,
        "criteria_not_met": "; ".join(sorted(name for name, met in latest.items() if not met)),
        "consent_version": consent[-1].event.version if consent else None,
        "theme": _theme(course),
        "weight_kg": weights[-1].event.weight_kg if weights else None,
        "sessions": len(state.sessions),
        "withdrawn": withdrawal is not None,
        "withdrawal_scope": withdrawal.event.scope if withdrawal else None,
        "withdrawal_study_day": course.study_day(withdrawal.entry) if withdrawal else None,
        "unblinded": bool(state.everywhere(Unblinded)),
    }


def _theme(course: Course) -> str:
    """Theme of the items chosen for sessions, or of the whole hierarchy where none was chosen; several are joined."""
    items = {item.event.item: item.event for item in course.state.everywhere(HierarchyItem)}
    chosen = [name for choice in course.state.everywhere(ItemsChosen) for name in choice.event.items]
    themes = {items[name].theme for name in (chosen or items) if name in items and items[name].theme}
    return "; ".join(sorted(themes))


PARTICIPANTS = Table(
    "participants",
    "one participant",
    (
        PARTICIPANT,
        text("site", "site", "the log names none"),
        text("protocol", "id of the resolved protocol"),
        text("protocol_digest", "digest of the resolved protocol"),
        text("stopping_rules_version", "version of the signed stopping rules", "the site signed none"),
        text("engine_version", "version of the engine that opened the log"),
        flag("eligible", "every criterion that was looked at is met", "no criterion was looked at"),
        text("criteria_not_met", "ids of criteria not met, joined by '; '", "all are met"),
        text("consent_version", "newest version of the consent that was checked", "consent was not checked"),
        text("theme", "theme of the items chosen for sessions", "no item carries a theme"),
        number("weight_kg", "newest weight", "kg", "nobody weighed"),
        whole("sessions", "sessions opened"),
        flag("withdrawn", "the participant withdrew or was withdrawn"),
        text("withdrawal_scope", "what was withdrawn from", "not withdrawn", WithdrawalScope),
        whole("withdrawal_study_day", "study day of withdrawal", "days", "not withdrawn, or before day 0"),
        flag("unblinded", "somebody learned the arm"),
    ),
    _participants,
)


def _exposure_min(view: View) -> float:
    """Minutes in which at least one block was open."""
    ends = [(block.started_ms, block.ended_ms or view.now_ms) for block in view.exposure.blocks]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ends):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return round(sum(end - start for start, end in merged) / MS_PER_MIN, 3)


def _sessions(course: Course) -> Iterator[Row]:
    for view in course.views:
        opened = view.record.first(SessionOpened)
        effect, t0 = view.effect, view.t0_ms
        yield {
            "participant": course.participant,
            "session": view.record.id,
            "plan": view.record.plan_id,
            "site": course.opened.site,
            "study_day": course.study_day(opened.entry) if opened else None,
            "local_date": opened.entry.local_date if opened else None,
            "kind": view.plan.kind if view.plan else None,
            "therapist": _actors(view, "therapist"),
            "nurse": _actors(view, "nurse"),
            "drug_given": view.drug.given,
            "exposure_given": bool(view.exposure.blocks),
            "contact_min": _exposure_min(view),
            "blocks": len(view.exposure.blocks),
            "onset_min": _since(t0, effect.onset_ms),
            "peak_min": _since(t0, effect.peak_ms),
            "highest_felt_effect": effect.highest,
            "resolved_min": _since(t0, effect.resolved_ms),
            "stopped_by_participant": view.record.first(PatientStop) is not None,
            "discharged": view.discharged,
        }


def _actors(view: View, role: str) -> str:
    """Who acted in a role, joined by '; ' in order of appearance."""
    found = (item for series in view.record.strands for item in series if item.entry.role == role)
    return "; ".join(dict.fromkeys(item.actor for item in found))


def _since(t0_ms: int | None, at_ms: int | None) -> float | None:
    return None if t0_ms is None or at_ms is None else round((at_ms - t0_ms) / MS_PER_MIN, 4)


SESSIONS = Table(
    "sessions",
    "one session",
    (
        PARTICIPANT,
        SESSION,
        PLAN,
        text("site", "site", "the log names none"),
        STUDY_DAY,
        text("local_date", "date at the site", "the log carries none"),
        text("kind", "what is given in such a session", "the plan is not in the protocol"),
        text("therapist", "who acted as therapist", "nobody did"),
        text("nurse", "who acted as nurse", "nobody did"),
        flag("drug_given", "administration began"),
        flag("exposure_given", "at least one block was opened"),
        number("contact_min", "minutes with an open exposure block", "min"),
        whole("blocks", "exposure blocks"),
        number("onset_min", "onset of the felt effect after T0, by the effect rule", "min", "no onset"),
        number("peak_min", "peak of the felt effect after T0, by the effect rule", "min", "no peak declared"),
        number("highest_felt_effect", "highest felt-effect rating", "points 0-10", "never rated after T0"),
        number("resolved_min", "felt effect back near baseline, after T0", "min", "not resolved"),
        flag("stopped_by_participant", "the participant said stop"),
        flag("discharged", "the participant was discharged"),
    ),
    _sessions,
)


def _visits(course: Course) -> Iterator[Row]:
    for status in visits_of(course.protocol, course.state, course.end_ms):
        held = bool(status.entry)
        yield {
            "participant": course.participant,
            "visit": status.visit.id,
            "kind": status.visit.kind,
            "planned_day": status.visit.day,
            "anchor": status.visit.anchor,
            "held": held,
            "state": status.state,
            "local_date": course.as_read(status.entry).local_date if held else None,
            "day": status.day,
            "in_window": status.state is VisitState.DONE if held else None,
            "mandatory": status.visit.mandatory,
            "tries": status.tries,
            "entry": status.entry,
        }


VISITS = Table(
    "visits",
    "one visit or call of the protocol",
    (
        PARTICIPANT,
        text("visit", "id of the visit in the protocol"),
        text("kind", "screening, baseline, visit or call"),
        number("planned_day", "planned day", "days after anchor"),
        text("anchor", "what days count from"),
        flag("held", "the visit took place; a call counts when somebody was reached"),
        text("state", "how it stood when the log ended", "", VisitState),
        text("local_date", "date at the site", "not held, or the log carries none"),
        whole("day", "day it was held", "days after anchor", "not held, or nothing given yet"),
        flag("in_window", "held within its window", "no day"),
        flag("mandatory", "the protocol demands it"),
        whole("tries", "calls that reached nobody"),
        text("entry", "id of the log entry the row was read from", "not held"),
    ),
    _visits,
)


def _guesses(course: Course) -> Iterator[Row]:
    for item in course.state.everywhere(ArmGuess):
        event = item.event
        yield {
            "participant": course.participant,
            "session": item.entry.session,
            "study_day": course.study_day(item.entry),
            "by": event.by,
            "visit": event.visit,
            "guess": event.guess,
            "certainty": event.certainty,
            "expected_improvement": event.expected_improvement,
            "entry": item.id,
        }


GUESSES = Table(
    "guesses",
    "one guess of the arm",
    (
        PARTICIPANT,
        SESSION,
        STUDY_DAY,
        text("by", "who guessed", "", Guesser),
        text("visit", "planned visit it belongs to", "within a session"),
        text("guess", "the arm that is believed in; the real arm is not in the log"),
        number("certainty", "how sure", "%", "not asked"),
        number("expected_improvement", "improvement expected", "%", "not asked"),
        ENTRY,
    ),
    _guesses,
)


def _metacognitive(course: Course) -> Iterator[Row]:
    for item in course.state.everywhere(MetacognitiveSession):
        yield {
            "participant": course.participant,
            "session": item.entry.session,
            "study_day": course.study_day(item.entry),
            "module": item.event.module,
            "duration_min": item.event.duration_min,
            "entry": item.id,
        }


METACOGNITIVE = Table(
    "metacognitive_sessions",
    "one metacognitive session (PAPER P33)",
    (
        PARTICIPANT,
        SESSION,
        STUDY_DAY,
        text("module", "module that was worked on"),
        number("duration_min", "duration", "min", "not recorded"),
        ENTRY,
    ),
    _metacognitive,
)
