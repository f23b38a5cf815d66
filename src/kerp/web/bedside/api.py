"""The interface for devices. Every answer says what is wrong and what is allowed; nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kerp.base.errors import Fault, KerpError
from kerp.web.access import matrix
from kerp.web.accounts.doors import has_fresh_proof, needs, person_of
from kerp.web.actions.record import SameIdOtherContentError, elapsed_ms
from kerp.web.bedside import forecast, intake, schema
from kerp.web.bedside.dosing import proposed
from kerp.web.bedside.picture import picture
from kerp.web.bedside.plan import plan_of
from kerp.web.bedside.reach import RECORD, VERIFY, log_or_404
from kerp.web.bedside.stream import entries_since, entries_stream
from kerp.web.bedside.wire import BatchIn, RequestIn, read
from kerp.web.course import state_at_head
from kerp.web.models import Log, Person
from kerp.web.office.desk import acting_role

LOOK = ("session_view",)
RECORDERS = ("session_record", *VERIFY, "discharge_sign")
_LONGEST_NAME = 60
_View = Callable[..., HttpResponseBase]


def _faults(error: KerpError, status: int) -> JsonResponse:
    faults = [fault.as_dict() for fault in error.faults]
    return JsonResponse({"error": error.faults[0].message, "faults": faults}, status=status)


def answers(view: _View) -> _View:
    """Bad input is 400 with every fault; an id with another content, or a dose that was changed meanwhile, is 409."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except (SameIdOtherContentError, intake.LookAgainError) as error:
            return _faults(error, 409)
        except KerpError as error:
            return _faults(error, 400)

    return guarded


def opened_session(request: HttpRequest, log_id: UUID, session: str) -> Log:
    """The log of a session that was opened, which this person may see."""
    person = person_of(request)
    log = log_or_404(person, log_id)
    intake.check_may_treat(log, person)
    if state_at_head(log).session(session) is None:
        raise Http404
    return log


def now_of(log: Log) -> int:
    """The session clock: the server's."""
    return elapsed_ms(log, timezone.now())


@require_http_methods(["GET", "HEAD", "POST"])
@needs(*LOOK, *RECORDERS)
@answers
def entries(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """POST: keep entries. GET: entries after `since`."""
    if request.method == "POST":
        return _post_entries(request, log_id, session)
    log, since = opened_session(request, log_id, session), _since(request)
    found, head = entries_since(log.id, session, since) if log.head_seq > since else ([], since)
    return JsonResponse({"entries": found, "head": head})


def _post_entries(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    person = person_of(request)
    _may(person, *RECORDERS)
    _named(session)
    log = log_or_404(person, log_id)
    standing = intake.check_may_treat(log, person)
    outcomes = intake.take(log, session, person, read(BatchIn, request.body), standing)
    conflict = any(outcome.result == "conflict" for outcome in outcomes)
    data = {"outcomes": [outcome.as_dict() for outcome in outcomes]}
    return JsonResponse(data, status=409 if conflict else 200)


def _named(session: str) -> None:
    if not 0 < len(session) <= _LONGEST_NAME:
        raise KerpError(
            Fault("a session needs a short name", field="session", allowed=f"1 to {_LONGEST_NAME} characters")
        )


def _may(person: Person, *permissions: str) -> None:
    if not any(person.may(name) for name in permissions):
        raise KerpError(Fault("recording is not open to your role"))


def _since(request: HttpRequest) -> int:
    text = request.headers.get("Last-Event-ID") or request.GET.get("since") or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise KerpError(Fault("a whole number is expected", field="since", found=text[:20]))
    return int(text)


@require_POST
@needs(*RECORDERS)
@answers
def requests(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """Ask for a transition: accepted, or refused with every reason and the ways out."""
    person = person_of(request)
    _named(session)
    log = log_or_404(person, log_id)
    standing = intake.check_may_treat(log, person)
    asked = read(RequestIn, request.body)
    if asked.event.get("type") == "signature" and not has_fresh_proof(request):
        raise KerpError(Fault("prove again who you are before signing", ways_out=("sign on the page for signing",)))
    answer = intake.ask(log, session, person, asked, standing)
    return JsonResponse(answer.as_dict())


@require_safe
@needs(*LOOK)
@answers
def status(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """How the session stands now, who is looking, and what a page needs to send."""
    person = person_of(request)
    log = opened_session(request, log_id, session)
    shown = picture(log, session, person, now_of(log))
    return JsonResponse(shown | {"me": me(person), "csrf": get_token(request), "wall_ms": _wall_ms()})


def me(person: Person) -> dict[str, Any]:
    """Who is looking, by an opaque id; the name is for the screen only."""
    roles = matrix().roles
    held = sorted(person.role_ids())
    return {
        "id": str(person.public_id),
        "name": str(person),
        "username": person.username,
        "role": acting_role(person, *RECORD) or (held[0] if held else ""),
        "roles": [roles[role].title for role in held],
        "may": sorted(frozenset().union(*(roles[role].permissions for role in held))),
        "hand": person.handedness,
        "theme": person.theme,
        "text": person.text_size,
    }


def _wall_ms() -> int:
    return round(timezone.now().timestamp() * 1000)


@require_safe
@needs(*LOOK)
@answers
def plan(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """What does not move while the session runs."""
    return JsonResponse(plan_of(opened_session(request, log_id, session), session))


@require_safe
@needs(*RECORDERS)
@answers
def dose(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """The dose as an event to record. Nothing is written."""
    log = opened_session(request, log_id, session)
    given = {name: str(request.GET.get(name, ""))[:40] for name in request.GET}
    return JsonResponse(proposed(log, given))


@require_safe
@needs(*LOOK)
@answers
def session_forecast(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """Model output. In a blinded study there is nothing at this address (M8)."""
    log = opened_session(request, log_id, session)
    if not forecast.may_see(log, person_of(request)):
        raise Http404
    return JsonResponse(forecast.forecast_of(log, session, now_of(log)))


@require_safe
@needs(*LOOK)
@answers
def stream(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """Entries as they come. The connection ends by itself and is opened again by the browser."""
    log = opened_session(request, log_id, session)
    body = entries_stream(log.id, session, _since(request))
    response = StreamingHttpResponse(body, content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    return response


@require_safe
@needs()
def clock(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  Django's signature
    """The server's clock, so that a device can measure its own (M20)."""
    return JsonResponse({"wall_ms": _wall_ms()})


@require_safe
@needs()
def description(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  Django's signature
    """The interface as OpenAPI 3.1."""
    return JsonResponse(schema.openapi())
