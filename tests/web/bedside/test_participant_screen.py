"""The participant's screen and its library: joined once, calm when it must be, encrypted, checked by content."""

from __future__ import annotations

import io
import json
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from kerp.base.errors import KerpError
from kerp.session import events as ev
from kerp.session.view import view_of
from kerp.web.course import protocol_of, state_of
from kerp.web.display import content, library
from kerp.web.display.models import Screen, Stimulus
from kerp.web.display.showing import showing
from kerp.web.models import Entry, Flag

sys.path.insert(0, str(Path(__file__).parent))
from bench import Device, append, screened

pytestmark = pytest.mark.both_engines
PNG = (library.SHIPPED / "neutral-shape.png").read_bytes()


@pytest.fixture(autouse=True)
def nobody_guessed_before():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def therapist(signed_in, team):
    screened(team)
    append(team, ev.SessionOpened(plan="dosing"), role="nurse", session="dosing-1")
    return Device(signed_in("therapist"), team.log)


@pytest.fixture
def stimulus(team):
    fields = {"title": "Shape", "modality": "image", "theme": "", "intensity": 0.4, "licence": "own", "warning": ""}
    return library.add(participant=team.participant, actor=team["therapist"], data=PNG, **fields)


@pytest.fixture
def screen(therapist):
    """A browser without any account that has joined by code."""
    browser = Client()
    code = therapist.send("display", {}).json()["code"]
    assert browser.post("/display/", {"code": code}).status_code == 302
    browser.code = code
    return browser


def now(team):
    state = state_of(team.log)
    return showing(view_of(protocol_of(team.log), state, state.session("dosing-1"), 10**9))


def tell(browser, event, ago_ms=0, identifier=None):
    body = {"entry": {"id": identifier or str(uuid.uuid4()), "event": event}, "ago_ms": ago_ms}
    return browser.post("/api/display/told", json.dumps(body), content_type="application/json")


def test_a_code_joins_one_screen_once(screen, therapist):
    assert screen.get("/display/show").status_code == 200
    again = Client().post("/display/", {"code": screen.code})
    assert again.status_code == 200
    assert "does not fit" in again.content.decode()
    assert screen.code.replace(" ", "") not in str(Screen.objects.values())


def test_guessing_codes_is_stopped_early(therapist):
    code, browser = therapist.send("display", {}).json()["code"], Client()
    for number in range(10):
        browser.post("/display/", {"code": f"{number:08}"})
    assert "too many" in browser.post("/display/", {"code": code}).content.decode().lower()


def test_a_browser_that_has_not_joined_is_shown_nothing(stimulus):
    for address in ("/display/show", "/api/display/stream", f"/api/display/media/{stimulus.id}"):
        assert Client().get(address).status_code == 401


def test_a_screen_gets_what_its_participant_owns_and_nothing_else(screen, stimulus, team):
    from kerp.web.actions import participants

    answer = screen.get(f"/api/display/media/{stimulus.id}")
    assert answer.content == PNG
    assert answer.headers["Cache-Control"] == "no-store"
    other = participants.register(study=team.study, site=team.site, code="S1-002", actor=team["coordinator"])
    Stimulus.objects.filter(id=stimulus.id).update(participant=other)
    assert screen.get(f"/api/display/media/{stimulus.id}").status_code == 404


def test_a_stimulus_is_encrypted_on_disk_and_refused_when_changed(stimulus):
    path = settings.KERP_LAYOUT.stimuli / f"{stimulus.id}.sealed"
    assert PNG[:40] not in path.read_bytes()
    path.write_bytes(path.read_bytes()[:-4] + b"AAAA")
    with pytest.raises(KerpError, match="not the one in the manifest"):
        library.content(stimulus)


def test_it_shows_the_stimulus_of_the_open_block_and_goes_calm_on_every_kind_of_stop(team, therapist, stimulus):
    started = ev.ExposureStarted(
        block="b1", item="bin", modality=ev.Modality.IMAGE, intensity=0.5, stimulus=str(stimulus.id)
    )
    therapist.post(started)
    assert (now(team).calm, now(team).intensity) == (False, 0.5)
    therapist.post(ev.ExposureStepped(block="b1", intensity=0.25))
    assert (now(team).calm, now(team).intensity, now(team).stimulus) == (False, 0.25, str(stimulus.id))
    therapist.post(ev.ExposureHeld(block="b1"))
    assert now(team).calm
    therapist.post(ev.ExposureResumed(block="b1"))
    assert not now(team).calm
    therapist.post(ev.PatientStop())
    assert now(team).calm
    stopped = now(team).order
    therapist.post(ev.ExposureStopped(ending_rule=ev.EndingRule.PATIENT_STOP))
    assert now(team).order > stopped


def test_onset_is_what_the_screen_says_it_showed_and_not_what_was_asked_for(screen, stimulus, therapist):
    event = {"type": "stimulus_shown", "block": "b1", "stimulus": str(stimulus.id), "shown": True, "intensity": 0.5}
    same = str(uuid.uuid4())
    assert tell(screen, event, ago_ms=400, identifier=same).json()["result"] == "stored"
    assert tell(screen, event, ago_ms=9_000, identifier=same).json()["result"] == "known"
    entry = Entry.objects.get(kind="stimulus_shown").data()
    assert 400 <= entry["recorded_ms"] - entry["occurred_ms"] < 1_400  # counted back from its arrival
    assert entry["device"].startswith("display-")


