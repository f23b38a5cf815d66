"""Showing faults of kerp in a form: at the field they name, or above the form; what was typed stays."""

from __future__ import annotations

import uuid

from django import forms

from kerp.base.errors import Fault, KerpError
from kerp.web.actions.record import SameIdOtherContentError

SENT_BEFORE = (
    "This form was sent before, with other content; what stands in the record was not changed. "
    "Send it again to record what is typed here as a new entry."
)


def add_faults(form: forms.BaseForm, error: KerpError) -> None:
    """Every fault, with what is allowed and the ways out."""
    if isinstance(error, SameIdOtherContentError):
        _renew(form)
        form.add_error(None, SENT_BEFORE)
        return
    for fault in error.faults:
        field = fault.field.split(".")[-1]
        form.add_error(field if field in form.fields else None, in_words(fault))


def _renew(form: forms.BaseForm) -> None:
    """After "Back" a form still carries the id of what was recorded: it gets its own, and keeps what was typed."""
    form.data = {**form.data.dict(), form.add_prefix("entry_id"): str(uuid.uuid4())}  # type: ignore[attr-defined]


def in_words(fault: Fault) -> str:
    """One paragraph."""
    line = f"line {fault.line}" if fault.line else ""
    place = " ".join(part for part in (line, fault.field if fault.where else "") if part)
    said = f"{place}: {fault.message}" if place else fault.message[:1].upper() + fault.message[1:]
    found = f"found {fault.found}" if fault.found else ""
    allowed = f"allowed: {fault.allowed}" if fault.allowed else ""
    return ". ".join(part for part in (said, found, allowed, *fault.ways_out) if part) + "."
