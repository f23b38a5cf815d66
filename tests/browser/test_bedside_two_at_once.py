"""Two devices in one session, two tabs on one device."""

from __future__ import annotations

import time

from kept import ids, left_on_disk, opened, ratings
from steps import until


def test_two_devices_see_each_others_entries_within_a_second_and_both_of_a_conflict_are_kept(served, person):
    log = served.log("two")
    nurse, therapist = opened(served, person, "two"), person(served, "therapist")
    therapist.bedside(log)
    therapist.tab("now")
    until(therapist.page, "globalThis.kerp.stream.heard > 0")
    slack_s = therapist.slack_s()
    nurse.tap("suds-70")
    nurse.saved()
    began = time.monotonic()
    therapist.page.wait_for_selector('.b-last strong:has-text("70")')
    seen_s = time.monotonic() - began
    assert seen_s < 1 + max(slack_s, therapist.slack_s())
    therapist.tap("suds-40")
    therapist.saved()
    assert ratings(nurse.entries()) == [70, 40]
    assert "conflicting_observations" in {flag["kind"] for flag in nurse.status()["flags"]}


def test_two_tabs_write_at_the_same_moment_and_neither_writes_over_the_other(served, person):
    nurse = opened(served, person, "two")
    other = nurse.context.new_page()
    other.goto(f"/bedside/{served.log('two')}/dosing-1/")
    other.wait_for_selector("#head:not([hidden]) .b-clock")
    nurse.context.set_offline(True)
    for page in (nurse.page, other):
        page.evaluate(
            """() => { Date.now = () => 1.8e12; globalThis.put = Promise.all(Array.from({ length: 40 }, (_, value) =>
              globalThis.kerp.record({ type: "urge", value }))); }"""
        )
    made = [one["id"] for page in (nurse.page, other) for one in page.evaluate("globalThis.put")]
    assert len(set(made)) == 80
    assert left_on_disk(nurse) == 80
    other.close()
    nurse.context.set_offline(False)
    nurse.saved()
    entries = ids(nurse.entries())
    assert all(entries.count(one) == 1 for one in made)
