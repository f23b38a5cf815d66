"""Session limits, second factors by role, and pages that no browser may keep."""

from __future__ import annotations

from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone

from kerp.web.access import needs_second_factor
from kerp.web.accounts.doors import is_api, person_of, sign_in_first
from kerp.web.actions.people import second_factors_chosen

Next = Callable[[HttpRequest], HttpResponseBase]
STARTED, SEEN = "kerp_started", "kerp_seen"
SEEN_STEP_S = 30  # how stale `seen` may get, so that not every request writes the session


class PrivateByDefault:
    """`Cache-Control: no-store` on everything but static files (ASVS 14.3.2)."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        return response


class SessionLimits:
    """Ends a session after inactivity and after an absolute time. The bedside outbox keeps recording meanwhile.

    Requests that a page makes by itself carry `X-Kerp-Background: 1` and do not count as activity.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            now = int(timezone.now().timestamp())
            if self._expired(request, now):
                logout(request)
                return sign_in_first(request)
            self._note(request, now)
        return self.get_response(request)

    def _expired(self, request: HttpRequest, now: int) -> bool:
        config = settings.KERP
        started, seen = request.session.get(STARTED, now), request.session.get(SEEN, now)
        return bool(now - started > config.absolute_h * 3600 or now - seen > config.idle_min * 60)

    def _note(self, request: HttpRequest, now: int) -> None:
        if STARTED not in request.session:
            request.session[STARTED] = request.session[SEEN] = now
        elif now - request.session[SEEN] >= SEEN_STEP_S and not _by_itself(request):
            request.session[SEEN] = now


def _by_itself(request: HttpRequest) -> bool:
    """Whether the page, not the person, is asking: a background call, or a stream that reconnects."""
    return bool(request.headers.get("X-Kerp-Background")) or "text/event-stream" in request.headers.get("Accept", "")


class SecondFactor:
    """Sends a person whose role asks for a second factor to set one up first (allauth has no switch for it)."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if self._missing(request):
            if is_api(request):
                return JsonResponse({"error": "this account must set up a second factor first"}, status=403)
            return HttpResponseRedirect(reverse("mfa_activate_totp"))
        return self.get_response(request)

    def _missing(self, request: HttpRequest) -> bool:
        if settings.KERP.demo or not request.user.is_authenticated or request.path.startswith(_open_paths()):
            return False
        person = person_of(request)
        return not is_mfa_enabled(person) and needs_second_factor(person.role_ids(), second_factors_chosen())


def _open_paths() -> tuple[str, ...]:
    return ("/account/", "/health", settings.STATIC_URL)
