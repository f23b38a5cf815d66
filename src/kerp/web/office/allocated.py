"""Locking a study's data, and who was allocated to what: the file that `kerp analyse` asks for (docs/analysis.md)."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from kerp.allocation.release import SHORTEST_REASON
from kerp.base.digest import digest
from kerp.web.accounts.doors import fresh_proof, needs, person_of
from kerp.web.actions import audit
from kerp.web.models import AuditEvent, Log, Study
from kerp.web.sent import sent
from kerp.web.vault import allocated, store

LOCKED = "data.locked"


@dataclass(frozen=True, slots=True)
class Lock:
    """When the data of a study were locked, by whom, over which chain heads, and whether that still holds."""

    at: datetime
    by: str
    heads: str
    holds: bool


def lock_of(study: Study) -> Lock | None:
    """The newest lock. It holds while no log has grown since: a later entry is kept, and is seen here."""
    event = AuditEvent.objects.filter(act=LOCKED, subject=f"study:{study.code}").order_by("-seq").first()
    if event is None:
        return None
    heads = str(json.loads(event.details)["heads"])
    return Lock(event.at, event.actor, heads, heads == _heads(study))


def _heads(study: Study) -> str:
    """One digest over the chain heads of every log of a study."""
    logs = Log.objects.filter(participant__study=study).order_by("participant__code")
    return digest(dict(logs.values_list("participant__code", "head_hash")))


class LockForm(forms.Form):
    """Locking is a signed act."""

    reason = forms.CharField(
        max_length=500,
        label="What was done before",
        help_text="Queries closed, deviations classified, the analysis plan locked.",
    )
    sure = forms.BooleanField(label="The data of this study are final. Later entries will show as changes.")


class ExportForm(forms.Form):
    """Why the arms leave the allocation store."""

    reason = forms.CharField(
        max_length=500,
        min_length=SHORTEST_REASON,
        label="Reason",
        help_text="Such as: analysis of record, plan locked on 3 March. A monitor will read it.",
    )
    early = forms.BooleanField(
        required=False, label="The data are not locked, or have changed: I export all the same"
    )

    def __init__(self, *args: Any, final: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["early"].required = not final
        if final:
            del self.fields["early"]


@require_http_methods(["GET", "HEAD", "POST"])
@needs("lock_data")
@fresh_proof
def lock_data(request: HttpRequest, code: str) -> HttpResponseBase:
    """Lock the data of a study: the chain heads of all its logs, signed in the audit trail."""
    study = get_object_or_404(Study, code=code)
    form = LockForm(sent(request))
    if request.method == "POST" and form.is_valid():
        details = {"heads": _heads(study), "logs": study.participants.count()}
        audit.record(
            actor=person_of(request).username,
            act=LOCKED,
            subject=f"study:{code}",
            reason=form.cleaned_data["reason"],
            details=details,
        )
        messages.success(request, "The data are locked. An entry that comes later is kept, and shows.")
        return HttpResponseRedirect(reverse("lock_data", args=[code]))
    return render(request, "kerp/study/lock.html", {"study": study, "form": form, "lock": lock_of(study)})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("export_allocation")
@fresh_proof
def export_allocation(request: HttpRequest, code: str) -> HttpResponseBase:
    """`allocation.csv`: participant, arm, stratum, sequence, date. Only for those who may know every arm."""
    person = person_of(request)
    study = get_object_or_404(Study, code=code)
    if not person.may_know_arm():
        raise PermissionDenied
    if not store.has_list(code):
        raise Http404
    lock = lock_of(study)
    form = ExportForm(sent(request), final=bool(lock and lock.holds))
    if request.method == "POST" and form.is_valid():
        text = csv_text(allocated.rows(code))
        final = bool(lock and lock.holds)
        said = {"reason": form.cleaned_data["reason"], "after_lock": str(final).lower(), "digest": digest(text)}
        store.note(code, allocated.EXPORTED, said, person.username)
        audit.record(
            actor=person.username,
            act="allocation.exported",
            subject=f"study:{code}",
            reason=form.cleaned_data["reason"],
            details={"after_lock": final},
        )
        response = HttpResponse(text, content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{code}-allocation.csv"'
        return response
    return render(request, "kerp/blinding/allocation.html", {"study": study, "form": form, "lock": lock})


def csv_text(rows: list[allocated.Row]) -> str:
    """The file, one line for each allocated participant."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("participant", "arm", "stratum", "sequence", "date"))
    writer.writerows((row.participant, row.arm, row.stratum, row.sequence, row.date) for row in rows)
    return out.getvalue()
