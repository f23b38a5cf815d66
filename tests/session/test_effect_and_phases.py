"""Phases follow facts (PAPER P28-P31): onset, peak and resolution are read off ratings, never off the clock."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_logs import Log, end_infusion, ms, prepared, started

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import Fact
from kerp.session import events as ev
from kerp.session.advice import Action


def minutes(at_ms):
    return None if at_ms is None else round((at_ms - ms(0)) / MS_PER_MIN, 3)


def effect(log: Log, minute: float = 200):
    found = log.view(minute).effect
    return minutes(found.onset_ms), minutes(found.peak_ms), minutes(found.resolved_ms)


def test_onset_is_the_first_of_two_consecutive_ratings_two_above_baseline():
    log = started()
    log.felt((5, 1), (10, 2))
    assert effect(log) == (None, None, None)
    log.felt((15, 2))
    assert effect(log) == (10, None, None)


def test_a_single_high_rating_between_low_ones_is_no_onset():
    log = started()
    log.felt((5, 3), (10, 1), (15, 3), (20, 1))
    assert effect(log)[0] is None


def test_ratings_more_than_ten_minutes_apart_are_not_consecutive():
    log = started()
    log.felt((5, 3), (16, 3))
    assert effect(log)[0] is None
    log.felt((26, 3))
    assert effect(log)[0] == 16


def test_baseline_is_the_median_before_minute_0_and_only_of_the_last_hour():
    log = prepared()
    log.felt((-61, 9), (-8, 2), (-6, 2), (-4, 2))
    log.at(0, ev.AdministrationStarted(route="iv_infusion"))
    log.felt((5, 3), (10, 3))
    assert log.view(11).effect.baseline == 2
    assert effect(log)[0] is None
    log.felt((15, 4), (20, 4))
    assert effect(log)[0] == 15


def test_without_a_baseline_the_floor_is_taken_and_said():
    log = Log()
    log.at(-60, ev.SessionOpened(plan="dosing"))
    log.at(0, ev.AdministrationStarted(route="iv_infusion"))
    log.felt((5, 2), (10, 2))
    assert log.view(11).effect.baseline_assumed
    assert effect(log)[0] == 5


def test_the_peak_is_the_last_maximum_declared_after_two_ratings_two_below():
    log = started()
    log.felt((10, 4), (15, 7), (20, 7), (25, 5))
    assert effect(log)[1] is None
    log.felt((30, 5))
    assert effect(log)[1] == 20


def test_a_higher_rating_reopens_the_peak_and_the_phase_goes_back():
    log = started()
    log.felt((10, 4), (15, 7), (20, 5), (25, 5))
    assert log.view(26).phase.id == "taper"
    log.felt((30, 8))
    assert effect(log)[1] is None
    assert log.view(31).phase.id == "effects_felt"
    assert log.view(31).phase_at(ms(26)).id == "taper"  # what the team saw then
    log.felt((35, 6), (40, 6))
    assert effect(log)[1] == 30


def test_resolution_waits_for_the_end_of_the_infusion():
    log = started()
    log.felt((10, 4), (15, 7), (20, 1), (25, 1), (30, 1), (35, 1))
    assert effect(log) == (10, 15, None)
    end_infusion(log)
    log.felt((45, 1), (50, 1))
    assert effect(log) == (10, 15, 45)


def test_an_effect_that_comes_back_is_not_resolved():
    log = started()
    log.felt((10, 4), (15, 7), (20, 3), (25, 3))
    end_infusion(log, 30)
    log.felt((35, 1), (40, 0))
    assert effect(log)[2] == 35
    log.felt((45, 3))
    assert effect(log)[2] is None
    log.felt((50, 1), (55, 1))
    assert effect(log)[2] == 50


def test_one_high_rating_before_onset_is_no_peak():
    log = started()
    log.felt((5, 9), (10, 0), (15, 3), (20, 4), (25, 4), (30, 5))
    assert effect(log) == (15, None, None)
    assert log.view(31).phase.id == "effects_felt"  # nothing proposes to taper while the effect grows
    assert log.view(31).effect.highest == 9
    log.felt((35, 3), (40, 3))
    assert effect(log) == (15, 30, None)


def test_a_weak_effect_that_is_back_at_baseline_has_had_its_peak():
    log = started()
    log.felt((10, 2), (15, 2), (20, 2), (25, 1), (30, 1))
    assert effect(log) == (10, None, None)  # a fall of one point declares no peak while the infusion runs
    end_infusion(log)
    log.felt((45, 1))
    assert effect(log) == (10, None, None)
    log.felt((50, 1))
    assert effect(log) == (10, 20, 45)
    stop = log.advice(51, "phase.effects_gone")[0]
    assert stop.proposes is Action.STOP_EXPOSURE
    assert "repeat" not in " ".join(a.text for a in log.advice(51) if a.rule_id.startswith("exposure."))
    log.felt((55, 3))
    assert effect(log) == (10, None, None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10), min_size=2, max_size=20), st.integers(0, 100))
def test_onset_peak_and_resolution_come_in_this_order(values, ends):
    log = started()
    log.felt(*((5 * (place + 1), value) for place, value in enumerate(values)))
    log.at(ends, ev.AdministrationEnded(volume_given_ml=35))
    found = log.view(200).effect
    told = [ms_ for ms_ in (found.onset_ms, found.peak_ms, found.resolved_ms) if ms_ is not None]
    assert told == sorted(told)
    assert found.peak_ms is None or found.onset_ms is not None
    assert found.resolved_ms is None or found.peak_ms is not None


def test_a_late_entry_takes_its_place_in_time():
    log = started()
    log.felt((10, 3))
    log.felt((25, 4))
    assert effect(log)[0] is None  # 15 min apart
    log.at(15, ev.FeltEffectRated(value=4), recorded=31)
    assert effect(log)[0] == 10


def test_the_course_of_an_ordinary_session_moves_through_every_phase():
    log = started()
    log.felt((5, 0), (10, 3), (15, 5), (20, 7), (25, 6), (30, 5), (35, 5))
    end_infusion(log)
    log.felt((45, 2), (50, 1), (55, 0))
    log.at(57, ev.ExposureStopped(ending_rule=ev.EndingRule.PROTOCOL_TAPER))
    log.at(180, ev.Discharged(escort="sister", leaflet=True))
    seen = {minute: log.view(200).phase_at(ms(minute)).id for minute in (-59, -2, 1, 16, 36, 56, 58, 181)}
    assert seen == {
        -59: "preparation", -2: "ready", 1: "exposure", 16: "effects_felt", 36: "taper", 56: "effects_gone",
        58: "recovery", 181: "closed",
    }  # fmt: skip


def test_the_clock_alone_moves_nothing():
    log = started()
    assert {log.view(minute).phase.id for minute in (1, 30, 40, 90, 400)} == {"exposure"}


@pytest.mark.parametrize(
    ("minute", "proposal"),
    [(0.5, Action.OPEN_EXPOSURE), (16, Action.CONTINUE_EXPOSURE), (36, Action.TAPER), (56, Action.STOP_EXPOSURE)],
)
def test_each_phase_proposes_what_the_paper_says(minute, proposal):
    log = started()
    log.felt((5, 0), (10, 3), (15, 5), (20, 7), (25, 6), (30, 5), (35, 5))
    if proposal is Action.CONTINUE_EXPOSURE:
        log.at(12, ev.ExposureEnded(block="b1", ending_rule=ev.EndingRule.FIXED_TIME))
    end_infusion(log)
    log.felt((45, 2), (50, 1), (55, 0))
    log.entries = [e for e in log.entries if e.occurred_ms <= ms(minute)]
    assert proposal in {
        advice.proposes for advice in log.in_order().advice(minute) if advice.rule_id.startswith("phase.")
    }


def test_a_site_that_stops_repeating_at_onset_gets_no_proposal_to_go_on():
    log = started()
    log.felt((5, 0), (10, 3), (15, 5))
    log.at(16, ev.ExposureEnded(block="b1", ending_rule=ev.EndingRule.FIXED_TIME))
    log.protocol = replace(log.protocol, effect_rule=replace(log.protocol.effect_rule, expose_until_peak=False))
    (phase,) = log.advice(17, "phase.effects_felt")
    assert phase.proposes is Action.NOTHING
    assert "P29" in phase.text


def test_exposure_waits_while_a_rule_holds_it():
    log = started()
    log.at(10, ev.ExposureEnded(block="b1", ending_rule=ev.EndingRule.FIXED_TIME))
    assert log.advice(11, "phase.exposure")[0].proposes is Action.OPEN_EXPOSURE
    log.at(12, ev.SedationRated(moaas=3))
    waiting = log.advice(13, "phase.exposure")[0]
    assert waiting.proposes is Action.NOTHING
    assert waiting.text.startswith("Waits: Sedated")


def test_exposure_that_opens_again_is_no_longer_stopped():
    log = started()
    log.at(10, ev.ExposureStopped(ending_rule=ev.EndingRule.CLINICIAN))
    assert log.view(11).phase.id == "recovery"
    log.at(12, ev.ExposureStarted(block="b2", item="door-handle", modality=ev.Modality.OBJECT))
    view = log.view(13)
    assert (view.phase.id, view.exposure.stopped_ms) == ("exposure", None)
    assert [block.name for block in view.exposure.open_blocks] == ["b2"]


def test_a_step_of_a_block_nobody_opened_changes_nothing_and_is_kept():
    log = started()
    orphan = log.at(5, ev.ExposureStepped(block="b9", intensity=0.1))
    exposure = log.view(6).exposure
    assert exposure.orphans == (orphan,)
    assert exposure.open_blocks[0].now.intensity == 1.0


def test_minute_0_of_a_drug_free_session_is_the_first_exposure():
    log = Log()
    log.at(0, ev.SessionOpened(plan="repeat_off_drug"))
    log.at(20, ev.ExposureStarted(block="b1", item="door-handle", modality=ev.Modality.OBJECT))
    view = log.view(30)
    assert view.t0_ms == ms(20)
    assert view.facts[Fact.FIRST_EXPOSURE] == ms(20)
    assert view.phase.id == "exposure"


def test_minute_0_of_a_nasal_session_is_the_first_spray():
    log = prepared("bottemanne2021-nasal")
    log.at(0, ev.DeviceGiven(number=1))
    log.at(5, ev.DeviceGiven(number=2))
    view = log.view(6)
    assert (view.t0_ms, view.drug.status, view.drug.ended_ms) == (ms(0), "ended", ms(5))


def test_an_infusion_is_a_series_of_segments_with_its_interruptions():
    log = started()
    log.at(10, ev.DrugHeld(reason="blood pressure"))
    log.at(15, ev.DrugResumed())
    log.at(20, ev.RateChanged(rate_ml_per_h=26.25))
    log.at(50, ev.AdministrationEnded(volume_given_ml=34.2))
    drug = log.view(60).drug
    shown = [(minutes(s.from_ms), minutes(s.to_ms), s.ml_per_h) for s in drug.segments]
    assert shown == [(0, 10, 52.5), (15, 20, 52.5), (20, 50, 26.25)]
    assert (drug.status, drug.volume_given_ml) == ("ended", 34.2)


def test_an_end_after_a_stop_leaves_it_stopped_at_the_time_of_the_stop():
    log = started()
    log.at(20, ev.DrugStopped(reason="chest pain"))
    log.at(30, ev.AdministrationEnded(volume_given_ml=17))
    drug = log.view(31).drug
    assert (drug.status, minutes(drug.ended_ms), drug.volume_given_ml) == ("stopped", 20, 17)
