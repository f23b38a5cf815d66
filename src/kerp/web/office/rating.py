"""The blinded rater's own screens: study code, visit, form. No session, no arm, no earlier answer, no total."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from kerp.base.errors import KerpError
from kerp.protocol.model import Visit
from kerp.session.events import Guesser
from kerp.session.visits import VisitState, visit_status
from kerp.web.accounts.doors import needs, person_of
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log, Participant, Person
from kerp.web.office import answers, asked, beliefs, standing
from kerp.web.office.desk import log_of, submit
from kerp.web.office.faults import add_faults
from kerp.web.sent import sent

ROLE = "blind_rater"  # what protocols call this role


def mine(person: Person) -> list[Participant]:
    """Participants this person is assigned to rate now."""
    rating = Participant.objects.filter(assignments__person=person, assignments__role="rater")
    return list(rating.filter(assignments__ended_at=None).select_related("study", "site").distinct().order_by("code"))


def _mine_or_404(person: Person, public_id: UUID) -> Participant:
    for one in mine(person):
        if one.public_id == public_id:
            return one
    raise Http404


def to_rate(log: Log) -> list[dict[str, Any]]:
    """Visits whose blinded instruments may be answered now, with those still open."""
    protocol, state = protocol_of(log), state_of(log)
    at_ms = standing.now_ms(log)
    rows = []
    waiting: set[str] = set()  # before the first dose an instrument is answered for one visit after the other
    for visit in protocol.visits:
        blinded = [item for item in visit.assessments if item.blinded]
        status = visit_status(state, visit, at_ms)
        if not blinded or status.state is VisitState.PLANNED or asked.is_locked(state, visit):
            continue
        found = [(item, asked.answered_for(protocol, state, visit, item.instrument) is not None) for item in blinded]
        if visit.day <= 0:
            found = [(item, done) for item, done in found if done or item.instrument not in waiting]
            waiting |= {item.instrument for item, done in found if not done}
        rows.append({"visit": visit, "asked": found, "open": sum(not done for _, done in found)})
    return [row for row in rows if row["open"]]


@require_safe
@needs("rate_blinded")
def rating(request: HttpRequest) -> HttpResponse:
    """Whom to rate, and what is open."""
    rows = [(one, [_shown(row) for row in to_rate(log)], _guesses(log)) for one, log in _logs(person_of(request))]
    return render(request, "kerp/rating/rating.html", {"rows": rows})


def _logs(person: Person) -> list[tuple[Participant, Log]]:
    return [(one, log_of(one)) for one in mine(person)]


def _guesses(log: Log) -> list[dict[str, Any]]:
    """Visits at which the rater guesses the arm, and whether that was done."""
    if not log.participant.study.blinded:
        return []
    state = state_of(log)
    planned = beliefs.occasions(protocol_of(log), state, standing.now_ms(log))
    return [
        {"occasion": one, "given": beliefs.given(state, one, Guesser.RATER) is not None}
        for one in planned
        if Guesser.RATER in one.open_for
    ]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    named = [(item, answers.instrument(item.instrument).name, done) for item, done in row["asked"]]
    return row | {"asked": named}


def _open_visit(log: Log, visit_id: str, instrument: str) -> Visit:
    """A visit of which this instrument may be answered now; anything else is not there."""
    for row in to_rate(log):
        if row["visit"].id == visit_id and any(
            item.instrument == instrument for item, done in row["asked"] if not done
        ):
            found: Visit = row["visit"]
            return found
    raise Http404


@require_http_methods(["GET", "HEAD", "POST"])
@needs("rate_blinded")
def rate(request: HttpRequest, public_id: UUID, visit_id: str, instrument: str) -> HttpResponseBase:
    """One form. After it is sent, the rater is told that it is recorded, not what it adds up to."""
    person = person_of(request)
    participant = _mine_or_404(person, public_id)
    log = log_of(participant)
    visit = _open_visit(log, visit_id, instrument)
    scale = answers.instrument(instrument)
    form = answers.AnswersForm(sent(request), instrument=scale, pack=answers.pack_of(scale))
    if request.method == "POST" and form.is_valid():
        entry_id = form.cleaned_data["entry_id"]
        try:
            submit(log=log, person=person, role=ROLE, entry_id=entry_id, events=[form.event(rated_by="blind_rater")])
            messages.success(request, f"{scale.name} recorded.")
            return HttpResponseRedirect(reverse("rating"))
        except KerpError as error:
            add_faults(form, error)
    context = {"participant": participant, "visit": visit, "back": reverse("rating")}
    context |= asked.form_context(log, state_of(log), form) | {"blinded": True}
    return render(request, "kerp/visits/answers.html", context)
