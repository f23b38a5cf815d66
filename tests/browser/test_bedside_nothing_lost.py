"""Nothing that was entered is lost: no contact, reload, killed browser, killed server, two devices."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import datetime

import numpy as np
import pytest
from bad_network import BadNetwork
from playwright.sync_api import Error


def ratings(entries, kind="suds"):
    return [one["event"]["value"] for one in entries if one["event"]["type"] == kind]


def ids(entries):
    return [one["id"] for one in entries]


def until_true(page, expression, timeout_s=20.0):
    until = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        assert time.monotonic() < until, expression
        time.sleep(0.02)


def test_without_contact_entries_wait_through_a_reload_and_come_once_each(served, person):
    nurse = person(served, "nurse")
    nurse.open(served.log("offline"))
    nurse.tab("now")
    nurse.tap("suds-10")
    nurse.saved()
    nurse.page.wait_for_timeout(800)  # the service worker keeps the page
    nurse.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    nurse.context.set_offline(True)
    for value in (20, 30, 40):
        nurse.tap(f"suds-{value}")
    nurse.page.wait_for_selector("text=3 WAITING")
    nurse.shot("offline")
    nurse.page.reload()
    nurse.ready()
    nurse.page.wait_for_selector("text=3 WAITING")
    nurse.tab("now")
    nurse.tap("suds-50")
    nurse.page.wait_for_selector("text=4 WAITING")
    sealed = nurse.page.evaluate(
        "async () => JSON.stringify(await (await import('/static/bedside/store.js')).all('outbox'))"
    )
    assert "suds" not in sealed
    assert nurse.page.evaluate("globalThis.kerp.outbox.key.extractable") is False
    nurse.context.set_offline(False)
    nurse.saved()
    entries = nurse.entries()
    assert ratings(entries) == [10, 20, 30, 40, 50]
    assert len(set(ids(entries))) == len(entries)
    times = [one["occurred_ms"] for one in entries if one["event"]["type"] == "suds"]
    assert times == sorted(times)
    left = nurse.page.evaluate("async () => (await (await import('/static/bedside/store.js')).all('outbox')).length")
    assert left == 0
    assert nurse.foreign == []


def test_a_killed_browser_loses_nothing_it_had_shown_as_kept(served, killable):
    nurse = killable.person("nurse")
    nurse.open(served.log("killed"))
    nurse.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    nurse.tab("now")
    nurse.context.set_offline(True)
    for value in (60, 70):
        nurse.tap(f"suds-{value}")
    nurse.page.wait_for_selector("text=2 WAITING")
    killable.kill()
    again = killable()
    page = again.pages[0] if again.pages else again.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"/account/login/?next=/bedside/{served.log('killed')}/dosing-1/")
    if page.query_selector("input[name=login]"):  # the sign-in ended with the browser
        page.fill("input[name=login]", "nurse")
        page.fill("input[name=password]", served.password)
        page.press("input[name=password]", "Enter")
    page.wait_for_selector('.b-badge[data-state="saved"]')
    entries = page.evaluate("async () => (await globalThis.kerp.api.get('entries')).data.entries")
    assert ratings(entries) == [60, 70]
    again.close()


def test_a_killed_server_loses_nothing_and_the_page_goes_on(served, person):
    nurse = person(served, "nurse")
    nurse.open(served.log("restart"))
    nurse.tab("now")
    nurse.tap("suds-20")
    nurse.saved()
    served.kill()
    nurse.tap("suds-30")
    nurse.page.wait_for_selector("text=1 WAITING")
    served.start()
    nurse.tap("suds-40")
    nurse.saved()
    assert ratings(nurse.entries()) == [20, 30, 40]


def test_two_devices_see_each_others_entries_within_a_second_and_both_of_a_conflict_are_kept(served, person):
    log = served.log("two")
    nurse, therapist = person(served, "nurse"), person(served, "therapist")
    nurse.open(log)
    nurse.tab("now")
    therapist.bedside(log)
    therapist.tab("now")
    until_true(therapist.page, "globalThis.kerp.stream.heard > 0")
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


def test_undo_is_a_correcting_event_and_what_stood_stays_visible(served, person):
    nurse = person(served, "nurse")
    nurse.open(served.log("late"))
    nurse.tab("now")
    nurse.tap("felt_effect-9")
    nurse.tap("undo")
    nurse.saved()
    kinds = [one["event"]["type"] for one in nurse.entries()]
    assert kinds[-2:] == ["felt_effect", "correction"]
    assert nurse.status()["series"]["felt"] == []
    nurse.tap("badge")
    assert "Felt effect: 9" in nurse.page.inner_text(".struck")


def test_a_locked_screen_hides_data_and_goes_on_recording(served, person):
    nurse = person(served, "nurse")
    nurse.open(served.log("lock"))
    nurse.tap("lock")
    nurse.page.wait_for_selector("#lock:not([hidden])")
    assert nurse.page.evaluate("document.getElementById('panel').inert")
    nurse.page.reload()
    nurse.page.wait_for_selector("#lock:not([hidden])")
    nurse.page.click("#locked-patient-stop")
    nurse.saved()
    assert nurse.entries()[-1]["event"]["type"] == "patient_stop"
    nurse.page.fill("#lock input", "wrong")
    nurse.page.press("#lock input", "Enter")
    nurse.page.wait_for_selector("#lock .fault:not([hidden])")
    nurse.page.fill("#lock input", served.password)
    nurse.page.press("#lock input", "Enter")
    nurse.page.wait_for_selector("#lock", state="hidden")


# --- ten minutes without contact ---


def test_ten_minutes_without_contact_with_reload_and_killed_browser_come_once_each_at_their_own_minute(
    served, killable
):
    nurse = killable.person("nurse")
    log = served.log("ten")
    nurse.open(log)
    nurse.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    began = served.now()
    nurse.context.set_offline(True)
    nurse.tab("now")
    nurse.tap("suds-10")
    served.later(2)
    nurse.tap("suds-20")
    nurse.page.wait_for_selector("text=2 WAITING")
    served.later(2)
    nurse.page.reload()
    nurse.ready()
    nurse.tab("now")
    nurse.tap("suds-30")
    nurse.page.wait_for_selector("text=3 WAITING")
    killable.kill()
    served.later(3)
    again = killable.person("nurse", offline=True)
    again.bedside(log)
    again.page.wait_for_selector("text=3 WAITING")
    again.tab("now")
    again.tap("suds-40")
    served.later(3)
    again.tap("suds-50")
    again.page.wait_for_selector("text=5 WAITING")
    again.context.set_offline(False)
    again.page.goto(f"/account/login/?next=/bedside/{log}/dosing-1/")  # the sign-in may have ended with the browser
    again.sign_in()
    again.ready()
    again.saved()
    assert left_on_disk(again) == 0
    entries = [one for one in again.entries() if one["event"]["type"] == "suds"]
    assert ratings(entries) == [10, 20, 30, 40, 50]
    assert len(set(ids(entries))) == 5
    assert all(one["queued"] for one in entries[:4])
    minutes = [(datetime.fromisoformat(one["wall_clock"]) - began).total_seconds() / 60 for one in entries]
    passed_min = (served.now() - began).total_seconds() / 60
    assert [round(later - minutes[0]) for later in minutes[:3]] == [0, 2, 4]
    assert 10 <= minutes[-1] - minutes[0] <= passed_min
    assert minutes == sorted(minutes)
    assert all(abs(one["clock_offset_ms"]) < 2000 for one in entries)
    again.context.close()


def left_on_disk(one) -> int:
    return one.page.evaluate("async () => (await (await import('/static/bedside/store.js')).all('outbox')).length")


# --- the device's clock ---

HOUR_MS = 3_600_000


def opened(served, person, name):
    """The session of this name, opened by whoever comes first."""
    nurse, log = person(served, "nurse"), served.log(name)
    seen = served.__dict__.setdefault("opened", set())
    nurse.bedside(log) if name in seen else nurse.open(log)
    seen.add(name)
    nurse.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    nurse.tab("now")
    return nurse


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


# --- nothing is taken for another, nothing takes another along ---


def put(nurse, value, **more):
    """An entry as the buttons make it, under an id of the test's choice."""
    return nurse.page.evaluate(
        "async ([value, more]) => globalThis.kerp.record({ type: 'suds', value }, more)", [value, more]
    )["id"]


