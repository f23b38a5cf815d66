"""Participants: the list, registration by study code, one participant's page, who works with whom."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kerp.base.errors import KerpError
from kerp.web.access import matrix
from kerp.web.accounts.doors import needs, person_of
from kerp.web.actions import participants as actions
from kerp.web.models import Assignment, Participant, Person, Site, Study
from kerp.web.office import standing
from kerp.web.office.desk import log_of, participant_or_404, visible_participants
from kerp.web.office.faults import add_faults
from kerp.web.sent import sent
from kerp.web.vault import store

WORKING_ROLES = ("prescriber", "nurse", "therapist", "rater")


class RegisterForm(forms.Form):
    """A study code. Nothing else about the person is kept here."""

    study = forms.ModelChoiceField(Study.objects.order_by("code"), empty_label=None, label="Study")
    site = forms.ModelChoiceField(Site.objects.order_by("code"), empty_label=None, label="Site")
    code = forms.CharField(
        max_length=20,
        label="Study code",
        help_text="From the site's own list, for example S1-014. No initials, no date of birth. It cannot be undone.",
    )


class AssignForm(forms.Form):
    """Who works with this participant, as what."""

    person = forms.ModelChoiceField(Person.objects.none(), label="Person", empty_label=None)
    role = forms.ChoiceField(label="As")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        working = Person.objects.filter(grants__role__in=WORKING_ROLES, grants__ended_at=None, is_active=True)
        self.fields["person"].queryset = working.distinct().order_by("full_name")  # type: ignore[attr-defined]
        titles = matrix().roles
        self.fields["role"].choices = [(r, titles[r].title) for r in WORKING_ROLES]  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD"])
@needs("participant_view")
def participants(request: HttpRequest) -> HttpResponse:
    """Everybody this person may see, and how they stand."""
    rows = [standing.row(one) for one in visible_participants(person_of(request)).order_by("study__code", "code")]
    return render(request, "kerp/participants/participants.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("participant_enrol")
def register(request: HttpRequest) -> HttpResponseBase:
    """Register a study code."""
    form = RegisterForm(sent(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.register(**form.cleaned_data, actor=person_of(request))
            messages.success(request, f"{made.code} is registered under protocol version {made.version.number}.")
            return HttpResponseRedirect(reverse("participant", args=[made.public_id]))
        except KerpError as error:
            add_faults(form, error)
    return render(request, "kerp/participants/register.html", {"form": form})


@require_safe
@needs("participant_view")
def participant(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One participant: what is next, what is missing, the course, who works with them."""
    return _page(request, public_id, AssignForm())


def _page(request: HttpRequest, public_id: UUID, form: AssignForm) -> HttpResponse:
    chosen = participant_or_404(person_of(request), public_id)
    log = log_of(chosen)
    context = (
        standing.page(log)
        | _allocation(chosen)
        | {
            "participant": chosen,
            "log": log,
            "assignments": chosen.assignments.select_related("person").order_by("assigned_at"),
            "assign_form": form,
            "flags": log.flags.all(),
        }
    )
    return render(request, "kerp/participants/participant.html", context)


def _allocation(participant: Participant) -> dict[str, Any]:
    """The kit code, which is on the syringe anyway; never what it holds."""
    if not store.has_list(participant.study.code):
        return {"has_list": False}
    record = store.state(participant.study.code)
    kit = dict(record.kits).get(participant.code)
    return {"has_list": True, "kit": kit, "waiting": participant.code in dict(record.strata) and kit is None}


@require_POST
@needs("participant_enrol")
def assign(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Assign a person; one who treats never rates blinded (M7)."""
    chosen = participant_or_404(person_of(request), public_id)
    form = AssignForm(request.POST)
    if form.is_valid():
        try:
            actions.assign(participant=chosen, actor=person_of(request), **form.cleaned_data)
            return HttpResponseRedirect(reverse("participant", args=[public_id]))
        except KerpError as error:
            add_faults(form, error)
    return _page(request, public_id, form)


@require_POST
@needs("participant_enrol")
def end_assignment(request: HttpRequest, public_id: UUID, assignment: int) -> HttpResponseBase:
    """End an assignment."""
    chosen = participant_or_404(person_of(request), public_id)
    given = get_object_or_404(Assignment, id=assignment, participant=chosen, ended_at=None)
    actions.end_assignment(given=given, actor=person_of(request))
    return HttpResponseRedirect(reverse("participant", args=[public_id]))
