"""Screening: eligibility item by item with reasons, and the consent version."""

from __future__ import annotations

import uuid
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from kerp.base.errors import KerpError
from kerp.session.events import ConsentChecked, EligibilityItem
from kerp.web.accounts.doors import needs, person_of
from kerp.web.actions import record
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log, Person
from kerp.web.office import standing
from kerp.web.office.desk import EntryForm, acting_role, log_of, participant_or_404, submit
from kerp.web.office.faults import add_faults
from kerp.web.sent import sent
from kerp.web.typed import TypedNumber

PASSES = (("yes", "Passes"), ("no", "Does not pass"), ("", "Not looked at"))


class CriterionForm(EntryForm):
    """One criterion."""

    passes = forms.ChoiceField(choices=PASSES, required=False, widget=forms.RadioSelect, label="Finding")
    value = TypedNumber(required=False, label="Value")
    reason = forms.CharField(required=False, max_length=2000, label="Reason or source")

    def __init__(self, *args: Any, screened: standing.Screened, **kwargs: Any) -> None:
        super().__init__(*args, **{"prefix": screened.criterion.id, **kwargs})
        self.screened = screened
        if screened.criterion.threshold is None:
            del self.fields["value"]
        if found := screened.found:
            self.initial = {
                "passes": "yes" if found.event.met else "no",
                "value": found.event.value,
                "reason": found.event.reason,
            }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("passes") == "no" and not cleaned.get("reason"):
            self.add_error("reason", "Say why this criterion is not met.")
        return cleaned

    def event(self) -> EligibilityItem | None:
        """What is new, or None."""
        data, found = self.cleaned_data, self.screened.found
        if not data["passes"]:
            return None
        event = EligibilityItem(
            criterion=self.screened.criterion.id,
            met=data["passes"] == "yes",
            value=data.get("value"),
            reason=data["reason"],
        )
        return None if found is not None and found.event == event else event


class ConsentForm(EntryForm):
    """Which version was signed; the signed sheet itself stays at the site."""

    version = forms.CharField(max_length=100, label="Version of the consent form")
    confirmed = forms.BooleanField(required=False, label="Signed, understood, and still given")
    note = forms.CharField(required=False, max_length=2000, label="Note", widget=forms.Textarea(attrs={"rows": 2}))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("participant_enrol", "eligibility_sign")
def screening(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Every criterion on one page; only what changed is recorded."""
    person = person_of(request)
    participant = participant_or_404(person, public_id)
    log = log_of(participant)
    screened = standing.screening(protocol_of(log), state_of(log))
    rows = [CriterionForm(sent(request), screened=item) for item in screened.items]
    if request.method == "POST" and all([form.is_valid() for form in rows]):  # noqa: C419  every form must be checked
        role = acting_role(person, "eligibility_sign", "participant_enrol")
        try:
            recorded = _record(rows, log, person, role)
            messages.success(request, f"{recorded} findings recorded." if recorded else "Nothing was new.")
            return HttpResponseRedirect(reverse("screening", args=[public_id]))
        except KerpError as error:
            for form in rows:
                if form.event() is not None:
                    add_faults(form, error)
    context = {"participant": participant, "screening": screened, "rows": rows}
    return render(request, "kerp/participants/screening.html", context)


def _record(rows: list[CriterionForm], log: Log, person: Person, role: str) -> int:
    """Every new finding of the page in one act, or none; how many."""
    new = [
        record.Submitted(id=uuid.uuid5(form.cleaned_data["entry_id"], "0"), event=event, role=role)
        for form in rows
        if (event := form.event())
    ]
    record.append_all(log_id=log.id, actor=person.username, submitted=new)
    return len(new)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("participant_enrol")
def consent(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Record the consent version."""
    person = person_of(request)
    participant = participant_or_404(person, public_id)
    log = log_of(participant)
    form = ConsentForm(sent(request))
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        entry_id = data.pop("entry_id")
        try:
            role = acting_role(person, "participant_enrol")
            submit(log=log, person=person, role=role, entry_id=entry_id, events=[ConsentChecked(**data)])
            messages.success(request, "Consent recorded.")
            return HttpResponseRedirect(reverse("participant", args=[public_id]))
        except KerpError as error:
            add_faults(form, error)
    history = state_of(log).everywhere(ConsentChecked)
    context = {"participant": participant, "form": form, "history": history}
    return render(request, "kerp/participants/consent.html", context)
