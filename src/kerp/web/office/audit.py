"""The audit trail, filtered by what the reader may know; and a log, entry by entry."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from kerp.base.digest import canonical
from kerp.session.events import ArmGuess
from kerp.web.accounts.doors import needs, person_of
from kerp.web.integrity import check_log
from kerp.web.masking import KEPT, guess_ids, masked
from kerp.web.models import AuditEvent, Entry, Participant, Person
from kerp.web.office import acts
from kerp.web.office.desk import log_of, participant_or_404
from kerp.web.sight import RATER

PER_PAGE = 50
# Acts about accounts and deployment: for administrators. Acts about participants: for monitors and data managers.
ABOUT_PEOPLE = Q(subject__startswith="person:")


@require_safe
@needs("audit_view", "security_view")
def audit(request: HttpRequest) -> HttpResponse:
    """Who did what. Neither view holds an arm: that is in the allocation store alone."""
    person = person_of(request)
    rows = AuditEvent.objects.order_by("-seq")
    if not person.may("security_view"):
        rows = rows.exclude(ABOUT_PEOPLE)
    if not person.may("audit_view"):
        rows = rows.exclude(subject__startswith="participant:")
    rows = rows.exclude(subject__in=_of_whom_one_rates(person))
    if wanted := request.GET.get("find", "").strip()[:60]:
        named = Q(actor__icontains=wanted) | Q(act__icontains=wanted) | Q(subject__icontains=wanted)
        rows = rows.filter(named | Q(act__in=acts.meant(wanted)))
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    read = [(event, acts.said(event.act), *event.subject.partition(":")[::2]) for event in page]
    return render(request, "kerp/audit/audit.html", {"page": page, "rows": read, "find": wanted})


def _of_whom_one_rates(person: Person) -> list[str]:
    """Subjects of the audit trail that speak of somebody this person rates blinded (M7)."""
    rated = Participant.objects.filter(assignments__person=person, assignments__role=RATER).select_related("log")
    return [name for one in rated for name in (f"participant:{one.code}", f"log:{one.log.id}")]


@require_safe
@needs("audit_view")
def entries(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Every entry of a log as it was recorded, and whether its chain holds."""
    participant = participant_or_404(person_of(request), public_id)
    log = log_of(participant)
    page = Paginator(Entry.objects.filter(log=log).order_by("seq"), PER_PAGE).get_page(request.GET.get("page"))
    read = [(entry, entry.data()) for entry in page]
    refused = [(flag, json.loads(flag.refused) if flag.refused else {}) for flag in log.flags.all()]
    events = [data["event"] for _, data in (*read, *refused) if "event" in data]
    guesses = guess_ids(log.id, events)
    context = {
        "participant": participant,
        "log": log,
        "page": page,
        "rows": [(entry, data, _said(data["event"], guesses)) for entry, data in read],
        "breaks": check_log(log),
        "flags": [(flag, _refused(data, guesses)) for flag, data in refused],
    }
    return render(request, "kerp/audit/entries.html", context)


def _said(event: dict[str, Any], guesses: frozenset[str]) -> list[tuple[str, object]]:
    """What an event says, without its type and what was left empty (a zero and a no are said)."""
    shown = masked(event, guesses)
    said = [(name, value) for name, value in shown.items() if name != "type" and value not in (None, "", [], {})]
    return [*said, ("guess", KEPT)] if event["type"] == ArmGuess.type else said


def _refused(data: dict[str, Any], guesses: frozenset[str]) -> str:
    """What came in under an id that was taken and was not written; a guess in it is masked too."""
    return canonical(data | {"event": masked(data["event"], guesses)}) if "event" in data else ""
