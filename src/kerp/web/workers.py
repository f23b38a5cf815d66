"""The threads that read and write the databases for the server: few, long-lived, each with connections of its own.

Django's own ASGI handler takes a new thread, and with it new connections, for every request. Opening a connection
reads the whole schema and costs more than most requests; and fifty requests at once are fifty threads that take turns
every few milliseconds, so that all of them end late. Here the first to come is the first to be answered.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import IO, Any, ParamSpec, TypeVar

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

WORKERS = 8  # more than cores: most wait for the disk or for their turn to write
LOOKERS = 2  # of their own, so that no long request holds up the beat of a stream
P = ParamSpec("P")
R = TypeVar("R")


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="kerp-worker")


@cache
def _lookers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKERS, thread_name_prefix="kerp-looker")


async def worked(job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `job` returns, done by one of the workers."""
    return await _done_by(_workers(), lambda: job(*args, **kwargs))


async def looked_up(job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `job` returns: a short look into the database for a stream, beside the requests."""
    return await _done_by(_lookers(), lambda: job(*args, **kwargs))


async def _done_by(pool: ThreadPoolExecutor, job: Callable[[], R]) -> R:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, _with_sound_connections, job)


def _with_sound_connections(job: Callable[[], R]) -> R:
    """Django does this at the ends of a request, in another thread than these: broken connections are left behind."""
    close_old_connections()
    try:
        return job()
    finally:
        close_old_connections()


class PooledHandler(ASGIHandler):
    """Django's ASGI handler, whose requests run from end to end in one worker; the bodies of streams stay async."""

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
            response = await worked(self._answered, scope, body)
            if response.streaming:
                await self._stream(response, receive, send)
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

    async def _stream(self, response: HttpResponseBase, receive: Any, send: Any) -> None:
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
            await worked(response.close)
        if isinstance(ended[0], Exception):
            raise ended[0]
