"""After the dose: the participant's form, the leaflet, the booked call, and the lists that are tapped."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from kerp.base.data import DATA
from kerp.base.tomlfile import read_toml
from kerp.evidence.references import reference
from kerp.session import events as ev
from kerp.session.visits import VisitState, visit_status
from kerp.web import logbook
from kerp.web.bedside.aftercare import token_of
from kerp.web.bedside.leaflet import written_for
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Entry, Log
from kerp.web.office import standing

sys.path.insert(0, str(Path(__file__).parent))
from bench import Device, append

ZONE = ZoneInfo("Europe/Paris")


class Clock:
    """What the server takes for now."""

    def __init__(self):
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=ZONE)

    def __call__(self):
        return self.now

    def later(self, minutes):
        self.now += timedelta(minutes=minutes)


@pytest.fixture
def hours(monkeypatch, team, signed_in, settings):
    """Monday, nine o'clock; the log was opened on Friday."""
    clock = Clock()
    settings.KERP = replace(settings.KERP, idle_min=100_000, absolute_h=100_000)
    monkeypatch.setattr(timezone, "now", clock)
    Log.objects.filter(id=team.log.id).update(opened_at=clock.now - timedelta(days=3))
    return clock


@pytest.fixture
def nurse(signed_in, team, hours):
    """At the end of an infusion of forty minutes."""
    append(team, ev.SessionOpened(plan="dosing"), role="nurse", session="dosing-1")
    device = Device(signed_in("nurse"), team.log)
    device.post(ev.DoseComputed(weight_kg=72, dose_mg=36, volume_ml=36, concentration_mg_per_ml=1))
    device.post(ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=54))
    hours.later(40)
    device.post(ev.AdministrationEnded(volume_given_ml=35.4))
    return device


def at(device, what):
    return f"/bedside/{device.log.id}/{device.session}/{what}/"


def form_of(device, person):
    return f"/form/{token_of(device.log, device.session, person)}/"


def filled(page):
    """The hidden ids that a browser sends back."""
    return {f"{one.prefix}-entry_id": str(one["entry_id"].value()) for one in page.context["now"].scales}


def recorded(kind):
    return [one.data()["event"] for one in Entry.objects.filter(kind=kind).order_by("seq")]


def test_the_form_is_the_last_thing_the_protocol_asks_and_never_the_ybocs(nurse):
    told = nurse.status()["later_form"]
    assert told["left"] == ["ocd_vas", "yboccs"]
    assert told["due_ms"] - nurse.status()["drug"]["ended_ms"] == 230 * 60_000
    assert nurse.get("plan").json()["later_form_min"] == 230


def test_the_form_opens_at_its_time_asks_for_no_account_and_is_recorded_once(nurse, team, hours):
    participant = Client()
    address = form_of(nurse, team["nurse"])
    hours.later(60)
    early = participant.get(address)
    assert b"This form opens" in early.content
    assert participant.post(address, {"ocd_vas-item_severity": "3"}).status_code == 200
    assert recorded("scale_answers") == []
    hours.later(170)
    page = participant.get(address)
    answers = filled(page) | {"ocd_vas-item_severity": "3"}
    assert participant.post(address, answers).status_code == 302
    participant.post(address, answers)  # the answer to the first was lost
    event = recorded("scale_answers")
    assert [(one["instrument"], list(one["answers"].values()), one["rated_by"]) for one in event] == [
        ("ocd_vas", [3.0], "participant")
    ]
    row = Entry.objects.get(kind="scale_answers").data()
    assert row["role"] == "participant"
    assert row["session"] == "dosing-1"
    slots = {one["prompt"]: one["state"] for one in nurse.status()["due"]}
    assert slots.get("end_ocd_vas") not in {"due", "overdue"}
    assert b"Thank you" in participant.get(address).content


def test_the_form_shows_nothing_of_the_session_and_its_address_opens_nothing_else(nurse, team, hours):
    hours.later(231)
    participant = Client()
    page = participant.get(form_of(nurse, team["nurse"])).content.decode()
    for word in (team.participant.code, "36 mg", "Ketamine", "35.4", "SUDS"):
        assert word not in page
    assert participant.get(at(nurse, "leaflet")).status_code == 302
    assert participant.get("/form/forged/").status_code == 401
    assert "licensed paper form" not in page  # that is for the team
    assert "licensed paper form" in nurse.client.get(at(nurse, "form")).content.decode()


