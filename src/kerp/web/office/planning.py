"""The exposure plan: hierarchy, rituals overt and mental, contract, stop word, rehearsal, hazards, items chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from kerp.base.errors import KerpError
from kerp.protocol.model import Protocol
from kerp.session.events import (
    Event,
    HazardsChecked,
    HierarchyItem,
    ItemsChosen,
    Modality,
    ResponsePreventionAgreed,
    ScalesRehearsed,
    StopWordAgreed,
)
from kerp.web.accounts.doors import needs, person_of
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log
from kerp.web.office import standing
from kerp.web.office.desk import EntryForm, acting_role, choices, lines, log_of, participant_or_404, submit
from kerp.web.office.faults import add_faults
from kerp.web.typed import TypedWhole

ONE_A_LINE = "One a line."
REHEARSED = ("suds", "urge", "felt_effect")


def _lines_field(label: str, text: str = ONE_A_LINE) -> forms.CharField:
    return forms.CharField(
        required=False, max_length=4000, label=label, help_text=text, widget=forms.Textarea(attrs={"rows": 2})
    )


class ItemForm(EntryForm):
    """One exposure of the hierarchy."""

    item = forms.SlugField(max_length=40, label="Short name", help_text="Its id in every record: keep it the same.")
    trigger = forms.CharField(max_length=2000, label="Trigger", widget=forms.Textarea(attrs={"rows": 2}))
    feared_outcome = forms.CharField(
        required=False, max_length=2000, label="Feared outcome", widget=forms.Textarea(attrs={"rows": 2})
    )
    theme = forms.CharField(required=False, max_length=100, label="Theme")
    suds = TypedWhole(required=False, min_value=0, max_value=100, label="SUDS, 0 to 100")
    modality = forms.ChoiceField(required=False, choices=[("", "–"), *choices(Modality)], label="Given as")
    hazards = _lines_field("Hazards for somebody who cannot stand safely", "Such as walking, mirror, driving.")
    props = _lines_field("Props that must be in the room at minute 0")
    safety_signals = _lines_field("Safety signals to leave out")

    def events(self, _protocol: Protocol) -> list[Event]:
        """The entry."""
        data = {name: value for name, value in self.cleaned_data.items() if name != "entry_id"}
        for name in ("hazards", "props", "safety_signals"):
            data[name] = lines(data[name])
        return [HierarchyItem(**data)]


class ContractForm(EntryForm):
    """Which rituals are given up."""

    overt_rituals = _lines_field("Overt rituals")
    mental_rituals = _lines_field("Mental rituals")
    text = forms.CharField(
        required=False, max_length=4000, label="In the participant's words", widget=forms.Textarea(attrs={"rows": 3})
    )
    agreed = forms.BooleanField(required=False, label="The participant agrees")

    def events(self, _protocol: Protocol) -> list[Event]:
        """The entry."""
        data = self.cleaned_data
        return [
            ResponsePreventionAgreed(
                agreed=data["agreed"],
                overt_rituals=lines(data["overt_rituals"]),
                mental_rituals=lines(data["mental_rituals"]),
                text=data["text"],
            )
        ]


class StopWordForm(EntryForm):
    """The word."""

    word = forms.CharField(max_length=40, label="Stop word")

    def events(self, _protocol: Protocol) -> list[Event]:
        """The entry."""
        return [StopWordAgreed(word=self.cleaned_data["word"])]


class RehearsalForm(EntryForm):
    """Which scales were practised."""

    instruments = forms.MultipleChoiceField(
        choices=[(name, name.replace("_", " ")) for name in REHEARSED],
        widget=forms.CheckboxSelectMultiple,
        label="Scales rehearsed so that they can be answered while dissociated",
    )

    def events(self, _protocol: Protocol) -> list[Event]:
        """The entry."""
        return [ScalesRehearsed(instruments=tuple(self.cleaned_data["instruments"]))]


class ChosenForm(EntryForm):
    """Which items the session uses, in which order, and whether they are safe for somebody who cannot stand."""

    plan = forms.ChoiceField(label="Session")
    items = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label="Items")
    safe = forms.BooleanField(
        required=False, label="Hazards checked: each can be done by somebody who cannot stand or walk safely"
    )

    def __init__(self, *args: Any, items: tuple[str, ...], protocol: Protocol, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = [(one.id, one.title) for one in protocol.sessions if one.exposure is not None]
        self.fields["plan"].choices = held  # type: ignore[attr-defined]
        self.fields["items"].choices = [(item, item) for item in items]  # type: ignore[attr-defined]

    def events(self, protocol: Protocol) -> list[Event]:
        """Chosen for this session, and for every session that repeats the same items off drug."""
        data, items = self.cleaned_data, tuple(self.cleaned_data["items"])
        repeats = [one.id for one in protocol.sessions if one.exposure and one.exposure.same_items_as == data["plan"]]
        chosen: list[Event] = [ItemsChosen(plan=plan, items=items) for plan in (data["plan"], *repeats)]
        return [*chosen, HazardsChecked(items=items, safe=data["safe"])]


Forms = dict[str, Callable[..., Any]]
FORMS: Forms = {"item": ItemForm, "contract": ContractForm, "stop-word": StopWordForm, "rehearsal": RehearsalForm}


def _forms(log: Log, part: str = "", data: Any = None) -> dict[str, Any]:
    """Every form of the page; the one called `part` is filled with what was sent."""
    protocol = protocol_of(log)
    agreed = standing.plan(state_of(log))
    items = tuple(item.event.item for item in agreed.items)
    made = {name.replace("-", "_"): form(data if name == part else None) for name, form in FORMS.items()}
    made["chosen"] = ChosenForm(data if part == "chosen" else None, items=items, protocol=protocol)
    if agreed.contract and part != "contract":
        made["contract"].initial = {
            "overt_rituals": "\n".join(agreed.contract.overt_rituals),
            "mental_rituals": "\n".join(agreed.contract.mental_rituals),
            "text": agreed.contract.text,
            "agreed": agreed.contract.agreed,
        }
    return made


@require_safe
@needs("plan_edit", "session_view")
def planning(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The plan as it stands."""
    return _page(request, public_id)


