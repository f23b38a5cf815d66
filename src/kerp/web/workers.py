"""The threads that read and write the databases for the server: few, long-lived, each with connections of its own.

Three lanes: what devices ask at the bedside, what people ask in the office, and the looks of open streams. However
long an export or a report takes, no rating waits for it. Few threads each, because Python runs one at a time and
every change of turn costs: two threads serve fifty sessions half again as fast as eight.

Django's own ASGI handler takes a new thread, and with it new connections, for every request. Opening a connection
reads the whole schema and costs more than most requests; and fifty requests at once are fifty threads that take turns
every few milliseconds, so that all of them end late. Here the first to come is the first to be answered.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import IO, Any, ParamSpec, TypeVar

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

THREADS = {"device": 2, "office": 4, "stream": 2}
DEVICES = "/api/"
P = ParamSpec("P")
R = TypeVar("R")


@cache
def _pool(lane: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS[lane], thread_name_prefix=f"kerp-{lane}")


def lane_of(path: str) -> str:
    """Which lane a request belongs to."""
    return "device" if path.startswith(DEVICES) else "office"


async def worked(lane: str, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `job` returns, done by a thread of this lane."""
    context = contextvars.copy_context()
    work = partial(_with_sound_connections, lambda: job(*args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(_pool(lane), context.run, work)


async def looked_up(job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `job` returns: a short look into the database for a stream, beside the requests."""
    return await worked("stream", job, *args, **kwargs)


def _with_sound_connections(job: Callable[[], R]) -> R:
    """Django does this at the ends of a request, in another thread than these: broken connections are left behind."""
    close_old_connections()
    try:
        return job()
    finally:
        close_old_connections()


class PooledHandler(ASGIHandler):
    """Django's ASGI handler, whose requests run from end to end in one thread; the bodies of streams stay async."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        """One request, as ASGI hands it over."""
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            set_script_prefix(get_script_prefix(scope))
            lane = lane_of(scope["path"])
            response = await worked(lane, self._answered, scope, body)
            if response.streaming:
                await self._stream(response, receive, send, lane)
            else:
                await self.send_response(response, send)

    def _answered(self, scope: Any, body: IO[bytes]) -> HttpResponseBase:
        """The whole answer but the body of a stream. Both ends of the request are told to Django here."""
        signals.request_started.send(sender=type(self), scope=scope)
        request, refused = self.create_request(scope, body)
        response = self.get_response(request) if request is not None else refused
        assert response is not None  # Django makes one of the two
        response._handler_class = type(self)  # type: ignore[attr-defined]  # whom the end is told of
        if not response.streaming:
            response.close()
        return response

    async def _stream(self, response: HttpResponseBase, receive: Any, send: Any, lane: str) -> None:
        """Send until the stream ends or the other side has gone."""
        both = [
            asyncio.create_task(self.send_response(response, send)),
            asyncio.create_task(self.listen_for_disconnect(receive)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            ended = await asyncio.gather(*both, return_exceptions=True)
            await worked(lane, response.close)
        if isinstance(ended[0], Exception):
            raise ended[0]
