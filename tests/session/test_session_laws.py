"""Laws of the engine, on random logs."""

import datetime as dt
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from session_logs import EVENTS, GENERATED, Log, as_json, logs, ms, prepared, started

from kerp.base.errors import KerpError
from kerp.protocol.vocabulary import RULE_KINDS as ALLOWED_KINDS
from kerp.session import events as ev
from kerp.session.advice import MORE_EXPOSURE, Action
from kerp.session.advise import advise
from kerp.session.codec import decode, encode, secret_fields
from kerp.session.decide import Accepted, Record, Refused, Request, decide
from kerp.session.deviations import deviations
from kerp.session.drug_track import drug_track
from kerp.session.exposure_track import exposure_track
from kerp.session.fold import as_of, fold, step
from kerp.session.rules import RULE_KINDS
from kerp.session.state import FlagKind, State
from kerp.session.status import status

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
END = 300  # minutes: after everything a generated log can hold


@quick
@given(logs(), st.data())
def test_reading_a_log_in_parts_gives_what_reading_it_whole_gives(log, data):
    cut = data.draw(st.integers(0, len(log.entries)))
    whole = fold(log.protocol, log.entries)
    parts = fold(log.protocol, log.entries[cut:], fold(log.protocol, log.entries[:cut]))
    one_by_one = State()
    for entry in log.entries:
        one_by_one = step(log.protocol, one_by_one, entry)
    assert parts == whole
    assert one_by_one == whole


@quick
@given(logs())
def test_reading_entries_again_changes_nothing(log):
    state = log.state
    for entry in log.entries:
        assert step(log.protocol, state, entry) is state
    assert fold(log.protocol, log.entries, state) == state


@quick
@given(logs(), st.integers(-100_000, 100_000))
def test_shifting_the_wall_clock_changes_nothing_within_a_session(log, shift_min):
    shifted = [with_clock(entry, dt.timedelta(minutes=shift_min)) for entry in log.entries]
    assert [e.wall_clock for e in shifted] != [e.wall_clock for e in log.entries] or not shift_min
    before, after = log.view(END), Log.view(shallow(log, shifted), END)
    for name in ("drug", "exposure", "changes", "t0_ms"):
        assert getattr(before, name) == getattr(after, name)
    assert replace(before.effect, last=None) == replace(after.effect, last=None)
    assert (
        status(log.protocol, before.state, ms(END), "s1").slots
        == status(log.protocol, after.state, ms(END), "s1").slots
    )
    in_session = [a for a in advise(log.protocol, before.state, ms(END)) if a.session]
    assert in_session == [a for a in advise(log.protocol, after.state, ms(END)) if a.session]


def with_clock(entry: ev.Entry, shift: dt.timedelta) -> ev.Entry:
    wall = dt.datetime.fromisoformat(entry.wall_clock) + shift
    return replace(entry, wall_clock=wall.isoformat(), local_date=str(wall.date()))


def shallow(log: Log, entries: list[ev.Entry]) -> Log:
    copy = Log.__new__(Log)
    copy.protocol, copy.entries = log.protocol, entries
    return copy


@quick
@given(logs(), st.floats(-30, -1))
def test_correcting_minute_0_moves_everything_that_depends_on_it(log, minute):
    start = next(e for e in log.entries if isinstance(e.event, ev.AdministrationStarted))
    assume(not any(isinstance(e.event, ev.Corrected) and e.event.entry == start.id for e in log.entries))
    as_if = [replace(e, occurred_ms=ms(minute)) if e is start else e for e in log.entries]
    log.correct(END, start.id, occurred_ms=ms(minute))
    corrected, from_the_start = log.view(END + 1), Log.view(shallow(log, as_if), END + 1)
    others = [e for e in log.entries if e.id != start.id and isinstance(e.event, ev.DeviceGiven | ev.Corrected)]
    assert corrected.t0_ms == from_the_start.t0_ms
    assert others or corrected.t0_ms == ms(minute) or len(corrected.drug.starts) > 1
    for name in ("drug", "exposure", "effect", "changes"):
        assert getattr(corrected, name) == getattr(from_the_start, name)
    assert status(log.protocol, corrected.state, ms(END + 1), "s1").slots == (
        status(log.protocol, from_the_start.state, ms(END + 1), "s1").slots
    )
    moved = [d for d in deviations(log.protocol, corrected.state, ms(END + 1)) if d.kind == "start_corrected"]
    assert any(start.id in d.entries for d in moved)


