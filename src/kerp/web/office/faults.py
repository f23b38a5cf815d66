"""Showing faults of kerp in a form: at the field they name, or above the form; what was typed stays."""

from __future__ import annotations

from django import forms

from kerp.base.errors import Fault, KerpError


def add_faults(form: forms.BaseForm, error: KerpError) -> None:
    """Every fault, with what is allowed and the ways out."""
    for fault in error.faults:
        field = fault.field.split(".")[-1]
        form.add_error(field if field in form.fields else None, in_words(fault))


def in_words(fault: Fault) -> str:
    """One paragraph."""
    line = f"line {fault.line}" if fault.line else ""
    place = " ".join(part for part in (line, fault.field if fault.where else "") if part)
    said = f"{place}: {fault.message}" if place else fault.message[:1].upper() + fault.message[1:]
    found = f"found {fault.found}" if fault.found else ""
    allowed = f"allowed: {fault.allowed}" if fault.allowed else ""
    return ". ".join(part for part in (said, found, allowed, *fault.ways_out) if part) + "."
