"""What every page of the office needs: whom one may see, in which role one acts, how a form becomes entries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from kerp.session.events import Event
from kerp.web.access import matrix
from kerp.web.actions import record
from kerp.web.models import Log, Participant, Person
from kerp.web.sight import not_rated, roles_with


def visible_participants(person: Person) -> QuerySet[Participant]:
    """Participants of the sites of this person's roles (a grant without a site: every site) whom they do not rate."""
    return not_rated(_of_ones_sites(person), person)


def _of_ones_sites(person: Person) -> QuerySet[Participant]:
    everyone = Participant.objects.select_related("study", "site", "version", "log")
    sites = person.site_ids()
    return everyone if sites is None else everyone.filter(site_id__in=sites)


def participant_or_404(person: Person, public_id: UUID) -> Participant:
    """A participant this person may see; anything else is not there, rather than forbidden.

    One whom this person rates blinded is forbidden, in words (`RatesBlindedError`, M7).
    """
    found = _of_ones_sites(person).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    roles_with(found.pk, person)
    return found


def participant_named(person: Person, study_code: str, code: str) -> Participant:
    """The same, by study and code."""
    found = get_object_or_404(Participant, study__code=study_code, code=code)
    return participant_or_404(person, found.public_id)


def log_of(participant: Participant) -> Log:
    """The log with everything the engine needs beside it."""
    return Log.objects.select_related("participant__study", "participant__site", "participant__version").get(
        participant=participant
    )


def acting_role(person: Person, *permissions: str) -> str:
    """The role in which this person does something that any of `permissions` allows: goes into the entry."""
    roles = matrix().roles
    fitting = [role for role in roles if role in person.role_ids() and roles[role].permissions & set(permissions)]
    return fitting[0] if fitting else ""


class EntryForm(forms.Form):
    """A form that becomes entries. Its hidden id makes a form that is sent twice one entry."""

    entry_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


def submit(
    *, log: Log, person: Person, role: str, entry_id: UUID, events: Iterable[Event], session: str = ""
) -> list[record.Appended]:
    """Write events as entries that happened now; the same form again writes nothing new."""
    submitted = [
        record.Submitted(id=uuid.uuid5(entry_id, str(number)), event=event, session=session, role=role)
        for number, event in enumerate(events)
    ]
    return record.append_all(log_id=log.id, actor=person.username, submitted=submitted)


def lines(text: str) -> tuple[str, ...]:
    """One entry a line."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def choices(items: Iterable[Any]) -> list[tuple[str, str]]:
    """Codes as choices with their words."""
    return [(str(item), str(item).replace("_", " ")) for item in items]
