"""Exporting a participant's log: without free text unless somebody asks for it and says why (M22)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from kerp.base.digest import canonical
from kerp.records.logfile import lines
from kerp.session.codec import decode_event, encode_event
from kerp.session.events import Entry, Event
from kerp.session.kinds import LONGEST_TEXT, FieldKind, Nested, Text, fields_of
from kerp.web.accounts.doors import fresh_proof, needs, person_of
from kerp.web.actions import audit
from kerp.web.actions.record import entries_of
from kerp.web.course import protocol_of
from kerp.web.models import Log
from kerp.web.office.desk import log_of, participant_or_404
from kerp.web.sent import sent

OMITTED = "[omitted]"


class ExportForm(forms.Form):
    """What goes out."""

    with_text = forms.BooleanField(
        required=False,
        label="With free text",
        help_text="Free text may name people. Only the complete log carries the chain and signatures of the study.",
    )
    reason = forms.CharField(required=False, max_length=500, label="Reason, where free text is exported")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("with_text") and not cleaned.get("reason"):
            self.add_error("reason", "Say why the free text leaves the study.")
        return cleaned


@require_http_methods(["GET", "HEAD", "POST"])
@needs("export_data")
@fresh_proof
def export(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """One log as a file."""
    person = person_of(request)
    participant = participant_or_404(person, public_id)
    form = ExportForm(sent(request))
    if request.method == "POST" and form.is_valid():
        log, with_text = log_of(participant), form.cleaned_data["with_text"]
        name = f"{participant.study.code}-{participant.code}{'' if with_text else '-without-text'}.kerplog"
        audit.record(
            actor=person.username,
            act="log.exported",
            subject=f"participant:{participant.code}",
            reason=form.cleaned_data["reason"],
            details={"with_text": with_text, "head": log.head_hash},
        )
        response = HttpResponse(log_text(log, with_text=with_text), content_type="application/x-ndjson")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
    return render(request, "kerp/participants/export.html", {"participant": participant, "form": form})


def log_text(log: Log, *, with_text: bool) -> str:
    """The log file. Complete, its last hash is the log's chain head; without text it has a chain of its own."""
    entries = entries_of(log)
    shown = entries if with_text else tuple(without_text(entry) for entry in entries)
    return "".join(lines(shown, protocol_of(log)))


def without_text(entry: Entry) -> Entry:
    """The entry with every free text left out, in corrections too."""
    return replace(entry, event=_stripped(entry.event))


def _stripped(event: Event) -> Event:
    written = json.loads(canonical(encode_event(event)))
    return decode_event(_strip(written, type(event)))


def _strip(written: dict[str, Any], kind: type[Event]) -> dict[str, Any]:
    for name, field in fields_of(kind).items():
        if _is_prose(field) and written.get(name):
            written[name] = OMITTED
        if _holds_event(field) and written.get(name):
            inner = decode_event(written[name])
            written[name] = _strip(written[name], type(inner))
    return written


def _is_prose(field: FieldKind) -> bool:
    return isinstance(field.kind, Text) and field.kind.length.most >= LONGEST_TEXT


def _holds_event(field: FieldKind) -> bool:
    return isinstance(getattr(field.kind, "inner", field.kind), Nested)
