"""Entries as server-sent events: `id` is the order in the log, so that a device that comes back misses nothing.

A stream ends by itself after a while; the browser opens it again and is asked again who it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any
from uuid import UUID

from kerp.web.bedside.pulse import Ear
from kerp.web.logbook import head_of
from kerp.web.masking import guess_ids, masked
from kerp.web.models import Entry
from kerp.web.workers import looked_up

BEAT_S = 1.0  # a participant's screen goes calm after 3 s without one
LIVES_S = 120.0
MOST_AT_ONCE = 500
FEW = 8
_KEPT = ("seq", "id", "occurred_ms", "recorded_ms", "actor", "session", "role", "device", "event")


def entry_dict(data: dict[str, Any], guesses: frozenset[str]) -> dict[str, Any]:
    """A record as a device shows it; `guesses`: from `guess_ids`."""
    told = {name: data[name] for name in _KEPT} | {"event": masked(data["event"], guesses)}
    return told | {
        "wall_clock": data.get("wall_clock", ""),
        "clock_offset_ms": data.get("clock_offset_ms", 0),
        "queued": data.get("queued", False),
    }


def entries_since(log_id: UUID, session: str, since: int) -> tuple[list[dict[str, Any]], int]:
    """Entries of a session after `since`, and how far the log was read."""
    head_seq, head_hash = head_of(log_id)
    if head_seq <= since:
        return [], since
    read = _few_between if head_seq - since <= FEW else _between
    return read(log_id, session, since, head_seq, head_hash)


def _between(log_id: UUID, session: str, since: int, head_seq: int, _: str) -> tuple[list[dict[str, Any]], int]:
    known = Entry.objects.filter(log_id=log_id, seq__gt=since, seq__lte=head_seq)
    rows = known.order_by("seq").values_list("seq", "record")
    read = [(seq, json.loads(record)) for seq, record in rows[:MOST_AT_ONCE]]
    guesses = guess_ids(log_id, (data["event"] for _, data in read))
    return [entry_dict(data, guesses) for _, data in read if data["session"] == session], read[-1][0]


# What has just been recorded is asked for by every page of the session at once. An equal head is an equal log.
_few_between = lru_cache(maxsize=512)(_between)


async def entries_stream(log_id: UUID, session: str, since: int) -> AsyncIterator[bytes]:
    """Entries as they come, and a beat in between. Ends where the database cannot be asked any more."""
    ends = time.monotonic() + LIVES_S
    async with Ear(log_id, since) as ear:
        yield b"retry: 1000\n\n"
        found, head = await looked_up(entries_since, log_id, session, since)
        yield message("entries", {"entries": found}, head)
        while time.monotonic() < ends and not ear.deaf:
            ear.seen = since = head
            if await ear.wait(BEAT_S):
                found, head = await looked_up(entries_since, log_id, session, since)
            if head > since:
                yield message("entries", {"entries": found}, head)
            else:
                yield message("beat", {"head": head})


def message(name: str, data: Any, identifier: int | None = None) -> bytes:
    """One server-sent event."""
    head = f"id: {identifier}\n" if identifier is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
