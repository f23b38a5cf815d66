"""The Monday of clinical.md section 11 on the real pages: from screening to the signature, and the week after."""

from __future__ import annotations

import re

import pytest
from steps import (
    ANSWER,
    begin,
    discharge,
    finish,
    held,
    in_dialog,
    plan,
    prepare,
    rate,
    rate_all,
    register,
    scale,
    screen,
    sent,
    sign,
    vitals,
)

FRIDAY, MONDAY, TUESDAY = 4, 0, 1


class Monday:
    """The people of one study day, and what they share."""

    def __init__(self, served, person, study, code):
        self.served, self.person, self.study, self.code = served, person, study, code
        self.participant = self.log = ""

    def a(self, role, size=(768, 1024)):
        return self.person(self.served, role, size)

    # --- Friday before ---

    def friday(self):
        self.served.at(FRIDAY, 9)
        coordinator, therapist, rater = self.a("coordinator"), self.a("therapist"), self.a("rater")
        self.participant = register(coordinator, self.study, self.code)
        screen(coordinator, self.participant)
        plan(therapist, self.participant)
        for visit in ("Screening", "Baseline"):
            assert any("Yale-Brown" in name for name in rate_all(rater, self.code, visit))
        for visit in ("screening", "planning", "baseline"):
            held(coordinator, self.participant, visit)
        therapist.page.goto(self.participant)
        link = therapist.page.get_attribute('a:has-text("Open a session")', "href")
        self.log = link.split("/")[2]
        rater.page.goto(f"/bedside/{self.log}/dosing-1/")  # a rater sees no session
        assert rater.page.query_selector(".b-clock") is None
        for one in (coordinator, rater):
            self.leave(one)
        return therapist

    # --- Monday morning ---

    def morning(self, nurse, therapist, prescriber, dose):
        self.served.at(MONDAY, 8)
        nurse.open(self.log)
        nurse.tab("prepare")
        missing = nurse.page.inner_text(".b-gate")
        for name in ("Pregnancy test", "Urine drug screen", "Escort", "verified by two people", "Time-out"):
            assert name in missing
        for name in ("cadss6", "bprs_plus4", "ymrs1", "cssrs_screener"):
            scale(nurse, name)
        prepare(nurse, dose)
        therapist.bedside(self.log)
        rate(therapist, 30, 20, 0)
        therapist.saved()
        self.served.at(MONDAY, 9)
        begin(nurse, prescriber, self.log)
        status = nurse.status()
        assert status["session"]["phase"] == "exposure"
        assert [one for one in status["deviations"] if one["kind"] == "started_without"] == []

    def expose(self, therapist):
        therapist.tab("exposure")
        assert "harbour" in therapist.page.inner_text(".b-panel")
        therapist.dialog("open-bin-lid")
        in_dialog(therapist.page, "100 %")
        in_dialog(therapist.page, "Start the exposure")
        therapist.page.wait_for_selector("text=Block b1")

    def five_minutes(self, therapist, suds, urge, felt):
        self.served.later(5)
        rate(therapist, suds, urge, felt)
        therapist.saved()

    def taper(self, therapist, intensity):
        therapist.tab("exposure")
        therapist.tap("taper")
        therapist.page.wait_for_function(
            "(wanted) => globalThis.kerp.status.exposure.blocks.at(-1).intensity === wanted", arg=intensity
        )

    def end_exposure(self, therapist):
        therapist.tab("exposure")
        therapist.dialog("end-block")
        in_dialog(therapist.page, "protocol taper")
        therapist.saved()
        therapist.tap("exposure-over")
        therapist.saved()
        stopped = [one["event"] for one in therapist.entries() if one["event"]["type"] == "exposure_stop"]
        assert [one["ending_rule"] for one in stopped] == ["protocol_taper"]

    # --- recovery, discharge, what is asked later ---

    def recovery(self, nurse, prescriber):
        nurse.tab("close")
        nurse.page.wait_for_selector("text=min too early")
        nurse.shot("close-blocked")
        prescriber.tab("close")
        prescriber.dialog("discharge")
        in_dialog(prescriber.page, "Discharge")
        prescriber.page.wait_for_selector("dialog[open] .b-reasons")
        prescriber.page.keyboard.press("Escape")
        self.served.later(122)
        finish(nurse, advice=False)
        assert {one["id"] for one in nurse.status()["discharge_blockers"]} == {"advice"}
        self.book(nurse)
        nurse.page.click('[data-key="leaflet"]')
        nurse.page.wait_for_selector("article.leaflet")
        leaflet = nurse.page.inner_text("article.leaflet")
        for words in ("Do not drive", "hand washing, counting", "09:30, by nurse", "Whom to call"):
            assert words in leaflet
        nurse.shot("leaflet")
        sent(nurse.page, "Handed over")
        nurse.bedside(self.log)
        nurse.tab("close")
        nurse.page.wait_for_selector("text=nothing on the list blocks")
        discharge(prescriber)
        sign(prescriber, self.log)
        assert nurse.status()["signature"]["unsigned"] == 0

    def book(self, nurse):
        nurse.dialog("book-call")
        nurse.page.fill("dialog[open] input[name=time]", "09:30")
        nurse.page.fill("dialog[open] input[name=by]", "nurse")
        in_dialog(nurse.page, "Book")
        nurse.page.wait_for_selector('.mark.good:has-text("call booked")')
        nurse.saved()

    def later_form(self, nurse):
        """Handed over: the team is signed out, and nothing but the form is on the device."""
        nurse.page.click('[data-key="later-form"]')
        nurse.page.wait_for_selector('[data-key="hand-over"]')
        self.served.later(230)
        nurse.page.click('[data-key="hand-over"]')
        nurse.page.wait_for_selector('h1:has-text("Your form")')
        nurse.page.fill("input[name=ocd_vas-item_severity]", "3")
        nurse.shot("later-form")
        nurse.page.click('button:has-text("Send")')
        nurse.page.wait_for_selector('h1:has-text("Thank you")')
        nurse.page.goto(f"/bedside/{self.log}/dosing-1/")
        nurse.page.wait_for_selector("input[name=login]")
        self.leave(nurse)

    # --- Tuesday, and a week later ---

    def tuesday(self, therapist):
        self.served.at(TUESDAY, 9, 31)
        nurse = self.a("nurse")
        nurse.page.goto("/today/")
        row = nurse.page.inner_text(f'tr:has-text("{self.code}"):has-text("Safety call")')
        assert "agreed for" in row
        assert "09:30" in row
        assert "the agreed time has passed" in row
        for instrument in ("cssrs_screener", "adverse_events", "ocd_vas"):
            nurse.page.goto(f"{self.participant}visits/day1_call/{instrument}/")
            nurse.page.evaluate(ANSWER, "0")
            sent(nurse.page, "Record")
        nurse.page.goto(f"{self.participant}visits/day1_call/")
        nurse.page.check("input[name=reached][value=yes]")
        sent(nurse.page, "Record call")
        nurse.page.goto("/today/")
        assert nurse.page.query_selector(f'tr:has-text("{self.code}"):has-text("Safety call")') is None
        self.leave(nurse)
        page = therapist.page
        page.goto(f"{self.participant}metacognitive/")
        page.fill("input[name=module]", "1")
        page.fill("input[name=duration_min]", "50")
        sent(page, "Record")

    def day_seven(self, prescriber):
        self.served.at(MONDAY, 10)
        rater = self.a("rater")
        assert any("Yale-Brown" in name for name in rate_all(rater, self.code, "Day 7", "1"))
        self.leave(rater)
        prescriber.bedside(self.log)
        status = prescriber.status()
        assert not [one for one in status["advice"] if one["rule_id"] == "reference_period"]
        unsigned = status["signature"]["unsigned"]
        assert unsigned >= 1  # the form of the afternoon came after the signature
        sign(prescriber, self.log)
        prescriber.bedside(self.log)
        assert prescriber.status()["signature"]["unsigned"] == 0

    def leave(self, one):
        assert one.faults == []
        assert one.foreign == []
        one.leave()


