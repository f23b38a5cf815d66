"""What may be given and what was given: routes, device rules, pump events; row 13 of the acceptance table."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.errors import KerpError, UnknownIdError
from kerp.drug.events import (
    Doses,
    NasalDevice,
    PumpAction,
    PumpEvent,
    RateSegment,
    change_rate,
    devices,
    from_pump,
    infusion,
    pause,
    stop,
    without_device,
)
from kerp.drug.route import device_gap_fault, devices_for, dose_fault, load_route, read_route, route_ids


@pytest.mark.parametrize(("dose_mg", "count"), [(28, 1), (56, 2), (84, 3)])
def test_whole_devices_deliver_28_56_and_84_mg(dose_mg, count):
    assert devices_for(load_route("nasal_spray"), dose_mg) == count


def test_the_printed_86_mg_is_refused_with_its_reason():
    fault = dose_fault(load_route("nasal_spray"), 86)
    assert "no multiple of 14" in fault.message
    assert "84 mg is the likely intent" in fault.message
    with pytest.raises(KerpError, match="28, 56, 84 mg"):
        devices_for(load_route("nasal_spray"), 86)


@pytest.mark.parametrize("dose_mg", [0, -28, 14, 27.9, 112, float("nan"), float("inf"), 1e12])
def test_other_nasal_doses_are_refused(dose_mg):
    assert dose_fault(load_route("nasal_spray"), dose_mg) is not None


def test_devices_less_than_five_minutes_apart_are_warned_about():
    route = load_route("nasal_spray")
    assert device_gap_fault(route, (0.0, 5.0, 10.0)) is None
    assert "less than 5 min apart" in device_gap_fault(route, (0.0, 3.0, 8.0)).message


def test_nasal_route_asks_for_blood_pressure_at_40_minutes_and_two_hours_of_observation():
    monitoring = dict(load_route("nasal_spray").monitoring)
    assert (monitoring["bp_check"].value, monitoring["observe_at_least"].value) == (40, 120)


def test_intravenous_dose_is_bounded_in_mg_per_kg():
    route = load_route("iv_infusion")
    assert dose_fault(route, 0.5) is None
    assert dose_fault(route, 35) is not None  # mg typed for mg/kg


def test_every_route_names_models_that_exist_and_take_it():
    from kerp.drug.model import load_model

    for route_id in route_ids():
        route = load_route(route_id)
        for model in {route.model, route.sample_model, *route.models}:
            assert route_id in load_model(model).routes


def test_routes_load_without_numpy_so_that_the_session_engine_may_read_them():
    code = "import sys; from kerp.drug.route import load_route, route_ids; [load_route(i) for i in route_ids()]; "
    code += "sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_route_offers_the_nearest():
    with pytest.raises(UnknownIdError, match="did you mean nasal_spray"):
        load_route("nasal")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('input_shape = "devices"', 'input_shape = "patch"', "unknown input shape"),
        ('unit = "mL"', "", "this field is missing|valid TOML"),
        ("value = 28.0, unit", "value = nan, unit", "a number is expected"),
        ('mark = "read"', 'mark = "sure"', "unknown mark"),
    ],
)
def test_a_damaged_route_file_is_refused_with_its_line(before, after, said, tmp_path):
    from kerp.base.data import path_of

    text = path_of("routes", "nasal_spray").read_text()
    assert before in text
    file = tmp_path / "nasal_spray.toml"
    file.write_text(text.replace(before, after, 1))
    with pytest.raises(KerpError, match=said) as refused:
        read_route(file)
    assert refused.value.faults[0].line is not None


def test_a_missed_device_is_absent():
    given_doses = without_device(devices(3, 5, 28), 1)
    assert given_doses == Doses(devices=(NasalDevice(0, 28), NasalDevice(10, 28)))


def test_a_stop_withholds_the_remaining_devices_and_the_rest_of_the_bag():
    assert stop(devices(3, 5, 28), 7).dose_mg == 56
    assert stop(infusion(40, 40), 25).dose_mg == pytest.approx(25)


def test_a_change_of_rate_counts_from_its_minute():
    assert change_rate(infusion(40, 40), 30, 0.5).dose_mg == pytest.approx(35)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 60), st.floats(0, 60), st.floats(1, 90), st.floats(1, 100))
def test_a_pause_loses_no_drug_and_moves_the_end_by_its_length(at, length, duration, dose):
    planned = infusion(dose, duration)
    paused = pause(planned, at, at + length)
    assert paused.dose_mg == pytest.approx(dose)
    expected = duration + (length if at < duration else 0)
    assert paused.end_min == pytest.approx(expected)


def test_pump_events_give_the_segments_that_ran():
    told = [
        PumpEvent(0, PumpAction.RATE, 0.875),
        PumpEvent(10, PumpAction.PAUSE),
        PumpEvent(15, PumpAction.RESUME),
        PumpEvent(30, PumpAction.RATE, 0.5),
        PumpEvent(38, PumpAction.STOP),
    ]
    doses = from_pump(told, until_min=60)
    assert doses.segments == (RateSegment(0, 10, 0.875), RateSegment(15, 30, 0.875), RateSegment(30, 38, 0.5))
    assert from_pump(told, until_min=12).dose_mg == pytest.approx(8.75)
    assert from_pump(told[:1], until_min=20).dose_mg == pytest.approx(17.5)


def test_pump_events_agree_with_the_same_pause_applied_to_the_plan():
    told = [PumpEvent(0, PumpAction.RATE, 0.875), PumpEvent(10, PumpAction.PAUSE), PumpEvent(15, PumpAction.RESUME)]
    assert from_pump(told, until_min=45).segments == pause(infusion(35, 40), 10, 15).segments


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: infusion(-1, 40),
        lambda: infusion(35, -40),
        lambda: infusion(35, 0),
        lambda: infusion(float("nan"), 40),
        lambda: infusion(35, float("inf")),
        lambda: infusion(1e300, 40),
        lambda: devices(2, -5, 28),
        lambda: NasalDevice(0, -28),
        lambda: RateSegment(10, 5, 1),
        lambda: pause(infusion(35, 40), 20, 10),
        lambda: without_device(devices(2, 5, 28), 2),
        lambda: Doses((RateSegment(0, 10, 1), RateSegment(5, 15, 1))),
    ],
)
def test_doses_that_cannot_be_are_refused(wrong):
    with pytest.raises(KerpError):
        wrong()
