"""Every address as every role: doors hold, methods are refused politely, nothing shows a traceback."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from web_crawl import arguments, must_answer, ours

from kerp.web.access import matrix

pytestmark = pytest.mark.both_engines
PASSWORD = "a long sentence for tests"


def test_every_address_has_a_door_that_names_its_permissions():
    without = [name for name, entry in ours() if getattr(entry.callback, "kerp_permissions", None) is None]
    assert without == []


def test_every_permission_at_a_door_exists():
    named = {permission for _, entry in ours() for permission in entry.callback.kerp_permissions}
    assert named <= set(matrix().permissions)


def test_nobody_sees_anything_before_signing_in(team):
    for name, entry in ours():
        answer = Client().get(reverse(name, kwargs=arguments(team, entry)))
        assert answer.status_code in {302, 401, 405}, name
        if answer.status_code == 302:
            assert answer.url.startswith("/account/login/"), name


@pytest.mark.parametrize("role", sorted(matrix().roles))
def test_each_role_opens_its_own_doors_and_no_other(signed_in, underway, role):
    browser, answered = signed_in(role), set()
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    held = matrix().roles[role].permissions
    for name, entry in ours():
        wanted = set(entry.callback.kerp_permissions)
        answer = browser.get(reverse(name, kwargs=arguments(underway, entry)))
        assert answer.status_code < 500, name
        answered |= {name} if answer.status_code == 200 else set()
        if wanted and not wanted & held:
            assert answer.status_code in {403, 405}, (name, answer.status_code)
        elif name == "own_guess" and role != "therapist":
            assert answer.status_code == 403  # only of who treats this participant as a therapist
        else:
            assert answer.status_code != 403, name
    owed = must_answer(role) - {
        "handed",
        "change_plan",
    }  # after a hand-over; by a form that is sent
    assert answered >= owed, sorted(owed - answered)


def test_only_the_roles_that_must_know_the_arm_may_know_it():
    knowing = {name for name, role in matrix().roles.items() if role.knows_arm}
    assert knowing == {"pharmacist", "statistician"}
    for permission in ("kit_dispense", "bang_view"):
        holders = {name for name, role in matrix().roles.items() if permission in role.permissions}
        assert holders <= knowing


def test_the_blinded_rater_holds_nothing_but_rating():
    assert matrix().roles["rater"].permissions == {"rate_blinded"}


def test_a_role_that_names_an_unknown_permission_is_refused():
    from kerp.base.errors import KerpError
    from kerp.web.access import read

    role = 'title = "X"\nsecond_factor = true\nknows_arm = false\npermissions = ["b"]'
    text = f'[permissions]\na = "a"\n[roles.x]\n{role}\n'
    with pytest.raises(KerpError, match="unknown permissions"):
        read(text)


def test_a_person_who_also_holds_a_blinded_role_does_not_learn_the_arm(team):
    from kerp.web.actions import people

    people.grant(person=team["statistician"], role="monitor", actor=None)
    assert not team["statistician"].may_know_arm()
    assert team["pharmacist"].may_know_arm()
