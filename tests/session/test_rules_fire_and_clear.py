"""Every hold, stop and warning rule fires in an example and clears in the same one."""

from dataclasses import replace

import pytest
from session_logs import Log, end_infusion, prepared, started

from kerp.protocol.model import Level
from kerp.session import events as ev
from kerp.session.advice import Action, AdviceState
from kerp.session.rules import RULE_KINDS

EXAMPLES = {}


def example(kind):
    def register(function):
        EXAMPLES[kind] = function
        return function

    return register


def fires(log: Log, minute: float, rule: str):
    found = log.advice(minute, rule)
    assert found, f"{rule} should fire at minute {minute}"
    return found[0]


def clear(log: Log, minute: float, rule: str) -> None:
    assert log.advice(minute, rule) == [], f"{rule} should have cleared by minute {minute}"


@example("do_not_start_bp")
def test_two_high_readings_before_the_dose_say_do_not_start_and_one_does_not():
    log = prepared(until=-35)
    log.vitals(-30, 150, 85)
    clear(log, -29, "do_not_start_bp")  # one high, one normal: neither hold nor go
    assert "one reading above the limit and one not: take another" in [m.why for m in log.status(-29).missing]
    log.vitals(-25, 150, 85)
    advice = fires(log, -24, "do_not_start_bp")
    assert advice.proposes is Action.DO_NOT_START
    assert advice.thresholds["sbp_mmhg"].source == "spravatolabel"
    assert advice.entries == (log.entries[-2].id, log.entries[-1].id)
    log.vitals(-20, 135, 85)
    held = fires(log, -19, "do_not_start_bp")  # one normal reading lets nothing go
    assert held.key == advice.key
    assert "135/85" in held.text
    log.vitals(-15, 135, 85)
    clear(log, -14, "do_not_start_bp")
    assert [m.id for m in log.status(-14).missing] == ["time_out"]


def test_two_readings_within_a_minute_are_one_reading():
    log = prepared(until=-35)
    log.vitals(-30, 150, 85)
    log.vitals(-29.5, 150, 85)
    clear(log, -29, "do_not_start_bp")


def test_a_high_reading_between_two_normal_ones_asks_for_another():
    log = prepared(until=-51)
    log.vitals(-50)
    log.vitals(-33, 150, 95)
    log.vitals(-31)
    assert "one reading above the limit and one not: take another" in [m.why for m in log.status(-30).missing]
    log.vitals(-26)
    assert "do_not_start_bp" not in [m.id for m in log.status(-25).missing]


def test_one_pressure_alone_can_alarm_and_clears_nothing():
    log = started()
    log.vitals(20, 200, None)
    assert "200/? mm Hg" in fires(log, 21, "bp_stop").text
    fires(log, 21, "bp_warn")
    log.vitals(22, 120, None)
    fires(log, 23, "bp_stop")  # the diastolic pressure may still be high
    log.vitals(24, 120, 80)
    clear(log, 25, "bp_stop")
    log.vitals(26, None, 112)
    assert "?/112 mm Hg" in fires(log, 27, "bp_stop").text


@example("bp_warn")
def test_a_rise_of_40_over_baseline_warns_even_below_160():
    log = started()
    log.vitals(10, 159, 99)  # 39 above the 120 before the dose
    clear(log, 11, "bp_warn")
    log.vitals(15, 160, 82)
    assert fires(log, 16, "bp_warn").level is Level.WARN
    log.vitals(20, 130, 85)
    clear(log, 21, "bp_warn")
    log.vitals(25, 120, 105)
    fires(log, 26, "bp_warn")


