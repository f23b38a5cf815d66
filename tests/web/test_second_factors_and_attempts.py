"""Second factors by role as a setting; attempts to sign in counted over restarts; step-up at every grave act."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from web_crawl import arguments, ours

from kerp.base.errors import KerpError
from kerp.session import events as ev
from kerp.web.access import matrix
from kerp.web.actions import people, record
from kerp.web.models import AuditEvent, Entry, SecondFactorRule

PASSWORD = "a long sentence for tests"
ALWAYS = {"administrator", "prescriber", "pharmacist", "data_manager", "statistician"}
# Signing, unblinding, export, role change: each must ask again who one is.
GRAVE = {
    "sign_version", "bedside_sign", "unblinding", "confirm_unblinding", "show_arm", "release_kit", "export",
    "export_allocation", "lock_data", "people", "person", "person_grant", "person_end_grant", "person_invite",
    "person_close", "second_factors", "prepare_kit", "check_kit",
}  # fmt: skip


def sign_in(browser, name, password=PASSWORD):
    return browser.post(reverse("account_login"), {"login": name, "password": password})


def prove(browser):
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser


def change(browser, role, required, reason="no telephones on the ward"):
    return browser.post(reverse("second_factors"), {"role": role, "required": required, "reason": reason})


# --- second factors by role ---


def test_an_administrator_waives_and_asks_again_for_a_second_factor_of_one_role(signed_in, team, settings):
    administrator = prove(signed_in("administrator"))
    assert change(administrator, "nurse", "no").status_code == 302
    settings.KERP = replace(settings.KERP, demo=False)
    nurse, therapist = Client(), Client()
    sign_in(nurse, "nurse")
    sign_in(therapist, "therapist")
    assert nurse.get(reverse("participants")).status_code == 200
    assert therapist.get(reverse("participants")).url == reverse("mfa_activate_totp")
    people.set_second_factor(role="nurse", required=True, actor=team["administrator"], reason="telephones came")
    assert nurse.get(reverse("participants")).url == reverse("mfa_activate_totp")
    acts = AuditEvent.objects.filter(subject="role:nurse").order_by("seq")
    assert [(one.act, one.actor, one.reason) for one in acts] == [
        ("second_factor.waived", "administrator", "no telephones on the ward"),
        ("second_factor.required", "administrator", "telephones came"),
    ]


def test_a_person_with_one_role_that_asks_is_asked_whatever_the_other_roles_are(team):
    from kerp.web.access import needs_second_factor

    assert not needs_second_factor(["nurse"], {"nurse": False})
    assert needs_second_factor(["nurse", "therapist"], {"nurse": False})
    assert needs_second_factor(["nurse", "prescriber"], {"nurse": False, "prescriber": False})


def test_the_second_factor_of_a_grave_role_is_never_waived(signed_in, team):
    assert {role.id for role in matrix().roles.values() if role.second_factor_always} == ALWAYS
    administrator = prove(signed_in("administrator"))
    for role in ALWAYS:
        assert change(administrator, role, "no").status_code == 200
        with pytest.raises(KerpError, match="always asks"):
            people.set_second_factor(role=role, required=False, actor=team["administrator"], reason="a reason")
    assert not SecondFactorRule.objects.exists()


@pytest.mark.parametrize("role", sorted(set(matrix().roles) - {"administrator"}))
def test_nobody_but_an_administrator_changes_second_factors(signed_in, role):
    browser = prove(signed_in(role))
    assert change(browser, "nurse", "no").status_code == 403
    assert not SecondFactorRule.objects.exists()


def test_a_change_needs_a_fresh_proof_and_a_reason(signed_in, team):
    browser = signed_in("administrator")
    assert change(browser, "nurse", "no").url.startswith(reverse("account_reauthenticate"))
    answer = change(prove(browser), "nurse", "no", reason=" ")
    assert answer.context["form"].errors["reason"]
    assert not SecondFactorRule.objects.exists()


def test_a_decision_about_second_factors_cannot_be_rewritten(team):
    people.set_second_factor(role="nurse", required=False, actor=team["administrator"], reason="a reason")
    for statement in ("UPDATE kerp_secondfactorrule SET required=1", "DELETE FROM kerp_secondfactorrule"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(statement.replace("1", "true"))


# --- attempts ---


def test_attempts_are_counted_in_the_database_without_names_and_addresses(team):
    cache.clear()
    browser = Client()
    for _ in range(5):
        sign_in(browser, "nurse", "wrong")
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key, value FROM kerp_cache")
        rows = cursor.fetchall()
    assert rows
    assert not any(word in str(row) for row in rows for word in ("nurse", "127.0.0.1", "login"))
    cache.clear()


def test_a_restart_of_the_server_forgets_no_failed_sign_in(serving, tmp_path):
    import http.cookiejar
    import re
    import urllib.parse
    import urllib.request

    def tried(server, password):
        jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        page = jar.open(f"{server.url}/account/login/").read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        fields = {"login": "nurse", "password": password, "csrfmiddlewaretoken": token}
        request = urllib.request.Request(f"{server.url}/account/login/", urllib.parse.urlencode(fields).encode())
        try:
            return jar.open(request).read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    data = tmp_path / "data"
    first = serving(data, "--demo")
    for _ in range(5):
        assert "are not correct" in tried(first, "wrong")
    first.stop()
    second = serving(data, "--demo")
    page = tried(second, "demonstration")
    assert "Too many failed login attempts" in page, re.sub(r"<[^>]+>|\s+", " ", page)[-900:]


def test_another_port_or_spelling_of_the_name_is_no_fresh_start(team):
    cache.clear()
    for number in range(5):
        name = "nurse" if number % 2 else "NURSE"
        fields = {"login": name, "password": "wrong"}
        Client().post(reverse("account_login"), fields, headers={"host": f"localhost:{8000 + number}"})
    answer = sign_in(Client(), "nurse")
    assert b"Too many failed login attempts" in answer.content
    cache.clear()


def test_wrong_display_codes_close_the_door_and_the_count_is_not_taken_back(team):
    from kerp.web.display import screens

    cache.clear()
    for _ in range(screens.MOST_WRONG):
        with pytest.raises(KerpError, match="does not fit"):
            screens.join(code="1234 5678", address="198.51.100.7")
    with pytest.raises(KerpError, match="too many"):
        screens.join(code="1234 5678", address="198.51.100.7")
    cache.clear()


# --- step-up ---


def test_every_grave_address_asks_again_who_one_is():
    asking = {name for name, entry in ours() if getattr(entry.callback, "kerp_fresh_proof", False)}
    assert asking | {"unblinding"} == GRAVE  # `unblinding` shows the list freely and asks when something is sent


@pytest.mark.parametrize("name", sorted(GRAVE - {"unblinding"}))
def test_without_a_fresh_proof_a_grave_act_writes_nothing(signed_in, blinded, name):
    entry = next(entry for one, entry in ours() if one == name)
    permission = entry.callback.kerp_permissions[0]
    role = next(one.id for one in matrix().roles.values() if permission in one.permissions)
    opened = record.Submitted(id=uuid.uuid4(), event=ev.SessionOpened(plan="dosing"), session="dosing-1")
    record.append(log_id=blinded.log.id, actor="nurse", submitted=opened)
    browser = signed_in(role)
    before = (Entry.objects.count(), AuditEvent.objects.count())
    address = reverse(name, kwargs=arguments(blinded, entry))
    answer = browser.post(address, {"role": "monitor", "reason": "because", "subject": "B1-001"})
    assert answer.status_code in {302, 405}
    if answer.status_code == 302:
        assert answer.url.startswith(reverse("account_reauthenticate")), json.dumps(answer.url)
    assert (Entry.objects.count(), AuditEvent.objects.count()) == before


def test_a_proof_grows_old_after_five_minutes(signed_in, team):
    browser = prove(signed_in("administrator"))
    assert browser.get(reverse("people")).status_code == 200
    session = browser.session
    for one in session["account_authentication_methods"]:
        one["at"] -= 301
    session.save()
    assert browser.get(reverse("people")).url.startswith(reverse("account_reauthenticate"))
