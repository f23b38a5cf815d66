"""What was advised when: the history agrees with the engine asked at that moment, and is quick enough to read."""

from __future__ import annotations

import time
from typing import Any

import pytest

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import Level
from kerp.records.course import Course
from kerp.records.history import AdviceSpan, advice_history, spans_at
from kerp.records.logfile import Log
from kerp.records.replay import replay
from kerp.session.advice import AdviceState
from kerp.session.advise import advise
from kerp.session.events import Corrected


@pytest.fixture(scope="module")
def course(example_log: Log) -> Course:
    return replay(example_log)


@pytest.fixture(scope="module")
def spans(course: Course) -> tuple[AdviceSpan, ...]:
    return advice_history(course)


def of(spans: tuple[AdviceSpan, ...], rule: str) -> AdviceSpan:
    return next(span for span in spans if span.rule_id == rule)


def minute(course: Course, ms: int) -> float:
    t0_ms = course.views[0].t0_ms
    assert t0_ms is not None
    return (ms - t0_ms) / MS_PER_MIN


def test_at_every_entry_of_the_log_the_history_holds_what_the_engine_advises(course: Course, spans: Any) -> None:
    corrected = next(entry for entry in course.entries if isinstance(entry.event, Corrected))
    for entry in (*course.entries[60::9], corrected):
        now_ms = entry.recorded_ms
        if any(other.recorded_ms == now_ms and other.seq > entry.seq for other in course.entries):
            continue
        asked = {advice.key: advice for advice in advise(course.protocol, course.state, now_ms)}
        assert {span.key for span in spans_at(spans, now_ms)} == set(asked), entry.id


def test_between_entries_an_advice_shows_on_the_minute_it_is_due(course: Course, spans: Any) -> None:
    block = next(span for span in spans if span.rule_id == "exposure.block_time")
    assert minute(course, block.shown_ms) == pytest.approx(21.0, abs=0.01)  # block b2 opened at minute 11
    cadss = of(spans, "prompt.cadss6")
    assert minute(course, cadss.shown_ms) == pytest.approx(20.0, abs=0.01)
    assert not cadss.entries


def test_the_pressure_warning_shows_with_its_reading_and_clears_with_the_next_good_one(
    course: Course, spans: Any
) -> None:
    warned = of(spans, "bp_warn")
    assert (warned.level, warned.who_decides, warned.source) == (Level.WARN, "prescriber", "spravatolabel")
    reading = course.as_read(warned.entries[0]).event
    assert reading.systolic_mmhg == 164
    assert minute(course, warned.shown_ms) == pytest.approx(30.15, abs=0.1)
    assert warned.cleared_ms is not None
    assert course.as_read(warned.cleared_by).event.systolic_mmhg == 158


def test_what_was_done_about_an_advice_stands_beside_it_with_name_and_delay(spans: Any) -> None:
    seen, other = of(spans, "bp_warn"), of(spans, "low_demand_at_peak")
    assert (seen.state, seen.answered_by) == (AdviceState.ACKNOWLEDGED, "Dr Pia")
    assert seen.answered_after_min == pytest.approx(1.05, abs=0.01)
    assert (other.state, other.answered_by) == (AdviceState.OVERRIDDEN, "Theo")
    assert other.answer == "participant wants to go on with the sink"
    assert of(spans, "phase.taper").answered_by == ""


def test_the_day_1_call_is_seen_to_fall_due_although_nobody_wrote_anything(course: Course, spans: Any) -> None:
    call = of(spans, "day1_call")
    assert all(entry.recorded_ms != call.shown_ms for entry in course.entries)
    assert course.as_read(call.cleared_by).event.type == "call"


def test_a_course_of_250_entries_is_read_again_within_seconds(course: Course) -> None:
    started = time.process_time()
    advice_history(course)
    assert time.process_time() - started < 5  # about 1.4 s on one core; the bound is for a busy machine


def test_a_log_that_was_only_opened_has_no_history(tell: Any, course: Course) -> None:
    assert advice_history(replay(tell(course.protocol, []))) == ()
