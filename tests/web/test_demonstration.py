"""A simulated participant and team at the application: a whole session over the interface for devices."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from kerp.base.errors import KerpError
from kerp.base.seeds import Stream, generator
from kerp.protocol.load import load_protocol
from kerp.session import events as ev
from kerp.session.view import view_of
from kerp.simulate.course import hold_session
from kerp.simulate.device import Answer, Device
from kerp.simulate.live import LiveDesk, Place, SessionClock, agreed_items, open_there
from kerp.web import demo
from kerp.web.actions.record import entries_of
from kerp.web.course import protocol_of, rebuilt, state_of
from kerp.web.integrity import check_log
from kerp.web.models import Flag, Log


class Clock:
    """The clock of server and devices: it goes on when somebody waits."""

    def __init__(self):
        self.at = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def now(self):
        return self.at

    def seconds(self):
        return self.at.timestamp()

    def pause(self, seconds):
        self.at += timedelta(seconds=seconds, microseconds=1)


class BegunError(Exception):
    """Minute 0 is there; the test has seen enough."""


class InProcess(Device):
    """A device whose line is Django's own test client."""

    client: Client

    def _exchange(self, method, path, body=None, *, json_body=False):
        kind = "application/json" if json_body else "application/x-www-form-urlencoded"
        answer = self.client.generic(method, path, body or b"", content_type=kind)
        data = answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else None
        return Answer(answer.status_code, data, answer.content.decode())


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(timezone, "now", made.now)
    return made


@pytest.fixture
def devices(settings, clock):
    from dataclasses import replace

    settings.KERP = replace(settings.KERP, demo=True)
    settings.AUTH_PASSWORD_VALIDATORS = []
    demo.seed()
    made = {}
    for role in ("prescriber", "nurse", "therapist", "pharmacist", "coordinator"):
        made[role] = InProcess("http://testserver", role, demo.PASSWORD, pause=clock.pause)
        made[role].client = Client()
        made[role].sign_in()
    return made


def registered(devices, speed):
    return devices["coordinator"].post("/api/demonstration/participants", {"speed": speed}).data


@pytest.mark.parametrize("speed", [pytest.param(1, marks=pytest.mark.slow), 60])
def test_a_simulated_team_takes_a_participant_from_the_checks_to_the_signature_as_devices_do(devices, clock, speed):
    begun = clock.at
    told = registered(devices, speed)
    resolved = load_protocol(told["protocol"])
    plan = next(one for one in resolved.protocol.sessions if one.kind.startswith("dosing"))
    session_clock = SessionClock(told["now_ms"], told["speed"], clock.seconds, clock.pause)
    desk = LiveDesk(resolved, Place(told["log"], "dosing-1"), devices, session_clock, generator(3, Stream.PROCESS))
    open_there(desk, plan.id)
    items = agreed_items(devices["nurse"].get(desk.place.address("plan")))
    hold_session(resolved, 3, desk, plan, "dosing-1", items=items, preparation_min=6)

    log = Log.objects.select_related("participant__study", "participant__version").get(id=told["log"])
    entries = [entry for entry in entries_of(log) if entry.session == "dosing-1"]
    state = state_of(log)
    view = view_of(protocol_of(log), state, state.session("dosing-1"), desk.now_ms)
    assert view.drug.over
    assert view.exposure.stopped_ms is not None
    assert view.discharged
    assert sum(isinstance(entry.event, ev.SudsRated) for entry in entries) > 10
    assert desk.refusals == []
    # What the team saw is what the server has, entry by entry, and the record replays and holds.
    assert [entry.id for entry in desk.entries[1:]] == [entry.id for entry in entries]
    assert rebuilt(log) == state
    assert check_log(log) == []
    assert not Flag.objects.filter(log=log).exists()
    # The record says that nobody was there, and each entry says whose account it came from.
    assert entries_of(log)[0].event.origin is ev.Origin.DEMONSTRATION
    assert {"nurse", "therapist", "prescriber", "pharmacist"} <= {entry.actor for entry in entries}
    # The session clock ran at the speed of this participant.
    passed_min = (clock.at - begun).total_seconds() / 60
    assert passed_min * speed == pytest.approx(desk.now_ms / 60_000, abs=2)
    assert desk.now_ms / 60_000 > 140


