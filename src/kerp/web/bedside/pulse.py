"""Tells open streams that a log has grown: within this process at once, across processes by looking once a second.

Every append saves the head of its log in the transaction of the entry; what is told waits for the commit. One look
asks for the heads of all logs that somebody listens to, however many streams are open.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import Error, transaction
from django.db.models.signals import post_save

from kerp.web.models import Entry, Log
from kerp.web.workers import looked_up

LOOK_S = 1.0
_lock = threading.Lock()
_ears: dict[UUID, list[Ear]] = {}
_watches: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}


def _grown(sender: Any, instance: Entry, created: bool, using: str, **_: Any) -> None:  # noqa: ARG001  Django's signature
    if created:
        transaction.on_commit(lambda: tell(instance.log_id), using=using)


post_save.connect(_grown, sender=Entry, dispatch_uid="kerp.web.bedside.pulse")


def tell(log_id: UUID) -> None:
    """Wake every stream of a log."""
    with _lock:
        ears = list(_ears.get(log_id, ()))
    for ear in ears:
        try:
            ear.loop.call_soon_threadsafe(ear.event.set)
        except RuntimeError:
            continue  # that loop is closed; its stream is gone


class Ear:
    """Listens to one log: `async with Ear(id) as ear: await ear.wait(1.0)`.

    `seen`: how far it was read, so that entries of other processes wake it too; None: whoever listens looks itself.
    `deaf`: the database could not be asked; who hears nothing more must not look as if nothing had come.
    """

    def __init__(self, log_id: UUID, seen: int | None = None) -> None:
        self.log_id, self.seen, self.deaf = log_id, seen, False
        self.event = asyncio.Event()

    async def __aenter__(self) -> Ear:
        self.loop = asyncio.get_running_loop()
        with _lock:
            _ears.setdefault(self.log_id, []).append(self)
            if self.loop not in _watches:
                _watches[self.loop] = self.loop.create_task(_watch(self.loop))
        return self

    async def __aexit__(self, *_: object) -> None:
        with _lock:
            _ears[self.log_id].remove(self)
            if not _ears[self.log_id]:
                del _ears[self.log_id]
            if not any(ear.loop is self.loop for ear in _all()):
                _watches.pop(self.loop).cancel()

    async def wait(self, seconds: float) -> bool:
        """Whether something came within this time."""
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except TimeoutError:
            return False
        self.event.clear()
        return True


def _all() -> list[Ear]:
    return [ear for ears in _ears.values() for ear in ears]


async def _watch(loop: asyncio.AbstractEventLoop) -> None:
    """What other processes write is heard here."""
    while True:
        await asyncio.sleep(LOOK_S)
        with _lock:
            ears = [ear for ear in _all() if ear.loop is loop and ear.seen is not None]
        try:
            heads = await looked_up(_heads, {ear.log_id for ear in ears})
        except Error:
            heads = None
        for ear in ears:
            ear.deaf = heads is None
            if heads is None or heads.get(ear.log_id, 0) > (ear.seen or 0):
                ear.event.set()


def _heads(log_ids: Iterable[UUID]) -> dict[UUID, int]:
    return dict(Log.objects.filter(id__in=log_ids).values_list("id", "head_seq"))
