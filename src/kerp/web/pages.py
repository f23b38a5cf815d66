"""Home, health, and what a person sees when something is wrong (never a traceback)."""

from __future__ import annotations

from http import HTTPStatus

from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from kerp import __version__
from kerp.web.accounts.doors import is_api, needs, person_of
from kerp.web.sight import RatesBlindedError

# Where each permission leads first, in order of what a role mainly does.
HOMES = (
    ("rate_blinded", "rating"),
    ("kit_dispense", "pharmacy"),
    ("dashboard_view", "dashboard"),
    ("participant_view", "participants"),
    ("people_manage", "people"),
)


@require_safe
@needs()
def home(request: HttpRequest) -> HttpResponseBase:
    """To the page that this person's roles mainly work on."""
    person = person_of(request)
    for permission, page in HOMES:
        if person.may(permission):
            return HttpResponseRedirect(reverse(page))
    return render(request, "kerp/no_role.html")


@require_safe
def health(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  Django's signature
    """200 when both databases answer, 503 when one does not. Says nothing else of the installation."""
    answers = {alias: _answers(alias) for alias in ("default", "allocation")}
    well = all(answers.values())
    state = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"status": "ok" if well else "failing", "version": __version__}, status=state)


def _answers(alias: str) -> bool:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        return False


ERRORS = {
    400: ("That request could not be read", "Go back and try again. Nothing was written."),
    403: ("This is not open to your role", "If it should be, ask the administrator. Nothing was written."),
    404: ("There is nothing here", "The address may be mistyped, or the record may not be open to your role."),
    500: (
        "Something went wrong on our side",
        "What you entered on a bedside page is kept on the device and sent again.",
    ),
}


def _error(request: HttpRequest, status: int) -> HttpResponse:
    return _said(request, status, *ERRORS[status])


def _said(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    if is_api(request):
        return JsonResponse({"error": title, "ways_out": [text]}, status=status)
    return render(request, "kerp/error.html", {"title": title, "text": text, "status": status}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  Django's signature
    """400."""
    return _error(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, with the reason where it is that one rates this participant blinded."""
    if isinstance(exception, RatesBlindedError):
        return _said(request, 403, exception.title, exception.text)
    return _error(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  Django's signature
    """404: the same page for what does not exist and for what this role may not know exists."""
    return _error(request, 404)


def failed(request: HttpRequest) -> HttpResponse:
    """500. Rendered without the request's user, whose loading may be what failed."""
    title, text = ERRORS[500]
    if is_api(request):
        return JsonResponse({"error": title, "ways_out": [text]}, status=500)
    return render(request, "kerp/failed.html", {"title": title, "text": text}, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  Django's signature
    """A form that outlived its session."""
    title, text = "This form is too old", "Sign in again and send it once more. Nothing was written."
    if is_api(request):
        return JsonResponse({"error": title, "ways_out": [text]}, status=403)
    return render(request, "kerp/error.html", {"title": title, "text": text, "status": 403}, status=403)
