"""Numbers that people type into forms.

Each is a field of text: one of type "number" drops a decimal comma while it is typed ("26,5" becomes 265), before
anything can see it.
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

_SHAPE = re.compile(r"[-\u2212]?[0-9]{1,9}(?:[.,][0-9]{1,9})?")
_THOUSANDS = re.compile(r"[-\u2212]?[1-9][0-9]{0,2},[0-9]{3}")  # 1,234 is two numbers, by who reads it


def plain_number(text: str) -> str | None:
    """The text with a decimal point; None where it is not one number without doubt. The bedside has the same rule."""
    if not _SHAPE.fullmatch(text) or _THOUSANDS.fullmatch(text):
        return None
    return text.replace(",", ".").replace("\u2212", "-")


class _Typed:
    """Of a number field of Django: text on the page, one strict reading of it."""

    allowed = "Allowed: a number like 26.5 or 26,5, without a sign for thousands."
    keypad = "decimal"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"widget": forms.TextInput} | kwargs))

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value)  # type: ignore[misc]
        if (text := plain_number(value.strip())) is None:
            raise ValidationError(self.allowed, code="invalid")
        return super().to_python(text)  # type: ignore[misc]

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:  # noqa: ARG002  Django's signature
        attrs: dict[str, Any] = {"data-number": "", "autocomplete": "off"}
        low, high = self.min_value, self.max_value  # type: ignore[attr-defined]
        attrs |= {"inputmode": self.keypad} if low is not None and low >= 0 else {}  # some keypads have no minus
        attrs |= {"data-min": low} if low is not None else {}
        return attrs | ({"data-max": high} if high is not None else {})


class TypedNumber(_Typed, forms.FloatField):
    """A number, decimals with a point or a comma."""


class TypedDecimal(_Typed, forms.DecimalField):
    """The same, kept digit by digit as it was typed."""


class TypedWhole(_Typed, forms.IntegerField):
    """A whole number: 4,5 is refused, not read as 45."""

    allowed = "Allowed: a whole number."
    keypad = "numeric"
