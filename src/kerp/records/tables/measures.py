"""Tables about what was measured: ratings, vital signs, scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kerp.base.elapsed import MS_PER_MIN
from kerp.instrument.model import Instrument
from kerp.instrument.score import Score, score
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
from kerp.session.calendar import study_days_between
from kerp.session.events import (
    ExpectancyRated,
    FeltEffectRated,
    LateEntryNoted,
    Observed,
    RatingMissed,
    Ritual,
    RitualSeen,
    ScaleAnswered,
    SedationRated,
    SudsRated,
    UrgeRated,
    VitalsTaken,
)
from kerp.session.visits import dose_entries


def _base(course: Course, item: Observed[Any]) -> Row:
    record = course.state.session(item.entry.session)
    return {
        "participant": course.participant,
        "session": item.entry.session,
        "plan": record.plan_id if record else None,
        "study_day": course.study_day(item.entry),
        "at_min": course.minute(record, item.at_ms) if record else None,
        "entry": item.id,
        "recorded_after_min": round((item.entry.recorded_ms - item.entry.occurred_ms) / MS_PER_MIN, 4),
    }


_WHEN = (PARTICIPANT, SESSION, PLAN, STUDY_DAY, AT_MIN)
_LATE = number("recorded_after_min", "minutes from observation to entry; large = late entry (M9)", "min")


def _ratings(course: Course) -> Iterator[Row]:
    state = course.state
    memory = {note.event.entry for note in state.everywhere(LateEntryNoted) if note.event.from_memory}
    found: list[tuple[Observed[Any], str, float | None, str]] = [
        *((item, "suds", float(item.event.value), "") for item in state.everywhere(SudsRated)),
        *((item, "urge", float(item.event.value), "") for item in state.everywhere(UrgeRated)),
        *((item, "felt_effect", float(item.event.value), "") for item in state.everywhere(FeltEffectRated)),
    ]
    found += [(item, "moaas", float(item.event.moaas), "") for item in state.everywhere(SedationRated)]
    found += [(item, item.event.instrument, None, item.event.reason) for item in state.everywhere(RatingMissed)]
    found += _expectancies(course)
    for item, measure, value, reason in sorted(found, key=lambda row: (row[0].at_ms, row[0].entry.seq, row[1])):
        yield _base(course, item) | {
            "measure": measure,
            "value": value,
            "missing_reason": reason,
            "rated_by": getattr(item.event, "rated_by", None),
            "block": getattr(item.event, "block", None),
            "from_memory": item.id in memory,
        }


def _expectancies(course: Course) -> list[tuple[Observed[Any], str, float | None, str]]:
    found: list[tuple[Observed[Any], str, float | None, str]] = []
    for item in course.state.everywhere(ExpectancyRated):
        when = "after" if item.event.after else "before"
        found.append((item, f"expectancy_{when}", float(item.event.probability_pct), ""))
        if item.event.worst_distress is not None:
            found.append((item, f"worst_distress_{when}", float(item.event.worst_distress), ""))
    return found


RATINGS = Table(
    "ratings",
    "one rating that was asked for: SUDS, urge, felt effect, expectancy, MOAA/S; given or missed",
    (
        *_WHEN,
        text("measure", "what was rated"),
        number("value", "the rating", "points of the measure", "missed: see missing_reason"),
        text("missing_reason", "why there is no rating", "it was given"),
        text("rated_by", "who rated", "missed"),
        text("block", "exposure block it belongs to", "not tied to a block"),
        flag("from_memory", "written from memory"),
        _LATE,
        ENTRY,
    ),
    _ratings,
)


def _vitals(course: Course) -> Iterator[Row]:
    for item in course.state.everywhere(VitalsTaken):
        event = item.event
        yield _base(course, item) | {
            "systolic_mmhg": event.systolic_mmhg,
            "diastolic_mmhg": event.diastolic_mmhg,
            "heart_rate_per_min": event.heart_rate_per_min,
            "spo2_pct": event.spo2_pct,
            "respiratory_rate_per_min": event.respiratory_rate_per_min,
        }


VITALS = Table(
    "vitals",
    "one set of vital signs",
    (
        *_WHEN,
        whole("systolic_mmhg", "systolic blood pressure", "mmHg", "not taken"),
        whole("diastolic_mmhg", "diastolic blood pressure", "mmHg", "not taken"),
        whole("heart_rate_per_min", "heart rate", "/min", "not taken"),
        number("spo2_pct", "oxygen saturation", "%", "not taken"),
        whole("respiratory_rate_per_min", "respiratory rate", "/min", "not taken"),
        _LATE,
        ENTRY,
    ),
    _vitals,
)


def _rituals(course: Course) -> Iterator[Row]:
    for item in course.state.everywhere(RitualSeen):
        event = item.event
        yield _base(course, item) | {
            "kind": event.kind,
            "judged_by": event.judged_by,
            "block": event.block,
            "count": event.count,
            "duration_s": event.duration_s,
        }


RITUALS = Table(
    "rituals",
    "one ritual, mental ritual, reassurance, avoidance or distraction that was seen",
    (
        *_WHEN,
        text("kind", "what took the place of extinction (PAPER P22)", "", Ritual),
        text("judged_by", "who judged it so"),
        text("block", "exposure block it fell into", "outside a block"),
        whole("count", "how many"),
        number("duration_s", "how long", "s", "not timed"),
        _LATE,
        ENTRY,
    ),
    _rituals,
)


def _scores(course: Course) -> Iterator[Row]:
    for item in course.state.everywhere(ScaleAnswered):
        instrument = course.instrument(item.event.instrument)
        result = score(instrument, item.event.answers)
        shared = _base(course, item) | _about(course, instrument, result, item)
        yield shared | {"subscale": "total", "value": result.total}
        for part in result.subscales:
            yield shared | {"subscale": part.id, "value": part.value}


def _about(course: Course, instrument: Instrument, result: Score, item: Observed[ScaleAnswered]) -> Row:
    straddles = _dose_within_period(course, instrument, item)
    invalid = straddles and instrument.period.must_not_straddle_dose
    return {
        "instrument": instrument.id,
        "version": item.event.version,
        "complete": result.complete,
        "items_missing": len(result.missing),
        "band": result.band.id if result.band else None,
        "rated_by": item.event.rated_by,
        "rater_role": item.entry.role,
        "dose_in_reference_period": straddles,
        "valid_for_analysis": not invalid,
        "text_pack": item.event.text_pack,
    }


def _dose_within_period(course: Course, instrument: Instrument, item: Observed[ScaleAnswered]) -> bool:
    """Whether a dose lies in the stretch of time the answers speak of (M1)."""
    for dose in dose_entries(course.state):
        minutes = (item.at_ms - dose.occurred_ms) / MS_PER_MIN
        if minutes < 0:
            continue
        days = study_days_between(dose, item.entry)
        if instrument.period.straddles(study_days_since_dose=days, minutes_since_dose=minutes):
            return True
    return False


SCORES = Table(
    "scores",
    "one score or subscale score of a set of answers; scored when read, from the answers in the log",
    (
        *_WHEN,
        text("instrument", "id of the instrument; Y-BOCS and Y-BOCS-II are never mixed"),
        text("version", "version of the instrument"),
        text("subscale", "'total', or id of the subscale"),
        number("value", "the score", "points", "an item it needs has no answer: never a zero (M21)"),
        flag("complete", "every item that should be answered is"),
        whole("items_missing", "items without an answer", "items"),
        text("band", "band of the total", "no total, or the instrument has no bands"),
        text("rated_by", "who rated"),
        text("rater_role", "role of who recorded it", "not recorded"),
        flag("dose_in_reference_period", "a dose lies in the period the answers speak of (M1)"),
        flag("valid_for_analysis", "false where such a dose makes the score invalid"),
        text("text_pack", "hash of the wording that was shown", "the wording shipped with kerp, or not recorded"),
        _LATE,
        ENTRY,
    ),
    _scores,
)
