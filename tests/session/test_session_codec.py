"""The codec is strict: each fault names its field, what was found and what is allowed."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from session_logs import Log, as_json, started

from kerp.base.errors import KerpError
from kerp.session import events as ev
from kerp.session.codec import decode, decode_event, encode, encode_event
from kerp.session.fold import fold, step
from kerp.session.kinds import fields_of, kind_of
from kerp.session.schema import entry_schema, event_schema
from kerp.session.series import Index, Series
from kerp.session.state import FlagKind, State


def an_entry() -> dict:
    return encode(started().entries[-1])


def faults(data) -> dict[str, str]:
    with pytest.raises(KerpError) as refused:
        decode(data)
    assert all(fault.allowed for fault in refused.value.faults)
    return {fault.field: fault.message for fault in refused.value.faults}


def test_every_fault_of_an_entry_comes_at_once():
    bad = an_entry() | {"seq": -1, "occurred_ms": 10**20, "actor": "", "local_date": "2.3.2026", "surprise": 1}
    bad["event"] = {"type": "suds", "value": 50.5, "rated_by": 7}
    assert set(faults(bad)) == {
        "seq", "occurred_ms", "actor", "local_date", "surprise", "event.value", "event.rated_by",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "not a number that can be recorded"),
        (float("inf"), "not a number that can be recorded"),
        (True, "a number was expected"),
        (None, "a number was expected"),
        ("50", "a number was expected"),
        (10**400, "off the scale"),
        (-1, "off the scale"),
        (50.5, "a whole number"),
    ],
)
def test_a_rating_that_is_no_rating_is_refused(value, message):
    with pytest.raises(KerpError, match=message):
        decode_event({"type": "suds", "value": value, "rated_by": "participant", "block": ""})


def test_a_whole_number_written_as_a_float_is_that_number():
    assert decode_event({"type": "suds", "value": 50.0}) == ev.SudsRated(value=50)


@pytest.mark.parametrize(
    "data", [None, [], "entry", 3, {}, {"event": None}, {"event": {"type": 3}}, {"event": {"type": ""}}]
)
def test_what_is_no_entry_is_refused(data):
    with pytest.raises(KerpError):
        decode(data)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_no_store_can_keep_is_refused(text):
    with pytest.raises(KerpError, match="cannot be stored"):
        decode_event({"type": "patient_stop", "note": text})


def test_a_code_that_is_not_one_is_refused_with_the_codes():
    with pytest.raises(KerpError, match="overt, mental, reassurance"):
        decode_event({"type": "ritual", "kind": "magic", "judged_by": "therapist"})


def test_a_missing_answer_stays_missing():
    event = ev.ScaleAnswered(instrument="ybocs", version="1", answers={"i1": None, "i2": 0.0}, rated_by="rater")
    assert encode_event(event)["answers"] == {"i1": None, "i2": 0.0}
    assert decode_event(json.loads(as_json(encode_event(event)))) == event


@pytest.mark.parametrize("raw", [{"a": float("nan")}, {"a": {"b": [float("inf")]}}, {"a": {1: 2}}, {"a": object()}])
def test_an_unknown_event_may_hold_only_what_json_can_say(raw):
    with pytest.raises(KerpError):
        decode_event({"type": "pupil", **raw})


def test_an_unknown_event_nested_without_end_is_refused():
    deep: dict = {}
    for _ in range(200):
        deep = {"in": deep}
    with pytest.raises(KerpError, match="too deeply"):
        decode_event({"type": "pupil", **deep})


def test_an_entry_with_a_wrong_value_cannot_be_written():
    log = Log()
    log.at(0, ev.FeltEffectRated(value=float("nan")))
    with pytest.raises(KerpError, match=r"event\.value"):
        encode(log.entries[-1])


def test_the_json_schema_accepts_what_the_codec_writes_and_refuses_what_it_refuses():
    validator = Draft202012Validator(entry_schema())
    log = started()
    log.correct(5, "e30", replacement=ev.SudsRated(value=40))
    for entry in log.entries:
        assert list(validator.iter_errors(encode(entry))) == []
    data = encode(log.entries[-1])
    for wrong in ({**data, "seq": "1"}, {**data, "extra": 1}, {**data, "event": {"type": "suds", "value": 101}}):
        assert list(validator.iter_errors(wrong))
    assert list(validator.iter_errors({**data, "event": {"type": "pupil", "mm": 3}})) == []


def test_a_form_can_read_limits_units_and_what_would_unblind():
    properties = event_schema("administration_start")["properties"]
    assert properties["rate_mg_per_min"]["x-unblinding"] is True
    assert "x-unblinding" not in properties["rate_ml_per_h"]
    value = event_schema("suds")["properties"]["value"]
    assert (value["minimum"], value["maximum"], value["x-unit"]) == (0, 100, "SUDS points")


def test_an_event_may_not_hold_a_number_without_limits():
    with pytest.raises(TypeError, match="Limit"):
        kind_of(float)
    assert all(fields_of(cls) is not None for cls in ev.EVENT_TYPES.values())


# --- damaged logs ---


def test_a_gap_in_the_order_is_refused_with_its_place():
    log = started()
    with pytest.raises(KerpError, match="broken after entry 9"):
        fold(log.protocol, [*log.entries[:9], *log.entries[10:]])


def test_a_log_without_its_opening_is_refused():
    log = started()
    with pytest.raises(KerpError, match="begins with its opening record"):
        fold(log.protocol, [replace(log.entries[1], seq=1)])


def test_one_id_with_two_contents_is_refused_and_the_same_twice_counts_once():
    log = started()
    log.suds((5, 60))
    again = log.entries[-1]
    log.at(6, again.event, id=again.id, recorded=6.1, occurred_ms=again.occurred_ms)
    assert len(log.state.session("s1").of(ev.SudsRated)) == 2  # the rating at rest and this one
    assert [flag.kind for flag in log.state.flags] == [FlagKind.REPEATED]
    log.at(7, ev.SudsRated(value=61), id=again.id)
    with pytest.raises(KerpError, match="another content"):
        log.state  # noqa: B018


def test_a_correction_of_something_nobody_recorded_is_kept_and_flagged_until_it_comes():
    log = started()
    log.correct(5, "from-the-other-tablet", replacement=ev.SudsRated(value=30))
    assert [flag.kind for flag in log.state.flags] == [FlagKind.UNKNOWN_TARGET]
    log.at(4, ev.SudsRated(value=90), id="from-the-other-tablet", recorded=6, queued=True)
    assert log.state.session("s1").last(ev.SudsRated).event.value == 30
    assert list(log.state.flags) == []
    state = State()
    for entry in log.entries:
        state = step(log.protocol, state, entry)
    assert state == log.state


def test_the_opening_of_a_log_cannot_be_corrected_away():
    log = started()
    log.correct(5, "e1", retracted=True)
    assert log.state.opening is not None
    assert [flag.kind for flag in log.state.flags] == [FlagKind.NOT_CORRECTABLE]


def test_a_session_nobody_opened_and_an_entry_without_a_session_are_flagged():
    log = Log()
    log.at(0, ev.SudsRated(value=4), session="s9")
    log.at(0, ev.SudsRated(value=4), session="")
    assert [flag.kind for flag in log.state.flags] == [FlagKind.NOT_OPENED, FlagKind.NO_SESSION]


def test_a_clock_that_is_off_and_an_entry_ahead_of_its_time_are_flagged():
    log = started()
    log.at(5, ev.SudsRated(value=40), clock_offset_ms=-9000)
    log.at(7, ev.SudsRated(value=40), recorded=6)
    assert [flag.kind for flag in log.state.flags] == [FlagKind.CLOCK, FlagKind.AHEAD]


def test_a_log_read_with_another_protocol_says_so():
    log = Log()
    log.protocol = Log("erp-alone").protocol
    assert [flag.kind for flag in log.state.flags] == [FlagKind.OTHER_PROTOCOL]


# --- sequences that share ---


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 64, 65, 200])
def test_a_series_made_at_once_equals_one_made_item_by_item(size):
    grown: Series[int] = Series()
    for item in range(size):
        grown = grown.append(item)
    assert grown == Series.of(range(size))
    assert (len(grown), list(grown), list(reversed(grown))) == (size, list(range(size)), list(range(size))[::-1])


def test_an_insert_keeps_the_order_and_the_older_series_stays_as_it_was():
    series = Series.of(range(0, 200, 2))
    assert list(series.insert(51, key=lambda n: n)) == sorted([*range(0, 200, 2), 51])
    assert 51 not in list(series)


def test_an_index_keeps_its_older_self():
    first: Index[int] = Index()
    second = first.put("a", 1).put("b", 2)
    assert (first.get("a"), second.get("a"), second.get("b"), second.get("c")) == (None, 1, 2, None)


def test_a_step_costs_far_less_than_reading_the_log_again():
    """Counts the blocks that are made anew, so that no clock decides (the ratio is in benchmarks/session.py)."""
    log = started()
    for n in range(2_000):
        log.suds((2 + n / 10, n % 100))
    state = log.state
    log.suds((300, 50))
    after = step(log.protocol, state, log.entries[-1])
    old = {id(block) for block in state.entries.blocks}
    assert all(id(block) in old for block in after.entries.blocks[: len(state.entries.blocks)])
    shared = [a is b for a, b in zip(state.index.buckets, after.index.buckets, strict=True)]
    assert shared.count(False) == 1
    assert State() == State()
