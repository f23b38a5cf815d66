"""Tells open streams that a log has grown: within this process at once, across processes by looking.

Every append saves the head of its log in the transaction of the entry; what is told waits for the commit.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.signals import post_save

from kerp.web.models import Entry

_lock = threading.Lock()
_waiting: dict[UUID, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}


def _grown(sender: Any, instance: Entry, created: bool, using: str, **_: Any) -> None:  # noqa: ARG001  Django's signature
    if created:
        transaction.on_commit(lambda: tell(instance.log_id), using=using)


post_save.connect(_grown, sender=Entry, dispatch_uid="kerp.web.bedside.pulse")


def tell(log_id: UUID) -> None:
    """Wake every stream of a log."""
    with _lock:
        streams = list(_waiting.get(log_id, ()))
    for loop, event in streams:
        try:
            loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            continue  # that loop is closed; its stream is gone


class Ear:
    """Listens to one log: `async with Ear(id) as ear: await ear.wait(1.0)`."""

    def __init__(self, log_id: UUID) -> None:
        self.log_id = log_id
        self.event = asyncio.Event()

    async def __aenter__(self) -> Ear:
        self.own = (asyncio.get_running_loop(), self.event)
        with _lock:
            _waiting.setdefault(self.log_id, []).append(self.own)
        return self

    async def __aexit__(self, *_: object) -> None:
        with _lock:
            left = [one for one in _waiting.get(self.log_id, []) if one is not self.own]
            if left:
                _waiting[self.log_id] = left
            else:
                _waiting.pop(self.log_id, None)

    async def wait(self, seconds: float) -> bool:
        """Whether something came within this time."""
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except TimeoutError:
            return False
        self.event.clear()
        return True


def listeners(log_id: UUID) -> int:
    """How many streams of a log are open here."""
    with _lock:
        return len(_waiting.get(log_id, ()))
