"""What participant, therapist and rater believe was given: asked once per planned time, shown to nobody blinded."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from kerp.base.elapsed import MS_PER_DAY, MS_PER_MIN
from kerp.session import events as ev
from kerp.web.actions import participants, people, record
from kerp.web.course import state_of
from kerp.web.models import Log
from kerp.web.vault import store

PASSWORD = "a long sentence for tests"
ANSWER = {"guess": "comparison", "certainty": "70", "because": "effects", "reason": "It felt like nothing at all"}


def prove(browser):
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser


def given(log):
    return [item.event for item in state_of(log).everywhere(ev.ArmGuess)]


@pytest.fixture
def dosed(blinded):
    """B1-001 was given the kit eight days ago; today is in the window of day 7."""
    Log.objects.filter(id=blinded.log.id).update(opened_at=timezone.now() - timedelta(days=10))
    start = 2 * MS_PER_DAY
    course = [
        (start - 60_000, "", ev.SessionOpened(plan="dosing")),
        (start, "", ev.AdministrationStarted(route="iv")),
        (start + 40 * MS_PER_MIN, "", ev.AdministrationEnded()),
    ]
    for at_ms, role, event in course:
        one = record.Submitted(id=uuid.uuid4(), event=event, occurred_ms=at_ms, session="dosing-1", role=role)
        record.append(log_id=blinded.log.id, actor="nurse", submitted=one)
    for role in ("therapist", "rater"):
        participants.assign(
            participant=blinded.participant, person=blinded[role], role=role, actor=blinded["coordinator"]
        )
    return blinded


def fields(answer):
    return ANSWER | {"entry_id": str(answer.context["form"]["entry_id"].value())}


def test_the_therapist_guesses_once_for_each_planned_time(signed_in, dosed):
    browser = signed_in("therapist")
    listed = browser.get(reverse("guesses", args=[dosed.participant.public_id]))
    assert [row["occasion"].key for row in listed.context["rows"]] == ["dosing-1", "day7"]
    for key in ("dosing-1", "day7"):
        address = reverse("own_guess", args=[dosed.participant.public_id, key])
        form = fields(browser.get(address))
        assert browser.post(address, form).status_code == 302
        assert browser.post(address, form).status_code == 302  # the same form again is the same entry
        again = browser.post(address, ANSWER | {"entry_id": str(uuid.uuid4()), "guess": "active"})
        assert b"given once" in again.content
    found = given(dosed.log)
    assert [(one.by, one.guess, one.certainty, one.because, one.visit) for one in found] == [
        ("therapist", "comparison", 70, "effects", ""),
        ("therapist", "comparison", 70, "effects", "day7"),
    ]
    assert found[0].reason == ANSWER["reason"]


def test_a_guess_without_certainty_or_ground_is_asked_again_and_nothing_is_written(signed_in, dosed):
    address = reverse("own_guess", args=[dosed.participant.public_id, "dosing-1"])
    browser = signed_in("therapist")
    for missing in ("guess", "certainty", "because"):
        answer = browser.post(address, fields(browser.get(address)) | {missing: ""})
        assert answer.status_code == 200
        assert answer.context["form"].errors[missing]
    assert given(dosed.log) == []


def test_a_therapist_who_does_not_treat_this_participant_is_not_asked(signed_in, dosed):
    other = people.create(username="other", full_name="Other Example", actor="", password=PASSWORD)
    people.grant(person=other, role="therapist", actor=None)
    dosed.people["other"] = other
    address = reverse("own_guess", args=[dosed.participant.public_id, "dosing-1"])
    assert signed_in("other").get(address).status_code == 403


def test_the_rater_guesses_at_the_visit_and_never_at_a_session(signed_in, dosed):
    browser = signed_in("rater")
    page = browser.get(reverse("rating"))
    assert b"dosing" not in page.content
    address = reverse("rater_guess", args=[dosed.participant.public_id, "day7"])
    assert browser.post(address, fields(browser.get(address))).status_code == 302
    assert [(one.by, one.visit) for one in given(dosed.log)] == [("rater", "day7")]
    assert b"recorded" in browser.get(reverse("rating")).content
    assert browser.get(reverse("rater_guess", args=[dosed.participant.public_id, "dosing-1"])).status_code == 404


def test_a_rater_of_somebody_else_finds_no_form(signed_in, blinded):
    assert (
        signed_in("rater").get(reverse("rater_guess", args=[blinded.participant.public_id, "day7"])).status_code
        == 404
    )


def test_before_its_time_there_is_no_form(signed_in, blinded):
    participants.assign(
        participant=blinded.participant, person=blinded["therapist"], role="therapist", actor=blinded["coordinator"]
    )
    assert (
        signed_in("therapist").get(reverse("own_guess", args=[blinded.participant.public_id, "day7"])).status_code
        == 404
    )


def test_a_device_in_the_participants_hand_opens_one_page_until_it_is_taken_back(signed_in, dosed):
    browser = signed_in("therapist")
    give = reverse("give_device", args=[dosed.participant.public_id, "day7"])
    assert browser.post(give).url == reverse("handed")
    page = browser.get(reverse("handed"))
    for told in (b"B1-001", b"day7", b"kerp-b", b"Participants</a>"):
        assert told not in page.content
    for name in ("participants", "today", "home", "preferences"):
        assert browser.get(reverse(name)).url == reverse("handed"), name
    kept = browser.get(f"/api/sessions/{dosed.log.id}/dosing-1/status")
    assert kept.status_code == 401  # which the bedside outbox knows as: keep it and try again
    assert browser.post(reverse("handed"), fields(page)).url == reverse("handed")
    thanks = browser.get(reverse("handed"))
    assert b"Thank you" in thanks.content
    assert b"comparison" not in thanks.content
    assert browser.get(reverse("participants")).url == reverse("handed")
    wrong = browser.post(reverse("account_reauthenticate"), {"password": "wrong", "next": "/"})
    assert wrong.status_code == 200
    assert browser.get(reverse("participants")).url == reverse("handed")
    prove(browser)
    assert browser.get(reverse("participants")).status_code == 200
    assert [(one.by, one.visit) for one in given(dosed.log)] == [("participant", "day7")]


def test_the_participants_guess_counts_as_the_answer_of_visit_and_session(signed_in, dosed):
    browser = signed_in("therapist")
    for key in ("dosing-1", "day7"):
        browser.post(reverse("give_device", args=[dosed.participant.public_id, key]))
        browser.post(reverse("handed"), fields(browser.get(reverse("handed"))))
        prove(browser)
    visit = browser.get(reverse("visit", args=[dosed.participant.public_id, "day7"]))
    found = {item.assessment.instrument: item.answered for item in visit.context["assessments"]}
    assert found["arm_guess"] is not None
    redirected = browser.get(reverse("answer", args=[dosed.participant.public_id, "day7", "arm_guess"]))
    assert redirected.url == reverse("guesses", args=[dosed.participant.public_id])


@pytest.mark.parametrize("role", ["monitor", "data_manager", "coordinator"])
def test_what_somebody_believes_is_shown_to_nobody_who_is_blinded(signed_in, dosed, role):
    therapist = signed_in("therapist")
    address = reverse("own_guess", args=[dosed.participant.public_id, "dosing-1"])
    therapist.post(address, fields(therapist.get(address)))
    seen = signed_in(role).get(reverse("entries", args=[dosed.participant.public_id])).content
    assert b"kept for the blinding index" in seen
    assert ANSWER["reason"].encode() not in seen
    bedside = signed_in("nurse").get(f"/api/sessions/{dosed.log.id}/dosing-1/entries?since=0")
    events = [one["event"] for one in bedside.json()["entries"] if one["event"]["type"] == "arm_guess"]
    assert events == [{"type": "arm_guess", "by": "therapist"}]


def test_the_blinding_index_is_by_planned_time_and_the_first_guess_counts(signed_in, dosed):
    arm = store.arms_for_unblinded("kerp-b")[0]["B1-001"]
    right, wrong = ("active", "comparison") if arm == "verum-q7" else ("comparison", "active")
    for visit, session, words in (
        ("day7", "", (right, wrong)),
        ("", "dosing-1", ("control" if wrong == "comparison" else wrong,)),
    ):
        for word in words:
            event = ev.ArmGuess(by=ev.Guesser.PARTICIPANT, guess=word, visit=visit)
            one = record.Submitted(id=uuid.uuid4(), event=event, session=session)
            record.append(log_id=dosed.log.id, actor="therapist", submitted=one)
    answer = signed_in("statistician").get(reverse("blinding_index"))
    rows = {(when, by): index for _, table in answer.context["tables"] for when, by, index in table}
    assert (rows["day7", "participant"].correct, rows["day7", "participant"].wrong) == (1, 0)
    assert (rows["dosing-1", "participant"].correct, rows["dosing-1", "participant"].wrong) == (0, 1)


def test_an_open_study_asks_for_no_guess(signed_in, team):
    assert signed_in("therapist").get(reverse("guesses", args=[team.participant.public_id])).status_code == 404