def test_an_empty_form_is_not_taken_and_nothing_becomes_a_zero(nurse, team, hours):
    hours.later(231)
    participant = Client()
    page = participant.get(form_of(nurse, team["nurse"]))
    answer = participant.post(form_of(nurse, team["nurse"]), filled(page))
    assert "Nothing was answered yet." in answer.content.decode()
    assert recorded("scale_answers") == recorded("rating_missed") == []


def test_handing_the_device_over_signs_the_team_out(nurse, team, hours):
    hours.later(231)
    answer = nurse.client.post(at(nurse, "form"), {"hand_over": "1"})
    assert answer.status_code == 302
    assert answer.url.startswith("/form/")
    assert nurse.client.get(answer.url).status_code == 200
    assert nurse.get("status").status_code == 401


def test_the_form_is_taken_over_from_paper_with_its_own_time_and_marked_as_late(nurse, team, hours):
    hours.later(300)
    page = nurse.client.get(at(nurse, "form"))
    data = filled(page) | {"ocd_vas-item_severity": "4.5", "at": "2026-03-02T13:32", "reason": "no device at home"}
    early = nurse.client.post(at(nurse, "form"), data | {"at": "2026-03-02T10:00"})
    assert "was not filled in then" in early.content.decode()
    assert recorded("scale_answers") == []
    assert nurse.client.post(at(nurse, "form"), data).status_code == 302
    row = Entry.objects.get(kind="scale_answers")
    assert row.data()["wall_clock"][11:16] == "13:32"
    assert recorded("late_entry")[0]["reason"] == "no device at home"


def test_the_leaflet_says_what_was_given_whom_to_call_and_what_was_agreed_and_handing_it_over_is_recorded(
    nurse, team, hours
):
    append(
        team,
        ev.ResponsePreventionAgreed(agreed=True, overt_rituals=("hand washing",), mental_rituals=("counting",)),
        role="therapist",
    )
    nurse.post(ev.CallBooked(visit="day1_call", at="2026-03-03T09:30", by="nurse"))
    page = nurse.client.get(at(nurse, "leaflet")).content.decode()
    for words in ("35.4 mL", "36 mg", "Do not drive", "night&#x27;s sleep", "hand washing, counting",
                  "Tuesday 3 March, 09:30, by nurse", "Monday 2 March, 13:30"):  # fmt: skip
        assert words in page, words
    blockers = {one["id"] for one in nurse.status()["discharge_blockers"]}
    assert "advice" in blockers
    sheet = nurse.client.get(at(nurse, "leaflet"))
    nurse.client.post(at(nurse, "leaflet"), {"entry_id": sheet.context["form"]["entry_id"].value()})
    assert recorded("discharge_criterion")[0]["note"].startswith("leaflet 1, sha256:")
    assert "advice" not in {one["id"] for one in nurse.status()["discharge_blockers"]}


def test_the_leaflet_of_a_blinded_study_names_no_drug_and_no_dose(signed_in, team, hours, monkeypatch):
    team.study.blinded = True
    team.study.save()
    monkeypatch.setattr(logbook, "_participants", OrderedDict())  # no act of the application changes a study
    append(team, ev.SessionOpened(plan="dosing"), role="nurse", session="dosing-1")
    nurse = Device(signed_in("nurse"), team.log)
    dose = ev.DoseComputed(kit="K104", volume_ml=36, rate_ml_per_h=54)
    append(team, dose, role="nurse", session="dosing-1")
    nurse.post(ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=54, kit="K104"))
    hours.later(40)
    nurse.post(ev.AdministrationEnded(volume_given_ml=35.4))
    text = nurse.client.get(at(nurse, "leaflet")).content.decode().lower().split("<article")[1]
    assert "kit k104" in text, text[:600]
    for word in ("36 mg", "35.4", "ketamine into", "midazolam", "placebo"):
        assert word not in text
    assert "active treatment or the comparison" in text
    assert "kit k104" in text


