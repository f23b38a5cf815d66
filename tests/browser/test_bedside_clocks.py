"""The device's clock: set, set while the page was not running, standing still while the device slept."""

from __future__ import annotations

from datetime import datetime

import pytest
from kept import opened

HOUR_MS = 3_600_000


def enter(nurse, value, true_times):
    """One rating, and when it was really made."""
    nurse.tap(f"suds-{value}")
    true_times[value] = nurse.served.now()


def by_value(nurse, since):
    new = nurse.entries()[since:]
    return {one["event"]["value"]: one for one in new if one["event"]["type"] == "suds"}


def off_s(entry, true_time) -> float:
    return abs((datetime.fromisoformat(entry["wall_clock"]) - true_time).total_seconds())


def test_what_is_entered_after_the_devices_clock_was_set_is_kept_and_flagged_also_after_a_reload(served, person):
    nurse = opened(served, person, "clock")
    since, true_times = len(nurse.entries()), {}
    enter(nurse, 10, true_times)
    nurse.saved()
    nurse.context.set_offline(True)
    nurse.page.wait_for_selector(".b-badge:has-text('NO CONTACT')")
    enter(nurse, 20, true_times)
    nurse.page.wait_for_selector("text=1 WAITING")
    nurse.set_clock(HOUR_MS)
    enter(nurse, 30, true_times)
    nurse.page.wait_for_selector("text=2 WAITING")
    nurse.page.reload()
    nurse.ready()
    nurse.tab("now")
    enter(nurse, 40, true_times)
    nurse.page.wait_for_selector("text=3 WAITING")
    assert "clock off" in nurse.page.inner_text(".b-badge")
    nurse.context.set_offline(False)
    nurse.saved()
    found = by_value(nurse, since)
    assert sorted(found) == [10, 20, 30, 40]
    assert all(off_s(found[value], true_times[value]) < 3 for value in found)  # the minute is right all the same
    assert abs(found[10]["clock_offset_ms"]) < 2000
    assert all(abs(found[value]["clock_offset_ms"] - HOUR_MS) < 2000 for value in (30, 40))
    flagged = {flag["text"] for flag in nurse.status()["flags"] if flag["kind"] == "clock_offset"}
    assert any("off by 3600" in text or "off by 3599" in text for text in flagged)

    # such a device may not start an administration, and after a reload it still may not: asked before the page has
    # heard from the server, and so has no token yet
    for _ in range(2):
        nurse.page.evaluate(
            """() => { globalThis.kerp.api.csrf = "";
              void globalThis.kerp.ask({ type: "administration_start", route: "iv", rate_ml_per_h: 48 }); }"""
        )
        nurse.page.wait_for_selector("dialog[open] .b-reasons")
        assert "this device is 3600" in nurse.page.inner_text("dialog[open] .b-reasons").replace("3599.9", "3600")
        nurse.page.keyboard.press("Escape")
        nurse.page.reload()
        nurse.ready()
    nurse.set_clock(0)
    nurse.page.wait_for_selector(".b-badge:not(:has-text('clock off'))")


def test_a_clock_that_was_set_while_the_page_was_not_running_marks_what_waited(served, person):
    nurse = opened(served, person, "clock")
    nurse.page.evaluate("globalThis.kerp.measure()")
    since, true_times = len(nurse.entries()), {}
    nurse.context.set_offline(True)
    enter(nurse, 60, true_times)
    nurse.page.wait_for_selector("text=1 WAITING")
    nurse.page.evaluate("(ms) => localStorage.setItem('test-clock', ms)", -2 * HOUR_MS)  # this page does not know
    nurse.page.reload()
    nurse.ready()
    nurse.tab("now")
    enter(nurse, 70, true_times)
    nurse.page.wait_for_selector("text=2 WAITING")
    nurse.context.set_offline(False)
    nurse.saved()
    found = by_value(nurse, since)
    assert sorted(found) == [60, 70]
    assert off_s(found[60], true_times[60]) < 3
    assert off_s(found[70], true_times[70]) > 3000  # nobody could know: counted on by a clock that had been set
    assert abs(found[70]["clock_offset_ms"] + 2 * HOUR_MS) < 2000  # so it says by how much
    assert nurse.page.evaluate("globalThis.kerp.clock.off")


def test_time_that_passed_while_the_device_slept_is_added_and_a_clock_that_was_set_is_not(served, person):
    nurse = opened(served, person, "kept")
    told = nurse.page.evaluate(
        """async () => {
          const { Clock } = await import("/static/bedside/clock.js"), found = {};
          for (const [name, asleep, jump] of [["slept", true, 1.2e6], ["set", false, 1.2e6], ["back", true, -6e4]]) {
            const clock = new Clock(`test-${name}`);
            clock.learn(5000, 1, performance.now(), Date.now());
            clock.asleep = asleep;
            setClock(jump);  // a sleeping device's counting clock stands still: the two part
            clock.look();
            found[name] = [clock.now() - 5000, clock.offset];
            setClock(0);
          }
          return found;
        }"""
    )
    near = pytest.approx
    assert told["slept"] == [near(1_200_000, abs=500), 0]
    assert told["set"] == [near(0, abs=500), near(1_200_000, abs=500)]
    assert told["back"] == [near(0, abs=500), near(-60_000, abs=500)]
