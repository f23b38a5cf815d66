"""Scoring: never a zero for a missing answer, never a guess, never outside the range."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.errors import KerpError
from kerp.evidence.sourced import Mark
from kerp.instrument.load import instrument_ids, load_instrument
from kerp.instrument.model import Method, Missing, MissingPolicy
from kerp.instrument.rise import rises
from kerp.instrument.score import score

SCALES = [name for name in instrument_ids() if load_instrument(name).method is not Method.NONE]
YBOCS = load_instrument("ybocs")


def grid(item):
    if item.codes:
        return st.sampled_from([float(code.code) for code in item.codes])
    if item.step == 0:
        return st.floats(item.min, item.max)
    return st.integers(0, round((item.max - item.min) / item.step)).map(lambda n: item.min + n * item.step)


@st.composite
def answered(draw, with_gaps: bool = False):
    instrument = load_instrument(draw(st.sampled_from(SCALES)))
    answers = {item.id: draw(grid(item)) for item in instrument.items}
    if with_gaps:
        for name in draw(st.sets(st.sampled_from(sorted(answers)), min_size=1)):
            answers[name] = None
    return instrument, answers


@settings(max_examples=150, deadline=None)
@given(answered())
def test_a_full_set_of_answers_has_a_total_inside_the_range(case):
    instrument, answers = case
    result = score(instrument, answers)
    low, high = instrument.total_range
    assert low - 1e-9 <= result.total <= high + 1e-9
    assert result.lowest == result.highest == result.total
    assert result.missing == ()


@settings(max_examples=200, deadline=None)
@given(answered(with_gaps=True), st.data())
def test_a_missing_answer_is_never_a_zero_and_the_bounds_hold_whatever_it_was(case, data):
    instrument, answers = case
    result = score(instrument, answers)
    counted = {item.id for item in instrument.counted}
    if counted & set(result.missing):
        assert result.total is None
        assert not result.complete
    filled = {
        item.id: data.draw(grid(item)) if answers[item.id] is None else answers[item.id] for item in instrument.items
    }
    filled |= dict.fromkeys(result.skipped)
    whole = score(instrument, filled)
    if whole.total is not None:
        assert result.lowest - 1e-9 <= whole.total <= result.highest + 1e-9


@settings(max_examples=60, deadline=None)
@given(answered(with_gaps=True))
def test_an_absent_answer_and_a_null_are_the_same(case):
    instrument, answers = case
    absent = {name: value for name, value in answers.items() if value is not None}
    assert score(instrument, answers) == score(instrument, absent)


def full(instrument=YBOCS, value=2):
    return {item.id: value for item in instrument.items}


def test_one_missing_answer_withholds_the_total_and_says_between_what_it_lies():
    result = score(YBOCS, full() | {"obsession_time": None})
    assert result.total is None
    assert (result.lowest, result.highest) == (18, 22)
    assert result.band is None
    assert result.subscale("obsessions") is None
    assert result.subscale("compulsions") == 10
    assert "not zero" in result.warnings[0]


def test_no_answers_at_all_are_no_score_of_zero():
    result = score(YBOCS, {})
    assert result.total is None
    assert len(result.missing) == 10


@pytest.mark.parametrize("value", [5, -1, 2.5, float("nan"), float("inf"), 1e300, "3"])
def test_an_answer_that_cannot_be_is_refused_with_what_is_allowed(value):
    with pytest.raises(KerpError) as caught:
        score(YBOCS, full() | {"obsession_time": value})
    (fault,) = caught.value.faults
    assert fault.field == "obsession_time"
    assert fault.allowed == "0 to 4 in steps of 1"


def test_every_bad_answer_is_named_at_once():
    with pytest.raises(KerpError) as caught:
        score(YBOCS, full() | {"obsession_time": 9, "compulsion_time": -2, "obsession_tim": 1})
    assert {fault.field for fault in caught.value.faults} == {"obsession_time", "compulsion_time", "obsession_tim"}


def test_answers_to_the_second_edition_are_refused_by_the_first():
    with pytest.raises(KerpError, match="no such item"):
        score(YBOCS, full(load_instrument("ybocs2")))


def test_a_code_that_does_not_exist_is_refused():
    with pytest.raises(KerpError):
        score(load_instrument("arm_guess"), {"role": 1.5, "guess": 1, "certainty": 50})


def test_prorating_is_a_policy_that_says_so():
    policy = MissingPolicy(rule=Missing.PRORATE, source="kerp", mark=Mark.ASSUMED, max_missing_items=1)
    lenient = replace(YBOCS, missing=policy)
    one = score(lenient, full() | {"obsession_time": None})
    assert one.total == 20
    assert not one.complete
    assert any("prorated" in warning for warning in one.warnings)
    assert score(lenient, full() | {"obsession_time": None, "compulsion_time": None}).total is None


def test_a_mean_score_is_the_mean_of_the_items():
    mean = replace(YBOCS, method=Method.MEAN, bands=())
    assert score(mean, full() | {"obsession_time": 4}).total == pytest.approx(2.2)
    assert mean.total_range == (0, 4)


CSSRS = load_instrument("cssrs_screener")


def test_no_to_the_second_question_skips_three_to_five_without_making_them_missing():
    result = score(CSSRS, {"ideation_1": 1, "ideation_2": 0, "behaviour_lifetime": 0})
    assert result.complete
    assert set(result.skipped) == {"ideation_3", "ideation_4", "ideation_5", "behaviour_3_months"}
    assert (result.total, result.band.id) == (1, "low")


def test_an_unanswered_second_question_leaves_three_to_five_missing():
    result = score(CSSRS, {"ideation_1": 0, "behaviour_lifetime": 0})
    assert result.total is None
    assert result.band is None
    assert "ideation_4" in result.missing


def test_intent_is_high_even_when_the_rest_is_missing():
    result = score(CSSRS, {"ideation_4": 1})
    assert result.band.id == "high"
    assert [flag.id for flag in result.flags] == ["hold"]


def test_no_ideation_with_behaviour_unanswered_is_not_called_clear():
    result = score(CSSRS, {"ideation_1": 0, "ideation_2": 0})
    assert result.total == 0
    assert result.band is None
    assert result.missing == ("behaviour_lifetime", "behaviour_3_months")


def test_recent_behaviour_without_ideation_is_high():
    result = score(CSSRS, {"ideation_1": 0, "ideation_2": 0, "behaviour_lifetime": 1, "behaviour_3_months": 1})
    assert (result.total, result.band.id) == (0, "high")


def test_an_answer_to_a_question_that_was_not_to_be_asked_counts_and_is_pointed_out():
    result = score(CSSRS, {"ideation_1": 1, "ideation_2": 0, "ideation_4": 1, "behaviour_lifetime": 0})
    assert result.band.id == "high"
    assert any("rules it out" in warning for warning in result.warnings)


def test_eighteen_without_full_conviction_is_not_delusional():
    babs = load_instrument("babs")
    answers = {item.id: 3.0 for item in babs.items}
    assert score(babs, answers).band.id == "poor_18"
    assert score(babs, answers | {"conviction": 4}).band.id == "delusional"


def test_discharge_is_ready_only_when_every_check_holds_and_an_open_check_is_open():
    form = load_instrument("discharge")
    yes = {item.id: 1 for item in form.items}
    assert score(form, yes).band.id == "ready"
    assert score(form, yes | {"escort": 0}).band.id == "not_ready"
    assert score(form, {"escort": 0}).band.id == "not_ready"
    open_check = score(form, yes | {"signed": None})
    assert open_check.band is None
    assert open_check.missing == ("signed",)


def test_suicidality_of_four_on_the_madrs_raises_a_flag():
    madrs = load_instrument("madrs")
    assert score(madrs, {"suicidality": 4}).flags
    assert not score(madrs, {"suicidality": 3}).flags


def test_both_published_band_sets_of_the_ybocs_are_shown_apart():
    result = score(YBOCS, full(value=2) | {"obsession_time": 4, "compulsion_time": 4})
    assert (result.total, result.band.id) == (24, "severe")
    assert [band.id for band in result.other_bands] == ["empirical_2"]


def test_a_rise_of_the_cadss_by_more_than_four_is_a_drug_effect():
    cadss = load_instrument("cadss23")
    before = full(cadss, 0)
    assert not rises(cadss, before, before | {"cadss_01": 4})
    assert rises(cadss, before, before | {"cadss_01": 4, "cadss_02": 1})


def test_a_psychotic_sign_up_by_two_is_marked_and_a_missing_one_is_not():
    bprs = load_instrument("bprs_plus4")
    before = full(bprs, 1)
    met = {marker.id for marker in rises(bprs, before, before | {"suspiciousness": 3})}
    assert met == {"above_baseline", "suspiciousness_2"}
    assert rises(bprs, before, {**before, "suspiciousness": None}) == ()