def test_the_same_id_with_another_content_is_refused_flagged_and_laid_aside_where_somebody_looks(served, person):
    nurse = opened(served, person, "kept")
    same = put(nurse, 30)
    nurse.saved()
    answers = []
    nurse.page.on("response", lambda answer: answers.append(answer.status) if "/entries" in answer.url else None)
    put(nurse, 90, id=same)
    nurse.page.wait_for_selector("text=1 TO LOOK AT")
    assert 409 in answers
    assert left_on_disk(nurse) == 0
    assert [one["event"]["value"] for one in nurse.entries() if one["id"] == same] == [30]
    nurse.page.reload()
    nurse.ready()
    nurse.page.wait_for_selector("text=1 TO LOOK AT")
    nurse.tap("badge")
    assert "The same id is in the record with other content" in nurse.page.inner_text("#panel")
    nurse.page.click("text=Show it")
    assert '"value": 90' in nurse.page.inner_text("dialog[open] pre")
    nurse.page.keyboard.press("Escape")
    status, answer = nurse.page.evaluate(
        """async (id) => {
          const { api, device } = globalThis.kerp;
          const entries = [{ id, event: { type: "urge", value: 5 }, occurred_ms: 1 }];
          const answer = await api.call(api.base() + "entries", { body: { device, entries } });
          return [answer.status, answer.data];
        }""",
        same,
    )
    assert status == 409
    assert [one["result"] for one in answer["outcomes"]] == ["conflict"]
    assert "write a correction" in answer["outcomes"][0]["faults"][0]["ways_out"][0]
    assert stored_flags(served, same) == ["same_id_other_content"] * 2


