"""Nothing that was entered is lost: no contact, reload, killed browser, killed server, locked screen."""

from __future__ import annotations

from datetime import datetime

from kept import ids, left_on_disk, ratings


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
