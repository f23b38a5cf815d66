"""A device in the participant's hand: one page opens, until whoever handed it over proves again who they are.

The person's session stays (the bedside outbox keeps what it holds), but no other page answers. Programs of the page
get 401, which they know as "keep it and try again".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone

from kerp.web.accounts.doors import is_api

HANDED = "kerp_handed_over"
Next = Callable[[HttpRequest], HttpResponseBase]


def hand_over(request: HttpRequest, **what: str) -> None:
    """From now on only the participant's page opens in this browser."""
    request.session[HANDED] = {**what, "at": timezone.now().timestamp()}


def handed(request: HttpRequest) -> dict[str, Any]:
    """What was handed over; empty when nothing is."""
    held: dict[str, Any] = request.session.get(HANDED, {})
    return held


class HandedOver:
    """Closes every page but one while a participant holds the device."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        held = handed(request) if request.user.is_authenticated else {}
        if held and _proved_since(request, float(held["at"])):
            del request.session[HANDED]
        elif held and not request.path.startswith(_open_paths()):
            if is_api(request):
                return JsonResponse({"error": "this device is with the participant; nothing was lost"}, status=401)
            return HttpResponseRedirect(reverse("handed"))
        return self.get_response(request)


def _proved_since(request: HttpRequest, moment: float) -> bool:
    return any(float(one["at"]) > moment for one in get_authentication_records(request, request.user))


def _open_paths() -> tuple[str, ...]:
    ours = (reverse("handed"), reverse("account_reauthenticate"), reverse("account_logout"))
    return (*ours, reverse("mfa_reauthenticate"), "/health", settings.STATIC_URL)
