"""The bedside page in a real browser: an infusion from the ready gate to the signature."""

from __future__ import annotations

from datetime import timedelta

from steps import finish, in_dialog, prepare


def test_an_infusion_from_the_ready_gate_to_the_signature(served, person):
    log = served.log("infusion")
    nurse, therapist, prescriber = person(served, "nurse"), person(served, "therapist"), person(served, "prescriber")
    nurse.open(log)
    asked = served.now()
    assert nurse.page.inner_text(".b-clock b") in {
        f"{asked:%H:%M}",
        f"{asked - timedelta(minutes=1):%H:%M}",
    }  # the site's
    nurse.tab("prepare")
    missing = nurse.page.inner_text(".b-gate")
    for name in ("Pregnancy test", "Urine drug screen", "Fasting", "Escort", "verified by two people", "Time-out"):
        assert name in missing
    prepare(nurse)

    # minute 0 only by an explicit act, after two different people verified
    nurse.tab("prepare")
    nurse.tap("ready")
    assert "verified by 1 of two" in nurse.page.inner_text("dialog[open] .b-reasons")
    nurse.shot("refused")
    in_dialog(nurse.page, "Leave it")
    prescriber.bedside(log)
    prescriber.tap("verify")
    prescriber.saved()
    nurse.page.wait_for_selector("text=verified by nurse and prescriber")
    nurse.tap("ready")
    nurse.page.wait_for_selector('[data-key="start"]:not([disabled])')
    nurse.tap("start")
    nurse.page.wait_for_selector("text=since minute 0")
    status = nurse.status()
    assert status["session"]["phase"] == "exposure"
    assert [one for one in status["deviations"] if one["kind"] == "started_without"] == []

    # exposure by the therapist, ratings in one tap
    therapist.bedside(log)
    therapist.tab("exposure")
    therapist.tap("open-bin-lid")
    in_dialog(therapist.page, "Start the exposure")
    therapist.page.wait_for_selector("text=Block b1")
    therapist.tap("ritual-mental")
    therapist.tap("coach-stay_with_it")
    therapist.tab("now")
    for suds, urge, felt in ((50, 40, 1), (70, 60, 4), (80, 70, 5)):
        served.later(5)
        for rating, value in (("suds", suds), ("urge", urge), ("felt_effect", felt)):
            therapist.tap(f"{rating}-{value}")
    therapist.saved()
    therapist.shot("now-running")
    therapist.tab("chart")
    therapist.page.wait_for_selector(".b-plot canvas")
    therapist.page.wait_for_selector(".b-charts >> text=model output")  # the forecast comes by the network, later
    therapist.shot("chart-running")
    assert therapist.status()["session"]["effect"]["onset_ms"] is not None

    # both tracks end separately
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

    # recovery: blockers by name, then discharge and signature by the prescriber
    nurse.tab("close")
    nurse.page.wait_for_selector("text=min too early")
    nurse.shot("close-blocked")
    prescriber.tab("close")
    prescriber.tap("discharge")
    in_dialog(prescriber.page, "Discharge")
    prescriber.page.wait_for_selector("dialog[open] .b-reasons")
    prescriber.page.keyboard.press("Escape")
    served.later(121)
    finish(nurse)
    prescriber.tap("discharge")
    prescriber.page.fill("dialog[open] input[name=escort]", "sister")
    prescriber.page.check("dialog[open] input[name=leaflet]")
    in_dialog(prescriber.page, "Discharge")
    prescriber.page.wait_for_selector("text=discharged")
    prescriber.page.click('.b-panel a:has-text("signature")')
    prescriber.page.wait_for_selector("input[name=password], input[name=meaning]")
    if prescriber.page.query_selector("input[name=password]"):  # a fresh proof of who signs
        prescriber.page.fill("input[name=password]", served.password)
        prescriber.page.press("input[name=password]", "Enter")
    prescriber.page.check("text=I have reviewed")
    prescriber.page.click('button:has-text("Sign as")')
    prescriber.page.wait_for_selector('.mark.good:has-text("signed")')
    assert nurse.status()["signature"]["name"] == "Prescriber Example"
    assert nurse.status()["signature"]["unsigned"] == 0
    for one in (nurse, therapist, prescriber):
        assert one.faults == []
        assert one.foreign == []