def test_every_statement_of_the_leaflet_names_its_source():
    sections = read_toml(DATA / "web" / "leaflet.toml").data["sections"]
    for one in (statement for section in sections for statement in section["statements"]):
        assert one["mark"] in {"read", "recalled", "assumed"}
        if one["source"] != "kerp" and not one["source"].startswith("PAPER"):
            assert reference(one["source"])


def test_a_booked_call_stands_on_the_list_is_late_after_its_hour_and_never_moves_the_escalation(
    nurse, signed_in, team, hours
):
    def call():
        visit = next(one for one in protocol_of(team.log).visits if one.id == "day1_call")
        return visit_status(state_of(team.log), visit, standing.now_ms(team.log))

    before = call().escalate_ms
    booked = nurse.post(ev.CallBooked(visit="day1_call", at="2026-03-03T11:15", by="nurse"))
    assert booked.json()["outcomes"][0]["result"] == "stored"
    assert call().escalate_ms == before
    assert call().state is VisitState.PLANNED
    office = signed_in("coordinator")
    assert "Tue 3 Mar, 11:15" in office.get("/today/").content.decode()
    hours.now = datetime(2026, 3, 3, 11, 30, tzinfo=ZONE)
    assert call().late_at(standing.now_ms(team.log))
    office = signed_in("coordinator")  # another day, another sign-in
    assert "the agreed time has passed" in office.get("/today/").content.decode()
    hours.now = datetime(2026, 3, 3, 12, 1, tzinfo=ZONE)
    assert call().state is VisitState.ESCALATED
    assert "overdue: call the prescriber" in office.get("/today/").content.decode()
    append(team, ev.CallMade(visit="day1_call", reached=True), role="nurse")
    assert not call().late_at(standing.now_ms(team.log))
    assert "11:15" not in office.get("/today/").content.decode()


def test_the_office_books_a_call_and_a_wrong_time_is_refused(nurse, signed_in, team):
    office = signed_in("coordinator")
    page = f"/participants/{team.participant.public_id}/visits/day1_call/"
    wrong = office.post(page, {"at": "tomorrow", "by": "nurse", "entry_id": str(team.log.id)})
    assert wrong.status_code == 200
    assert recorded("call_booked") == []
    office.post(page, {"at": "2026-03-03T10:00", "by": "therapist", "entry_id": str(team.log.id)})
    assert [(one["at"], one["by"]) for one in recorded("call_booked")] == [("2026-03-03T10:00", "therapist")]


@pytest.mark.parametrize("wrong", ["tomorrow", "2026-03-03", "09:30", ""])
def test_a_booking_without_date_and_time_is_refused(nurse, wrong):
    event = {"type": "call_booked", "visit": "day1_call", "at": wrong, "by": "nurse"}
    assert nurse.post(event).json()["outcomes"][0]["result"] == "refused"


def test_lists_that_are_tapped_come_from_data_with_a_button_for_every_code(nurse):
    codes = nurse.get("plan").json()["codes"]
    assert {one["code"] for one in codes["rituals"]} == set(ev.Ritual)
    assert {one["code"] for one in codes["causes"]} == set(ev.FallCause)
    assert [one["code"] for one in codes["sedation"]] == [5, 4, 3, 2, 1, 0]
    assert [one["code"] for one in codes["grades"]] == [1, 2, 3, 4, 5]
    adverse = [one["code"] for one in codes["adverse"]]
    assert {"chest_pain", "neurological_sign", "persecutory_idea", "nausea"} <= set(adverse)
    assert adverse[-1] == "other"
    assert len(set(adverse)) == len(adverse)
    assert {"too_dissociated", "asleep", "refused", "not_asked"} <= {one["code"] for one in codes["missed"]}


def test_the_leaflet_of_an_off_drug_session_speaks_of_no_drug(signed_in, team, hours):
    append(team, ev.SessionOpened(plan="repeat_off_drug"), role="therapist", session="repeat-1")
    from kerp.session.view import view_of

    state = state_of(team.log)
    view = view_of(protocol_of(team.log), state, state.session("repeat-1"), standing.now_ms(team.log))
    text = " ".join(line for section in written_for(team.log, view) for line, _ in section.statements)
    assert "drive" not in text
    assert "ritual slips" in text