def stored_flags(served, entry_id):
    with closing(sqlite3.connect(next(served.data.rglob("kerp.sqlite3")))) as database:
        rows = database.execute("SELECT kind FROM kerp_flag WHERE entry_id = ?", [entry_id.replace("-", "")])
        return [kind for (kind,) in rows]


def test_what_waits_of_a_session_that_is_not_there_holds_up_no_other(served, person):
    nurse = opened(served, person, "kept")
    nurse.page.evaluate(
        """async () => {
          const { append, seal } = await import('/static/bedside/store.js'), { key, owner } = globalThis.kerp.outbox;
          const event = { type: 'suds', value: 1 };
          const entry = { id: crypto.randomUUID(), event, occurred_ms: 1, clock_offset_ms: 0 };
          const place = { log: crypto.randomUUID(), session: 'dosing-1' };
          await append({ id: entry.id, owner, ...place, ...(await seal(key, entry)) });
        }"""
    )
    here = put(nurse, 17)
    until_true(nurse.page, "globalThis.kerp.outbox.count === 1 && !globalThis.kerp.writing")
    assert here in ids(nurse.entries())
    assert left_on_disk(nurse) == 1  # the other one is kept, and shown as waiting
    nurse.page.wait_for_selector("text=1 WAITING")


def test_an_entry_that_cannot_be_read_takes_no_other_along(served, person):
    nurse = opened(served, person, "kept")
    nurse.context.set_offline(True)
    good = [put(nurse, 11)]
    bad = put(nurse, 12, at=10**15)  # a minute that no record can hold
    good.append(put(nurse, 13))
    nurse.page.wait_for_selector("text=3 WAITING")
    nurse.context.set_offline(False)
    nurse.page.wait_for_selector("text=TO LOOK AT")
    there = set(ids(nurse.entries()))
    assert set(good) <= there
    assert bad not in there
    assert left_on_disk(nurse) == 0


def test_a_server_that_is_slow_to_answer_is_waited_for_and_not_given_the_same_work_for_ever(served, person, chromium):
    network = BadNetwork(served.port, seed=1)
    context = chromium.new_context(base_url=network.url)
    context.add_init_script(  # all patience a quarter of what it is at the bedside, so that the test is short
        "const given = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = (ms) => given(ms / 4);"
    )
    nurse = person(served, "nurse", context=context)
    try:
        nurse.bedside(served.log("kept"))
        network.delay_s = 2.6
        one = put(nurse, 44)
        nurse.saved()
        assert ids(nurse.entries()).count(one) == 1
    finally:
        network.close()


