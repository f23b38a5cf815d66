"""Every address of the application with something that exists in it. Shared by the permission and blinding crawls."""

from __future__ import annotations

import uuid

from django.urls import URLPattern, URLResolver, get_resolver, reverse

OPEN_TO_ALL = {"health", "account_login", "account_logout", "account_inactive", "invitation", "display_join"}
ALLAUTH = ("account_", "mfa_", "usersessions_")  # django-allauth brings its own doors
SESSION = "dosing-1"
# Addresses of one participant whose arguments differ from the usual ones, so that each of them shows something.
OWN = {
    "rate": {"visit_id": "day7", "instrument": "ybocs"},
    "rater_guess": {"occasion": "day7"},
    "answer": {"visit_id": "day7"},
    "own_guess": {"occasion": SESSION},
}

EVERYBODY = {"preferences", "api_time", "api_schema"}
RECORD = {"participants", "participant", "today", "visit"}
LOOKS = {
    "sessions", "bedside", "bedside_shell", "bedside_worker", "bedside_paper", "leaflet", "stimuli",
    "api_entries", "api_status", "api_plan", "api_stimuli", "api_stream",
}  # fmt: skip
RECORDS = {"open_session", "bedside_paper_entry", "later_form_desk", "api_dose"}
DESK = {"answer", "metacognitive", "adverse", "guesses", "handed"}
# What each role must really have read: an address that is missing from the list was looked at in vain.
ANSWERED = {
    "administrator": {"people", "person", "second_factors", "study", "version", "dashboard", "audit"},
    "coordinator": RECORD | LOOKS | DESK | {"register", "screening", "planning", "change_plan", "entries", "audit"}
    | {"randomise", "unblinding", "dashboard", "study"},
    "prescriber": RECORD | LOOKS | RECORDS | DESK | {"bedside_dose", "bedside_sign", "screening", "unblinding"},
    "nurse": RECORD | LOOKS | RECORDS | DESK | {"bedside_dose"},
    "therapist": RECORD | LOOKS | RECORDS | DESK | {"planning", "change_plan", "own_guess"},
    "rater": {"rating", "rate", "rater_guess"},
    "data_manager": RECORD | LOOKS | {"entries", "audit", "export", "lock_data", "dashboard"},
    "monitor": RECORD | LOOKS | {"entries", "audit", "dashboard"},
    "pharmacist": {"pharmacy", "prepare_kit", "unblinding"},
    "statistician": {"dashboard", "blinding_index", "export_allocation"},
}  # fmt: skip


def patterns(resolver=None, prefix=""):
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, prefix + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield entry.name, entry, prefix + str(entry.pattern)


def ours():
    return [
        (name, entry) for name, entry, _ in patterns() if name not in OPEN_TO_ALL and not name.startswith(ALLAUTH)
    ]


def arguments(team, entry):
    """Something that exists for every argument of an address; an argument that is not known here is a fault."""
    known = {
        "public_id": team.participant.public_id,
        "person": team["nurse"].public_id,
        "log_id": team.log.id,
        "session": SESSION,
        "code": team.study.code,
        "number": 1,
        "part": "item",
        "visit_id": "baseline",
        "instrument": "ocd_vas",
        "subject": team.participant.code,
        "occasion": "day7",
        "token": "no-such-token",
        # Rows of their own kind, of which a test that needs one makes one:
        "seq": 1,
        "assignment": 1,
        "grant_id": 1,
        "stimulus_id": uuid.uuid4(),
    }
    if entry.name and entry.name.startswith("person"):
        known["public_id"] = team["nurse"].public_id
    known |= OWN.get(entry.name, {})
    return {name: known[name] for name in entry.pattern.converters}


def of_a_participant(entry):
    """Whether an address is about one participant."""
    named = set(entry.pattern.converters)
    return "log_id" in named or ("public_id" in named and not (entry.name or "").startswith("person"))


def every_address(team):
    """Name and address, every one of ours."""
    return [(name, reverse(name, kwargs=arguments(team, entry))) for name, entry in ours()]


def must_answer(role):
    """Addresses that a role must have read with 200 in a study with a session (the fixture `underway`)."""
    return EVERYBODY | ANSWERED[role]
