"""Paradoxical anxiety at the bedside (clinical.md section 8, PAPER P37): found, shown, answered, carried into chart,
list and report.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from steps import begin, in_dialog, prepare, rate


def open_block(therapist):
    therapist.tab("exposure")
    therapist.dialog("open-bin-lid")
    in_dialog(therapist.page, "Start the exposure")
    therapist.page.wait_for_selector("text=Block b1")


def rise(therapist, ratings):
    for suds, felt in ratings:
        therapist.served.later(5)
        rate(therapist, suds, 50, felt)
        therapist.saved()


def found(person, rule="paradoxical_anxiety"):
    return [one for one in person.status()["advice"] if one["rule_id"] == rule]


def test_paradoxical_anxiety_is_found_answered_and_stays_in_every_record(served, person, tmp_path):
    log = served.log("anxiety")
    nurse, therapist, prescriber = person(served, "nurse"), person(served, "therapist"), person(served, "prescriber")
    nurse.open(log)
    prepare(nurse)
    therapist.bedside(log)
    rate(therapist, 30, 20, 0)
    begin(nurse, prescriber, log)
    open_block(therapist)

    # before onset 40 at this exposure; then distress rises with the effect, and the stimulus does not change
    rise(therapist, [(40, 0), (40, 1), (40, 3), (60, 5), (70, 7)])
    before = found(therapist)
    assert len(before) == 1
    therapist.page.wait_for_selector('.b-strip:has-text("Paradoxical anxiety")')
    therapist.shot("anxiety-strip")
    therapist.tap("strip")
    card = therapist.page.locator('section[aria-label="Paradoxical anxiety"]')
    card.locator("summary").click()
    why = card.inner_text()
    for words in ("20 points", "assumed", "ERP therapist"):
        assert words in why, why
    therapist.page.locator('section[aria-label="Paradoxical anxiety"]').locator('button:has-text("Seen")').click()
    therapist.saved()
    therapist.page.wait_for_selector('.mark:has-text("acknowledged by therapist")')

    # the steps stand on the exposure page; each one that was taken is recorded
    therapist.tab("exposure")
    steps = therapist.page.inner_text(".b-steps")
    for words in ("mental rituals", "next lower item", "Stop exposure; ground", "benzodiazepine only by order"):
        assert words in steps
    therapist.tap("anxiety-1")
    therapist.tap("anxiety-2")
    therapist.saved()
    therapist.page.wait_for_selector('[data-key="anxiety-2"][aria-pressed="true"]')
    therapist.shot("anxiety-steps")

    # it settles, and comes again: another finding, decided otherwise with a reason
    rise(therapist, [(40, 7)])
    assert [one for one in found(therapist) if one["state"] == "open"] == []
    rise(therapist, [(70, 7), (70, 7)])
    prescriber.page.wait_for_selector('.b-strip:has-text("Paradoxical anxiety")')
    prescriber.tap("strip")
    prescriber.page.locator('section[aria-label="Paradoxical anxiety"] button:has-text("Decide otherwise")').click()
    in_dialog(prescriber.page, "Record")
    assert "may not be empty" in prescriber.page.inner_text("dialog[open] .fault")
    prescriber.page.fill("dialog[open] textarea", "known from rehearsal, falls by itself; stay five minutes")
    in_dialog(prescriber.page, "Record")
    prescriber.saved()
    assert "overridden" in {one["state"] for one in found(prescriber)}

    # list, chart, report
    therapist.tap("badge")
    events = therapist.page.inner_text(".b-events")
    assert "Paradoxical anxiety step: step 2" in events
    assert "Advice overridden" in events
    therapist.tab("chart")
    therapist.page.wait_for_selector(".b-plot canvas")
    therapist.page.wait_for_selector(".b-charts >> text=paradoxical anxiety, step 2")
    therapist.shot("anxiety-chart")
    code = therapist.status()["participant"]
    file = exported(person(served, "data_manager"), code, tmp_path)
    assert '"paradoxical_anxiety_step"' in file.read_text()
    report = reported(file, tmp_path)
    assert "Paradoxical anxiety" in report
    assert "step 2" in report.lower()
    for one in (nurse, therapist, prescriber):
        assert one.faults == []
        assert one.foreign == []


def exported(manager, code, tmp_path):
    """The log as the data manager takes it out of the office."""
    page = manager.page
    page.goto("/participants/")
    page.click(f'a:has-text("{code}")')
    page.click('a:has-text("Export")')
    page.wait_for_selector("input[name=password], input[name=with_text]")
    if page.query_selector("input[name=password]"):
        page.fill("input[name=password]", manager.served.password)
        page.press("input[name=password]", "Enter")
        page.wait_for_selector("input[name=with_text]")
    with page.expect_download() as started:
        page.click('main button:has-text("Export")')
    file = tmp_path / "session.jsonl"
    started.value.save_as(file)
    return file


def reported(file, tmp_path):
    """The session report of that log."""
    command = [str(Path(sys.executable).with_name("kerp")), "session", "report", str(file)]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "report.html")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return (tmp_path / "report.html").read_text()