def test_two_tabs_write_at_the_same_moment_and_neither_writes_over_the_other(served, person):
    nurse = opened(served, person, "kept")
    other = nurse.context.new_page()
    other.goto(f"/bedside/{served.log('kept')}/dosing-1/")
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


def test_saved_is_never_shown_while_something_waits_on_the_disk(served, person):
    nurse = opened(served, person, "kept")
    nurse.context.set_offline(True)
    wrong = nurse.page.evaluate(
        """async () => {
          const { outbox } = globalThis.kerp, wrong = [];
          for (let value = 0; value < 30; value++) {
            const id = crypto.randomUUID();
            const looks = [outbox.refresh(), outbox.refresh()];
            setTimeout(() => looks.push(outbox.refresh()), Math.random() * 8);
            await globalThis.kerp.record({ type: "urge", value }, { id });
            looks.push(outbox.refresh());
            const here = () => outbox.waiting.filter((row) => row.entry.id === id).length;
            if (here() !== 1) wrong.push([value, "put", here()]);
            await Promise.all(looks);
            if (here() !== 1) wrong.push([value, "looked at", here()]);
          }
          return wrong;
        }"""
    )
    assert wrong == []
    assert left_on_disk(nurse) == nurse.page.evaluate("globalThis.kerp.outbox.count") == 30
    nurse.context.set_offline(False)
    nurse.saved()


def test_a_device_that_was_cleared_still_keeps_what_is_entered_afterwards(served, person):
    nurse = opened(served, person, "kept")
    nurse.saved()
    nurse.tap("badge")
    nurse.tap("clear")
    nurse.page.wait_for_selector("text=Nothing of this session is on this device any more.")
    nurse.page.evaluate("globalThis.kerp.refresh()")
    nurse.page.evaluate("globalThis.kerp.snapshot()")
    nurse.context.set_offline(True)
    one = put(nurse, 77)
    nurse.page.reload()
    nurse.ready()
    nurse.page.wait_for_selector("text=1 WAITING")
    nurse.context.set_offline(False)
    nurse.saved()
    assert one in ids(nurse.entries())


# --- random faults, one page (many at once: test_bedside_faults.py) ---


def faulty_session(served, person, name, seed, steps):
    """Entries under random loss, doubled posts, reloads; what the page acknowledged is what the server has."""
    chance = np.random.default_rng(seed)
    nurse = person(served, "nurse")
    nurse.bedside(served.log(name)) if name in served.__dict__.setdefault("opened", set()) else nurse.open(
        served.log(name)
    )
    served.__dict__["opened"].add(name)
    nurse.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    nurse.tab("now")
    before, entered = len(ratings(nurse.entries(), "urge")), []

    def interfere(route):
        draw = chance.random()
        if draw < 0.25:
            route.abort()
        elif draw < 0.5:  # the server has it, the answer is lost
            try:
                route.fetch()
                route.abort()
            except Error:
                return  # the page had gone on without waiting
        else:
            route.continue_()

    nurse.page.route("**/entries", interfere)
    for _ in range(steps):
        act = chance.random()
        if act < 0.12:
            while nurse.page.evaluate("globalThis.kerp.writing"):  # a tap counts once it is shown as kept
                time.sleep(0.01)
            nurse.page.reload()
            nurse.ready()
            nurse.tab("now")
        elif act < 0.3:
            nurse.context.set_offline(bool(chance.random() < 0.5))
        value = int(chance.integers(0, 11)) * 10
        nurse.tap(f"urge-{value}")
        entered.append(value)
    nurse.context.set_offline(False)
    nurse.page.unroute("**/entries")
    nurse.saved()
    entries = nurse.entries()
    assert ratings(entries, "urge")[before:] == entered or sorted(ratings(entries, "urge")[before:]) == sorted(
        entered
    )
    assert len(set(ids(entries))) == len(entries)


@pytest.mark.parametrize("seed", [1])
def test_random_faults_lose_and_double_nothing(served, person, seed):
    faulty_session(served, person, "faults", seed, steps=12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 40))
def test_random_faults_lose_and_double_nothing_in_many_sessions(served, person, seed):
    faulty_session(served, person, "faults", seed, steps=40)
