"""The interface for devices: idempotent, decided under one lock, nothing lost, nothing leaked."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest
from django.utils import timezone

from kerp.session import events as ev
from kerp.session.status import status
from kerp.web.actions import record
from kerp.web.course import protocol_of, rebuilt, state_of
from kerp.web.models import Assignment, Entry, Flag

sys.path.insert(0, str(Path(__file__).parent))
from bench import Device, append, checks, plain, screened

pytestmark = pytest.mark.both_engines
SUDS = ev.SudsRated(value=60)


@pytest.fixture
def nurse(signed_in, team):
    """A nurse's tablet at an opened session."""
    append(team, ev.SessionOpened(plan="dosing"), role="nurse", session="dosing-1")
    return Device(signed_in("nurse"), team.log)


def test_an_entry_is_kept_once_however_often_it_is_sent(nurse):
    same = {0: uuid.uuid4()}
    first = nurse.post(SUDS, ids=same, occurred=5_000).json()["outcomes"][0]
    again = nurse.post(SUDS, ids=same, occurred=5_000, queued=True, clock_offset_ms=900).json()["outcomes"][0]
    assert (first["result"], again["result"]) == ("stored", "known")
    assert first["seq"] == again["seq"]
    assert Entry.objects.filter(kind="suds").count() == 1


def test_the_same_id_with_other_content_is_answered_409_and_flagged_and_what_stands_is_untouched(nurse):
    same = {0: uuid.uuid4()}
    nurse.post(SUDS, ids=same, occurred=5_000)
    answer = nurse.post(ev.SudsRated(value=20), ids=same, occurred=5_000)
    assert answer.status_code == 409
    assert answer.json()["outcomes"][0]["result"] == "conflict"
    assert Flag.objects.filter(kind="same_id_other_content", entry_id=same[0]).count() == 1
    assert Entry.objects.get(entry_id=same[0]).data()["event"]["value"] == 60


