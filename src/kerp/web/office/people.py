"""People: accounts, roles, invitations. Role changes ask for a fresh proof of identity."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kerp.base.errors import KerpError
from kerp.web.access import matrix, second_factor_of
from kerp.web.accounts.doors import fresh_proof, needs, person_of
from kerp.web.actions import people as actions
from kerp.web.models import Person, RoleGrant, SecondFactorRule, Site
from kerp.web.office.faults import add_faults
from kerp.web.sent import sent


class NewPersonForm(forms.Form):
    """An account."""

    username = forms.SlugField(max_length=40, label="Name to sign in with")
    full_name = forms.CharField(max_length=120, label="Name as it is signed")


class GrantForm(forms.Form):
    """A role."""

    role = forms.ChoiceField(label="Role")
    site = forms.ModelChoiceField(Site.objects.order_by("code"), required=False, empty_label="every site")
    reason = forms.CharField(max_length=300, required=False, label="Reason")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # Django's own signature
        self.fields["role"].choices = [(role.id, role.title) for role in matrix().roles.values()]  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
@needs("people_manage")
@fresh_proof
def people(request: HttpRequest) -> HttpResponseBase:
    """Everybody, and a form for one more."""
    form = NewPersonForm(sent(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.create(**form.cleaned_data, actor=person_of(request).username)
            return HttpResponseRedirect(reverse("person", args=[made.public_id]))
        except KerpError as error:
            add_faults(form, error)
    everybody = Person.objects.prefetch_related("grants").order_by("full_name")
    rows = [
        (one, [matrix().roles[g.role].title for g in one.grants.all() if g.ended_at is None]) for one in everybody
    ]
    return render(request, "kerp/people/people.html", {"rows": rows, "form": form})


class SecondFactorForm(forms.Form):
    """Asking a role for a second factor, or no longer."""

    role = forms.ChoiceField(label="Role")
    required = forms.ChoiceField(
        label="Second factor", choices=[("yes", "Asked for"), ("no", "Not asked for")], widget=forms.RadioSelect
    )
    reason = forms.CharField(max_length=300, label="Reason", help_text="A monitor will read it.")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # Django's own signature
        open_roles = [role for role in matrix().roles.values() if not role.second_factor_always]
        self.fields["role"].choices = [(role.id, role.title) for role in open_roles]  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
@needs("people_manage")
@fresh_proof
def second_factors(request: HttpRequest) -> HttpResponseBase:
    """Which roles are asked for a second factor."""
    form = SecondFactorForm(sent(request))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            actions.set_second_factor(
                role=data["role"], required=data["required"] == "yes", actor=person_of(request), reason=data["reason"]
            )
            messages.success(request, "Written. It holds from the next page that each of these people opens.")
            return HttpResponseRedirect(reverse("second_factors"))
        except KerpError as error:
            add_faults(form, error)
    chosen = actions.second_factors_chosen()
    newest = {rule.role: rule for rule in SecondFactorRule.objects.select_related("set_by").order_by("id")}
    rows = [(role, second_factor_of(role.id, chosen), newest.get(role.id)) for role in matrix().roles.values()]
    return render(request, "kerp/people/second_factors.html", {"rows": rows, "form": form})


@require_safe
@needs("people_manage")
@fresh_proof
def person(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One account: roles held and ended."""
    return _page(request, get_object_or_404(Person, public_id=public_id), GrantForm())


def _page(request: HttpRequest, account: Person, form: GrantForm) -> HttpResponse:
    grants = account.grants.select_related("granted_by", "ended_by", "site").order_by("granted_at")
    rows = [(given, matrix().roles[given.role]) for given in grants]
    return render(request, "kerp/people/person.html", {"account": account, "rows": rows, "form": form})


@require_POST
@needs("people_manage")
@fresh_proof
def grant(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Give a role."""
    account = get_object_or_404(Person, public_id=public_id)
    form = GrantForm(request.POST)
    if form.is_valid():
        try:
            actions.grant(person=account, actor=person_of(request), **form.cleaned_data)
            messages.success(request, f"{account} is now {matrix().roles[form.cleaned_data['role']].title}.")
            return HttpResponseRedirect(reverse("person", args=[public_id]))
        except KerpError as error:
            add_faults(form, error)
    return _page(request, account, form)


@require_POST
@needs("people_manage")
@fresh_proof
def end_grant(request: HttpRequest, public_id: UUID, grant_id: int) -> HttpResponseBase:
    """End a role."""
    given = get_object_or_404(RoleGrant, id=grant_id, person__public_id=public_id, ended_at=None)
    reason = request.POST.get("reason", "").strip()[:300]
    if given.person_id == person_of(request).pk and given.role == "administrator":
        messages.error(request, "Somebody else must end your own administrator role.")
    elif not reason:
        messages.error(request, "Ending a role needs a reason. Nothing was changed.")
    else:
        actions.end_grant(given=given, actor=person_of(request), reason=reason)
        messages.success(request, "The role is ended. What was done under it stays.")
    return HttpResponseRedirect(reverse("person", args=[public_id]))


@require_POST
@needs("people_manage")
@fresh_proof
def invite(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Show a one-time link once; it is stored nowhere."""
    account = get_object_or_404(Person, public_id=public_id, is_active=True)
    token = actions.invite(person=account, actor=person_of(request).username)
    link = request.build_absolute_uri(reverse("invitation", args=[account.public_id, token]))
    return render(request, "kerp/people/invited.html", {"account": account, "link": link})


@require_POST
@needs("people_manage")
@fresh_proof
def close(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Close or reopen an account."""
    account = get_object_or_404(Person, public_id=public_id)
    reason = request.POST.get("reason", "").strip()[:300]
    if account.pk == person_of(request).pk or not reason:
        messages.error(request, "Give a reason; your own account is closed by somebody else. Nothing was changed.")
    else:
        actions.set_active(person=account, active=not account.is_active, actor=person_of(request), reason=reason)
    return HttpResponseRedirect(reverse("person", args=[public_id]))
