"""The dose: exact arithmetic, rounded down, refused rather than clamped."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerp.base.errors import KerpError
from kerp.protocol.dose import DoseRequest, plan_dose
from kerp.protocol.load import load_protocol

IV = load_protocol("bottemanne2021-iv").protocol.dose
NASAL = load_protocol("bottemanne2021-nasal").protocol.dose
BLINDED = load_protocol("midazolam-erp").protocol.dose
D = Decimal
weights = st.decimals("30", "120", places=2)
concentrations = st.decimals("0.05", "10", places=3)


def plan(rule, **request):
    as_typed = {name: D(value) for name, value in request.items() if isinstance(value, str)}
    return plan_dose(rule, DoseRequest(**(request | as_typed)))


def refused(rule, **request):
    with pytest.raises(KerpError) as caught:
        plan(rule, **request)
    return caught.value.faults[0]


@pytest.mark.parametrize(
    ("weight", "concentration", "dose", "volume", "rate"),
    [  # by hand: 0.5 mg/kg; mL = mg / (mg/mL); mL/h = mL x 60/40, down to 0.1
        ("70", "1", "35", "35", "52.5"),
        ("73", "1", "36.5", "36.5", "54.7"),
        ("72.5", "1", "36.25", "36.25", "54.3"),
        ("70", "2", "35", "17.5", "26.2"),
        ("63.33", "1.5", "31.66", "21.10", "31.6"),
        ("120", "1", "60", "60", "90"),
    ],
)
def test_an_infusion_worked_out_by_hand(weight, concentration, dose, volume, rate):
    """PAPER P27."""
    got = plan(IV, weight_kg=weight, concentration_mg_per_ml=concentration)
    assert (got.dose_mg, got.volume_ml, got.rate_ml_per_h) == (D(dose), D(volume), D(rate))
    assert got.duration_min == 40


def test_milligrams_per_minute_are_those_of_the_pump():
    assert plan(IV, weight_kg=D(70)).rate_mg_per_min == D("0.875")


@given(weights, concentrations)
def test_the_pump_setting_never_gives_more_than_the_dose(weight, concentration):
    got = plan_dose(IV, DoseRequest(weight_kg=weight, concentration_mg_per_ml=concentration))
    prescribed = D("0.5") * weight
    assert got.rate_ml_per_h * got.duration_min * concentration <= prescribed * 60
    assert got.volume_ml * concentration <= prescribed
    assert got.dose_mg <= prescribed
    assert got.delivered_mg <= got.dose_mg


@given(weights, concentrations)
def test_rounding_takes_away_less_than_one_step_of_each_setting(weight, concentration):
    got = plan_dose(IV, DoseRequest(weight_kg=weight, concentration_mg_per_ml=concentration))
    assert D("0.5") * weight - got.dose_mg < D("0.01")
    assert got.dose_mg / concentration - got.volume_ml < D("0.01")
    assert got.volume_ml * 60 / got.duration_min - got.rate_ml_per_h < D("0.1")
    assert got.rate_ml_per_h % D("0.1") == 0


@given(weights, weights)
def test_a_heavier_participant_never_gets_less(one, other):
    light, heavy = sorted([one, other])
    assert plan_dose(IV, DoseRequest(weight_kg=light)).dose_mg <= plan_dose(IV, DoseRequest(weight_kg=heavy)).dose_mg


@given(st.decimals("120.01", "200", places=2))
def test_a_dose_above_the_cap_is_refused_and_never_clamped(weight):
    """M2."""
    fault = refused(IV, weight_kg=weight)
    assert "refused, not reduced" in fault.message
    assert fault.allowed == "at most 60 mg"


def test_the_concentration_of_the_vial_shows_as_a_small_volume():
    for concentration in ("10", "50", "100"):
        (warning,) = plan(IV, weight_kg=D(70), concentration_mg_per_ml=concentration).warnings
        assert warning.code == "small_volume"
        assert "vial" in warning.text
    assert plan(IV, weight_kg=D(70), concentration_mg_per_ml="7").warnings == ()


def test_a_syringe_that_no_pump_can_run_slowly_enough_is_refused():
    assert "slowly" in refused(IV, weight_kg=D(30), concentration_mg_per_ml=D(100000)).message


def test_a_volume_that_fits_no_syringe_is_warned_about():
    (warning,) = plan(IV, weight_kg=D(70), concentration_mg_per_ml="0.5").warnings
    assert warning.code == "large_volume"


@pytest.mark.parametrize(("days", "stale"), [("7", False), ("7.1", True), ("30", True)])
def test_a_weight_older_than_a_week_asks_for_recalculation(days, stale):
    warnings = plan(IV, weight_kg=D(70), weight_age_days=days).warnings
    assert [(w.code, w.recalculate) for w in warnings] == ([("weight_stale", True)] if stale else [])


@pytest.mark.parametrize(("before", "changed"), [("70", False), ("66.7", False), ("66.6", True), ("74", True)])
def test_a_weight_that_changed_by_more_than_five_percent_asks_for_recalculation(before, changed):
    warnings = plan(IV, weight_kg=D(70), previous_weight_kg=before).warnings
    assert [w.code for w in warnings] == (["weight_changed"] if changed else [])


@pytest.mark.parametrize("weight", ["29.9", "200.1", "7.25", "725"])
def test_an_unusual_weight_is_refused_until_it_is_confirmed(weight):
    fault = refused(IV, weight_kg=weight)
    assert fault.allowed == "30 to 200 kg"
    assert any("pounds" in way for way in fault.ways_out)


def test_a_confirmed_unusual_weight_is_planned_with_a_warning_and_still_under_the_cap():
    got = plan(IV, weight_kg=D(28), weight_confirmed=True)
    assert got.dose_mg == 14
    assert [w.code for w in got.warnings] == ["weight_unusual"]
    assert "largest dose" in refused(IV, weight_kg=D(210), weight_confirmed=True).message


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-70", "0", "1e9"])
@pytest.mark.parametrize("name", ["weight_kg", "concentration_mg_per_ml", "previous_weight_kg", "dose_mg"])
def test_a_number_that_is_no_number_is_refused(name, value):
    fault = refused(IV, **({"weight_kg": "70"} | {name: value}))
    assert fault.field == name


def test_an_infusion_without_weight_is_refused():
    assert refused(IV).field == "weight_kg"


def test_a_prepared_dose_is_compared_with_the_protocol_s():
    assert plan(IV, weight_kg=D(70), dose_mg=D(35)).dose_mg == 35
    fault = refused(IV, weight_kg=D(70), dose_mg=D(53))
    assert (fault.found, fault.allowed) == ("53 mg", "35 mg")


def test_a_protocol_without_drug_has_no_dose():
    assert "no drug" in refused(None).message


# -- nasal devices


@pytest.mark.parametrize(("devices", "dose", "minutes"), [(1, 28, [0]), (2, 56, [0, 5]), (3, 84, [0, 5, 10])])
def test_devices_deliver_28_56_or_84_mg_each_at_its_own_minute(devices, dose, minutes):
    """M3."""
    got = plan(NASAL, devices=devices)
    assert got.dose_mg == dose
    assert [device.at_min for device in got.devices] == minutes
    assert {device.dose_mg for device in got.devices} == {28}
    assert got.warnings == ()


def test_86_mg_is_refused_with_the_reason():
    """PAPER P27, M3."""
    fault = refused(NASAL, dose_mg=D(86))
    assert "86 is no multiple of 14" in fault.message
    assert "28, 56, 84 mg" in fault.allowed


@given(st.decimals("1", "200", places=1))
def test_only_whole_permitted_devices_are_planned(dose):
    if dose in {28, 56, 84}:
        assert plan_dose(NASAL, DoseRequest(dose_mg=dose)).dose_mg == dose
    else:
        assert refused(NASAL, dose_mg=dose).field == "dose_mg"


@pytest.mark.parametrize("devices", [0, 4, -1])
def test_another_number_of_devices_is_refused(devices):
    assert refused(NASAL, devices=devices).field == "devices"


def test_devices_and_a_dose_that_contradict_each_other_are_refused():
    assert "are not 84 mg" in refused(NASAL, devices=2, dose_mg=D(84)).message


def test_devices_less_than_five_minutes_apart_are_warned_about():
    got = plan(NASAL, devices=3, device_times_min=(D(0), D(4), D(9)))
    assert [w.code for w in got.warnings] == ["device_gap"]
    assert "0 and 4 min" in got.warnings[0].text


@pytest.mark.parametrize("times", [(0, 5), (0, 5, 5), (5, 0, 10), (-5, 0, 5)])
def test_minutes_that_no_device_can_have_are_refused(times):
    fault = refused(NASAL, devices=3, device_times_min=tuple(D(at) for at in times))
    assert fault.field == "device_times_min"


def test_the_nasal_dose_does_not_ask_for_a_weight_but_looks_at_one():
    assert plan(NASAL, weight_kg=D(70), weight_age_days="30").warnings == ()
    assert refused(NASAL, weight_kg=D(7)).field == "weight_kg"


def test_an_infusion_has_no_devices_and_a_device_no_concentration():
    assert refused(IV, weight_kg=D(70), devices=2).field == "devices"
    assert refused(NASAL, concentration_mg_per_ml=D(1)).field == "concentration"


@given(st.decimals("40", "120", places=1))
def test_volume_and_rate_of_a_blinded_dose_tell_neither_weight_nor_arm(weight):
    ketamine = replace(BLINDED, dose_mg_per_kg=IV.dose_mg_per_kg, max_dose_mg=IV.max_dose_mg)
    plans = [plan_dose(rule, DoseRequest(weight_kg=weight)) for rule in (BLINDED, ketamine)]
    assert {(got.volume_ml, got.rate_ml_per_h) for got in plans} == {(D(50), D(75))}
    assert plans[0].masked() == plans[1].masked()
    assert plans[0].masked().dose_mg is None
    assert all(got.volume_ml * got.concentration_mg_per_ml <= got.dose_mg for got in plans)


def test_a_blinded_preparation_takes_no_concentration():
    assert "M8" in refused(BLINDED, weight_kg=D(70), concentration_mg_per_ml=D(1)).message