@quick
@given(logs(), st.data())
def test_advice_at_a_moment_does_not_depend_on_what_came_later(log, data):
    cut = data.draw(st.integers(len(prepared().entries), len(log.entries)))
    now = log.entries[cut - 1].recorded_ms
    known = [e for e in log.entries if e.recorded_ms <= now]
    then = advise(log.protocol, fold(log.protocol, known), now)
    assert advise(log.protocol, log.state, now) == then
    assert as_of(log.protocol, log.state, now) == fold(log.protocol, known)


@quick
@given(logs(most=60))
def test_an_entry_survives_being_written_and_read(log):
    for entry in log.entries:
        assert decode(json.loads(as_json(encode(entry)))) == entry


@quick
@given(logs())
def test_an_event_of_an_unknown_type_is_kept_and_reported(log):
    unknown = {"type": "pupil_diameter", "millimetres": 6.5, "eyes": ["left", {"right": None}]}
    data = encode(replace(log.entries[-1], seq=len(log.entries) + 1, id="new")) | {"event": unknown}
    entry = decode(data)
    assert encode(entry)["event"] == unknown
    state = step(log.protocol, log.state, entry)
    assert tuple(state.entries)[-1] == entry
    assert [f for f in state.flags if f.kind is FlagKind.UNKNOWN_EVENT and f.entries == ("new",)]


ENDINGS = st.sampled_from([
    ev.Withdrawal(scope=ev.WithdrawalScope.EXPOSURE, initiated_by=ev.Initiator.PARTICIPANT),
    ev.Withdrawal(scope=ev.WithdrawalScope.STUDY, initiated_by=ev.Initiator.CLINICIAN),
    ev.PatientStop(),
])  # fmt: skip


@quick
@given(logs(most=12), ENDINGS, st.lists(EVENTS, max_size=12), st.integers(40, 200))
def test_after_a_withdrawal_or_a_stop_nothing_asks_for_more_exposure(log, ending, later, minute):
    log.at(40, ending)
    kept = [event for event in later if not isinstance(event, ev.Corrected)]
    for offset, event in enumerate(kept, start=1):
        log.at(40 + offset, event)
    for advice in log.advice(minute + len(kept)):
        if advice.session in {"s1", ""}:
            assert advice.proposes not in MORE_EXPOSURE, advice
    asked = Request(
        event=ev.ExposureStarted(block="b9", item="door-handle", modality=ev.Modality.OBJECT),
        at_ms=ms(minute), actor="therapist-1", role="therapist", session="s1",
    )  # fmt: skip
    assert isinstance(decide(log.protocol, log.state, asked), Refused)


@quick
@given(logs(), st.sampled_from([ev.DrugStopped(), ev.DrugHeld(), ev.AdministrationEnded(volume_given_ml=20)]))
def test_stopping_the_drug_never_ends_exposure(log, event):
    before = exposure_track(log.state.session("s1"))
    log.at(END, event)
    assert exposure_track(log.state.session("s1")) == before


@quick
@given(logs(), st.sampled_from([ev.EndingRule.PATIENT_STOP, ev.EndingRule.SAFETY]))
def test_stopping_exposure_never_stops_the_drug(log, rule):
    before = drug_track(log.state.session("s1"))
    log.at(END, ev.ExposureStopped(ending_rule=rule))
    assert drug_track(log.state.session("s1")) == before
    assert exposure_track(log.state.session("s1")).open_blocks == ()


