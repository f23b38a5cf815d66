"""A locked device is locked in every tab and after a reload; figures follow the tablet; an answer that was lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

PIN = "4711"
SET_PIN = "async (pin) => { await globalThis.kerp.lock.setPin(pin); }"


def locked(page):
    page.wait_for_selector("#lock:not([hidden]) input")
    assert page.evaluate("['head', 'panel', 'foot'].every((part) => document.getElementById(part).inert)")


def unlocked(page):
    page.wait_for_selector("#lock", state="hidden")
    assert not page.evaluate("document.getElementById('panel').inert")


def try_pin(page, pin):
    page.fill("#lock input", pin)
    page.press("#lock input", "Enter")


def test_a_device_is_locked_in_all_its_tabs_and_no_reload_gives_a_try_back(served, person):
    nurse = person(served, "nurse")
    log = served.log("locks")
    nurse.open(log)
    nurse.page.evaluate(SET_PIN, PIN)
    nurse.tap("badge")
    nurse.dialog("late")  # what is being typed is neither seen nor lost
    other = nurse.context.new_page()
    other.goto(nurse.page.url)
    other.click('[data-key="lock"]')
    locked(other)
    locked(nurse.page)
    assert not nurse.page.is_visible("dialog")
    try_pin(other, "0000")
    expect(other.locator("#lock .fault")).to_have_text("That is not the PIN. 4 tries left.")
    other.close()
    third = nurse.context.new_page()  # a closed tab is no way around it
    third.goto(nurse.page.url)
    locked(third)
    try_pin(third, "0000")
    expect(third.locator("#lock .fault")).to_have_text("That is not the PIN. 3 tries left.")
    third.reload()
    locked(third)
    try_pin(third, PIN)
    unlocked(third)
    unlocked(nurse.page)
    assert nurse.page.is_visible("dialog")
    nurse.page.bring_to_front()  # a page behind another draws too seldom to be clicked
    nurse.page.keyboard.press("Escape")
    nurse.tap("lock")
    locked(third)  # the right PIN gave the tries back
    left = [f"That is not the PIN. {tries} left." for tries in ("4 tries", "3 tries", "2 tries", "1 try")]
    for said in left:
        try_pin(nurse.page, "0000")
        expect(nurse.page.locator("#lock .fault")).to_have_text(said)
        nurse.page.reload()
        locked(nurse.page)
    try_pin(nurse.page, "0000")
    nurse.page.wait_for_selector("#lock >> text=Your password")
    try_pin(third, PIN)  # a tab that still asks for the PIN
    third.wait_for_selector("#lock >> text=Your password")
    nurse.page.click("#locked-patient-stop")
    nurse.saved()
    assert nurse.entries()[-1]["event"]["type"] == "patient_stop"
    nurse.page.evaluate("globalThis.kerp.status = null")  # a page just opened again knows nothing yet
    nurse.page.click("#lock >> text=Stop exposure")
    nurse.saved()
    assert nurse.entries()[-1]["event"]["type"] == "exposure_stop"
    try_pin(nurse.page, served.password)
    unlocked(nurse.page)
    unlocked(third)


def test_who_works_in_one_tab_is_not_locked_out_by_another_that_nobody_touches(served, person):
    nurse = person(served, "nurse")
    nurse.open(served.log("idle"))
    other = nurse.context.new_page()
    other.goto(nurse.page.url)
    other.wait_for_selector("#head:not([hidden]) .b-clock")
    other.evaluate("globalThis.kerp.lock.touched -= 20 * 60 * 1000")
    assert other.evaluate("globalThis.kerp.lock.idle()") < 60_000
    assert other.evaluate("localStorage.setItem('kerp-touched', '0'), globalThis.kerp.lock.idle()") > 19 * 60_000
    locked(other)  # at its next look
    locked(nurse.page)


def test_the_figures_follow_the_tablet_when_it_is_turned(served, person):
    nurse = person(served, "nurse", (1024, 768))
    nurse.open(served.log("turned"))
    nurse.tab("now")
    nurse.tap("suds-10")
    nurse.saved()
    nurse.tab("chart")
    nurse.page.wait_for_selector(".b-plot canvas")
    nurse.page.evaluate("globalThis.kerp.render = () => {}")  # nothing else draws
    for width, height in ((768, 1024), (1024, 768), (390, 844)):
        nurse.page.set_viewport_size({"width": width, "height": height})
        nurse.page.wait_for_function(
            """() => [...document.querySelectorAll('.b-plot')].every((one) =>
              Math.abs(one.querySelector('canvas').getBoundingClientRect().width - one.clientWidth) < 1)""",
            timeout=5000,
        )
        assert not nurse.page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize("arrives", [True, False])
def test_it_has_happened_after_a_lost_answer_is_one_entry_and_nothing_to_look_at(served, person, arrives):
    one = person(served, "prescriber")
    one.open(served.log("asked" if arrives else "asked-in-vain"))
    one.page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    def lose(route):
        if arrives:
            route.fetch()
        route.abort()

    one.context.route("**/requests", lose)
    one.page.evaluate("void globalThis.kerp.ask({ type: 'ready_confirmed' }, { override: 'rehearsal' })")
    one.page.click('[data-key="happened"]')
    one.saved()
    kinds = [entry["event"]["type"] for entry in one.entries()]
    assert kinds.count("ready_confirmed") == 1
    assert kinds.count("transition_overridden") == arrives
    assert one.page.evaluate("globalThis.kerp.outbox.aside.length") == 0
    assert one.status()["flags"] == []
