"""Visits and calls: what is due today, holding one, its forms; metacognitive sessions; adverse events."""

from __future__ import annotations

import uuid
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from kerp.base.errors import KerpError
from kerp.protocol.model import Protocol, Visit
from kerp.session.events import (
    AdverseEvent,
    AdverseEventFollowed,
    CallBooked,
    CallMade,
    Event,
    MetacognitiveSession,
    Relation,
    SessionOpened,
    VisitHeld,
)
from kerp.web.accounts.doors import needs, person_of
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Person
from kerp.web.office import answers, asked, beliefs, standing
from kerp.web.office.desk import (
    EntryForm,
    acting_role,
    choices,
    log_of,
    participant_or_404,
    submit,
    visible_participants,
)
from kerp.web.office.faults import add_faults
from kerp.web.sent import sent
from kerp.web.typed import TypedNumber


class VisitForm(EntryForm):
    """The visit took place."""

    note = forms.CharField(required=False, max_length=4000, label="Note", widget=forms.Textarea(attrs={"rows": 2}))

    def event(self, visit: Visit) -> Event:
        """The entry."""
        return VisitHeld(visit=visit.id, note=self.cleaned_data["note"])


class CallForm(EntryForm):
    """A call was tried. Only one that reached somebody counts (M13)."""

    reached = forms.ChoiceField(
        choices=[("yes", "Reached"), ("no", "Nobody answered")], widget=forms.RadioSelect, label="The call"
    )
    concerns = forms.BooleanField(required=False, label="There are concerns: the prescriber is told")
    note = forms.CharField(required=False, max_length=4000, label="Note", widget=forms.Textarea(attrs={"rows": 2}))

    def event(self, visit: Visit) -> Event:
        """The entry."""
        data = self.cleaned_data
        reached = data["reached"] == "yes"
        return CallMade(visit=visit.id, reached=reached, concerns=data["concerns"], note=data["note"])