@pytest.mark.slow  # most of it is the seeding of the demonstration
def test_a_team_that_falls_behind_a_fast_clock_measures_again_and_begins(devices, clock, monkeypatch):
    exchange = InProcess._exchange

    def slowly(device, *given, **more):
        clock.pause(0.3)  # a busy machine: two minutes of a session at 400 times
        return exchange(device, *given, **more)

    def told_of(entry):
        if isinstance(entry.event, ev.AdministrationStarted):
            raise BegunError

    monkeypatch.setattr(InProcess, "_exchange", slowly)
    told = registered(devices, 400)
    resolved = load_protocol(told["protocol"])
    plan = next(one for one in resolved.protocol.sessions if one.kind.startswith("dosing"))
    session_clock = SessionClock(told["now_ms"], told["speed"], clock.seconds, clock.pause)
    chance = generator(3, Stream.PROCESS)
    desk = LiveDesk(resolved, Place(told["log"], "dosing-1"), devices, session_clock, chance, told_of)
    open_there(desk, plan.id)
    items = agreed_items(devices["nurse"].get(desk.place.address("plan")))
    with pytest.raises(BegunError):
        hold_session(resolved, 3, desk, plan, "dosing-1", items=items, preparation_min=6)
    assert desk.refusals == []


def test_the_simulated_signature_covers_the_chain_head_that_the_page_showed(devices, clock):
    told = registered(devices, 60)
    log = Log.objects.get(id=told["log"])
    resolved = load_protocol(told["protocol"])
    session_clock = SessionClock(told["now_ms"], told["speed"], clock.seconds, clock.pause)
    desk = LiveDesk(resolved, Place(told["log"], "dosing-1"), devices, session_clock, generator(3, Stream.PROCESS))
    open_there(desk, "dosing")
    desk.record(ev.SudsRated(value=40), "participant", "dosing-1")
    log.refresh_from_db()
    head, seq = log.head_hash, log.head_seq
    signature = ev.Signature(name="x", meaning="y", through_seq=1)
    assert desk.request(signature, "prescriber", "dosing-1") == ()
    signed = desk.entries[-1].event
    assert (signed.through_seq, signed.record_digest, signed.name) == (seq, head, "Paul Prescriber")


def test_a_refused_request_comes_back_with_its_reasons_and_a_person_sees_what_another_recorded(devices, clock):
    told = registered(devices, 1)
    resolved = load_protocol(told["protocol"])
    session_clock = SessionClock(told["now_ms"], told["speed"], clock.seconds, clock.pause)
    desk = LiveDesk(resolved, Place(told["log"], "dosing-1"), devices, session_clock, generator(3, Stream.PROCESS))
    open_there(desk, "dosing")
    reasons = desk.request(ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=50.0), "nurse", "dosing-1")
    assert reasons
    assert all(reason.text for reason in reasons)
    entry = {"id": "6c7a4c1e-0000-4000-8000-000000000001", "event": {"type": "suds", "value": 77}}
    address = desk.place.address("entries")
    devices["therapist"].post(address, {"device": "a person's tablet", "entries": [entry]})
    desk.now_ms += 1_000
    assert desk.entries[-1].event == ev.SudsRated(value=77)
    with pytest.raises(KerpError):
        desk.record(ev.SudsRated(value=777), "participant", "dosing-1")


def test_outside_a_demonstration_nobody_registers_a_simulated_participant(devices, settings):
    from dataclasses import replace

    settings.KERP = replace(settings.KERP, demo=False)
    client = Client()
    client.force_login(demo.Person.objects.get(username="coordinator"))
    body = json.dumps({"speed": 5})
    answer = client.post("/api/demonstration/participants", body, content_type="application/json")
    assert answer.status_code in {403, 404}
    assert demo.Participant.objects.count() == 3


@pytest.mark.parametrize(
    "body", ["", "[]", '{"speed":0}', '{"speed":1001}', '{"speed":"5"}', '{"speed":5,"arm":"x"}']
)
def test_a_speed_that_makes_no_sense_registers_nobody(devices, body):
    answer = devices["coordinator"].client.post(
        "/api/demonstration/participants", body, content_type="application/json"
    )
    assert answer.status_code == 400
    assert answer.json()["faults"]
    assert demo.Participant.objects.count() == 3


def test_a_device_sends_the_same_again_until_the_server_answers():
    class Flapping(Device):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            self.tried, self.bodies = 0, []

        def _exchange(self, method, path, body=None, *, json_body=False):
            self.bodies.append(body)
            self.tried += 1
            if self.tried == 1:
                raise ConnectionResetError
            return Answer(503 if self.tried == 2 else 200, {})

    waited: list[float] = []
    device = Flapping("http://x", "nurse", "p", pause=waited.append)
    assert device.post("/api", {"id": "1"}).status == 200
    assert len(set(device.bodies)) == 1
    assert len(waited) == 2


def test_where_no_server_answers_the_command_says_how_to_start_one():
    command = [sys.executable, "-c", "from kerp.cli.main import main; main()", "demo", "--url", "http://127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "kerp serve --demo" in done.stderr
    assert "Traceback" not in done.stderr
