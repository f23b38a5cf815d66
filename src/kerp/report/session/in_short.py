"""The first screen: who, which protocol, and what happened, in a dozen lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from kerp.protocol.model import Level
from kerp.records.course import Course
from kerp.records.history import AdviceSpan
from kerp.report.page import Facts
from kerp.report.session.conduct_tables import amount, minutes
from kerp.report.session.score_tables import Rated, before_and_after
from kerp.session.deviations import deviations
from kerp.session.drug_track import DrugStatus
from kerp.session.events import AdverseEvent, MedicationGiven, PatientStop, Withdrawal
from kerp.session.falls import falls_of
from kerp.session.prompts import SlotState, slots_of
from kerp.session.view import View

Pair = tuple[str, Any]


def in_short(course: Course, spans: Sequence[AdviceSpan], rated: Sequence[Rated]) -> tuple[Facts, ...]:
    """Facts of the course, then of what was done and what came of it."""
    return Facts(tuple(_head(course))), Facts(tuple(_happened(course, spans, rated)))


def _head(course: Course) -> Iterator[Pair]:
    opened = course.opened
    yield "Participant", opened.participant + (f", {opened.site}" if opened.site else "")
    yield "Protocol", f"{course.protocol.id}, version {course.protocol.version}"
    yield "Protocol digest", opened.protocol_digest
    rules = opened.stopping_rules_version
    yield "Stopping rules", f"signed, version {rules}" if rules else "the shipped defaults; no site has signed them"
    yield "Sessions", ", ".join(_session(course, view) for view in course.views)


def _session(course: Course, view: View) -> str:
    first = next((item.entry for series in view.record.strands for item in series), None)
    day = course.study_day(first) if first is not None else None
    return view.record.id if day is None else f"{view.record.id} (day {day})"


def _happened(course: Course, spans: Sequence[AdviceSpan], rated: Sequence[Rated]) -> Iterator[Pair]:
    for view in course.views:
        if view.drug.given:
            yield "Dose given", _dose(course, view)
            yield "Felt effect", _felt(view)
        if view.exposure.blocks:
            yield f"Exposure, {view.record.id}", _exposure(view)
    yield "Advice", _advice(spans)
    yield "Harms", _harms(course)
    yield "Deviations", _deviations(course)
    yield "Missing data", _missing(course)
    yield "Primary outcome", _primary(course, rated)
    ended = _ended(course)
    if ended:
        yield "Ended early", ended


def _dose(course: Course, view: View) -> str:
    drug, rule = view.drug, course.protocol.dose
    agent = "study drug" if course.protocol.blinded or rule is None else str(rule.agent)
    if drug.devices:
        count = sum(device.count for device in drug.devices)
        mg = (
            f", {count * rule.device_mg.value:g} mg"
            if rule and rule.device_mg and not course.protocol.blinded
            else ""
        )
        words = f"{count} nasal device{'s' if count != 1 else ''}{mg}"
    else:
        given_mg = None if course.protocol.blinded else drug.dose_given_mg
        amounts = (amount(given_mg, "mg"), amount(drug.volume_given_ml, "mL"))
        words = " in ".join(value for value in amounts if value) or "amount not read off"
    return f"{agent} {words}{_course_of(view)}"


def _course_of(view: View) -> str:
    """How long it ran, how often the rate changed, whether it was stopped early."""
    drug = view.drug
    ended = "" if drug.ended_ms is None or drug.devices else f", minute 0 to {_at(view, drug.ended_ms)}"
    pauses = max(len(drug.segments) - 1, 0)
    held = (
        f", {pauses} pause{'s' if pauses > 1 else ''} or change{'s' if pauses > 1 else ''} of rate" if pauses else ""
    )
    return ended + held + (", stopped early" if drug.status is DrugStatus.STOPPED else "")


def _felt(view: View) -> str:
    effect = view.effect
    if effect.onset_ms is None:
        return "no onset by the effect rule"
    parts = [f"onset {_at(view, effect.onset_ms)} min"]
    parts += [f"peak {effect.peak_value:g} of 10 at {_at(view, effect.peak_ms)} min"] if effect.peak_ms else []
    parts += [f"gone {_at(view, effect.resolved_ms)} min" if effect.resolved_ms else "not recorded as gone"]
    return ", ".join(parts)


def _at(view: View, at_ms: int | None) -> str:
    assert at_ms is not None
    return minutes((at_ms - (view.t0_ms or 0)) / 60_000) or ""


def _exposure(view: View) -> str:
    blocks, falls = view.exposure.blocks, falls_of(view)
    good = [fall for fall in falls if fall.is_habituation]
    words = f"{len(blocks)} block{'s' if len(blocks) != 1 else ''} from minute {_at(view, blocks[0].started_ms)}"
    stopped = view.exposure.stopped_ms
    words += f", stopped at {_at(view, stopped)}" if stopped is not None else ", not recorded as stopped"
    if falls:
        plural = "" if len(falls) == 1 else "s"
        words += f"; {len(falls)} fall{plural} of SUDS, of which {len(good)} may count as habituation"
    return words


def _advice(spans: Sequence[AdviceSpan]) -> str:
    rules = [span for span in spans if not span.is_prompt]
    tally = Counter(span.level for span in rules)
    parts = [f"{tally[level]} {level}" for level in reversed(Level) if tally[level]]
    answered = sum(1 for span in rules if span.answered_by)
    return f"{', '.join(parts) or 'none'}; {answered} answered by a person"


def _harms(course: Course) -> str:
    events, given = course.state.everywhere(AdverseEvent), course.state.everywhere(MedicationGiven)
    serious = sum(1 for item in events if item.event.serious)
    words = f"{len(events)} adverse event{'s' if len(events) != 1 else ''}, {serious} serious"
    return f"{words}; {len(given)} medication{'s' if len(given) != 1 else ''} given"


def _deviations(course: Course) -> str:
    every = deviations(course.protocol, course.state, course.end_ms)
    found = [item for item in every if item.kind != "not_asked"]
    major = sum(1 for item in found if item.major)
    return f"{len(found)}, of which {major} major"


def _missing(course: Course) -> str:
    slots = [slot for view in course.views for slot in slots_of(view)]
    absent = sum(1 for slot in slots if slot.state is not SlotState.ANSWERED)
    return f"{absent} of {len(slots)} prompts not answered in time"


def _primary(course: Course, rated: Sequence[Rated]) -> str:
    table = before_and_after(course, rated)
    if not table.rows:
        return "no valid score before or after"
    name, _, before, _, after, day, _, percent = table.rows[0]
    if before is None or after is None:
        return f"{name}: {'not measured before' if before is None else f'{before} before, no valid score after'}"
    return f"{name} {before} before, {after} on day {day} ({percent} %)"


def _ended(course: Course) -> str:
    stops = course.state.everywhere(PatientStop)
    withdrawals = course.state.everywhere(Withdrawal)
    parts = [f"the participant said stop in session {item.entry.session}" for item in stops]
    parts += [f"withdrawal from {item.event.scope} ({item.event.initiated_by})" for item in withdrawals]
    return "; ".join(parts)
