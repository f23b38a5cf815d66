"""Structured logs without participant data: JSON lines of an allow-list of fields, security apart from the rest.

A log line names the route (`participant/<code>`), never the address that was asked, and an error's type and place,
never its text, because texts may quote what someone typed.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
import traceback
import uuid
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponseBase

ALLOWED = frozenset(
    {"event", "level", "timestamp", "logger", "request_id", "method", "route", "status", "duration_ms", "actor"}
    | {"error", "place", "count", "version", "database", "host", "port"}
)
Fields = MutableMapping[str, Any]


def only_allowed(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Drop every field that is not on the list."""
    return {name: value for name, value in fields.items() if name in ALLOWED}


def without_text(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Replace an exception by its type and the last place of ours that it passed."""
    error = fields.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple) and error[0] is not None:
        fields["error"] = error[0].__name__
        fields["place"] = _place(traceback.extract_tb(error[2]))
    return fields


def _place(frames: traceback.StackSummary) -> str:
    ours = [frame for frame in frames if "kerp" in frame.filename] or list(frames)
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""


def foreign_text(_logger: Any, _method: str, fields: Fields) -> Fields:
    """A line of a library keeps its template, not the values put into it."""
    entry = fields.get("_record")
    if entry is not None and not entry.name.startswith("kerp"):
        fields["event"] = str(entry.msg) if entry.name.startswith("uvicorn") else f"{entry.name}: {entry.levelname}"
        fields["logger"] = entry.name
    return fields


def set_up(folder: Path | None, *, to_screen: bool = True) -> None:
    """Send logs to `folder`/kerp.jsonl and security.jsonl (kept 30 files of 5 MB), and to standard error."""
    shared: list[Any] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    final: list[Any] = [foreign_text, without_text, only_allowed, structlog.processors.JSONRenderer(sort_keys=True)]
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final)
    root = logging.getLogger()
    root.handlers = _handlers(folder, formatter, to_screen=to_screen)
    root.setLevel(logging.INFO)
    for name in ("django.server", "uvicorn.access"):
        logging.getLogger(name).disabled = True
    logging.getLogger("django.request").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _handlers(folder: Path | None, formatter: logging.Formatter, *, to_screen: bool) -> list[logging.Handler]:
    handlers: list[logging.Handler] = [logging.StreamHandler()] if to_screen else []
    if folder is not None:
        handlers.append(_file(folder / "kerp.jsonl"))
        security = _file(folder / "security.jsonl")
        security.addFilter(logging.Filter("kerp.security"))
        handlers.append(security)
    for handler in handlers:
        handler.setFormatter(formatter)
    return handlers or [logging.NullHandler()]


def _file(path: Path) -> logging.Handler:
    return logging.handlers.RotatingFileHandler(path, maxBytes=5_000_000, backupCount=30, encoding="utf-8")


class RequestLogMiddleware:
    """One line per request: who, which route, how it ended, how long it took."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.log = structlog.get_logger("kerp.request")
        self.security = structlog.get_logger("kerp.security")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id, started = uuid.uuid4().hex[:12], time.monotonic()
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        fields = {
            "request_id": request_id,
            "method": request.method,
            "route": request.resolver_match.route if request.resolver_match else "",
            "status": response.status_code,
            "duration_ms": round((time.monotonic() - started) * 1000),
            "actor": getattr(getattr(request, "user", None), "username", ""),
        }
        self.log.info("request", **fields)
        if response.status_code in {401, 403, 429}:
            self.security.warning("refused", **fields)
        return response
