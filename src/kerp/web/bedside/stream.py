"""Entries as server-sent events: `id` is the order in the log, so that a device that comes back misses nothing.

A stream ends by itself after a while; the browser opens it again and is asked again who it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from kerp.web.bedside.pulse import Ear
from kerp.web.models import Entry, Log

BEAT_S = 1.0  # a participant's screen goes calm after 3 s without one
LIVES_S = 120.0
MOST_AT_ONCE = 500


def entry_dict(row: Entry) -> dict[str, Any]:
    """An entry as a device shows it."""
    data = row.data()
    kept = ("seq", "id", "occurred_ms", "recorded_ms", "actor", "session", "role", "device", "event")
    return {name: data[name] for name in kept} | {
        "wall_clock": data.get("wall_clock", ""),
        "clock_offset_ms": data.get("clock_offset_ms", 0),
        "queued": data.get("queued", False),
    }


def entries_since(log_id: UUID, session: str, since: int) -> tuple[list[dict[str, Any]], int]:
    """Entries of a session after `since`, and how far the log was read."""
    rows = list(Entry.objects.filter(log_id=log_id, seq__gt=since).order_by("seq")[:MOST_AT_ONCE])
    if not rows:
        return [], since
    return [found for row in rows if (found := entry_dict(row))["session"] == session], rows[-1].seq


async def entries_stream(log_id: UUID, session: str, since: int) -> AsyncIterator[bytes]:
    """Entries as they come, and a beat in between."""
    read = sync_to_async(entries_since, thread_sensitive=False)
    head = sync_to_async(_head, thread_sensitive=False)
    ends = time.monotonic() + LIVES_S
    async with Ear(log_id) as ear:
        yield b"retry: 1000\n\n"
        seen = -1
        while time.monotonic() < ends:
            if seen != since:
                found, since = await read(log_id, session, since)
                seen = since
                yield message("entries", {"entries": found}, since)
            if not await ear.wait(BEAT_S):
                since_head = await head(log_id)
                seen = since if since_head == since else -1
                yield message("beat", {"head": since_head})
            else:
                seen = -1


def _head(log_id: UUID) -> int:
    """Where the log stands: also notices what another process wrote."""
    try:
        return Log.objects.values_list("head_seq", flat=True).get(id=log_id)
    except DatabaseError:
        connection.close()  # outside the request cycle nobody else does
        raise


def message(name: str, data: Any, identifier: int | None = None) -> bytes:
    """One server-sent event."""
    head = f"id: {identifier}\n" if identifier is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
