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
from typing import ParamSpec, TypeVar

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

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
    """Django's ASGI handler, whose middleware and views run from end to end in one worker; streams stay async."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        """One request, as ASGI hands it over."""
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        await self.handle(scope, receive, send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The whole answer but the body of a stream."""
        return await worked(self.get_response, request)
