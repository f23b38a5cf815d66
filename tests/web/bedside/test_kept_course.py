"""What the server keeps between requests is what reading everything anew gives, whoever wrote meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerp.session import events as ev
from kerp.web import course, workers
from kerp.web.actions import record
from kerp.web.bedside import picture as pictures
from kerp.web.bedside import pulse
from kerp.web.course import forget, protocol_of, rebuilt, state_at_head, state_of
from kerp.web.logbook import log_now
from kerp.web.models import Log, Person
from kerp.web.protocols import from_text

sys.path.insert(0, str(Path(__file__).parent))
from bench import Device, append, screened

pytestmark = pytest.mark.both_engines
_EVENTS = st.one_of(
    st.builds(ev.SudsRated, value=st.integers(0, 100)),
    st.builds(ev.FeltEffectRated, value=st.integers(0, 10)),
    st.builds(ev.Weighed, weight_kg=st.floats(45, 120).map(lambda kg: round(kg, 1))),
    st.just("correct the last"),
    st.sampled_from(["forget", "look", "look again"]),
)


def awaited(work):
    """In a thread of its own: after a browser test this one keeps a running loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@given(acts=st.lists(_EVENTS, max_size=14))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_order_of_writing_correcting_and_looking_the_kept_state_is_the_whole_fold(team, acts):
    for act in acts:
        if act == "forget":
            forget()
        elif act == "correct the last":
            last = team.log.entries.latest("seq")
            append(team, ev.Corrected(entry=str(last.entry_id), reason="typed wrongly", retracted=True))
        elif isinstance(act, str):
            assert state_at_head(team.log) == state_of(team.log)
        else:
            append(team, act, session="dosing-1")
    log = team.log
    assert state_of(log) == state_at_head(log) == rebuilt(log)


def test_a_row_read_before_the_newest_entry_still_gives_the_state_of_its_own_head(team):
    append(team, ev.SudsRated(value=10), session="dosing-1")
    before, known = team.log, rebuilt(team.log)
    append(team, ev.SudsRated(value=90), session="dosing-1")
    state_of(team.log)
    assert state_at_head(before) == known
    assert state_of(before) == rebuilt(team.log)
    assert state_at_head(team.log) == rebuilt(team.log)


def test_what_was_kept_from_an_act_that_was_taken_back_is_not_shown(team):
    append(team, ev.SudsRated(value=10), session="dosing-1")
    state_of(team.log)

    def taken_back() -> None:
        with record.opened(team.log.id) as held:
            held.append(record.Submitted(id=uuid.uuid4(), event=ev.SudsRated(value=99)), actor="nurse")
            assert len(state_at_head(held.log).entries) == held.log.head_seq
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        taken_back()
    assert state_of(team.log) == rebuilt(team.log)
    append(team, ev.SudsRated(value=20), session="dosing-1")
    assert state_of(team.log) == rebuilt(team.log)


def test_a_known_head_asks_the_database_nothing_and_one_entry_more_reads_one_entry(team, django_assert_num_queries):
    append(team, ev.SudsRated(value=10), session="dosing-1")
    log = team.log
    state_at_head(log)
    with django_assert_num_queries(0):
        state_at_head(log)
    append(team, ev.SudsRated(value=20), session="dosing-1")
    later = team.log
    read = []
    with connection.execute_wrapper(lambda run, sql, *rest: read.append(sql) or run(sql, *rest)):
        state_at_head(later)
    assert len(read) == 1
    assert course._warm[later.id].head == later.head_hash


def test_the_kept_protocol_is_the_one_in_the_database(team):
    assert protocol_of(team.log) == from_text(team.log.participant.version.resolved)


def test_a_log_read_in_the_short_way_says_what_the_whole_row_says(team):
    for _ in range(2):  # first read, then kept
        short, whole = log_now(team.log.id), team.log
        for name in ("id", "opened_at", "clock_speed", "head_seq", "head_hash", "participant_id"):
            assert getattr(short, name) == getattr(whole, name)
        assert short.participant.code == whole.participant.code
        assert short.participant.site.zone == whole.participant.site.zone
        assert short.participant.version.digest == whole.participant.version.digest
    with pytest.raises(Log.DoesNotExist):
        log_now(uuid.uuid4())


def test_a_study_that_becomes_blinded_is_blinded_at_once_for_logs_that_are_kept(team):
    assert not log_now(team.log.id).participant.study.blinded
    team.study.blinded = True
    team.study.save()
    assert log_now(team.log.id).participant.study.blinded


def test_what_one_request_remembers_of_a_participant_is_not_shown_to_the_next(team):
    log_now(team.log.id)
    first = log_now(team.log.id).participant
    assert first.log.head_seq == team.log.head_seq
    append(team, ev.SudsRated(value=10), session="dosing-1")
    assert log_now(team.log.id).participant.log.head_seq == team.log.head_seq


