"""Study set-up: sites, studies, protocol versions (checked, digest shown), signed hold and stop rules, amendments."""

from __future__ import annotations

import json
import re
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kerp.base.errors import KerpError
from kerp.protocol.load import Resolved, protocol_ids
from kerp.web import protocols
from kerp.web.accounts.doors import fresh_proof, needs, person_of
from kerp.web.actions import study as actions
from kerp.web.models import ProtocolVersion, Site, Study
from kerp.web.office.faults import add_faults, in_words
from kerp.web.sent import sent_files
from kerp.web.typed import TypedWhole


class SiteForm(forms.Form):
    """A site."""

    code = forms.SlugField(max_length=20, label="Code", help_text="Short, for study codes and files.")
    name = forms.CharField(max_length=120, label="Name")
    zone = forms.ChoiceField(label="Time zone", help_text="Decides what 'today' is at the site.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["zone"].choices = [(z, z) for z in sorted(available_timezones())]  # type: ignore[attr-defined]


class StudyForm(forms.Form):
    """A study."""

    code = forms.SlugField(max_length=20, label="Code")
    title = forms.CharField(max_length=200, label="Title")
    blinded = forms.BooleanField(
        required=False,
        label="Blinded",
        help_text="Then the log holds kit code and equalised volumes, and no page tells an arm.",
    )
    target = TypedWhole(min_value=0, max_value=100_000, initial=0, label="Planned participants")


class VersionForm(forms.Form):
    """The first protocol of a study, or an amendment."""

    shipped = forms.ChoiceField(required=False, label="Shipped protocol")
    file = forms.FileField(
        required=False,
        label="Or a file of the site",
        help_text="TOML that inherits from a shipped protocol by its id; at most 512 kB.",
    )
    why = forms.CharField(
        required=False,
        max_length=2000,
        label="Reason for the amendment",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Asked for from the second version on.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["shipped"].choices = [("", "–"), *((i, i) for i in protocol_ids())]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("shipped")) == bool(cleaned.get("file")):
            raise forms.ValidationError("Choose one: a shipped protocol, or a file.")
        return cleaned

    def read(self) -> tuple[Resolved, str]:
        """The checked protocol and its source text."""
        name = self.cleaned_data["shipped"]
        if name:
            return protocols.shipped(name), f'inherits = "{name}"\n'
        upload = self.cleaned_data["file"]
        content = upload.read(protocols.LARGEST_BYTES + 1)
        safe_name = re.sub(r"[^A-Za-z0-9._-]", "_", upload.name)[:80]
        return protocols.from_upload(safe_name, content), content.decode()


@require_safe
@needs("study_set_up", "rules_sign")
def study(request: HttpRequest) -> HttpResponse:
    """Studies, their versions, and sites."""
    return _page(request, StudyForm(), SiteForm())


def _page(request: HttpRequest, study_form: StudyForm, site_form: SiteForm) -> HttpResponse:
    studies = Study.objects.prefetch_related("versions__signed_by", "versions__participants").order_by("code")
    context = {
        "rows": [(one, actions.in_force(one)) for one in studies],
        "sites": Site.objects.order_by("code"),
        "study_form": study_form,
        "site_form": site_form,
    }
    return render(request, "kerp/study/study.html", context)


@require_POST
@needs("study_set_up")
def add_site(request: HttpRequest) -> HttpResponseBase:
    """Add a site."""
    form = SiteForm(request.POST)
    if form.is_valid():
        try:
            actions.create_site(**form.cleaned_data, actor=person_of(request))
            return HttpResponseRedirect(reverse("study"))
        except KerpError as error:
            add_faults(form, error)
    return _page(request, StudyForm(), form)


@require_POST
@needs("study_set_up")
def add_study(request: HttpRequest) -> HttpResponseBase:
    """Add a study."""
    form = StudyForm(request.POST)
    if form.is_valid():
        try:
            actions.create_study(**form.cleaned_data, actor=person_of(request))
            return HttpResponseRedirect(reverse("study"))
        except KerpError as error:
            add_faults(form, error)
    return _page(request, form, SiteForm())


@require_http_methods(["GET", "HEAD", "POST"])
@needs("study_set_up")
def add_version(request: HttpRequest, code: str) -> HttpResponseBase:
    """Load a protocol: every objection is shown, and nothing is written while there is one."""
    chosen = get_object_or_404(Study, code=code)
    form = VersionForm(*sent_files(request))
    faults: list[str] = []
    if request.method == "POST" and form.is_valid():
        try:
            resolved, text = form.read()
            version = actions.add_version(
                study=chosen,
                resolved=resolved,
                source_text=text,
                warnings=[],
                why=form.cleaned_data["why"],
                actor=person_of(request),
            )
            messages.success(
                request, f"Version {version.number} is loaded. It is in force once its rules are signed."
            )
            return HttpResponseRedirect(reverse("version", args=[code, version.number]))
        except KerpError as error:
            faults = [in_words(fault) for fault in error.faults]
    context = {"study": chosen, "form": form, "faults": faults}
    return render(request, "kerp/study/add_version.html", context, status=422 if faults else 200)


@require_safe
@needs("study_set_up", "rules_sign", "audit_view")
def version(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """One version: what it says, its digests, its rules, who signed them."""
    chosen = get_object_or_404(ProtocolVersion.objects.select_related("study"), study__code=code, number=number)
    protocol = protocols.from_text(chosen.resolved)
    context = {
        "version": chosen,
        "protocol": protocol,
        "rules": [(rule, rule.thresholds.items()) for rule in protocol.rules if rule.active],
        "meaning": actions.MEANING,
        "running": chosen.participants.count(),
        "notes": json.loads(chosen.warnings),
    }
    return render(request, "kerp/study/version.html", context)


@require_POST
@needs("rules_sign")
@fresh_proof
def sign(request: HttpRequest, code: str, number: int) -> HttpResponseBase:
    """Sign hold and stop rules (M16)."""
    chosen = get_object_or_404(ProtocolVersion, study__code=code, number=number)
    if request.POST.get("digest") != chosen.digest:
        raise PermissionDenied
    try:
        actions.sign_rules(version=chosen, actor=person_of(request))
        messages.success(request, f"Version {number} is signed and in force. Running participants keep theirs.")
    except KerpError as error:
        messages.error(request, in_words(error.faults[0]))
    return HttpResponseRedirect(reverse("version", args=[code, number]))
