"""Accounts: second factors, session limits, throttling, step-up, invitations, roles that may not meet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from kerp.base.errors import KerpError
from kerp.web.access import matrix
from kerp.web.actions import participants, people
from kerp.web.models import AuditEvent, Person

PASSWORD = "a long sentence for tests"


@pytest.fixture(autouse=True)
def no_throttling_left_over():
    cache.clear()


def sign_in(browser, name, password=PASSWORD):
    return browser.post(reverse("account_login"), {"login": name, "password": password})


def code_now(secret):
    return totp.format_hotp_value(totp.hotp_value(secret, int(timezone.now().timestamp()) // 30))


def with_second_factor(person):
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(person, secret)
    return secret


def test_a_new_person_must_set_up_a_second_factor_before_anything_else(team):
    browser = Client()
    assert sign_in(browser, "coordinator").status_code == 302
    answer = browser.get(reverse("participants"))
    assert answer.url == reverse("mfa_activate_totp")
    assert browser.get(reverse("mfa_activate_totp")).status_code in {200, 302}


def test_with_a_second_factor_signing_in_asks_for_the_code_and_a_code_works_once(team):
    secret = with_second_factor(team["coordinator"])
    browser = Client()
    assert sign_in(browser, "coordinator").url == reverse("mfa_authenticate")
    assert browser.get(reverse("participants")).status_code == 302
    code = code_now(secret)
    assert browser.post(reverse("mfa_authenticate"), {"code": code}).status_code == 302
    assert browser.get(reverse("participants")).status_code == 200
    again = Client()
    sign_in(again, "coordinator")
    assert b"Incorrect code" in again.post(reverse("mfa_authenticate"), {"code": code}).content


def test_second_factor_secrets_are_encrypted_in_the_database(team):
    secret = with_second_factor(team["nurse"])
    stored = Authenticator.objects.get(user=team["nurse"])
    assert secret not in str(stored.data)


def test_wrong_passwords_are_throttled(team):
    browser = Client()
    for _ in range(5):
        sign_in(browser, "nurse", "wrong")
    answer = sign_in(browser, "nurse")
    assert "_auth_user_id" not in browser.session
    assert answer.status_code in {200, 429}
    assert b"Too many failed login attempts" in answer.content


def test_nobody_can_sign_up(team):
    assert Client().get("/account/signup/").status_code == 404


def test_inactivity_ends_a_session_and_what_a_page_asks_by_itself_does_not_keep_it(signed_in, settings):
    browser = signed_in("nurse")
    settings.KERP = replace(settings.KERP, idle_min=15)
    assert browser.get(reverse("participants")).status_code == 200
    session = browser.session
    session["kerp_seen"] -= 14 * 60
    session.save()
    browser.get(reverse("participants"), headers={"X-Kerp-Background": "1"})
    session = browser.session
    session["kerp_seen"] -= 2 * 60
    session.save()
    assert browser.get(reverse("participants")).url.startswith(reverse("account_login"))


def test_a_session_ends_after_its_absolute_time_however_busy(signed_in, settings):
    browser = signed_in("nurse")
    settings.KERP = replace(settings.KERP, absolute_h=12)
    browser.get(reverse("participants"))
    session = browser.session
    session["kerp_started"] -= 12 * 3600 + 1
    session.save()
    assert browser.get(reverse("participants")).status_code == 302


def test_signing_asks_for_a_fresh_proof_and_writes_nothing_without(signed_in, team):
    from kerp.protocol.load import load_protocol
    from kerp.web.actions import study

    other = study.create_study(code="kerp-2", title="B", blinded=False, target=0, actor=team["administrator"])
    version = study.add_version(
        study=other,
        resolved=load_protocol("bottemanne2021-iv"),
        source_text="",
        warnings=[],
        why="",
        actor=team["administrator"],
    )
    browser = signed_in("prescriber")
    address = reverse("sign_version", args=["kerp-2", 1])
    answer = browser.post(address, {"digest": version.digest})
    assert answer.url.startswith(reverse("account_reauthenticate"))
    version.refresh_from_db()
    assert version.signed_at is None
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/study/"})
    assert browser.post(address, {"digest": version.digest}).status_code == 302
    version.refresh_from_db()
    assert version.signed_by == team["prescriber"]
    assert AuditEvent.objects.filter(act="rules.signed", actor="prescriber").exists()


def test_an_invitation_sets_a_password_once(team):
    person = people.create(username="new", full_name="New Example", actor="administrator")
    assert not person.has_usable_password()
    link = reverse("invitation", args=[person.public_id, people.invite(person=person, actor="administrator")])
    weak = Client().post(link, {"password": "new", "again": "new"})
    assert b"too short" in weak.content
    good = "horses know nothing of it"
    assert Client().post(link, {"password": good, "again": good}).status_code == 302
    assert Client().get(link).status_code == 404
    assert Person.objects.get(username="new").check_password(good)


@pytest.mark.parametrize("password", ["short", "123456789012345", "passwordpassword1"[:8], "coordinator12"])
def test_weak_passwords_are_refused_with_the_reason(password):
    from kerp.web.accounts.passwords import check_password

    with pytest.raises(KerpError):
        check_password(password, username="coordinator", full_name="Coordinator Example")


def test_roles_that_may_not_meet_in_one_person_are_refused(team):
    with pytest.raises(KerpError, match="knows the arm"):
        people.grant(person=team["pharmacist"], role="rater", actor=team["administrator"])


def test_a_person_who_treated_a_participant_never_rates_them_and_the_other_way_round(team):
    people.grant(person=team["therapist"], role="rater", actor=team["administrator"])
    team["therapist"].__dict__.pop("_roles", None)
    given = participants.assign(
        participant=team.participant, person=team["therapist"], role="therapist", actor=team["coordinator"]
    )
    participants.end_assignment(given=given, actor=team["coordinator"])
    with pytest.raises(KerpError, match="M7"):
        participants.assign(
            participant=team.participant, person=team["therapist"], role="rater", actor=team["coordinator"]
        )


def test_nobody_recording_a_session_may_be_the_rater_of_that_participant(team):
    people.grant(person=team["rater"], role="nurse", actor=team["administrator"])
    team["rater"].__dict__.pop("_roles", None)
    participants.assign(participant=team.participant, person=team["rater"], role="rater", actor=team["coordinator"])
    with pytest.raises(KerpError, match="M7"):
        participants.note_treating(participant=team.participant, person=team["rater"], role="nurse")


def test_an_administrator_cannot_end_their_own_role(signed_in, team):
    browser = signed_in("administrator")
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    own = team["administrator"].grants.get()
    browser.post(reverse("person_end_grant", args=[team["administrator"].public_id, own.id]), {"reason": "tired"})
    own.refresh_from_db()
    assert own.ended_at is None


def test_a_role_can_be_ended_with_a_reason_and_stays_in_the_record(signed_in, team):
    browser = signed_in("administrator")
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    given = team["nurse"].grants.get()
    browser.post(reverse("person_end_grant", args=[team["nurse"].public_id, given.id]), {"reason": "left the site"})
    given.refresh_from_db()
    assert given.ended_at is not None
    assert AuditEvent.objects.get(act="role.ended").reason == "left the site"


def test_every_role_asks_for_a_second_factor_by_default():
    assert all(role.second_factor for role in matrix().roles.values())


def test_pages_are_never_kept_by_a_browser_and_carry_the_policy(signed_in):
    answer = signed_in("nurse").get(reverse("participants"))
    assert answer["Cache-Control"] == "no-store"
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
