"""Sound and film on the participant's screen: onset is when they play, STOP silences them; accessible pages."""

from __future__ import annotations

import base64
import time
from datetime import datetime

import pytest
from access import violations
from screens import CALM, joined, show, shown
from steps import until

# Two seconds of a moving square, made by the browser itself: no film is kept in this repository.
FILM = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
  const pen = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(15), { mimeType: "video/webm;codecs=vp8" });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const done = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start();
  for (let step = 0; step < 24; step++) {
    pen.fillStyle = "#888"; pen.fillRect(0, 0, 64, 64);
    pen.fillStyle = "#246"; pen.fillRect(step * 2, 20, 16, 16);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  recorder.stop();
  await done;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(""));
}"""
SILENT = "played.node.paused && !played.node.isConnected && played.node.networkState === 0"


def plays_until_stop(therapist, screen, title):
    show(therapist, title)
    until(screen, "!!globalThis.played && !played.node.paused")
    first = screen.evaluate("played.node.currentTime")
    until(screen, f"played.node.currentTime !== {first}")  # it really moves
    onset = shown(therapist, 1)[0]
    began = screen.evaluate("played.at") / 1000
    said = datetime.fromisoformat(onset["wall_clock"]).timestamp()
    slack_s = therapist.slack_s()
    assert abs(said - began) < 2 + slack_s, "onset is when it played, not when it was asked for"
    assert violations(screen) == []
    therapist.page.click("#patient-stop")
    pressed = time.monotonic()
    until(screen, CALM)
    assert time.monotonic() - pressed < 1 + max(slack_s, therapist.slack_s())
    assert screen.evaluate(SILENT)
    therapist.saved()
    ended = shown(therapist, 2)[1]["event"]
    assert (ended["shown"], ended["contact_lost"]) == (False, False)


def test_a_recorded_script_begins_when_it_sounds_and_is_silent_after_stop(served, person, chromium):
    log = served.log("sound")
    therapist = person(served, "therapist")
    therapist.open(log)
    therapist.page.goto(f"/stimuli/{log}/")
    therapist.page.click("text=Add the neutral test set")
    therapist.page.wait_for_selector("text=Neutral tone")
    therapist.bedside(log)
    screen = joined(served, chromium, therapist)
    plays_until_stop(therapist, screen, "Neutral tone")
    screen.context.close()


def test_a_film_is_uploaded_encrypted_and_stops_with_the_patients_stop(served, person, chromium):
    log = served.log("film")
    therapist = person(served, "therapist")
    therapist.open(log)
    page = therapist.page
    page.goto(f"/stimuli/{log}/")
    film = base64.b64decode(page.evaluate(FILM))
    assert film[:4] == b"\x1aE\xdf\xa3"
    fill(page, "Moving square", "video")
    page.set_input_files("input[name=file]", {"name": "square.webm", "mimeType": "video/webm", "buffer": film})
    page.click("text=Check, encrypt, add")
    page.wait_for_selector("td:has-text('Moving square')")
    sealed = [path.read_bytes() for path in (served.data / "stimuli").iterdir()]
    assert sealed
    assert not any(film[:64] in data for data in sealed)
    therapist.bedside(log)
    screen = joined(served, chromium, therapist)
    plays_until_stop(therapist, screen, "Moving square")
    screen.context.close()


def fill(page, title, modality):
    page.fill("input[name=title]", title)
    page.select_option("select[name=modality]", modality)
    page.fill("input[name=intensity]", "40")
    page.fill("input[name=licence]", "made for this test")


@pytest.mark.parametrize("size", [(768, 1024), (390, 844), pytest.param((1280, 800), marks=pytest.mark.slow)])
def test_the_library_is_accessible_and_says_why_a_file_is_refused(served, person, size):
    log = served.log("film")
    therapist = person(served, "therapist", size)
    page = therapist.page
    page.goto(f"/stimuli/{log}/")
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert violations(page) == []
    fill(page, "Wrong", "video")
    page.set_input_files(
        "input[name=file]", {"name": "x.webm", "mimeType": "video/webm", "buffer": b"<svg onload=1>"}
    )
    page.click("text=Check, encrypt, add")
    page.wait_for_selector(".fault, .faults")
    assert "by its content" in page.inner_text("main")
    assert page.input_value("input[name=title]") == "Wrong"  # what was typed is kept
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    therapist.shot("library")