@example("bp_stop")
def test_a_first_stop_level_pressure_alerts_at_once_and_a_repeat_confirms_it():
    log = started()
    first = log.vitals(20, 185, 95)
    advice = fires(log, 20, "bp_stop")
    assert advice.level is Level.STOP
    assert advice.proposes is Action.STOP_DRUG
    assert "one reading; repeat by 0:25" in advice.text
    assert "prescriber may stop without waiting" in advice.text
    assert "overdue" in fires(log, 26, "bp_stop").text
    log.vitals(27, 182, 95)
    confirmed = fires(log, 27, "bp_stop")
    assert "Confirmed" in confirmed.text
    assert confirmed.key == advice.key  # the same advice, so that an acknowledgement stays with it
    assert confirmed.entries[0] == first
    log.at(28, ev.DrugStopped(reason="blood pressure"))
    assert fires(log, 28, "bp_stop").proposes is Action.NOTHING
    log.vitals(35, 150, 90)
    clear(log, 36, "bp_stop")
    log.vitals(40, 190, 95)  # nothing is left to stop: the repeat is asked for
    assert fires(log, 41, "bp_stop").proposes is Action.REPEAT_READING


def test_of_two_readings_at_the_same_moment_the_worse_one_counts():
    log = started()
    log.vitals(20, 185, 95, device="tablet-2")
    log.vitals(20.1, 130, 80)
    fires(log, 21, "bp_stop")
    assert [f.kind for f in log.state.flags] == ["conflicting_observations"]


@example("heart_rate_warn")
def test_a_fast_heart_warns_until_it_slows():
    log = started()
    log.vitals(10, heart=118)
    fires(log, 11, "heart_rate_warn")
    log.vitals(20, heart=None)
    fires(log, 21, "heart_rate_warn")  # not measured is no all-clear
    log.vitals(25, heart=90)
    clear(log, 26, "heart_rate_warn")


@example("heart_rate_stop")
@pytest.mark.parametrize("rate", [131, 44])
def test_a_heart_rate_beyond_the_stop_limits_proposes_a_stop(rate):
    log = started()
    log.vitals(10, heart=rate)
    assert fires(log, 11, "heart_rate_stop").proposes is Action.STOP_DRUG
    log.vitals(15, heart=80)
    clear(log, 16, "heart_rate_stop")


@example("spo2_warn")
def test_falling_oxygen_warns():
    log = started()
    log.vitals(10, spo2=94)
    clear(log, 11, "spo2_warn")
    log.vitals(15, spo2=93)
    fires(log, 16, "spo2_warn")
    clear(log, 16, "spo2_stop")
    log.vitals(20, spo2=97)
    clear(log, 21, "spo2_warn")


@example("spo2_stop")
def test_oxygen_below_90_proposes_a_stop_of_the_drug():
    log = started()
    log.vitals(10, spo2=89)
    assert fires(log, 11, "spo2_stop").proposes is Action.STOP_DRUG
    log.vitals(12, spo2=96)
    clear(log, 13, "spo2_stop")


@example("sedation_pause")
def test_moaas_3_pauses_exposure_and_calls_the_prescriber():
    log = started()
    log.at(15, ev.SedationRated(moaas=3))
    advice = fires(log, 16, "sedation_pause")
    assert advice.proposes is Action.HOLD_EXPOSURE
    assert advice.who_decides == "prescriber"
    clear(log, 16, "sedation_stop")
    log.at(17, ev.ExposureHeld(block="b1"))
    assert fires(log, 18, "sedation_pause").proposes is Action.NOTHING
    log.at(20, ev.SedationRated(moaas=5))
    clear(log, 21, "sedation_pause")


@example("sedation_stop")
def test_moaas_2_proposes_a_stop_and_1_calls_the_airway():
    log = started()
    log.at(15, ev.SedationRated(moaas=2))
    advice = fires(log, 16, "sedation_stop")
    assert advice.proposes is Action.STOP_DRUG
    assert "Airway call now" not in advice.text
    log.at(17, ev.SedationRated(moaas=1))
    assert "Airway call now" in fires(log, 18, "sedation_stop").text
    log.at(25, ev.SedationRated(moaas=4))
    clear(log, 26, "sedation_stop")


@example("psychosis")
def test_a_positive_item_two_points_above_before_the_dose_stops_exposure():
    log = started()
    log.bprs(20, suspiciousness=2)
    clear(log, 21, "psychosis")
    log.bprs(30, suspiciousness=3)
    advice = fires(log, 31, "psychosis")
    assert advice.proposes is Action.STOP_EXPOSURE
    assert "suspiciousness 1 to 3" in advice.text
    log.bprs(60, suspiciousness=1)
    clear(log, 61, "psychosis")


