"""Invitations and preferences. Sign-in, second factors and the session list are django-allauth's."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.tokens import default_token_generator
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from kerp.web.accounts.doors import KEPT, needs, person_of
from kerp.web.accounts.forms import InvitationForm, PreferencesForm
from kerp.web.actions import people
from kerp.web.models import Person
from kerp.web.sent import sent


@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, person: UUID, token: str) -> HttpResponseBase:
    """Set a password with a one-time link; the link dies with its use and after three days."""
    account = Person.objects.filter(public_id=person, is_active=True).first()
    if account is None or not default_token_generator.check_token(account, token):
        raise Http404
    form = InvitationForm(sent(request), person=account)
    if request.method == "POST" and form.is_valid():
        people.set_password(person=account, password=form.cleaned_data["password"], actor=account.username)
        messages.success(request, "Your password is set. Sign in with it.")
        return HttpResponseRedirect(reverse("account_login"))
    return render(request, "kerp/account/invitation.html", {"form": form, "account": account})


@require_http_methods(["GET", "HEAD", "POST"])
@needs()
def preferences(request: HttpRequest) -> HttpResponseBase:
    """Colours, text size, hand."""
    person = person_of(request)
    form = PreferencesForm(sent(request), instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return HttpResponseRedirect(reverse("preferences"))
    return render(request, "kerp/account/preferences.html", {"form": form})


@require_safe
@never_cache
@needs()
def go_on(request: HttpRequest) -> HttpResponseBase:
    """What was typed before the person had to prove who they are, to be sent after all."""
    kept = request.session.get(KEPT)
    if kept is None:
        return HttpResponseRedirect("/")
    shown = [(name.replace("_", " "), value) for name, value in kept["typed"] if value]
    return render(request, "kerp/account/go_on.html", {"kept": kept, "shown": shown})