def test_the_monday_of_an_infusion(served, person):
    monday = Monday(served, person, "office-iv", "IV-001")
    therapist = monday.friday()
    nurse, prescriber = monday.a("nurse"), monday.a("prescriber")
    monday.morning(nurse, therapist, prescriber, "36 mg")
    monday.expose(therapist)
    for number, (suds, urge, felt) in enumerate(
        [(60, 50, 1), (70, 60, 3), (70, 60, 5), (70, 50, 6), (60, 50, 7), (60, 40, 8), (50, 40, 6), (50, 30, 5)], 1
    ):
        monday.five_minutes(therapist, suds, urge, felt)
        if number % 2 == 0:
            vitals(nurse, 130 + number, 82)
    nurse.saved()
    effect = nurse.status()["session"]["effect"]
    assert effect["onset_ms"] is not None
    assert effect["peak_ms"] is not None
    nurse.tab("drug")
    nurse.dialog("drug-end")
    nurse.page.fill("dialog[open] input[name=volume]", "35.4")
    in_dialog(nurse.page, "Record")
    nurse.saved()
    assert nurse.status()["drug"]["volume_given_ml"] == 35.4
    assert nurse.status()["session"]["phase"] == "taper"
    for suds, urge, felt, intensity in ((40, 30, 3, 0.6), (40, 20, 2, 0.3)):
        monday.taper(therapist, intensity)
        monday.five_minutes(therapist, suds, urge, felt)
    monday.five_minutes(therapist, 30, 20, 1)
    monday.five_minutes(therapist, 30, 10, 0)
    assert therapist.status()["session"]["phase"] == "effects_gone"
    monday.end_exposure(therapist)
    assert therapist.status()["session"]["phase"] == "recovery"
    _afternoon_and_week(monday, nurse, therapist, prescriber)


