"""`kerp drug forecast LOG`: doses and ratings as they were recorded, nothing that a blinded log does not say."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kerp.base.digest import digest
from kerp.base.errors import KerpError
from kerp.protocol.digest import protocol_digest
from kerp.protocol.model import Agent
from kerp.records.logfile import read_log, write_log
from kerp.report.felt_forecast import Person, doses_of, forecast_log
from kerp.session import events as ev

ADULT = Person(age_years=40)


@pytest.fixture(scope="module")
def logs():
    """The session room's own log builder."""
    spec = importlib.util.spec_from_file_location("session_logs", Path(__file__).parents[1] / "session/logs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_disk(log, path):
    """Write the log as a file that reads back: the opening entry carries the protocol's digest."""
    for found in (protocol_digest(log.protocol), digest(log.protocol)):
        opening = replace(log.entries[0].event, protocol_digest=found)
        write_log(path, [replace(log.entries[0], event=opening), *log.entries[1:]], log.protocol)
        try:
            read_log(path)
        except KerpError:
            continue
        return path
    raise AssertionError("no digest of the protocol is one the log format accepts")


@pytest.fixture
def infusion_log(logs, tmp_path):
    log = logs.started()
    log.felt((5, 1), (10, 4))
    log.at(12, ev.DrugHeld(reason="blood pressure"))
    log.at(17, ev.DrugResumed())
    log.felt((20, 6), (30, 7), (40, 7))
    log.at(45, ev.AdministrationEnded(volume_given_ml=35))
    log.felt((50, 4), (60, 1))
    return on_disk(log, tmp_path / "iv.jsonl")


def test_doses_are_read_as_given_with_the_pause(infusion_log):
    found = forecast_log(read_log(infusion_log), ADULT)
    assert [(s.from_min, s.to_min, s.mg_per_min) for s in found.doses.segments] == [(0, 12, 0.875), (17, 45, 0.875)]
    assert found.doses.dose_mg == pytest.approx(35)
    assert found.model == "kamp2020"
    assert [r.at_min for r in found.ratings] == [5, 10, 20, 30, 40, 50, 60]
    assert (found.baseline, found.baseline_assumed) == (0, False)


def test_while_the_pump_runs_the_rest_of_the_plan_is_counted(infusion_log):
    found = forecast_log(read_log(infusion_log), ADULT, at_min=11)
    assert [(s.from_min, s.to_min) for s in found.doses.segments] == [(0, 40)]
    assert [r.at_min for r in found.ratings] == [5, 10]
    later = forecast_log(read_log(infusion_log), ADULT, at_min=18)
    assert later.doses.end_min == pytest.approx(45)


def test_a_forecast_at_a_moment_does_not_know_what_came_later(infusion_log, logs, tmp_path):
    other = logs.started()
    other.felt((5, 1), (10, 4), (20, 0), (30, 0))
    changed = on_disk(other, tmp_path / "other.jsonl")
    one, two = (forecast_log(read_log(path), ADULT, at_min=11) for path in (infusion_log, changed))
    assert one.forecast.resolution == two.forecast.resolution


def test_nasal_devices_count_when_they_were_sprayed(logs, tmp_path):
    log = logs.started("bottemanne2021-nasal")
    log.at(6, ev.DeviceGiven(number=2, dose_mg=28))
    log.felt((10, 2), (20, 5))
    path = on_disk(log, tmp_path / "nasal.jsonl")
    early, late = forecast_log(read_log(path), ADULT, at_min=3), forecast_log(read_log(path), ADULT)
    assert [d.at_min for d in early.doses.devices] == [0, 5]  # the second still to come, at the planned gap
    assert [d.at_min for d in late.doses.devices] == [0, 6]
    assert late.model == "perezruixo2021"


def test_two_devices_written_as_one_are_two_of_the_usual_strength(logs):
    from kerp.report.session.drug import doses_of as reported

    for dose_mg in (None, 28, 56):
        log = logs.prepared("bottemanne2021-nasal")
        log.at(0, ev.DeviceGiven(number=1, count=2, dose_mg=dose_mg))
        assert [d.dose_mg for d in doses_of(log.view(10)).devices] == [28, 28]
        assert reported(log.view(10)).dose_mg == 56


def test_a_forecast_looks_at_the_session_not_at_the_whole_course(infusion_log, logs, tmp_path):
    log = logs.started()
    log.felt((5, 1), (10, 4), (300, 0))
    log.at(28 * 1440, ev.CallMade(visit="day1_call", reached=True), session="")
    found = forecast_log(read_log(on_disk(log, tmp_path / "long.jsonl")), ADULT)
    assert found.at_min == 28 * 1440
    assert found.forecast.times_min[-1] <= 302.5
    log.felt((2000, 3))
    with pytest.raises(KerpError, match="too far from its minute 0"):
        forecast_log(read_log(on_disk(log.in_order(), tmp_path / "odd.jsonl")), ADULT)


def test_withheld_devices_are_not_counted(logs):
    log = logs.started("bottemanne2021-nasal")
    log.at(6, ev.DrugStopped(reason="blood pressure"))
    assert doses_of(log.view(10)).dose_mg == 28


def test_a_masked_log_has_no_forecast(logs, tmp_path):
    log = logs.started()
    masked = replace(log.protocol, dose=replace(log.protocol.dose, agent=Agent.MASKED))
    path = on_disk(type("Masked", (), {"protocol": masked, "entries": log.entries}), tmp_path / "masked.jsonl")
    with pytest.raises(KerpError, match="not known to be given"):
        forecast_log(read_log(path), ADULT)


def test_a_log_that_names_volumes_only_has_no_forecast(logs):
    log = logs.Log()
    log.at(-60, ev.SessionOpened(plan="dosing"))
    log.at(-43, ev.Weighed(weight_kg=70))
    log.at(0, ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=52.5))
    with pytest.raises(KerpError, match="does not say how much drug ran"):
        doses_of(log.view(10))


def test_the_command_prints_bands_statement_and_caveats(infusion_log, capsys):
    from kerp.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["drug", "forecast", str(infusion_log), "--at", "31", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert found["resolution_min"]["low_90"] < found["resolution_min"]["median"] < found["resolution_min"]["high_90"]
    assert found["explained"] is True
    assert found["curves"] == 4000
    with pytest.raises(SystemExit):
        main(["drug", "forecast", str(infusion_log)])
    said = " ".join(capsys.readouterr().out.split())
    assert "curves carry the forecast" in said
    assert "not fitted" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jsonl"], "no such file"),
        (["{log}", "--session", "s2"], "dosing session"),
        (["{log}", "--at", "nan"], "count from 0"),
        (["{log}", "--ancestry", "martian"], "caucasian"),
    ],
)
def test_a_log_or_option_that_cannot_be_is_refused(arguments, said, infusion_log, capsys):
    from kerp.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["drug", "forecast", *(argument.format(log=infusion_log) for argument in arguments)])
    out = capsys.readouterr()
    assert (ended.value.code, out.out) == (2, "")
    assert said in out.err