def test_a_bad_entry_in_a_batch_does_not_hold_up_the_others(nurse):
    answer = nurse.post(SUDS, {"type": "suds", "value": 900}, {"type": "no_such"}, ev.UrgeRated(value=10))
    results = [outcome["result"] for outcome in answer.json()["outcomes"]]
    assert results == ["stored", "refused", "refused", "stored"]
    fault = answer.json()["outcomes"][1]["faults"][0]
    assert fault["field"] == "event.value"
    assert "0 to 100" in fault["allowed"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"device":"t"}',
        b'{"device":"t","entries":[]}',
        b'{"device":1,"entries":[{}],"x":2}',
        b"[" * 5000,
    ],
)
def test_a_body_that_is_no_batch_is_refused_with_what_is_wrong_and_writes_nothing(nurse, team, body):
    head = team.log.head_seq
    answer = nurse.client.post(nurse.base + "entries", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["message"]
    assert team.log.head_seq == head


def test_an_id_that_is_no_uuid_is_refused(nurse):
    body = {"device": "t", "entries": [{"id": "1", "event": {"type": "suds", "value": 1}}]}
    assert nurse.send("entries", body).json()["outcomes"][0]["result"] == "refused"


def test_who_gave_an_entry_comes_from_the_sign_in_never_from_the_device(nurse):
    body = {
        "device": "t",
        "entries": [{"id": str(uuid.uuid4()), "event": {"type": "suds", "value": 1}, "actor": "x"}],
    }
    assert nurse.send("entries", body).status_code == 400
    nurse.post(SUDS)
    entry = Entry.objects.get(kind="suds").data()
    assert (entry["actor"], entry["role"], entry["device"]) == ("nurse", "nurse", "tablet-1")


def test_a_device_whose_clock_is_off_is_found_out_even_when_it_does_not_know(nurse, team):
    body = {
        "device": "t",
        "sent_wall_ms": 0,
        "entries": [{"id": str(uuid.uuid4()), "event": {"type": "urge", "value": 1}}],
    }
    assert nurse.send("entries", body).json()["outcomes"][0]["result"] == "stored"
    flags = nurse.status()["flags"]
    assert [flag["kind"] for flag in flags] == ["clock_offset"]


def test_a_queued_entry_keeps_the_time_at_which_it_happened(nurse, team):
    nurse.post(SUDS, occurred=1_000, queued=True)
    entry = Entry.objects.get(kind="suds").data()
    assert (entry["occurred_ms"], entry["queued"]) == (1_000, True)
    assert not any(flag["kind"] == "late_entry" for flag in nurse.status()["flags"])


@pytest.mark.parametrize("role", ["monitor", "data_manager", "coordinator"])
def test_whoever_only_looks_records_nothing(nurse, signed_in, team, role):
    device = Device(signed_in(role), team.log)
    assert device.get("status").status_code == 200
    head = team.log.head_seq
    answer = device.post(SUDS)
    assert answer.status_code in {400, 403}
    assert device.send("requests", {}).status_code == 403
    assert team.log.head_seq == head


@pytest.mark.parametrize("role", ["rater", "statistician", "administrator", "pharmacist"])
def test_a_blinded_rater_and_others_reach_no_session(nurse, signed_in, team, role):
    device = Device(signed_in(role), team.log)
    for what in ("status", "plan", "forecast", "stream"):
        assert device.get(what).status_code == 403, what


def test_nobody_who_rates_this_participant_sees_the_session_even_with_another_role(nurse, signed_in, team):
    Assignment.objects.create(
        participant=team.participant, person=team["therapist"], role="rater", assigned_at=team.log.opened_at
    )
    refused = Device(signed_in("therapist"), team.log).get("status")
    assert (refused.status_code, refused.json()["error"]) == (403, "You rate this participant blinded")


def test_a_log_of_another_site_is_not_there(nurse, signed_in, team):
    from kerp.web.actions import people, study

    other = study.create_site(code="lyo", name="Lyon", zone="Europe/Paris", actor=team["administrator"])
    team["nurse"].grants.all().delete()
    people.grant(person=team["nurse"], role="nurse", actor=None, site=other)
    assert nurse.get("status").status_code == 404
    assert nurse.post(SUDS).status_code == 404


def test_a_nurse_signs_no_discharge_and_corrects_none(nurse):
    outcome = nurse.post(ev.Discharged(escort="sister", leaflet=True)).json()["outcomes"][0]
    assert outcome["result"] == "refused"
    wrapped = ev.Corrected(entry="x", reason="y", replacement=ev.Discharged(escort="sister"))
    assert nurse.post(wrapped).json()["outcomes"][0]["result"] == "refused"


@pytest.mark.parametrize("kind", ["log_opened", "unblinding", "hierarchy_item"])
def test_what_belongs_to_the_office_is_not_recorded_at_the_bedside(nurse, kind):
    fields = {
        "log_opened": {"participant": "a", "protocol_id": "b", "protocol_digest": "c", "engine_version": "d"},
        "unblinding": {"reason": "a", "second_person": "b"},
        "hierarchy_item": {"item": "a", "trigger": "b"},
    }
    assert nurse.post({"type": kind} | fields[kind]).json()["outcomes"][0]["result"] == "refused"


def test_whoever_records_treats_and_may_not_rate_blinded_later(nurse, team):
    nurse.post(SUDS)
    assert Assignment.objects.filter(person=team["nurse"], role="nurse", participant=team.participant).exists()


# --- transitions ---


def test_the_start_names_everything_that_is_missing_and_writes_nothing(nurse, team):
    head = team.log.head_seq
    answer = nurse.ask(ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=54))
    assert answer["accepted"] is False
    named = {reason["id"] for reason in answer["reasons"]}
    assert {
        "missing.hcg",
        "missing.toxicology",
        "missing.fasting",
        "missing.escort_named",
        "missing.dose_verified",
    } <= named
    assert all(reason["ways_out"] for reason in answer["reasons"] if reason["overridable"])
    assert team.log.head_seq == head


def test_a_device_with_a_wrong_clock_starts_no_administration(nurse):
    answer = nurse.ask(ev.AdministrationStarted(route="iv_infusion"), clock_offset_ms=4_000, sent_wall_ms=None)
    assert "clock_offset" in {reason["id"] for reason in answer["reasons"]}


