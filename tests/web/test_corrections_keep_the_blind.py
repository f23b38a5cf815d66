"""A correction is no way round blinding: no milligrams through it, and no guess of the arm shown by it (M8)."""

from __future__ import annotations

import json
import uuid

import pytest
from django.urls import reverse

from kerp.base.errors import KerpError
from kerp.session import events as ev
from kerp.session.codec import encode_event, secret_fields
from kerp.web.actions import record
from kerp.web.models import Entry, Flag

pytestmark = pytest.mark.both_engines
BELIEF = ("comparison", "felt like nothing", "meant the other one")


def kept(team, event, *, session="dosing-1", actor="therapist", role="therapist", entry_id=None):
    one = record.Submitted(id=entry_id or uuid.uuid4(), event=event, session=session, role=role)
    return str(record.append(log_id=team.log.id, actor=actor, submitted=one).entry.entry_id)


@pytest.fixture
def guessed(blinded):
    """A session with a guess, corrected twice: once with another guess, once taken back and that undone."""
    kept(blinded, ev.SessionOpened(plan="dosing"))
    guess = kept(blinded, ev.ArmGuess(by=ev.Guesser.THERAPIST, guess="comparison", reason="felt like nothing"))
    other = ev.ArmGuess(by=ev.Guesser.THERAPIST, guess="comparison", reason="felt like nothing")
    kept(blinded, ev.Corrected(entry=guess, reason="meant the other one", replacement=other))
    never = kept(blinded, ev.Corrected(entry=guess, reason="meant the other one", retracted=True))
    kept(blinded, ev.Corrected(entry=never, reason="meant the other one", retracted=True))
    note = kept(blinded, ev.SudsRated(value=60))
    kept(blinded, ev.Corrected(entry=note, reason="meant the other one", replacement=other))
    return blinded


def test_a_correction_may_not_say_what_the_entry_may_not_and_a_zero_tells_too(blinded):
    dose = kept(blinded, ev.DoseComputed(kit="K-001", volume_ml=50.0))
    for told in (ev.DoseComputed(dose_mg=37.5), ev.DoseComputed(dose_mg=0.0)):
        with pytest.raises(KerpError, match="tell the arm"):
            kept(blinded, told)
        with pytest.raises(KerpError, match="tell the arm"):
            kept(blinded, ev.Corrected(entry=dose, reason="typed wrong", replacement=told))
    with pytest.raises(KerpError, match="tell the arm"):
        kept(blinded, ev.Dispensed(kit="K-001", agent="ketamine"))
    assert not any('"dose_mg":37' in row.record or "ketamine" in row.record for row in Entry.objects.all())


def test_what_tells_the_arm_is_found_by_its_path():
    replaced = ev.Corrected(entry="x", reason="y", replacement=ev.DoseComputed(dose_mg=0.0, volume_ml=50.0))
    assert secret_fields(replaced) == ("replacement.dose_mg",)
    assert secret_fields(ev.DoseComputed(kit="K-001", volume_ml=50.0)) == ()


def test_an_id_sent_again_with_milligrams_is_not_kept_as_a_conflict(blinded):
    dose = uuid.UUID(kept(blinded, ev.DoseComputed(kit="K-001", volume_ml=50.0)))
    with pytest.raises(KerpError, match="tell the arm"):
        kept(blinded, ev.DoseComputed(dose_mg=37.5), entry_id=dose)
    assert not Flag.objects.filter(refused__contains="37.5").exists()


@pytest.mark.parametrize("role", ["nurse", "prescriber", "data_manager"])
def test_a_corrected_guess_is_shown_to_no_device(signed_in, guessed, role):
    answer = signed_in(role).get(f"/api/sessions/{guessed.log.id}/dosing-1/entries")
    assert answer.status_code == 200
    shown = [one["event"] for one in answer.json()["entries"]]
    assert not [word for word in BELIEF if word in json.dumps(shown)]
    assert [one["type"] for one in shown].count("correction") == 4
    assert {"type": "arm_guess", "by": "therapist"} in shown


def test_a_correction_of_anything_else_is_shown_as_it_is(signed_in, guessed):
    suds = kept(guessed, ev.SudsRated(value=60))
    kept(guessed, ev.Corrected(entry=suds, reason="misheard", replacement=ev.SudsRated(value=50)))
    answer = signed_in("nurse").get(f"/api/sessions/{guessed.log.id}/dosing-1/entries")
    last = answer.json()["entries"][-1]["event"]
    assert (last["reason"], last["replacement"]["value"]) == ("misheard", 50)


@pytest.mark.parametrize("role", ["monitor", "data_manager", "coordinator"])
def test_a_corrected_guess_is_shown_to_no_reader_of_the_record(signed_in, guessed, role):
    stands = Entry.objects.filter(kind="arm_guess").first()
    again = ev.ArmGuess(by=ev.Guesser.THERAPIST, guess="comparison", reason="meant the other one")
    with pytest.raises(record.SameIdOtherContentError):
        kept(guessed, again, entry_id=stands.entry_id)
    assert Flag.objects.filter(refused__contains=json.dumps(encode_event(again)["guess"])).exists()
    answer = signed_in(role).get(reverse("entries", args=[guessed.participant.public_id]))
    assert answer.status_code == 200
    assert not [word for word in BELIEF if word.encode() in answer.content]
    assert b"kept for the blinding index" in answer.content
