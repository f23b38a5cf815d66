"""What is typed is what is recorded: decimal commas, empty fields, a second correction, a second guess."""

from __future__ import annotations

import pytest
from steps import in_dialog

DOSE = {
    "type": "dose_computed", "weight_kg": 70.8, "dose_mg": 35.4, "concentration_mg_per_ml": 1.0, "volume_ml": 35.4,
    "rate_ml_per_h": 53.1, "duration_min": 40.0,
}  # fmt: skip


def typed(one, name, text):
    """Key by key, the way it is typed."""
    box = one.page.locator(f"dialog[open] input[name={name}]")
    box.fill("")
    box.press_sequentially(text)


def refused(one, name, text):
    typed(one, name, text)
    in_dialog(one.page, "Record")
    fault = one.page.wait_for_selector("dialog[open] .fault:not([hidden])").inner_text()
    assert one.page.input_value(f"dialog[open] input[name={name}]") == text  # what was typed stays
    return fault


def recorded(one, kind):
    """The newest entry of a kind, once it has come back to the page."""
    one.saved()
    return [entry["event"] for entry in one.entries() if entry["event"]["type"] == kind][-1]


def correct(one, reason, **fields):
    one.page.click(".b-events tr:has-text('Suds: 60') button:has-text('Correct')")
    one.page.wait_for_selector("dialog[open]")
    for name, text in fields.items():
        typed(one, name, text)
    typed(one, "why", reason)
    in_dialog(one.page, "Record")


@pytest.fixture(scope="module")
def numbers(served, person_of_module):
    """One nurse through one infusion."""
    one = person_of_module(served, "nurse")
    one.open(served.log("numbers"))
    return one


def test_a_decimal_comma_is_a_decimal_comma(numbers):
    nurse = numbers
    nurse.tab("prepare")
    nurse.dialog("gate-weight-Weigh")
    for wrong in ("1,234.5", "1,234", "7e1", "70 kg", "", "0,5", "7080"):
        assert "26.5 or 26,5 from 1 to 500" in refused(nurse, "kg", wrong)
    typed(nurse, "kg", "70,8")
    in_dialog(nurse.page, "Record")
    assert recorded(nurse, "weight")["weight_kg"] == 70.8
    nurse.dialog("compute")
    nurse.page.wait_for_selector("dialog[open] input[name=weight_kg]")
    typed(nurse, "weight_kg", "70,8")
    typed(nurse, "concentration_mg_per_ml", "1,0")
    in_dialog(nurse.page, "Compute")
    nurse.tap("take-dose")
    dose = recorded(nurse, "dose_computed")
    assert {name: dose[name] for name in DOSE} == DOSE


def test_more_than_was_planned_is_asked_about_before_it_is_recorded(numbers):
    nurse = numbers
    start = {"type": "administration_start", "route": "iv_infusion", "rate_ml_per_h": 53.1}
    nurse.page.evaluate("(event) => globalThis.kerp.record(event)", start)
    nurse.saved()
    nurse.tab("drug")
    nurse.dialog("rate")
    typed(nurse, "rate", "265")
    in_dialog(nurse.page, "Record")
    nurse.tap("look-again")
    nurse.page.wait_for_selector("dialog[open] .fault:not([hidden])")
    typed(nurse, "rate", "26,5")
    in_dialog(nurse.page, "Record")
    assert recorded(nurse, "rate_change")["rate_ml_per_h"] == 26.5
    nurse.dialog("drug-end")
    typed(nurse, "volume", "354")
    in_dialog(nurse.page, "Record")
    assert "above the prepared volume, 35.4 mL" in nurse.page.inner_text("dialog[open]:last-of-type")
    nurse.tap("look-again")
    typed(nurse, "volume", "35,4")
    in_dialog(nurse.page, "Record")
    assert recorded(nurse, "administration_end")["volume_given_ml"] == 35.4
    assert nurse.status()["drug"]["volume_given_ml"] == 35.4


def test_a_systolic_without_a_diastolic_is_asked_about_once_recorded_and_never_shown_beside_an_older_one(numbers):
    nurse = numbers
    nurse.tab("checks")
    nurse.dialog("vitals")
    typed(nurse, "systolic_mmhg", "128")
    typed(nurse, "diastolic_mmhg", "79")
    in_dialog(nurse.page, "Record")
    assert recorded(nurse, "vitals")["diastolic_mmhg"] == 79
    nurse.page.wait_for_selector('[data-key=pressure]:has-text("128/79 mm Hg")')
    nurse.dialog("vitals")
    assert "Only 205/?" in refused(nurse, "systolic_mmhg", "205")
    assert "Only 204/?" in refused(nurse, "systolic_mmhg", "204")
    in_dialog(nurse.page, "Record")
    kept = recorded(nurse, "vitals")
    assert (kept["systolic_mmhg"], kept.get("diastolic_mmhg")) == (204, None)
    nurse.page.wait_for_selector('[data-key=pressure]:has-text("204/? mm Hg")')


def test_an_empty_field_of_a_correction_changes_nothing_and_the_list_shows_old_and_new(numbers):
    nurse = numbers
    nurse.tab("now")
    nurse.tap("suds-60")
    nurse.saved()
    nurse.tap("badge")
    nurse.page.click(".b-events tr:has-text('Suds: 60') button:has-text('Correct')")
    for name in ("value", "minute"):
        typed(nurse, name, "")
    typed(nurse, "why", "slip")
    in_dialog(nurse.page, "Record")
    assert "Nothing was changed" in nurse.page.wait_for_selector("dialog[open] .fault:not([hidden])").inner_text()
    nurse.page.keyboard.press("Escape")
    correct(nurse, "heard wrongly", value="55", minute="")
    nurse.page.wait_for_selector(".b-events tr:has-text('corrected to 55: heard wrongly')")
    nurse.saved()
    assert [row[1] for row in nurse.status()["series"]["suds"]] == [55]
    at = nurse.status()["series"]["suds"][0][0]

    # the next correction begins with what stands now, and keeps it
    nurse.page.click(".b-events tr:has-text('Suds: 60') button:has-text('Correct')")
    assert nurse.page.input_value("dialog[open] input[name=value]") == "55"
    nurse.page.keyboard.press("Escape")
    correct(nurse, "a minute late", minute="0,01")
    nurse.saved()
    nurse.page.wait_for_selector(".b-events tr:has-text('corrected to 55, at minute')")
    value = nurse.status()["series"]["suds"][0]
    assert value[1] == 55
    assert value[0] < at


def test_a_second_guess_of_the_same_person_is_refused_with_the_way_out(numbers):
    nurse = numbers
    nurse.tab("close")
    for attempt in range(2):
        nurse.dialog("guess")
        nurse.page.click('dialog[open] button:has-text("The active treatment")')
        typed(nurse, "certainty", "62,5")
        in_dialog(nurse.page, "Record")
        if not attempt:
            nurse.saved()
    assert "by a correction" in nurse.page.wait_for_selector("dialog[open] .fault:not([hidden])").inner_text()
    nurse.page.keyboard.press("Escape")
    guesses = [entry for entry in nurse.entries() if entry["event"]["type"] == "arm_guess"]
    assert [one["event"]["by"] for one in guesses] == ["nurse"]  # what was guessed is kept from everybody
    assert nurse.faults == []