def test_a_missing_positive_item_is_no_zero():
    log = started()
    log.scale(20, "bprs_plus4", {"suspiciousness": None, "hallucinations": 1.0})
    clear(log, 21, "psychosis")


def test_a_persecutory_idea_about_staff_is_enough():
    log = started()
    idea = log.at(20, ev.AdverseEvent(code="persecutory_idea", grade=2))
    fires(log, 21, "psychosis")
    log.at(40, ev.AdverseEventFollowed(adverse_event=idea, ended=True))
    clear(log, 41, "psychosis")


@example("suicidality")
def test_intent_on_the_cssrs_holds_both_tracks_until_a_clear_one():
    log = prepared(until=-35)
    log.cssrs(-30, level=3)
    clear(log, -29, "suicidality")
    log.cssrs(-28, level=4)
    assert fires(log, -27, "suicidality").proposes is Action.HOLD_BOTH
    log.cssrs(-10)
    clear(log, -9, "suicidality")
    log.cssrs(-8, behaviour=1)
    fires(log, -7, "suicidality")


def paradoxical(start_suds: int, *later: int) -> Log:
    """Onset declared at minute 15 (felt from 10); SUDS at the same item before and after."""
    log = started()
    log.suds((4, start_suds), (9, start_suds))
    log.felt((5, 0), (10, 3), (15, 5), (20, 6))
    log.suds(*((16 + 5 * index, value) for index, value in enumerate(later)))
    return log.in_order()


@example("paradoxical_anxiety")
def test_distress_that_rises_20_with_the_effect_at_the_same_stimulus_is_paradoxical_anxiety():
    log = paradoxical(50, 70)
    clear(log, 17, "paradoxical_anxiety")  # one rating is not two
    log = paradoxical(50, 70, 75)
    advice = fires(log, 22, "paradoxical_anxiety")
    assert (advice.step, advice.proposes) == (0, Action.LOW_DEMAND)
    assert "Next, step 1: Check for mental rituals" in advice.text
    assert "therapist decides" in advice.text
    log.at(22, ev.AnxietyStepTaken(step=1))
    log.at(24, ev.AnxietyStepTaken(step=2))
    log.felt((25, 6))
    log.suds((26, 80))
    advice = fires(log, 27, "paradoxical_anxiety")
    assert (advice.step, advice.proposes) == (2, Action.STOP_EXPOSURE)
    log.at(28, ev.ExposureStopped(ending_rule=ev.EndingRule.SAFETY))
    log.at(28, ev.AnxietyStepTaken(step=3))
    log.felt((30, 6))
    log.suds((31, 75))
    assert fires(log, 32, "paradoxical_anxiety").proposes is Action.NOTHING  # nothing is open, distress stays
    log.suds((36, 45))
    clear(log, 37, "paradoxical_anxiety")


def test_distress_that_was_above_80_needs_two_ratings_of_95():
    clear(paradoxical(85, 94, 94), 22, "paradoxical_anxiety")
    fires(paradoxical(85, 95, 96), 22, "paradoxical_anxiety")


def test_a_stronger_stimulus_explains_the_rise():
    log = started()
    log.at(2, ev.ExposureStepped(block="b1", intensity=0.5))
    log.suds((4, 40), (9, 40))
    log.felt((5, 0), (10, 3), (15, 5), (20, 6), (25, 6))
    log.at(14, ev.ExposureStepped(block="b1", intensity=1.0))
    log.suds((16, 70), (21, 75))
    clear(log.in_order(), 22, "paradoxical_anxiety")


def test_without_felt_effect_a_rise_is_not_called_paradoxical():
    log = started()
    log.suds((4, 40), (16, 70), (21, 75))
    log.felt((5, 0), (10, 1), (15, 1), (20, 1))
    clear(log.in_order(), 22, "paradoxical_anxiety")