def test_the_monday_of_a_nasal_dose_device_by_device(served, person):
    monday = Monday(served, person, "office-nasal", "NS-001")
    therapist = monday.friday()
    nurse, prescriber = monday.a("nurse"), monday.a("prescriber")
    monday.morning(nurse, therapist, prescriber, "56 mg")
    monday.expose(therapist)
    nurse.tab("drug")
    assert "1 of 2 given" in nurse.page.inner_text(".b-panel")
    nurse.tap("device-2")  # before its time: the rest of the label is named
    nurse.page.wait_for_selector("dialog[open] .b-reasons")
    nurse.page.keyboard.press("Escape")
    monday.five_minutes(therapist, 60, 50, 1)
    nurse.tab("drug")
    nurse.tap("device-2")
    nurse.page.wait_for_selector("text=2 of 2 given")
    gap_ms = [one["at_ms"] for one in nurse.status()["drug"]["devices"]]
    assert gap_ms[1] - gap_ms[0] >= 5 * 60_000
    for suds, urge, felt in ((70, 60, 3), (70, 60, 5), (70, 50, 7), (60, 50, 8), (60, 40, 6), (50, 30, 5)):
        monday.five_minutes(therapist, suds, urge, felt)
    vitals(nurse, 138, 84)
    nurse.saved()
    assert nurse.status()["session"]["phase"] == "taper"
    monday.taper(therapist, 0.6)
    for suds, urge, felt in ((40, 30, 3), (30, 20, 1), (30, 10, 0)):
        monday.five_minutes(therapist, suds, urge, felt)
    assert therapist.status()["session"]["phase"] == "effects_gone"
    monday.end_exposure(therapist)
    _afternoon_and_week(monday, nurse, therapist, prescriber)


def _afternoon_and_week(monday, nurse, therapist, prescriber):
    monday.recovery(nurse, prescriber)
    monday.later_form(nurse)
    monday.tuesday(therapist)
    monday.day_seven(prescriber)
    entries = prescriber.entries()
    kinds = {one["event"]["type"] for one in entries}
    assert {"scale_answers", "discharge", "signature", "discharge_criterion"} <= kinds
    form = [one for one in entries if one["event"].get("instrument") == "ocd_vas"]
    assert form[-1]["event"]["rated_by"] == "participant"
    assert re.match(r"participant", form[-1]["device"])
    for one in (therapist, prescriber):
        assert one.faults == []
        assert one.foreign == []


pytestmark = pytest.mark.timeout(900)
