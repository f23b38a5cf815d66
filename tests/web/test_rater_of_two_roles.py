"""Somebody with other roles who rates a participant blinded sees of them the rater's own screens and no more (M7)."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from web_crawl import arguments, of_a_participant, ours

from kerp.web.actions import participants, people
from kerp.web.models import Entry, Person

RATERS_OWN = {"rate", "rater_guess"}
OTHER_ROLES = ("administrator", "coordinator", "prescriber", "nurse", "therapist", "data_manager", "monitor")
PASSWORD = "a long sentence for tests"


@pytest.fixture
def both(underway, signed_in):
    """An account with every role that may meet the rater's, assigned to rate B1-001; an assignment that has ended."""
    person = people.create(username="both", full_name="Two Roles", actor="", password=PASSWORD)
    for role in ("rater", *OTHER_ROLES):
        people.grant(person=person, role=role, actor=None)
    person = Person.objects.get(pk=person.pk)
    given = participants.assign(
        participant=underway.participant, person=person, role="rater", actor=underway["coordinator"]
    )
    browser = Client()
    browser.force_login(person)
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser, underway, given


def words(answer):
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode()


def test_every_address_of_a_participant_one_rates_is_closed_in_words(both):
    browser, team, _ = both
    before, checked = Entry.objects.count(), set()
    for name, entry in ours():
        if not of_a_participant(entry) or name in RATERS_OWN:
            continue
        address = reverse(name, kwargs=arguments(team, entry))
        for answer in (browser.get(address), browser.post(address, {"reason": "a test"})):
            if answer.status_code == 405:
                continue
            assert answer.status_code == 403, (name, answer.status_code)
            assert "You rate this participant blinded" in words(answer), name
            checked.add(name)
    assert Entry.objects.count() == before
    assert checked >= {
        "participant", "entries", "adverse", "stimuli", "visit", "answer", "export", "guesses", "own_guess",
        "give_device", "randomise", "screening", "consent", "planning", "open_session", "bedside", "bedside_dose",
        "bedside_paper", "bedside_paper_entry", "later_form_desk", "leaflet", "bedside_sign", "display_invite",
        "api_stimuli", "api_entries", "api_requests", "api_status", "api_plan", "api_dose", "api_forecast",
        "api_stream",
    }  # fmt: skip


def test_no_list_and_no_other_page_names_whom_one_rates(both):
    browser, team, _ = both
    rating = browser.get(reverse("rating"))
    assert (rating.status_code, "B1-001" in words(rating)) == (200, True)
    read = set()
    for name, entry in ours():
        if of_a_participant(entry) or name == "rating":
            continue
        answer = browser.get(reverse(name, kwargs=arguments(team, entry)))
        assert answer.status_code < 500, name
        assert "B1-001" not in words(answer), name
        assert str(team.log.id) not in words(answer), name
        read |= {name} if answer.status_code == 200 else set()
    assert read >= {"participants", "today", "sessions", "dashboard", "audit", "unblinding", "people", "study"}


def test_the_raters_own_screens_stay_open(both):
    browser, team, _ = both
    for name, entry in ours():
        if name in RATERS_OWN:
            assert browser.get(reverse(name, kwargs=arguments(team, entry))).status_code == 200, name


def test_a_rater_asks_for_no_unblinding_of_whom_they_rate(both):
    browser, team, _ = both
    answer = browser.post(reverse("unblinding"), {"participant": team.participant.pk, "reason": "an emergency"})
    assert answer.status_code == 200
    assert "participant" in answer.context["form"].errors


def test_an_ended_assignment_still_bars(both):
    browser, team, given = both
    participants.end_assignment(given=given, actor=team["coordinator"])
    answer = browser.get(reverse("participant", args=[team.participant.public_id]))
    assert answer.status_code == 403


def test_other_participants_stay_open_to_the_other_roles(both):
    browser, team, _ = both
    other = participants.register(study=team.study, site=team.site, code="B1-002", actor=team["coordinator"])
    assert browser.get(reverse("participant", args=[other.public_id])).status_code == 200
    assert "B1-002" in words(browser.get(reverse("participants")))