def test_two_people_verify_the_dose_and_then_the_session_starts(nurse, signed_in, team):
    screened(team)
    nurse.post(*checks())
    now = record.elapsed_ms(team.log, timezone.now())
    pressure = ev.VitalsTaken(systolic_mmhg=120, diastolic_mmhg=78, heart_rate_per_min=70, spo2_pct=98)
    nurse.post(pressure, occurred=now - 600_000)
    nurse.post(pressure, occurred=now - 200_000)
    dose = nurse.get("dose", weight_kg="72", concentration_mg_per_ml="1").json()
    assert dose["event"]["dose_mg"] == 36
    nurse.post(dose["event"])
    verified = ev.DoseVerified(agrees=True, computed=nurse.status()["drug"]["computed"]["id"])
    nurse.post(verified)
    nurse.post(verified)
    assert [row["id"] for row in nurse.status()["gate"] if not row["met"]] == ["dose_verified"]
    prescriber = Device(signed_in("prescriber"), team.log, name="phone-2")
    prescriber.post(verified)
    assert [row["why"] for row in nurse.status()["gate"] if not row["met"]] == []
    assert nurse.ask(ev.ReadyConfirmed())["accepted"]
    started = nurse.ask(ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=54))
    assert started["accepted"], started
    assert nurse.status()["session"]["phase"] == "exposure"
    assert rebuilt(team.log) == state_of(team.log)


def test_a_verification_counts_for_the_dose_that_was_looked_at_and_for_no_other(nurse, signed_in, team):
    prescriber = Device(signed_in("prescriber"), team.log, name="phone-2")
    nurse.post(ev.DoseComputed(weight_kg=70, dose_mg=35, volume_ml=35))
    seen = prescriber.status()["drug"]["computed"]["id"]
    nurse.post(ev.DoseComputed(weight_kg=95, dose_mg=47.5, volume_ml=47.5))
    asked = {"id": str(uuid.uuid4()), "event": plain(ev.DoseVerified(agrees=True, computed=seen)), "device": "x"}
    assert prescriber.send("requests", asked).status_code == 409
    for event in (ev.DoseVerified(agrees=True, computed=seen), ev.DoseVerified(agrees=True)):
        outcome = prescriber.post(event).json()["outcomes"][0]
        assert outcome["result"] == "refused"
    assert not Entry.objects.filter(kind="dose_verified").exists()
    now = ev.DoseVerified(agrees=True, computed=prescriber.status()["drug"]["computed"]["id"])
    same = {0: uuid.uuid4()}
    assert prescriber.post(now, ids=same).json()["outcomes"][0]["result"] == "stored"
    nurse.post(ev.DoseComputed(weight_kg=71, dose_mg=35.5))
    assert prescriber.post(now, ids=same).json()["outcomes"][0]["result"] == "known"  # its answer was lost
    assert nurse.status()["drug"]["verified_by"] == []


def test_an_old_page_of_the_dose_verifies_nothing_and_shows_the_dose_as_it_stands_now(nurse, signed_in, team):
    client = signed_in("prescriber")
    address = f"/bedside/{team.log.id}/dosing-1/dose/"
    nurse.post(ev.DoseComputed(weight_kg=70, dose_mg=35))
    form = client.get(address).context["form"]
    sent = {"entry_id": str(uuid.uuid4()), "verdict": "agrees", "computed": form["computed"].value()}
    nurse.post(ev.DoseComputed(weight_kg=95, dose_mg=47.5))
    answer = client.post(address, sent)
    assert answer.status_code == 409
    assert "changed since you looked; look again" in answer.content.decode()
    assert "47.5 mg" in answer.content.decode()
    assert not Entry.objects.filter(kind="dose_verified").exists()
    fresh = answer.context["form"]
    again = sent | {"computed": fresh["computed"].value(), "entry_id": str(uuid.uuid4())}
    assert client.post(address, again).status_code == 302
    assert nurse.status()["drug"]["verified_by"] == ["prescriber"]
    assert client.post(address, {"entry_id": str(uuid.uuid4()), "verdict": "agrees"}).status_code == 200
    assert Entry.objects.filter(kind="dose_verified").count() == 1


