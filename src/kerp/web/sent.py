"""What a form is bound to: what was sent, even when that is nothing; None when nothing was sent yet."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def sent(request: HttpRequest) -> Any:
    """The fields of a POST, or None."""
    return request.POST if request.method == "POST" else None


def sent_files(request: HttpRequest) -> tuple[Any, Any]:
    """Fields and files of a POST, or None twice."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)
