"""Doors of views: what permission opens them, and which ask for a fresh proof of identity first."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.http import urlencode

from kerp.web.models import Person

KEPT = "kept_form"  # in the session: what was typed when the proof was missing

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def person_of(request: HttpRequest) -> Person:
    """The signed-in person of a view behind `needs`."""
    return cast("Person", request.user)


def needs(*permissions: str) -> Callable[[View[P]], View[P]]:
    """Open only to a signed-in person who holds any of these permissions. `/api/` answers 401 or 403."""

    def wrap(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return sign_in_first(request)
            if permissions and not any(person_of(request).may(name) for name in permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.kerp_permissions = permissions  # type: ignore[attr-defined]  # read by the permission crawl
        return guarded

    return wrap


def fresh_proof(view: View[P]) -> View[P]:
    """Step-up: before signing, unblinding, export and role change the person proves again who they are.

    Without a fresh proof nothing is written: the person is sent to prove, and comes back to what was typed.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if has_fresh_proof(request):
            if request.method == "POST":
                request.session.pop(KEPT, None)
            return view(request, *args, **kwargs)
        if is_api(request):
            return JsonResponse(
                {"error": "prove again who you are", "at": reverse("account_reauthenticate")}, status=403
            )
        back = _kept(request) if request.method == "POST" else request.path
        return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}")

    guarded.kerp_fresh_proof = True  # type: ignore[attr-defined]  # read by the permission crawl
    return guarded


def _kept(request: HttpRequest) -> str:
    """Keep what was typed, but no password, until the person has proved who they are; the address that shows it."""
    typed = [(name, value) for name, values in request.POST.lists() for value in values if _may_wait(name)]
    request.session[KEPT] = {"path": request.path, "typed": typed}
    return reverse("go_on")


def _may_wait(name: str) -> bool:
    return name != "csrfmiddlewaretoken" and "password" not in name


def has_fresh_proof(request: HttpRequest) -> bool:
    """Whether this session proved who it is within `ACCOUNT_REAUTHENTICATION_TIMEOUT`, after signing in."""
    return bool(did_recently_reauthenticate(request))


def is_api(request: HttpRequest) -> bool:
    """Whether a program, not a page, is asking."""
    return request.path.startswith("/api/")


def sign_in_first(request: HttpRequest) -> HttpResponseBase:
    """To the sign-in page and back; programs get 401 and keep what they hold."""
    if is_api(request):
        return JsonResponse({"error": "sign in first; nothing was lost"}, status=401)
    address = f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}"
    if getattr(request, "htmx", False):
        response: HttpResponseBase = HttpResponse(status=204)
        response.headers["HX-Redirect"] = address
        return response
    return HttpResponseRedirect(address)


def described(view: Any) -> dict[str, Any]:
    """What a view's doors are, for the permission crawl."""
    return {
        "permissions": getattr(view, "kerp_permissions", None),
        "fresh_proof": getattr(view, "kerp_fresh_proof", False),
    }
