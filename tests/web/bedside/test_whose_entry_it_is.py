"""Who may correct which entry: not the blinded rater's, not the office's, not another session's (M7, M15)."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

from kerp.session import events as ev
from kerp.web.actions import participants
from kerp.web.course import state_of
from kerp.web.models import Entry

sys.path.insert(0, str(Path(__file__).parent))
from bench import Device, append, screened

pytestmark = pytest.mark.both_engines
NOUGHT = {f"item_{n}": 0.0 for n in range(1, 11)}


@pytest.fixture
def nurse(signed_in, team):
    screened(team)
    append(team, ev.SessionOpened(plan="dosing"), role="nurse", session="dosing-1")
    return Device(signed_in("nurse"), team.log)


def baseline():
    return Entry.objects.get(kind="scale_answers")


def result(answer):
    return answer.json()["outcomes"][0]


def zeros(rated_by):
    return ev.ScaleAnswered(instrument="ybocs", version="t", answers=NOUGHT, rated_by=rated_by)


@pytest.mark.parametrize("role", ["nurse", "therapist", "prescriber"])
@pytest.mark.parametrize(
    "change",
    [{"replacement": zeros("nurse")}, {"retracted": True}, {"occurred_ms": 5}],
    ids=["rewritten", "taken back", "moved"],
)
def test_nobody_at_the_bedside_changes_the_blinded_raters_baseline(signed_in, team, nurse, role, change):
    device = Device(signed_in(role), team.log)
    before = Entry.objects.count()
    own = {"replacement": zeros("participant")} if "replacement" in change else change
    refused = result(device.post(ev.Corrected(entry=str(baseline().entry_id), reason="wrong", **own)))
    assert refused["result"] == "refused"
    assert "not made in this session" in refused["faults"][0]["message"]
    asked = {"id": str(uuid.uuid4()), "device": "x"}
    event = ev.Corrected(entry=str(baseline().entry_id), reason="wrong", **own)
    from bench import plain

    device.send("requests", asked | {"event": plain(event)})
    assert Entry.objects.count() == before
    answered = state_of(team.log).everywhere(ev.ScaleAnswered)
    assert [set(one.event.answers.values()) for one in answered] == [{2.0}]


def test_a_raters_entry_stands_even_where_it_names_the_session(nurse, team):
    append(team, zeros("blind_rater"), role="rater", session="dosing-1")
    found = Entry.objects.filter(kind="scale_answers").last()
    assert (
        result(nurse.post(ev.Corrected(entry=str(found.entry_id), reason="x", retracted=True)))["result"] == "refused"
    )


@pytest.mark.parametrize("said", ["blind_rater", "rater", "Blind_Rater", "prescriber", "therapist"])
def test_a_scale_is_not_recorded_in_the_name_of_another_role(nurse, said):
    assert result(nurse.post(zeros(said)))["result"] == "refused"
    suds = Entry.objects.filter(kind="suds")
    nurse.post(ev.SudsRated(value=60))
    wrapped = ev.Corrected(entry=str(suds.get().entry_id), reason="x", replacement=zeros(said))
    assert result(nurse.post(wrapped))["result"] == "refused"


def test_no_rating_of_any_kind_says_that_the_blinded_rater_made_it(nurse):
    for event in (ev.SudsRated(value=60, rated_by="blind_rater"), ev.SedationRated(moaas=5, rated_by="rater")):
        assert result(nurse.post(event))["result"] == "refused"
    assert result(nurse.post(ev.ArmGuess(by=ev.Guesser.RATER, guess="active")))["result"] == "refused"


@pytest.mark.parametrize("said", ["participant", "nurse"])
def test_a_scale_of_the_participant_or_of_ones_own_role_is_recorded(nurse, said):
    assert result(nurse.post(zeros(said)))["result"] == "stored"


def test_whoever_treats_in_this_session_corrects_what_a_colleague_recorded_in_it(nurse, signed_in, team):
    nurse.post(ev.SudsRated(value=60))
    suds = Entry.objects.get(kind="suds")
    therapist = Device(signed_in("therapist"), team.log)
    better = ev.Corrected(entry=str(suds.entry_id), reason="misheard", replacement=ev.SudsRated(value=50))
    assert result(therapist.post(better))["result"] == "stored"
    undone = ev.Corrected(entry=str(Entry.objects.get(kind="correction").entry_id), reason="no", retracted=True)
    assert result(nurse.post(undone))["result"] == "stored"
    assert [one.event.value for one in state_of(team.log).everywhere(ev.SudsRated)] == [60]


def test_an_entry_of_another_session_or_of_the_office_is_not_corrected_here(nurse, team):
    append(team, ev.SudsRated(value=40), role="nurse", session="dosing-2")
    plan = Entry.objects.filter(kind="hierarchy_item").first()
    for row in (Entry.objects.get(kind="suds"), plan, Entry.objects.filter(kind="consent").first()):
        if row is not None:
            change = ev.Corrected(entry=str(row.entry_id), reason="x", retracted=True)
            assert result(nurse.post(change))["result"] == "refused"


def test_an_entry_of_another_participant_is_not_corrected_here(nurse, team):
    other = participants.register(study=team.study, site=team.site, code="S1-002", actor=team["coordinator"])
    from kerp.web.actions import record

    one = record.Submitted(id=uuid.uuid4(), event=ev.SudsRated(value=40), session="dosing-1", role="nurse")
    record.append(log_id=other.log.id, actor="nurse", submitted=one)
    refused = result(nurse.post(ev.Corrected(entry=str(one.id), reason="x", retracted=True)))
    assert "not of this log" in refused["faults"][0]["message"]


def test_undoing_a_correction_needs_the_right_to_the_entry_it_speaks_of(nurse, signed_in, team):
    append(team, ev.Discharged(escort="sister", leaflet=True), role="prescriber", session="dosing-1")
    given = Entry.objects.get(kind="discharge")
    change = ev.Corrected(entry=str(given.entry_id), reason="x", retracted=True)
    assert result(nurse.post(change))["result"] == "refused"
    assert result(Device(signed_in("prescriber"), team.log).post(change))["result"] == "stored"
    correction = Entry.objects.get(kind="correction")
    undo = ev.Corrected(entry=str(correction.entry_id), reason="x", retracted=True)
    assert result(nurse.post(undo))["result"] == "refused"


def test_a_guess_is_corrected_by_who_wrote_it_down(nurse, signed_in, team):
    therapist = Device(signed_in("therapist"), team.log)
    therapist.post(ev.ArmGuess(by=ev.Guesser.THERAPIST, guess="active"))
    guess = Entry.objects.get(kind="arm_guess")
    change = ev.Corrected(entry=str(guess.entry_id), reason="x", retracted=True)
    assert result(nurse.post(change))["result"] == "refused"
    assert result(therapist.post(change))["result"] == "stored"


def test_a_correction_is_no_signature(signed_in, nurse, team):
    prescriber = Device(signed_in("prescriber"), team.log)
    prescriber.post(ev.SudsRated(value=60))
    signed = ev.Signature(name="A", meaning="B", through_seq=1, record_digest="0" * 64)
    change = ev.Corrected(entry=str(Entry.objects.get(kind="suds").entry_id), reason="x", replacement=signed)
    assert "fresh proof" in result(prescriber.post(change))["faults"][0]["message"]