def test_grants_and_assignments_written_out_say_what_the_models_say(team):
    from kerp.web.actions import participants, people
    from kerp.web.bedside.intake import check_may_treat

    participants.assign(participant=team.participant, person=team["nurse"], role="nurse", actor=team["coordinator"])
    people.end_grant(given=team["therapist"].grants.get(), actor=team["administrator"], reason="left")
    for person in Person.objects.all():
        held = set(person.grants.filter(ended_at=None).values_list("role", "site_id"))
        assert set(person._held()) == held
        given = person.assignments.filter(participant=team.participant, ended_at=None)
        assert check_may_treat(team.log, person) == frozenset(given.values_list("role", flat=True))


def test_who_asks_a_moment_later_sees_the_same_picture_and_a_new_entry_makes_a_new_one(signed_in, team):
    screened(team)
    nurse = Device(signed_in("nurse"), team.log)
    nurse.ask(ev.SessionOpened(plan="dosing"))
    log, person = log_now(team.log.id), team["nurse"]
    now = record.elapsed_ms(log, log.opened_at) + 60_000_000
    pictures._shown.clear()
    first = pictures.picture(log, "dosing-1", person, now)
    soon = pictures.picture(log, "dosing-1", person, now + 100)
    assert soon == first | {"now_ms": now + 100}
    later = now + pictures.A_MOMENT_MS + 1
    assert pictures.picture(log, "dosing-1", person, later) == pictures._drawn(log, "dosing-1", later) | {
        "participant": "S1-001",
        "forecast": True,
        "now_ms": later,
    }
    nurse.post(ev.SudsRated(value=70))
    assert nurse.status()["series"]["suds"][-1][1] == 70


def test_a_stream_hears_at_once_what_this_process_wrote_and_soon_what_another_wrote(team, monkeypatch):
    monkeypatch.setattr(pulse, "LOOK_S", 0.05)
    head, log_id = {"seq": 3}, team.log.id
    monkeypatch.setattr(pulse, "_heads", lambda ids: dict.fromkeys(ids, head["seq"]))

    async def listens() -> list[bool]:
        async with pulse.Ear(log_id, seen=3) as ear:
            quiet = await ear.wait(0.2)
            threading.Thread(target=pulse.tell, args=(log_id,)).start()
            told = await ear.wait(1.0)
            head["seq"] = 4  # another process
            looked = await ear.wait(1.0)
            return [quiet, told, looked]

    assert awaited(listens()) == [False, True, True]
    assert not pulse._ears
    assert not pulse._watches


def test_where_the_database_cannot_be_asked_a_stream_ends_rather_than_look_quiet(team, monkeypatch):
    from django.db import OperationalError

    def broken(ids):
        raise OperationalError("gone")

    monkeypatch.setattr(pulse, "LOOK_S", 0.02)
    monkeypatch.setattr(pulse, "_heads", broken)

    log_id = team.log.id

    async def listens() -> bool:
        async with pulse.Ear(log_id, seen=0) as ear:
            await ear.wait(1.0)
            return ear.deaf

    assert awaited(listens())


def test_no_device_waits_for_what_the_office_asks():
    released = threading.Event()

    async def both() -> str:
        slow = [asyncio.create_task(workers.worked("office", released.wait, 20)) for _ in range(20)]
        try:
            return await asyncio.wait_for(workers.worked("device", lambda: "answered"), 10)
        finally:
            released.set()
            await asyncio.gather(*slow)

    assert awaited(both()) == "answered"


def test_the_server_answers_in_the_lane_of_who_asks_and_a_stream_ends_when_the_page_has_gone(monkeypatch):
    handler = workers.PooledHandler()

    async def asked(path: str) -> list[dict]:
        sent: list[dict] = []
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"testserver")],
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 5),
            "root_path": "",
            "scheme": "http",
        }
        incoming = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]

        async def receive() -> dict:
            return incoming.pop(0)

        async def send(part: dict) -> None:
            sent.append(part)

        await asyncio.wait_for(handler(scope, receive, send), 10)
        return sent

    threads = []

    def answer(request):
        threads.append(threading.current_thread().name)
        return HttpResponse(f"{request.method} {request.path}")

    monkeypatch.setattr(handler, "get_response", answer)
    start, body = awaited(asked("/some/page"))
    assert (start["status"], body["body"]) == (200, b"GET /some/page")
    awaited(asked("/api/time"))
    assert threads[0].startswith("kerp-office")
    assert threads[1].startswith("kerp-device")

    ended = []

    async def endless():
        try:
            while True:
                yield b"data: x\n\n"
                await asyncio.sleep(0.01)
        finally:
            ended.append(True)

    monkeypatch.setattr(handler, "get_response", lambda _request: StreamingHttpResponse(endless()))
    assert awaited(asked("/"))[0]["status"] == 200
    assert ended == [True]