def test_distress_that_stays_when_the_effect_has_faded_is_not_called_paradoxical():
    log = paradoxical(50, 60, 60)
    log.felt((25, 1), (30, 1))
    log.suds((26, 75), (31, 78))
    clear(log.in_order(), 32, "paradoxical_anxiety")


@example("suds_ceiling")
def test_four_ratings_at_the_ceiling_are_no_habituation():
    log = started()
    log.suds((5, 95), (10, 96), (15, 98))
    clear(log, 16, "suds_ceiling")
    log.suds((20, 95))
    fires(log, 21, "suds_ceiling")
    log.suds((25, 80))
    clear(log, 26, "suds_ceiling")


@example("low_demand_at_peak")
def test_a_strong_effect_suggests_low_demand_until_it_is_made():
    log = started()
    log.felt((20, 6))
    assert fires(log, 21, "low_demand_at_peak").proposes is Action.LOW_DEMAND
    log.at(22, ev.ExposureStepped(block="b1", intensity=0.6, demand=ev.Demand.LOW))
    clear(log, 23, "low_demand_at_peak")


@example("no_onset")
def test_no_effect_after_an_hour_is_said_and_clears_with_onset():
    log = started()
    log.felt((10, 0), (20, 1), (30, 1))
    clear(log, 59, "no_onset")
    assert "highest rating 1" in fires(log, 60, "no_onset").text
    log.felt((61, 3), (66, 4))
    clear(log, 67, "no_onset")


def test_nobody_asked_is_said_and_is_not_zero():
    assert "nobody was asked" in fires(started(), 61, "no_onset").text


@example("patient_stop")
def test_the_participants_stop_ends_exposure_and_leaves_the_drug_to_a_decision():
    log = started()
    log.at(12, ev.PatientStop())
    advice = fires(log, 12, "patient_stop")
    assert (advice.level, advice.proposes) == (Level.STOP, Action.STOP_EXPOSURE)
    log.at(12.1, ev.ExposureStopped(ending_rule=ev.EndingRule.PATIENT_STOP))
    advice = fires(log, 13, "patient_stop")
    assert "Drug: running" in advice.text
    assert advice.proposes is Action.NOTHING
    log.at(15, ev.DrugStopped())
    clear(log, 16, "patient_stop")


@example("chest_pain_or_neurological")
def test_chest_pain_proposes_a_stop_until_it_has_ended():
    log = started()
    pain = log.at(15, ev.AdverseEvent(code="chest_pain", grade=2))
    assert fires(log, 16, "chest_pain_or_neurological").proposes is Action.STOP_DRUG
    log.at(25, ev.AdverseEventFollowed(adverse_event=pain, ended=True))
    clear(log, 26, "chest_pain_or_neurological")


@example("reference_period")
def test_a_ybocs_on_the_day_of_the_dose_is_kept_and_flagged_and_before_the_dose_it_is_valid():
    log = prepared()
    log.scale(-30, "ybocs", {"i1": 2.0}, session="")
    clear(log, -29, "reference_period")
    log.at(0, ev.AdministrationStarted(route="iv_infusion"))
    clear(log, 1, "reference_period")
    late = log.scale(200, "ybocs", {"i1": 1.0}, session="")
    advice = fires(log, 201, "reference_period")
    assert advice.entries[0] == late
    assert [a for a in log.state.everywhere(ev.ScaleAnswered) if a.id == late], "recorded, never refused"
    log.scale(7 * 1440 - 60, "ybocs", {"i1": 1.0}, session="")  # study day 7, at an earlier hour: valid
    assert len(log.advice(7 * 1440, "reference_period")) == 1
    log.correct(7 * 1440, late, retracted=True)
    clear(log, 7 * 1440 + 1, "reference_period")


@example("weight_stale")
def test_a_weight_older_than_a_week_asks_for_a_new_one():
    log = Log()
    log.at(-1430, ev.Weighed(weight_kg=70), session="", local_date="2026-02-20")
    log.at(-60, ev.SessionOpened(plan="dosing"))
    assert fires(log, -59, "weight_stale").proposes is Action.DO_NOT_START
    log.at(-50, ev.Weighed(weight_kg=70))
    clear(log, -49, "weight_stale")