@quick
@given(logs())
def test_every_advice_says_who_decides_and_why(log):
    for minute in (5, 45, END):
        for advice in log.advice(minute):
            assert "decides." in advice.text, advice
            assert advice.who_decides
            assert advice.source
            assert advice.since_ms <= ms(minute) or advice.rule_id == "day1_call"
            assert set(advice.entries) <= {e.id for e in log.entries}


@quick
@given(logs(most=10), EVENTS)
def test_a_fact_is_never_refused(log, event):
    assume(not secret_fields(event) or not log.protocol.blinded)
    command = Record(event=event, at_ms=ms(END), actor="nurse-1", session="s1", role="nurse")
    assert isinstance(decide(log.protocol, log.state, command), Accepted)
    log.at(END, event)
    assert as_json(log.status(END + 1).as_dict())


@quick
@given(logs(identifier="bottemanne2021-nasal", most=20))
def test_the_nasal_course_obeys_the_same_laws(log):
    whole = log.state
    one_by_one = State()
    for entry in log.entries:
        one_by_one = step(log.protocol, one_by_one, entry)
    assert one_by_one == whole
    assert as_json(log.status(END).as_dict())


def test_every_event_type_is_generated():
    assert set(GENERATED) == set(ev.EVENT_TYPES)
    for cls in ev.EVENT_TYPES.values():
        assert isinstance(cls.strand, ev.Strand), cls


@pytest.mark.parametrize("name", sorted(ev.EVENT_TYPES))
def test_every_event_type_can_be_read_recorded_and_shown(name):
    @settings(max_examples=3, deadline=None, database=None)
    @given(GENERATED[name])
    def each(event):
        if name == "log_opened":
            return
        log = started()
        entry = log.at(2, event)
        state = log.state
        found = [item for record in (state.course, *state.sessions) for s in record.strands for item in s]
        assert [item for item in found if item.id == entry] or isinstance(event, ev.Corrected)
        assert decode(encode(log.entries[-1])) == log.entries[-1]

    each()


def test_every_rule_kind_a_protocol_may_use_has_a_function():
    assert set(RULE_KINDS) == set(ALLOWED_KINDS)


def test_an_unblinding_field_is_refused_by_a_blinded_protocol():
    log = prepared("midazolam-erp")
    event = ev.AdministrationStarted(route="iv_infusion", rate_mg_per_min=0.9, rate_ml_per_h=50)
    with pytest.raises(KerpError, match="blinded"):
        decide(log.protocol, log.state, Record(event=event, at_ms=ms(0), actor="nurse-1", session="s1"))
    log.at(0, event)
    assert [flag for flag in log.state.flags if flag.kind is FlagKind.TELLS_ARM]


def test_the_engine_loads_neither_kinetics_nor_learning_nor_a_framework():
    code = (
        "import pkgutil, importlib, sys, kerp.session\n"
        "for m in pkgutil.walk_packages(kerp.session.__path__, 'kerp.session.'): importlib.import_module(m.name)\n"
        "bad = {'numpy', 'django', 'scipy', 'pydantic', 'datetime'}\n"
        "bad |= {'kerp.drug.kinetics', 'kerp.learning', 'kerp.patient'}\n"
        "print(sorted(bad & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_no_action_is_left_out_of_the_question_whether_it_is_more_exposure():
    calmer = {
        Action.NOTHING, Action.HOLD_EXPOSURE, Action.STOP_EXPOSURE, Action.DO_NOT_START, Action.HOLD_DRUG,
        Action.STOP_DRUG, Action.HOLD_BOTH, Action.REPEAT_READING, Action.ASK, Action.CALL, Action.DISCHARGE,
    }  # fmt: skip
    assert set(Action) == MORE_EXPOSURE | calmer