class BookingForm(EntryForm):
    """When the call is made, and by whom: agreed with the participant before they leave."""

    at = forms.DateTimeField(
        label="Agreed for, by the clock of the site",
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    by = forms.CharField(max_length=120, label="Who calls", help_text="Role or sign-in name.")

    def event(self, visit: Visit) -> Event:
        """The entry."""
        at = self.cleaned_data["at"].strftime("%Y-%m-%dT%H:%M")
        return CallBooked(visit=visit.id, at=at, by=self.cleaned_data["by"].strip())


class MetacognitiveForm(EntryForm):
    """A metacognitive session on a following day (PAPER P33)."""

    module = forms.CharField(max_length=200, label="Module", help_text="As the site's manual names it.")
    duration_min = TypedNumber(required=False, min_value=1, max_value=300, label="Minutes")
    note = forms.CharField(required=False, max_length=4000, label="Note", widget=forms.Textarea(attrs={"rows": 3}))


class AdverseForm(EntryForm):
    """Something untoward."""

    code = forms.SlugField(
        max_length=80, label="What", help_text="A short code, such as nausea, dysphoria, headache."
    )
    grade = forms.TypedChoiceField(
        coerce=int,
        choices=[(n, str(n)) for n in range(1, 6)],
        widget=forms.RadioSelect,
        label="Grade, 1 mild to 5 fatal",
    )
    serious = forms.BooleanField(required=False, label="Serious: the sponsor is told within the time of the protocol")
    relation = forms.TypedChoiceField(
        coerce=Relation, choices=choices(Relation), initial="unclear", label="Thought to come from"
    )
    action = forms.CharField(required=False, max_length=2000, label="What was done")
    text = forms.CharField(
        required=False,
        max_length=4000,
        label="Description",
        help_text="No names, no dates of birth, no places: free text leaves the study only on request.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class EndedForm(EntryForm):
    """How an adverse event went on."""

    adverse_event = forms.UUIDField(widget=forms.HiddenInput)
    outcome = forms.CharField(max_length=2000, label="How it ended")


@require_safe
@needs("participant_view")
def today(request: HttpRequest) -> HttpResponse:
    """What is due, for everybody this person may see; what is overdue first."""
    due: list[dict[str, Any]] = []
    for participant in visible_participants(person_of(request)):
        log = log_of(participant)
        course = standing.visits(log, protocol_of(log), state_of(log))
        due += [row | {"participant": participant} for row in course if _belongs_to_today(row)]
    due.sort(key=_urgency)
    return render(request, "kerp/visits/today.html", {"due": due})


def _belongs_to_today(row: dict[str, Any]) -> bool:
    """Due, overdue, or a call that was agreed and not made yet."""
    return row["class"] in {"due", "overdue"} or (row["open"] and row["booked"] is not None)


def _urgency(row: dict[str, Any]) -> tuple[Any, ...]:
    late = row["class"] == "overdue" or row["booked_late"]
    when = row["booked_at"] or row["due"]
    return (not late, when.isoformat() if when else "~")


def _visit_or_404(protocol: Protocol, identifier: str) -> Visit:
    for visit in protocol.visits:
        if visit.id == identifier:
            return visit
    raise Http404


@require_http_methods(["GET", "HEAD", "POST"])
@needs("participant_view", "visit_record")
def visit(request: HttpRequest, public_id: UUID, visit_id: str) -> HttpResponseBase:
    """One visit: its forms, what the blinded rater has done, and that it was held."""
    person = person_of(request)
    participant = participant_or_404(person, public_id)
    log = log_of(participant)
    protocol, state = protocol_of(log), state_of(log)
    chosen = _visit_or_404(protocol, visit_id)
    books = chosen.kind == "call" and "at" in request.POST
    booking = _booking_form(request if books else None) if chosen.kind == "call" else None
    form = booking if books and booking else _held_form(chosen)(sent(request) if not books else None)
    good = request.method == "POST" and person.may("visit_record") and form.is_valid()
    if good and (done := _record(request, log, person, form, [form.event(chosen)], "visit_record", public_id)):
        return done
    rows = [row for row in standing.visits(log, protocol, state) if row["visit"].id == visit_id]
    context = {
        "participant": participant,
        "row": rows[0],
        "visit": chosen,
        "form": _held_form(chosen)() if books else form,
        "booking": booking,
        "assessments": asked.assessments(protocol, state, chosen, show_scores=person.may("scores_view")),
    }
    return render(request, "kerp/visits/visit.html", context)


def _booking_form(request: HttpRequest | None) -> BookingForm:
    """Ids of its own: it stands on one page with the form of the call."""
    return BookingForm(sent(request) if request else None, auto_id="booking_%s")


def _held_form(visit: Visit) -> type[CallForm | VisitForm]:
    return CallForm if visit.kind == "call" else VisitForm


def _record(
    request: HttpRequest,
    log: Any,
    person: Person,
    form: EntryForm,
    events: list[Event],
    permission: str,
    public_id: UUID,
) -> HttpResponseBase | None:
    """Write and go back to the participant; None when the engine refused, with the faults in the form."""
    try:
        entry_id = form.cleaned_data["entry_id"]
        submit(log=log, person=person, role=acting_role(person, permission), entry_id=entry_id, events=events)
    except KerpError as error:
        add_faults(form, error)
        return None
    messages.success(request, "Recorded.")
    return HttpResponseRedirect(reverse("participant", args=[public_id]))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("visit_record")
def answer(request: HttpRequest, public_id: UUID, visit_id: str, instrument: str) -> HttpResponseBase:
    """An instrument of a visit that is not for the blinded rater."""
    person = person_of(request)
    participant = participant_or_404(person, public_id)
    log = log_of(participant)
    protocol, state = protocol_of(log), state_of(log)
    chosen = _visit_or_404(protocol, visit_id)
    open_here = {item.instrument for item in chosen.assessments if not item.blinded}
    if instrument not in open_here:
        raise Http404
    if instrument == beliefs.INSTRUMENT:  # a page of its own: given once, by the participant's own hand
        return HttpResponseRedirect(reverse("guesses", args=[public_id]))
    scale = answers.instrument(instrument)
    form = answers.AnswersForm(sent(request), instrument=scale, pack=answers.pack_of(scale))
    if request.method == "POST" and form.is_valid():
        role = acting_role(person, "visit_record")
        try:
            event = form.event(rated_by=role)
            submit(log=log, person=person, role=role, entry_id=form.cleaned_data["entry_id"], events=[event])
            messages.success(request, f"{scale.name} recorded.")
            return HttpResponseRedirect(reverse("visit", args=[public_id, visit_id]))
        except KerpError as error:
            add_faults(form, error)
    context = {"participant": participant, "visit": chosen, "back": reverse("visit", args=[public_id, visit_id])}
    context |= asked.form_context(log, state, form)
    return render(request, "kerp/visits/answers.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("visit_record")
def metacognitive(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Record a metacognitive session: opened and held in one act."""
    person = person_of(request)
    participant = participant_or_404(person, public_id)
    log = log_of(participant)
    protocol, state = protocol_of(log), state_of(log)
    kinds = [one for one in protocol.sessions if one.kind == "metacognitive"]
    if not kinds:
        raise Http404
    form = MetacognitiveForm(sent(request))
    if request.method == "POST" and form.is_valid():
        number = sum(record.plan_id == kinds[0].id for record in state.sessions) + 1
        data = {name: value for name, value in form.cleaned_data.items() if name != "entry_id"}
        events: list[Event] = [SessionOpened(plan=kinds[0].id), MetacognitiveSession(**data)]
        try:
            submit(
                log=log,
                person=person,
                role=acting_role(person, "visit_record"),
                entry_id=form.cleaned_data["entry_id"],
                events=events,
                session=f"{kinds[0].id}-{number}",
            )
            messages.success(request, "Metacognitive session recorded.")
            return HttpResponseRedirect(reverse("participant", args=[public_id]))
        except KerpError as error:
            add_faults(form, error)
    context = {"participant": participant, "form": form, "plan": kinds[0]}
    return render(request, "kerp/visits/metacognitive.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("adverse_record")
def adverse(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Record an adverse event, or how one ended."""
    person = person_of(request)
    participant = participant_or_404(person, public_id)
    log = log_of(participant)
    ending = request.POST.get("adverse_event")
    form = AdverseForm(None if ending else sent(request))
    ended = EndedForm(request.POST) if ending else None
    chosen: EntryForm = form if ended is None else ended
    if request.method == "POST" and chosen.is_valid():
        data = {name: value for name, value in chosen.cleaned_data.items() if name != "entry_id"}
        event = (
            AdverseEventFollowed(adverse_event=str(data["adverse_event"]), ended=True, outcome=data["outcome"])
            if ended
            else AdverseEvent(**data)
        )
        if done := _record(request, log, person, chosen, [event], "adverse_record", public_id):
            return done
    context = {
        "participant": participant,
        "form": form,
        "open": [(item, uuid.uuid4()) for item in standing.open_adverse_events(state_of(log))],
        "all": state_of(log).everywhere(AdverseEvent),
        "ended": ended,
    }
    return render(request, "kerp/visits/adverse.html", context)
