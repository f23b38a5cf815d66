"""The participant's screen: joined by a code, shown something, and what it told of it."""

from __future__ import annotations

import time

from access import violations
from steps import in_dialog

CALM = "!document.getElementById('calm').hidden"
# Keeps what plays and when it began, also after the page has thrown it away.
LISTEN = """addEventListener("playing", (event) => {
  if (!globalThis.played) globalThis.played = { node: event.target, at: Date.now() };
}, true)"""


def joined(served, chromium, therapist):
    """A second browser without an account, joined by the code."""
    page = therapist.page
    therapist.tab("exposure")
    therapist.dialog("join")
    in_dialog(page, "Make a code")
    code = page.inner_text("dialog[open] .b-code")
    page.keyboard.press("Escape")
    screen = served.screen(chromium)
    screen.goto("/display/")
    assert violations(screen) == []
    screen.fill("input[name=code]", code)
    screen.click("button")
    screen.wait_for_selector("text=Start this screen")
    assert violations(screen) == []
    screen.evaluate(LISTEN)
    screen.click("text=Start this screen")
    return screen


def show(therapist, title):
    page = therapist.page
    therapist.tap("open-bin-lid")
    in_dialog(page, title)
    in_dialog(page, "Start the exposure")
    page.wait_for_selector("dialog[open] .b-reasons, .b-open")
    if page.query_selector("dialog[open] .b-reasons"):
        page.fill("dialog[open] textarea", "trying the screen")
        page.click('dialog[open] [data-key="override"]')
    page.wait_for_selector(".b-open")


def shown(therapist, count):
    """What the screen said it really showed."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        told = [one for one in therapist.entries() if one["event"]["type"] == "stimulus_shown"]
        if len(told) >= count:
            return told
        time.sleep(0.1)
    raise AssertionError(f"the screen told {len(told)} of {count}")
