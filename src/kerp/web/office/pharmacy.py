"""The pharmacy's preparation page: how one dose is made, by whom, checked by whom. For those who may see milligrams.

The arithmetic is `kerp.protocol.dose` and `kerp.allocation.preparation`; nothing is computed here. What is written
stays in the allocation store, sealed: the log learns nothing of it (M8).
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from kerp.allocation.preparation import label_lines
from kerp.base.errors import KerpError
from kerp.protocol.dose import DoseRequest
from kerp.session.events import Weighed
from kerp.web.accounts.doors import fresh_proof, needs, person_of
from kerp.web.actions import audit
from kerp.web.actions.record import site_time
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log
from kerp.web.office import standing
from kerp.web.office.desk import log_of, participant_named
from kerp.web.office.faults import add_faults, in_words
from kerp.web.sent import sent
from kerp.web.typed import TypedDecimal
from kerp.web.vault import preparations, store


class PrepareForm(forms.Form):
    """The vial, and that the weight was looked at."""

    stock_mg_per_ml = TypedDecimal(
        required=False,
        max_digits=12,
        decimal_places=6,
        label="Strength of the vial, mg/mL",
        help_text="As printed on the vial. Empty where nothing is drawn up: plain diluent, or nasal devices.",
    )
    lot = forms.CharField(max_length=60, label="Batch of the vial or device")
    use_before = forms.CharField(max_length=40, label="Use before", help_text="By the site's own stability data.")
    weight_confirmed = forms.BooleanField(
        required=False, label="The weight is right, although it is outside the usual range"
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("dose_verify_mg")
@fresh_proof
def prepare_kit(request: HttpRequest, code: str, subject: str) -> HttpResponseBase:
    """The recipe of one participant's dose. `show` computes; `prepare` records under this person's name."""
    person = person_of(request)
    participant = participant_named(person, code, subject)
    log = log_of(participant)
    order = _order(log)
    form = PrepareForm(sent(request))
    asked = _request(log, confirmed=request.POST.get("weight_confirmed") == "on")
    recipe, faults = None, []
    try:
        if request.method == "POST" and form.is_valid():
            recipe = preparations.recipe_for(order, asked, form.cleaned_data["stock_mg_per_ml"])
            if request.POST.get("act") == "prepare":
                vial = {name: form.cleaned_data[name] for name in ("lot", "use_before")}
                preparations.prepare(order, recipe, asked, vial, person.username)
                audit.record(actor=person.username, act="dose.prepared", subject=f"participant:{subject}")
                messages.success(request, "Written down. A second person checks it from their own sign-in.")
                return HttpResponseRedirect(request.path)
        elif request.method != "POST":
            recipe = preparations.recipe_for(order, asked, None)
    except KerpError as error:
        if request.method == "POST":
            add_faults(form, error)
        else:
            faults = [in_words(fault) for fault in error.faults]
    context = _context(log, order, recipe, asked) | {"form": form, "faults": faults, "me": person.username}
    return render(request, "kerp/blinding/prepare.html", context)


@require_POST
@needs("dose_verify_mg")
@fresh_proof
def check_kit(request: HttpRequest, code: str, seq: int) -> HttpResponseBase:
    """The second person: agrees, or does not."""
    person = person_of(request)
    found = next((one for one in preparations.made_for(code) if one["seq"] == str(seq)), None)
    if found is None:
        raise Http404
    participant_named(person, code, found["subject"])
    agrees = request.POST.get("verdict") == "agrees"
    try:
        preparations.check(code, str(seq), agrees=agrees, by=person.username)
        act = "dose.checked" if agrees else "dose.found_wrong"
        audit.record(actor=person.username, act=act, subject=f"participant:{found['subject']}")
        messages.success(request, "Recorded under your name.")
    except KerpError as error:
        messages.error(request, in_words(error.faults[0]))
    return HttpResponseRedirect(reverse("prepare_kit", args=[code, found["subject"]]))


def standing_of(study_code: str, subject: str) -> str:
    """How the newest preparation of a person stands: checked, wrong, prepared, or nothing yet."""
    made = preparations.made_for(study_code, subject)
    if not made:
        return ""
    return {"agrees": "checked", "differs": "wrong"}.get(_verdict(made[0]), "prepared")


def _verdict(made: dict[str, Any]) -> str:
    return str(made["checks"][-1]["verdict"]) if made["checks"] else ""


def _order(log: Log) -> preparations.Order:
    study, code = log.participant.study, log.participant.code
    rule = protocol_of(log).dose
    if rule is None:
        raise Http404
    kit = dict(store.state(study.code).kits).get(code, "") if store.has_list(study.code) else ""
    if study.blinded and not kit:
        raise Http404
    return preparations.Order(study.code, code, kit, rule)


def _request(log: Log, *, confirmed: bool) -> DoseRequest:
    """The newest weight, how old it is, and the one before it."""
    weights = state_of(log).everywhere(Weighed)
    if not weights:
        return DoseRequest()
    before = weights[-2].event.weight_kg if len(weights) > 1 else None
    return DoseRequest(
        weight_kg=Decimal(str(weights[-1].event.weight_kg)),
        weight_age_days=Decimal((_today(log) - site_time(log, weights[-1].at_ms).date()).days),
        previous_weight_kg=None if before is None else Decimal(str(before)),
        weight_confirmed=confirmed,
    )


def _today(log: Log) -> datetime.date:
    return site_time(log, standing.now_ms(log)).date()


def _context(log: Log, order: preparations.Order, recipe: Any, asked: DoseRequest) -> dict[str, Any]:
    shown = preparations.written_down(recipe, asked) if recipe else {}
    label = label_lines(preparations.label_of(order, recipe), order.subject, order.rule.route) if recipe else ()
    made = preparations.made_for(order.study_code, order.subject)
    return {
        "participant": log.participant,
        "order": order,
        "recipe": shown,
        "drawn": bool(recipe and recipe.drug_ml is not None),
        "warnings": recipe.warnings if recipe else (),
        "label": label,
        "weight": asked,
        "made": [one | {"verdict": _verdict(one), "when": one["at"][:16].replace("T", " ")} for one in made],
        "now": timezone.now(),
    }
