"""The participant's screen in a real browser: shown, stopped, contact lost; and accessibility of the page."""

from __future__ import annotations

import time

import pytest
from access import SMALL, violations
from kept import opened
from screens import CALM, joined, show
from steps import until

PARTS = ["prepare", "now", "exposure", "drug", "checks", "chart", "badge", "strip"]


# What became of the calm screen, and how long after the last word of the server.
WATCH = """globalThis.seen = [];
new MutationObserver(() => seen.push([document.getElementById('calm').hidden, kerpDisplay.silentMs]))
  .observe(document.getElementById('calm'), { attributes: true })"""
SHOWN = "document.getElementById('calm').hidden"


def test_the_screen_shows_and_goes_calm_within_a_second_of_stop_and_after_lost_contact(served, person, chromium):
    log = served.log("stop")
    therapist = person(served, "therapist")
    therapist.open(log)
    therapist.page.goto(f"/stimuli/{log}/")
    therapist.page.click("text=Add the neutral test set")
    therapist.bedside(log)
    screen = joined(served, chromium, therapist)
    assert screen.evaluate(CALM)
    refused = []
    screen.route("**/api/display/media/**", lambda route: (refused.append(1), route.abort()), times=4)
    show(therapist, "Neutral shape")
    until(screen, SHOWN)  # the picture did not come at once, and is tried until it does
    assert len(refused) == 4
    screen.screenshot(path=str(_shots() / "display-shown.png"))

    slack_s = therapist.slack_s()
    therapist.page.click("#patient-stop")
    calm_s = until(screen, CALM)
    assert calm_s < 1 + max(slack_s, therapist.slack_s())
    screen.screenshot(path=str(_shots() / "display-calm.png"))
    therapist.saved()
    told = [one["event"] for one in therapist.entries() if one["event"]["type"] == "stimulus_shown"]
    assert [one["shown"] for one in told][:2] == [True, False]
    screen.context.close()


def test_a_screen_that_loses_contact_goes_calm_once_and_does_not_flicker(served, person, chromium):
    log = served.log("screens")
    therapist = person(served, "therapist")
    therapist.open(log)
    therapist.page.goto(f"/stimuli/{log}/")
    therapist.page.click("text=Add the neutral test set")
    therapist.bedside(log)
    screen = joined(served, chromium, therapist)
    show(therapist, "Neutral text")
    until(screen, SHOWN)
    screen.evaluate(WATCH)
    slack_s = therapist.slack_s()
    served.kill()
    until(screen, CALM)
    silent_ms = screen.evaluate("seen[0][1]")
    assert 3_000 < silent_ms < 4_000 + 1000 * slack_s  # a shorter loss changes nothing
    served.start()
    until(screen, "kerpDisplay.silentMs < 1000")  # in contact again
    time.sleep(2)
    assert screen.evaluate(CALM)
    assert [hidden for hidden, _ in screen.evaluate("seen")] == [False]  # it went calm once, and stayed
    therapist.tap("step-0.5")
    until(screen, SHOWN)  # only a newer act of the therapist shows it again
    lost = [one["event"] for one in therapist.entries() if one["event"].get("contact_lost")]
    assert len(lost) == 1
    screen.context.close()


@pytest.mark.parametrize("size", [(768, 1024), (390, 844), pytest.param((1280, 800), marks=pytest.mark.slow)])
def test_every_part_of_the_page_is_accessible_and_its_targets_are_large(served, person, size):
    nurse = opened(served, person, "axe", size)
    for theme in ("dark", "light"):
        nurse.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        for part in PARTS:
            nurse.tap(part if part in {"badge", "strip"} else f"tab-{part}")
            nurse.page.wait_for_timeout(120)
            if theme == "dark":
                nurse.shot(f"part-{part}")
            if theme == "dark" or size == (768, 1024):
                assert violations(nurse.page) == [], (part, theme)
            small = nurse.page.evaluate(SMALL)
            assert small == [], (part, size)
            assert nurse.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), part
    assert nurse.faults == []
    assert nurse.foreign == []


def _shots():
    from pathlib import Path

    folder = Path(__file__).parents[2] / "out" / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
