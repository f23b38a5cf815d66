"""Numbers typed into office pages: a comma is a comma, and no field drops it while it is typed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.forms import Form

import kerp.web
from kerp.web.typed import TypedDecimal, TypedNumber, TypedWhole

READ = {"26.5": 26.5, "26,5": 26.5, " 0,125 ": 0.125, "354": 354, "1234": 1234, "-3,5": -3.5, "\u22123": -3}
REFUSED = ("1,234.5", "1,234", "1.234,5", "1 234", "1e3", "1_000", "NaN", "inf", "26,5 mL", ",5", "5,", "0x10", "--1")


class Some(Form):
    number = TypedNumber(required=False, min_value=-10, max_value=2000)
    strength = TypedDecimal(required=False, max_digits=12, decimal_places=6)
    suds = TypedWhole(required=False, min_value=0, max_value=100)


@pytest.mark.parametrize("text", READ)
def test_a_number_is_read_with_a_point_or_a_comma(text):
    form = Some({"number": text})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["number"] == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_anything_else_is_refused_with_what_is_allowed_and_what_was_typed_stays(text):
    form = Some({"number": text})
    assert "26.5 or 26,5" in form.errors["number"][0]
    assert f'value="{text}"' in str(form["number"])


def test_a_decimal_is_kept_digit_by_digit_and_a_whole_number_takes_no_decimals():
    form = Some({"strength": "0,10", "suds": "45"})
    assert form.is_valid()
    assert form.cleaned_data == {"number": None, "strength": Decimal("0.10"), "suds": 45}
    assert "suds" in Some({"suds": "4,5"}).errors
    assert "suds" in Some({"suds": "101"}).errors


def test_no_page_has_a_field_that_drops_a_comma_while_it_is_typed():
    assert 'type="text"' in str(Some()["number"])
    room = Path(kerp.web.__file__).parent
    files = [one for kind in ("*.py", "*.html", "*.js") for one in room.rglob(kind)]
    files = [one for one in files if not {"migrations", "vendor"} & set(one.parts) and one.name != "typed.py"]
    droppers = r"""type: ?"number"|type=["']?number|NumberInput|forms\.(Float|Decimal)Field"""
    assert [one.name for one in files if re.search(droppers, one.read_text())] == []
    assert len(files) > 150