@require_POST
@needs("plan_edit")
def change(request: HttpRequest, public_id: UUID, part: str) -> HttpResponseBase:
    """Record one part. The same item id again replaces what was said before; nothing is erased."""
    if part not in {*FORMS, "chosen"}:
        raise Http404
    person = person_of(request)
    log = log_of(participant_or_404(person, public_id))
    form = _forms(log, part, request.POST)[part.replace("-", "_")]
    if form.is_valid():
        events = form.events(protocol_of(log))
        try:
            entry_id = form.cleaned_data["entry_id"]
            submit(log=log, person=person, role=acting_role(person, "plan_edit"), entry_id=entry_id, events=events)
            messages.success(request, "Recorded.")
            return HttpResponseRedirect(reverse("planning", args=[public_id]))
        except KerpError as error:
            add_faults(form, error)
    return _page(request, public_id, part, form)


def _page(request: HttpRequest, public_id: UUID, part: str = "", sent: Any = None) -> HttpResponse:
    participant = participant_or_404(person_of(request), public_id)
    log = log_of(participant)
    protocol, agreed = protocol_of(log), standing.plan(state_of(log))
    shown = _forms(log)
    if sent is not None:
        shown[part.replace("-", "_")] = sent
    context = {
        "participant": participant,
        "protocol": protocol,
        "plan": agreed,
        "missing": list(agreed.missing(protocol)),
        "forbidden": protocol.planning.forbidden_hazards,
        "forms": shown,
        "part": part,
    }
    return render(request, "kerp/participants/planning.html", context)
