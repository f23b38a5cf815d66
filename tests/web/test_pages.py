"""Every page opens for the roles it is for, refuses the others, and shows no traceback."""

from __future__ import annotations

import pytest
from django.urls import reverse

pytestmark = pytest.mark.both_engines


def open_page(browser, name, *args):
    return browser.get(reverse(name, args=args))


@pytest.mark.parametrize("name", ["today", "participants", "register", "audit"])
def test_office_pages_open_for_the_coordinator(signed_in, name):
    assert open_page(signed_in("coordinator"), name).status_code == 200


@pytest.mark.parametrize(
    "name", ["participant", "screening", "consent", "planning", "adverse", "metacognitive", "entries"]
)
def test_pages_of_a_participant_open_for_the_coordinator(signed_in, team, name):
    assert open_page(signed_in("coordinator"), name, team.participant.public_id).status_code == 200