def test_a_verification_is_not_rewritten_under_the_name_of_another(nurse, signed_in, team):
    nurse.post(ev.DoseComputed(weight_kg=70, dose_mg=35))
    verified = ev.DoseVerified(agrees=True, computed=nurse.status()["drug"]["computed"]["id"])
    mine = {0: uuid.uuid4()}
    nurse.post(verified, ids=mine)
    other = Device(signed_in("prescriber"), team.log)
    rewritten = ev.Corrected(entry=str(mine[0]), reason="other dose", replacement=verified)
    assert other.post(rewritten).json()["outcomes"][0]["result"] == "refused"


def test_a_prescriber_goes_on_with_a_reason_and_the_record_keeps_both(nurse, signed_in, team):
    prescriber = Device(signed_in("prescriber"), team.log)
    asked = ev.ReadyConfirmed()
    assert not prescriber.ask(asked)["accepted"]
    answer = prescriber.ask(asked, override="site rehearsal, no drug in the syringe")
    assert answer["accepted"]
    assert answer["overridden"]
    kinds = list(Entry.objects.order_by("seq").values_list("kind", flat=True))[-2:]
    assert kinds == ["transition_overridden", "ready_confirmed"]
    refused = nurse.ask(ev.AdministrationStarted(route="iv_infusion"), override="because")
    assert not refused["accepted"]


def test_a_request_whose_answer_was_lost_gets_the_same_yes(signed_in, team, nurse):
    prescriber = Device(signed_in("prescriber"), team.log)
    same = str(uuid.uuid4())
    first = prescriber.ask(ev.ReadyConfirmed(), override="rehearsal", id=same)
    again = prescriber.ask(ev.ReadyConfirmed(), override="rehearsal", id=same)
    assert first["accepted"]
    assert again["accepted"]
    assert first["seq"] == again["seq"]
    assert Entry.objects.filter(kind="ready_confirmed").count() == 1


def test_a_request_whose_answer_was_lost_may_come_as_a_fact_under_its_id(signed_in, team, nurse):
    prescriber, same = Device(signed_in("prescriber"), team.log), str(uuid.uuid4())
    at = record.elapsed_ms(team.log, timezone.now())
    assert prescriber.ask(ev.ReadyConfirmed(), override="rehearsal", id=same, occurred_ms=at)["accepted"]
    outcome = prescriber.post(ev.ReadyConfirmed(), ids={0: same}, occurred=at).json()["outcomes"][0]
    assert outcome["result"] == "known"
    stands = Entry.objects.get(kind="ready_confirmed")
    assert "consent_version" in stands.data()["event"]["missing"]  # written by the engine, not by the device
    assert not Flag.objects.exists()


def test_a_request_under_a_known_id_with_other_content_is_answered_409_and_flagged(signed_in, team, nurse):
    prescriber, same = Device(signed_in("prescriber"), team.log), str(uuid.uuid4())
    asked = {"id": same, "event": plain(ev.ExposureStarted(block="b1", item="door", modality=ev.Modality.OBJECT))}
    override = {"device": prescriber.name, "override": "rehearsal"}
    assert prescriber.send("requests", asked | override).json()["accepted"]
    other = {"id": same, "event": plain(ev.ExposureStarted(block="b1", item="bin", modality=ev.Modality.OBJECT))}
    answer = prescriber.send("requests", other | override)
    assert answer.status_code == 409
    assert "other content" in answer.json()["error"]
    flag = Flag.objects.get(kind="same_id_other_content")
    assert '"bin"' in flag.refused
    assert Entry.objects.get(entry_id=same).data()["event"]["item"] == "door"
    assert prescriber.send("requests", asked | override).json()[
        "accepted"
    ]  # the same once more is still the same yes


def test_a_request_that_comes_too_late_is_asked_again_not_carried_out(nurse):
    answer = nurse.ask(ev.ExposureStarted(block="b1", item="door", modality=ev.Modality.OBJECT), occurred_ms=-90_000)
    assert [reason["id"] for reason in answer["reasons"]] == ["asked_too_long_ago"]


def test_what_happened_is_kept_even_when_it_would_have_been_refused(nurse):
    outcome = nurse.post(ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=54)).json()["outcomes"][0]
    assert outcome["result"] == "stored"
    assert "missing.hcg" in {warning["id"] for warning in outcome["warnings"]}
    assert "started_without" in {deviation["kind"] for deviation in nurse.status()["deviations"]}