def test_an_onset_that_is_sent_again_by_a_screen_that_joined_anew_is_kept_once(screen, stimulus, therapist):
    event = {"type": "stimulus_shown", "block": "b1", "stimulus": str(stimulus.id), "shown": True, "intensity": 0.5}
    same, anew = str(uuid.uuid4()), Client()
    assert tell(screen, event, identifier=same).json()["result"] == "stored"
    assert anew.post("/display/", {"code": therapist.send("display", {}).json()["code"]}).status_code == 302
    assert tell(anew, event, ago_ms=60_000, identifier=same).json()["result"] == "known"
    assert Flag.objects.count() == 0


def test_the_same_id_with_other_content_from_a_screen_is_answered_409_and_flagged(screen, stimulus):
    event = {"type": "stimulus_shown", "block": "b1", "stimulus": str(stimulus.id), "shown": True, "intensity": 0.5}
    same = str(uuid.uuid4())
    tell(screen, event, identifier=same)
    answer = tell(screen, event | {"shown": False}, identifier=same)
    assert answer.status_code == 409
    assert Flag.objects.filter(kind="same_id_other_content", entry_id=same).count() == 1
    assert Entry.objects.get(entry_id=same).data()["event"]["shown"] is True


def test_a_screen_says_nothing_but_what_it_showed_unless_the_therapist_let_it_rate(screen, therapist):
    assert tell(screen, {"type": "suds", "value": 50}).status_code == 400
    assert tell(screen, {"type": "patient_stop"}).status_code == 400
    Screen.objects.update(may_rate=True)
    assert tell(screen, {"type": "suds", "value": 50}).status_code == 200
    assert tell(screen, {"type": "suds", "value": 50, "rated_by": "therapist"}).status_code == 400
    assert tell(screen, {"type": "discharge"}).status_code == 400


@pytest.mark.parametrize(
    ("modality", "data"),
    [
        ("image", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        ("image", b"MZ\x90\x00"),
        ("image", b""),
        ("text", b"<html>"),
        ("script", PNG),
        ("video", b"\xff\xd8\xff"),
        ("hologram", PNG),
    ],
)
def test_an_upload_is_judged_by_its_content_not_its_name(modality, data):
    with pytest.raises(KerpError):
        content.checked(modality, data)


def test_a_photograph_loses_what_the_camera_wrote_into_it():
    place = b"\xff\xe1\x00\x0aEXIF-GPS"
    jpeg = b"\xff\xd8" + place + b"\xff\xfe\x00\x06note" + b"\xff\xe0\x00\x04JF" + b"\xff\xda\x00\x02picture\xff\xd9"
    _, kept = content.checked("image", jpeg)
    assert b"GPS" not in kept
    assert b"note" not in kept
    assert b"picture" in kept
    assert b"JF" in kept


def test_the_library_page_adds_checks_and_keeps_what_was_typed(therapist, team):
    page = f"/stimuli/{team.log.id}/"
    fields = {"title": "Sink", "modality": "image", "intensity": "60", "licence": "own photograph"}
    bad = therapist.client.post(page, fields | {"file": io.BytesIO(b"not a picture")})
    assert bad.status_code == 200
    assert "by its content" in bad.content.decode()
    assert 'value="Sink"' in bad.content.decode()
    large = therapist.client.post(page, {"file": io.BytesIO(PNG + bytes(content.LARGEST_BYTES))} | fields)
    assert "larger than 24 MB" in large.content.decode()
    assert 'value="Sink"' in large.content.decode()
    assert not Stimulus.objects.exists()
    good = io.BytesIO(PNG)
    good.name = "../../sink.png"
    assert therapist.client.post(page, fields | {"file": good}).status_code == 302
    made = Stimulus.objects.get()
    assert (made.intensity, made.media_type, made.size) == (0.6, "image/png", len(PNG))
    assert therapist.get("stimuli").json()["stimuli"][0]["id"] == str(made.id)


def test_the_neutral_set_is_what_its_manifest_says_and_is_added_once(therapist, team):
    page = f"/stimuli/{team.log.id}/"
    therapist.client.post(page, {"neutral": "1"})
    therapist.client.post(page, {"neutral": "1"})
    assert {one.modality for one in Stimulus.objects.all()} == {"image", "script", "text", "object"}
    assert Stimulus.objects.count() == 5


def test_an_export_holds_no_stimulus(stimulus, signed_in, team, settings):
    settings.KERP = replace(settings.KERP, demo=True)
    exported = signed_in("data_manager").post(f"/participants/{team.participant.public_id}/export/", {})
    assert PNG[:20] not in getattr(exported, "content", b"")


def test_something_personal_is_kept_only_with_the_consent_of_whom_it_shows(therapist, team):
    address = f"/stimuli/{team.log.id}/"
    fields = {
        "title": "Own kitchen",
        "modality": "image",
        "intensity": "60",
        "licence": "participant",
        "personal": "on",
    }
    refused = therapist.client.post(address, fields | {"file": io.BytesIO(PNG)})
    assert "needs the consent" in refused.content.decode()
    assert not Stimulus.objects.filter(title="Own kitchen").exists()
    agreed = fields | {"file": io.BytesIO(PNG), "consent": "participant, 3 March, form 7"}
    assert therapist.client.post(address, agreed).status_code == 302
    kept = Stimulus.objects.get(title="Own kitchen")
    assert (kept.consent, kept.licence, kept.intensity, len(kept.sha256)) == (
        "participant, 3 March, form 7",
        "participant",
        0.6,
        64,
    )
