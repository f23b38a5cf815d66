"""What the participant's screen has to say outlives refusals of the way, a reload, and a token that ran out."""

from __future__ import annotations

import json
import time
import uuid

from access import violations
from screens import joined, show, shown
from steps import until

UNSAID = "globalThis.kerpDisplay.unsaid"
KEEP = """async (row) => { const place = `${document.body.dataset.log}/${document.body.dataset.session}`;
  const opened = await new Promise((done) => {
    const asked = indexedDB.open("kerp-display", 1); asked.onsuccess = () => done(asked.result); });
  await new Promise((done) => { const turn = opened.transaction("waiting", "readwrite");
    turn.objectStore("waiting").put({ wall: Date.now(), turn: 0, ...row, place: row.place ?? place });
    turn.oncomplete = done; }); }"""
NO_WORD = [
    {"status": 401, "content_type": "application/json", "body": json.dumps({"error": "this screen has not joined"})},
    {"status": 403, "content_type": "text/html", "body": "<h1>Forbidden</h1>"},
    {"status": 400, "content_type": "text/html", "body": "<h1>Bad request</h1>"},
    {"status": 200, "content_type": "text/html", "body": "<h1>Sign in to the guest network</h1>"},
]


def test_onsets_and_ratings_wait_on_the_disk_until_the_server_has_them(served, person, chromium):
    log = served.log("told")
    therapist = person(served, "therapist")
    therapist.open(log)
    therapist.page.goto(f"/stimuli/{log}/")
    therapist.page.click("text=Add the neutral test set")
    therapist.page.wait_for_selector("text=Neutral tone")
    therapist.bedside(log)
    screen = joined(served, chromium, therapist)

    # whatever stands between says no: nothing is dropped
    asked = []
    screen.route("**/api/display/told", lambda route: route.fulfill(**asked.append(1) or NO_WORD[len(asked) % 4]))
    show(therapist, "Neutral shape")
    until(screen, f"{UNSAID} === 1")
    began = time.monotonic()
    while len(asked) < 5:
        until(screen, f"{UNSAID} === 1")
        screen.wait_for_timeout(100)
        assert time.monotonic() - began < 20
    screen.wait_for_function("document.getElementById('told').textContent.includes('join again')")
    assert violations(screen) == []

    # the page is loaded anew: it waits on the disk, and is sent with the time at which it was
    screen.reload()
    until(screen, f"{UNSAID} === 1")
    screen.unroute("**/api/display/told")
    until(screen, f"{UNSAID} === 0")
    onset = shown(therapist, 1)[0]
    assert onset["event"]["shown"] is True
    assert onset["recorded_ms"] - onset["occurred_ms"] > 2_000
    assert onset["queued"] or onset["recorded_ms"] - onset["occurred_ms"] <= 5_000

    # a refusal in the server's own words lays it aside and says so; what waits of another session is not sent here
    row = {"event": {"type": "suds", "value": 70, "rated_by": "participant"}}
    screen.evaluate(KEEP, row | {"id": str(uuid.uuid4())})
    screen.evaluate(KEEP, row | {"id": str(uuid.uuid4()), "place": "another/dosing-1"})
    screen.reload()
    until(screen, "globalThis.kerpDisplay.refused === 1")
    assert "1 not accepted: a screen does not say this" in screen.inner_text("#told")
    screen.reload()
    until(screen, "globalThis.kerpDisplay.refused === 1")
    assert screen.evaluate(UNSAID) == 0
    assert not [one for one in therapist.entries() if one["event"]["type"] == "suds"]
    screen.context.close()