def test_a_signature_needs_a_fresh_proof(signed_in, team, nurse):
    prescriber = Device(signed_in("prescriber"), team.log)
    event = ev.Signature(name="Prescriber Example", meaning="reviewed", through_seq=1)
    body = {"id": str(uuid.uuid4()), "event": plain(event), "device": "x"}
    assert prescriber.send("requests", body).status_code == 400
    assert not Entry.objects.filter(kind="signature").exists()


def test_a_signature_cannot_come_in_as_a_plain_entry(signed_in, team, nurse):
    prescriber = Device(signed_in("prescriber"), team.log)
    event = ev.Signature(name="Prescriber Example", meaning="reviewed", through_seq=1)
    assert prescriber.post(event).json()["outcomes"][0]["result"] == "refused"


# --- looking ---


def test_what_is_due_and_what_blocks_is_the_engines_word(nurse, team):
    shown = nurse.status()
    engine = status(
        protocol_of(team.log),
        state_of(team.log),
        shown["now_ms"],
        "dosing-1",
    )
    assert {row["prompt"] for row in shown["due"] if row["state"] in {"due", "overdue"}} == {
        s.prompt.id for s in engine.due
    }
    assert {row["id"] for row in shown["gate"] if not row["met"]} == {item.id for item in engine.missing}


def test_a_prompt_of_another_phase_is_not_announced_for_this_one(nurse):
    start = ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=54)
    nurse.post(start, ev.ExposureStarted(block="b1", item="door", modality=ev.Modality.OBJECT))
    shown = nurse.status()
    assert shown["phase"]["id"] == "exposure"
    of_phase = {row["prompt"]: row["of_phase"] for row in shown["due"]}
    assert of_phase["suds"] is True
    assert of_phase["recovery_suds"] is False


def test_the_dose_is_begun_with_the_weight_as_corrected(nurse):
    wrong = uuid.uuid4()
    nurse.post(ev.Weighed(weight_kg=27.0), ids={0: wrong})
    nurse.post(ev.Corrected(entry=str(wrong), reason="digits", replacement=ev.Weighed(weight_kg=72.0)))
    assert nurse.status()["drug"]["weight_kg"] == 72.0


def test_entries_after_a_number_are_given_in_order(nurse):
    head = nurse.get("entries").json()["head"]
    nurse.post(SUDS, ev.UrgeRated(value=5))
    found = nurse.get("entries", since=head).json()
    assert [one["event"]["type"] for one in found["entries"]] == ["suds", "urge"]
    assert nurse.get("entries", since="x").status_code == 400


def test_the_forecast_is_model_output_and_says_its_sampling_site(nurse, team):
    assert nurse.get("forecast").status_code == 400
    nurse.post(ev.Weighed(weight_kg=72.0))
    nurse.post(nurse.get("dose", weight_kg="72", concentration_mg_per_ml="1").json()["event"])
    nurse.post(ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=54))
    nurse.post(ev.FeltEffectRated(value=2))
    forecast = nurse.get("forecast").json()
    assert forecast["model_output"] is True
    assert "arter" in forecast["concentration"]["sampling_site"]
    assert max(forecast["concentration"]["p50"]) > 0
    assert forecast["age_assumed"] is True


def test_in_a_blinded_study_there_is_no_forecast_for_anybody(nurse, signed_in, team):
    team.study.blinded = True
    team.study.save()
    for role in ("nurse", "prescriber", "therapist", "monitor", "data_manager", "coordinator"):
        device = Device(signed_in(role), team.log)
        assert device.get("forecast").status_code == 404
        assert device.status()["forecast"] is False


def test_in_a_blinded_study_milligrams_are_refused(nurse, team):
    team.study.blinded = True
    team.study.save()
    outcome = nurse.post(ev.DoseComputed(weight_kg=72, dose_mg=36)).json()["outcomes"][0]
    assert outcome["result"] == "refused"


def test_the_description_names_every_event_and_every_address(nurse):
    described = nurse.client.get("/api/schema").json()
    names = {name.removeprefix("Event_") for name in described["components"]["schemas"] if name.startswith("Event_")}
    assert names == set(ev.EVENT_TYPES)
    answered = {"entries", "requests", "status", "plan", "dose", "forecast", "stream"}
    assert {path.rsplit("/", 1)[1] for path in described["paths"]} == answered | {"time", "schema"}
