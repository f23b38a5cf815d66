"""Every address of the application with something that exists in it. Shared by the permission and blinding crawls."""

from __future__ import annotations

import uuid

from django.urls import URLPattern, URLResolver, get_resolver, reverse

OPEN_TO_ALL = {"health", "account_login", "account_logout", "account_inactive", "invitation", "display_join"}
ALLAUTH = ("account_", "mfa_", "usersessions_")  # django-allauth brings its own doors


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
    """Something that exists for every converter of an address."""
    known = {
        "public_id": team.participant.public_id,
        "person": team["nurse"].public_id,
        "log": team.log.id,
        "code": team.study.code,
        "number": 1,
        "part": "item",
        "visit_id": "baseline",
        "instrument": "ocd_vas",
        "subject": team.participant.code,
        "occasion": "day7",
        "token": "no-such-token",
    }
    if entry.name and entry.name.startswith("person"):
        known["public_id"] = team["nurse"].public_id
    missing = {"int": 1, "uuid": uuid.uuid4(), "slug": "dosing-1", "str": "dosing-1"}
    kinds = {name: type(kind).__name__ for name, kind in entry.pattern.converters.items()}
    short = {"IntConverter": "int", "UUIDConverter": "uuid", "SlugConverter": "slug", "StringConverter": "str"}
    return {name: known.get(name, missing[short[kind]]) for name, kind in kinds.items()}


def every_address(team):
    """Name and address, every one of ours."""
    return [(name, reverse(name, kwargs=arguments(team, entry))) for name, entry in ours()]