@example("weight_changed")
def test_a_weight_that_changed_by_more_than_5_percent_asks_for_a_new_dose():
    log = prepared(until=-35)
    log.at(-30, ev.Weighed(weight_kg=66.6))
    clear(log, -29, "weight_changed")
    log.at(-28, ev.Weighed(weight_kg=66.4))
    fires(log, -27, "weight_changed")
    log.at(-26, ev.DoseComputed(weight_kg=66.4, dose_mg=33.2))
    clear(log, -25, "weight_changed")


@example("day1_call")
def test_the_day_1_call_is_due_on_day_1_and_escalated_at_noon():
    log = started()
    end_infusion(log)
    clear(log, 600, "day1_call")
    due = fires(log, 16 * 60, "day1_call")  # 01:00 of day 1
    assert due.level is Level.INFO
    log.at(24 * 60, ev.CallMade(visit="day1_call", reached=False), session="")
    late = fires(log, 27 * 60 + 1, "day1_call")  # 12:01
    assert late.level is not Level.INFO
    assert "1 tries reached nobody" in late.text
    log.at(28 * 60, ev.CallMade(visit="day1_call", reached=True), session="")
    clear(log, 28 * 60 + 1, "day1_call")


def test_without_a_readable_clock_the_day_1_call_is_escalated_at_the_hour_of_the_dose():
    log = started()
    log.entries = [replace(entry, wall_clock="") for entry in log.entries]
    clear(log, 24 * 60 - 1, "day1_call")
    assert fires(log, 24 * 60, "day1_call").level is not Level.INFO


@example("device_gap")
def test_devices_less_than_5_minutes_apart_are_said_until_the_time_is_corrected():
    log = started("bottemanne2021-nasal")
    second = log.at(3, ev.DeviceGiven(number=2, dose_mg=28))
    assert "3.0 min apart" in fires(log, 4, "device_gap").text
    log.correct(8, second, occurred_ms=log.entries[-1].occurred_ms + 150_000)
    clear(log, 9, "device_gap")


def test_two_devices_written_as_one_are_said_until_they_are_two():
    log = prepared("bottemanne2021-nasal")
    both = log.at(0, ev.DeviceGiven(number=1, count=2))
    assert "2 devices were written as one" in fires(log, 1, "device_gap").text
    log.correct(8, both, replacement=ev.DeviceGiven(number=1))
    log.at(5, ev.DeviceGiven(number=2), recorded=8)
    clear(log, 9, "device_gap")


def test_every_rule_kind_has_an_example_that_fires_and_clears():
    assert set(EXAMPLES) == set(RULE_KINDS)


def test_an_acknowledged_or_overridden_advice_says_by_whom():
    log = started()
    log.vitals(20, 185, 95)
    advice = fires(log, 21, "bp_stop")
    log.at(21, ev.AdviceAcknowledged(advice=advice.key, rule="bp_stop"), actor="prescriber-1")
    seen = fires(log, 22, "bp_stop")
    assert (seen.state, seen.answered_by) == (AdviceState.ACKNOWLEDGED, "prescriber-1")
    reason = "wrong cuff, repeated by hand"
    log.at(22, ev.AdviceOverridden(advice=advice.key, rule="bp_stop", reason=reason), actor="prescriber-1")
    overridden = fires(log, 23, "bp_stop")
    assert (overridden.state, overridden.answer) == (AdviceState.OVERRIDDEN, reason)
    log.vitals(25, 130, 80)
    log.vitals(30, 185, 95)
    assert fires(log, 31, "bp_stop").state is AdviceState.OPEN  # fired again: another advice


def test_a_rule_that_a_site_switched_off_is_silent():
    log = started()
    quiet = tuple(replace(rule, active=False) for rule in log.protocol.rules)
    log.protocol = replace(log.protocol, rules=quiet)
    log.vitals(10, 190, 120, heart=150, spo2=80)
    assert [a for a in log.advice(11) if "." not in a.rule_id and a.rule_id not in {"ready", "discharge"}] == []
