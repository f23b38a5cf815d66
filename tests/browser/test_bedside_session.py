"""The bedside page in a real browser: an infusion from the ready gate to the signature."""

from __future__ import annotations

from datetime import timedelta

from steps import begin, discharge, finish, in_dialog, prepare, rate, sign


def test_an_infusion_from_the_ready_gate_to_the_signature(served, person):
    log = served.log("infusion")
    nurse, therapist, prescriber = person(served, "nurse"), person(served, "therapist"), person(served, "prescriber")
    nurse.open(log)
    shows_the_time_of_the_site(nurse)
    names_what_is_missing(nurse)
    prepare(nurse)
    asks_for_a_second_person(nurse)
    begin(nurse, prescriber, log)
    assert nurse.status()["session"]["phase"] == "exposure"
    assert [one for one in nurse.status()["deviations"] if one["kind"] == "started_without"] == []

    therapist.bedside(log)
    expose(therapist)
    follow(therapist)
    end_both_tracks_separately(nurse, therapist)

    is_refused_while_something_blocks(nurse, prescriber)
    served.later(121)
    finish(nurse)
    discharge(prescriber)
    prescriber.page.click('.b-panel a:has-text("signature")')
    prescriber.page.wait_for_selector("input[name=password], input[name=meaning]")
    sign(prescriber, log)
    assert nurse.status()["signature"]["name"] == "Prescriber Example"
    assert nurse.status()["signature"]["unsigned"] == 0
    for one in (nurse, therapist, prescriber):
        assert one.faults == []
        assert one.foreign == []


def shows_the_time_of_the_site(nurse):
    asked = nurse.served.now()
    shown = {f"{asked:%H:%M}", f"{asked - timedelta(minutes=1):%H:%M}"}
    assert nurse.page.inner_text(".b-clock b") in shown


def names_what_is_missing(nurse):
    nurse.tab("prepare")
    missing = nurse.page.inner_text(".b-gate")
    for name in ("Pregnancy test", "Urine drug screen", "Fasting", "Escort", "verified by two people", "Time-out"):
        assert name in missing


def asks_for_a_second_person(nurse):
    """Minute 0 only by an explicit act, after two different people verified."""
    nurse.tab("prepare")
    nurse.tap("ready")
    assert "verified by 1 of two" in nurse.page.inner_text("dialog[open] .b-reasons")
    nurse.shot("refused")
    in_dialog(nurse.page, "Leave it")


def expose(therapist):
    therapist.tab("exposure")
    therapist.tap("open-bin-lid")
    in_dialog(therapist.page, "Start the exposure")
    therapist.page.wait_for_selector("text=Block b1")
    therapist.tap("ritual-mental")
    therapist.tap("coach-stay_with_it")


def follow(therapist):
    """Ratings in one tap each, and the chart with its forecast."""
    for suds, urge, felt in ((50, 40, 1), (70, 60, 4), (80, 70, 5)):
        therapist.served.later(5)
        rate(therapist, suds, urge, felt)
    therapist.saved()
    therapist.shot("now-running")
    therapist.tab("chart")
    therapist.page.wait_for_selector(".b-plot canvas")
    therapist.page.wait_for_selector(".b-charts >> text=model output")  # the forecast comes by the network, later
    therapist.shot("chart-running")
    assert therapist.status()["session"]["effect"]["onset_ms"] is not None


def end_both_tracks_separately(nurse, therapist):
    therapist.page.click("#exposure-stop")
    therapist.saved()
    status = therapist.status()
    assert status["session"]["drug"]["status"] == "running"
    assert status["exposure"]["stopped_ms"]
    nurse.tab("drug")
    nurse.dialog("drug-end")
    nurse.page.fill("dialog[open] input[name=volume]", "35.4")
    in_dialog(nurse.page, "Record")
    nurse.saved()
    assert nurse.status()["drug"]["volume_given_ml"] == 35.4


def is_refused_while_something_blocks(nurse, prescriber):
    nurse.tab("close")
    nurse.page.wait_for_selector("text=min too early")
    nurse.shot("close-blocked")
    prescriber.tab("close")
    prescriber.tap("discharge")
    in_dialog(prescriber.page, "Discharge")
    prescriber.page.wait_for_selector("dialog[open] .b-reasons")
    prescriber.page.keyboard.press("Escape")
