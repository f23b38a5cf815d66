"""A network between browser and server that loses, holds, doubles and overtakes what is sent through it.

A thread with an event loop; each request has its own connection to the server. What befalls an entry on its way is
drawn by a seeded generator.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import numpy as np

HELD_S = (0.05, 0.6)
LATE_S = (0.3, 2.5)  # a copy that comes after newer posts
FATES = ("well", "lost", "answer lost", "doubled", "held", "overtaken", "refused")
WEIGHTS = (0.30, 0.14, 0.16, 0.12, 0.10, 0.12, 0.06)
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BadNetwork:
    """`url` is what the browser opens. `bad` False: everything passes. `down()`, `up()`: no contact at all."""

    def __init__(self, server_port: int, seed: int, delay_s: float = 0.0) -> None:
        self.server_port, self.chance, self.delay_s = server_port, np.random.default_rng(seed), delay_s
        self.bad, self.there = False, True
        self.befell: Counter[str] = Counter()
        self.open: set[asyncio.StreamWriter] = set()
        self.late: set[asyncio.Task[None]] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self._do(asyncio.start_server(self._client, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def down(self) -> None:
        self.there = False
        self.befell["down"] += 1
        self.loop.call_soon_threadsafe(self._abort_all)

    def up(self) -> None:
        self.there = True

    def heal(self) -> None:
        self.there, self.bad = True, False

    def close(self) -> None:
        self._do(self._closed())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _closed(self) -> None:
        self.server.close()
        self._abort_all()
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _abort_all(self) -> None:
        for writer in list(self.open):
            writer.transport.abort()

    # --- one request ---

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            if not self.there:
                return
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            await self._befall(_once(head) + body, writer, entries=_is_entries(head))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # one of the two went away: that is what networks do
        finally:
            self.open.discard(writer)
            writer.transport.abort() if not self.there else writer.close()

    async def _befall(self, request: bytes, writer: asyncio.StreamWriter, *, entries: bool) -> None:
        fate = str(self.chance.choice(FATES, p=WEIGHTS)) if entries and self.bad else "well"
        if entries:
            self.befell[fate] += 1
            await asyncio.sleep(self.delay_s)
        if fate == "held":
            await asyncio.sleep(self.chance.uniform(*HELD_S))
        if fate in {"doubled", "overtaken"}:
            self._again_later(request)
        if fate == "refused":
            writer.write(UNAVAILABLE)
            await writer.drain()
        elif fate in {"lost", "overtaken"}:
            writer.transport.abort()
        else:
            await self._pass(request, None if fate == "answer lost" else writer)
            if fate == "answer lost":
                writer.transport.abort()

    def _again_later(self, request: bytes) -> None:
        task = self.loop.create_task(self._pass_later(request, self.chance.uniform(*LATE_S)))
        self.late.add(task)
        task.add_done_callback(self.late.discard)

    async def _pass_later(self, request: bytes, after_s: float) -> None:
        await asyncio.sleep(after_s)
        with contextlib.suppress(OSError):
            await self._pass(request, None)

    async def _pass(self, request: bytes, writer: asyncio.StreamWriter | None) -> None:
        """To the server, and its answer back as it comes; None: nobody hears the answer."""
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
        self.open.add(to_server)
        try:
            to_server.write(request)
            while piece := await from_server.read(65536):
                if writer is not None:
                    writer.write(piece)
                    await writer.drain()
        finally:
            self.open.discard(to_server)
            to_server.transport.abort()


def _is_entries(head: bytes) -> bool:
    first = head.split(b"\r\n", 1)[0]
    return first.startswith(b"POST") and b"/entries " in first


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _once(head: bytes) -> bytes:
    """The head with a connection of its own: one request, one answer, closed."""
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"connection:", b"keep-alive:"))]
    return b"\r\n".join([lines[0], b"Connection: close", *lines[1:]])
