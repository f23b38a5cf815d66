"""Every address as every blinded role, read and posted to: no page, header, export or error tells an arm (M8).

The study has a session with its kit, dose, guess and corrected guess, so that the addresses of the bedside answer; a
list of what must answer 200 keeps the crawl from becoming hollow. On SQLite only: what is looked at is the
application, and the crawl is long. `test_blinding` checks the detector.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from django.urls import reverse
from web_crawl import every_address, must_answer

from kerp.web import logs
from kerp.web.access import matrix
from kerp.web.bedside import stream
from kerp.web.models import Entry

SECRET = (b"verum-q7", b"placebo-x9")
BELIEF = b"belief-w3"  # what the nurse believes and why, in the fixture `underway`
PASSWORD = "a long sentence for tests"
BLINDED = sorted(set(matrix().roles) - {"pharmacist", "statistician"})


def prove(browser):
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser


def awaited(work):
    """In a thread of its own: after a browser test this one keeps a running loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _all(parts):
    return b"".join([part async for part in parts])


def everything(answer):
    """Body and headers, the name of a file among them; a stream until it ends by itself."""
    if not answer.streaming:
        body = answer.content
    elif answer.is_async:
        body = awaited(_all(answer.streaming_content))
    else:
        body = b"".join(answer.streaming_content)
    return body + str(answer.headers).encode()


def in_order(team):
    """A device that was handed over opens the participant's page and no other: that comes last."""
    found = every_address(team)
    last = [one for one in found if one[0] == "give_device"] + [one for one in found if one[0] == "handed"]
    return [one for one in found if one not in last] + last


@pytest.fixture
def short_streams(monkeypatch, underway):
    """A stream gives what there is and ends; read here, where the transaction of the test is."""

    async def here(job, *args):
        return job(*args)

    class Ear:
        deaf, seen = False, 0

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            return None

    held = stream.entries_since(underway.log.id, "dosing-1", 0)
    monkeypatch.setattr(stream, "LIVES_S", 0)
    monkeypatch.setattr(stream, "Ear", lambda *_: Ear())
    monkeypatch.setattr(stream, "looked_up", lambda *_: here(lambda: held))


@pytest.fixture
def log_files(tmp_path):
    """The server's log files, as `kerp serve` writes them, of everything that happens in the test."""
    root = logging.getLogger()
    before, level, configured = root.handlers, root.level, structlog.get_config()
    off = {name: logging.getLogger(name).disabled for name in ("django.server", "uvicorn.access")}
    request_level = logging.getLogger("django.request").level
    logs.set_up(tmp_path, to_screen=False)

    def read():
        for handler in root.handlers:
            handler.flush()
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    yield read
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = before, level
    for name, disabled in off.items():
        logging.getLogger(name).disabled = disabled
    logging.getLogger("django.request").setLevel(request_level)
    structlog.configure(**configured)


@pytest.mark.parametrize("role", BLINDED)
def test_no_page_no_export_and_no_log_file_tells_a_blinded_role_an_arm(
    signed_in, underway, short_streams, log_files, role
):
    browser, answered, wanted = prove(signed_in(role)), set(), must_answer(role)
    for name, address in in_order(underway):
        for answer in (browser.get(address), browser.post(address, {"with_text": "on", "reason": "a test"})):
            assert answer.status_code < 500, (name, answer.status_code)
            said = everything(answer)
            assert not any(word in said for word in SECRET), (name, answer.status_code)
            exported = "attachment" in str(answer.headers)
            assert exported or BELIEF not in said, (name, "shows what somebody believes")
            answered |= {name} if answer.status_code == 200 else set()
    assert answered >= wanted, sorted(wanted - answered)
    written = log_files()
    assert b'"route"' in written["kerp.jsonl"]
    assert not any(word in text for text in written.values() for word in (*SECRET, BELIEF, b"B1-001"))


@pytest.mark.parametrize("with_text", [{}, {"with_text": "on", "reason": "a test"}], ids=["without text", "complete"])
def test_an_exported_log_with_a_session_tells_no_arm_in_its_lines_or_its_name(signed_in, underway, with_text):
    browser = prove(signed_in("data_manager"))
    answer = browser.post(reverse("export", args=[underway.participant.public_id]), {"sure": "on"} | with_text)
    assert answer.status_code == 200
    assert "kerp-b-B1-001" in answer["Content-Disposition"]
    said = everything(answer)
    assert said.count(b"\n") >= Entry.objects.filter(log=underway.log).count()
    assert b"dose_computed" in said
    assert not any(word in said for word in SECRET)
