"""Allocation: registering for it, the pharmacy's releases, emergency unblinding, the blinding index."""

from __future__ import annotations

import uuid
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kerp.allocation.release import Register, Release, Released, Replace, Unblind
from kerp.analysis.blinding import WHY_NOT_ADJUSTED, Guess, bang_by_arm
from kerp.base.errors import KerpError
from kerp.session.events import ArmGuess, Dispensed, Unblinded, Weighed
from kerp.web.accounts.doors import fresh_proof, needs, person_of
from kerp.web.actions import audit
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Participant, Person, Study
from kerp.web.office import pharmacy as pharmacy_page
from kerp.web.office import standing
from kerp.web.office.desk import (
    acting_role,
    log_of,
    participant_named,
    participant_or_404,
    submit,
    visible_participants,
)
from kerp.web.office.faults import add_faults, in_words
from kerp.web.sent import sent
from kerp.web.vault import store

NAMESPACE = uuid.UUID("6d0c1d7e-8f0a-5d3b-9a55-6b65727031aa")


class StratumForm(forms.Form):
    """One field per stratification factor."""

    sure = forms.BooleanField(label="Register for allocation. This cannot be undone.")

    def __init__(self, *args: Any, factors: tuple[tuple[str, tuple[str, ...]], ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.factors = factors
        for name, levels in factors:
            self.fields[f"factor_{name}"] = forms.ChoiceField(
                label=name.replace("_", " "), choices=[(level, level) for level in levels], widget=forms.RadioSelect
            )
        self.order_fields([*(f"factor_{name}" for name, _ in factors), "sure"])

    def stratum(self) -> tuple[str, ...]:
        """The chosen levels in the order of the plan."""
        return tuple(self.cleaned_data[f"factor_{name}"] for name, _ in self.factors)


class AskForm(forms.Form):
    """Asking for one person's arm."""

    participant = forms.ModelChoiceField(Participant.objects.none(), label="Participant", empty_label=None)
    reason = forms.CharField(
        max_length=2000,
        label="Medical reason",
        help_text="A monitor will read it.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        blinded = visible_participants(person).filter(study__blinded=True).order_by("code")
        self.fields["participant"].queryset = blinded  # type: ignore[attr-defined]


def _now_ms() -> int:
    return round(timezone.now().timestamp() * 1000)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("participant_enrol")
def randomise(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Register an eligible participant for allocation; the pharmacy releases the kit."""
    person = person_of(request)
    participant = participant_or_404(person, public_id)
    study = participant.study.code
    if not store.has_list(study):
        raise Http404
    log = log_of(participant)
    eligible = standing.screening(protocol_of(log), state_of(log)).state == "eligible"
    form = StratumForm(sent(request), factors=store.strata(study))
    if request.method == "POST" and form.is_valid():
        command = Register(
            subject=participant.code,
            stratum=form.stratum(),
            eligibility_signed=eligible,
            by=person.username,
            at_ms=_now_ms(),
        )
        try:
            store.perform(study, command)
            audit.record(
                actor=person.username, act="allocation.registered", subject=f"participant:{participant.code}"
            )
            messages.success(
                request, f"{participant.code} is registered for allocation. The pharmacy releases the kit."
            )
            return HttpResponseRedirect(reverse("participant", args=[public_id]))
        except KerpError as error:
            add_faults(form, error)
    context = {"participant": participant, "form": form, "eligible": eligible}
    return render(request, "kerp/blinding/randomise.html", context)


@require_safe
@needs("kit_dispense")
def pharmacy(request: HttpRequest) -> HttpResponse:
    """Who waits, who has which kit, and what it holds. Only for those who prepare it."""
    person = person_of(request)
    studies = [study for study in Study.objects.order_by("code") if store.has_list(study.code)]
    context = {
        "studies": [_shelf(study, person) for study in studies],
        "open_studies": [
            _open_shelf(study, person) for study in Study.objects.filter(blinded=False).order_by("code")
        ],
    }
    return render(request, "kerp/blinding/pharmacy.html", context)


def _shelf(study: Study, person: Person) -> dict[str, Any]:
    """Kits of the participants of this person's sites, and who of them waits."""
    seen = {one.code: one for one in visible_participants(person).filter(study=study)}
    record = store.state(study.code)
    kits = [
        {
            "subject": subject,
            "kit": kit,
            "arm": store.arm_for_dispenser(study.code, kit),
            "made": pharmacy_page.standing_of(study.code, subject),
            "in_log": _in_log(seen[subject], kit),
        }
        for subject, kit in record.kits
        if subject in seen
    ]
    return {"study": study, "waiting": record.waiting if record.waiting in seen else None, "kits": kits}


def _in_log(participant: Participant, kit: str) -> bool:
    """Whether the log says so too: the store is another database, and a server may stop between the two."""
    return any(said.event.kit == kit for said in state_of(log_of(participant)).everywhere(Dispensed))


def _open_shelf(study: Study, person: Person) -> dict[str, Any]:
    """Of an open study: everybody who was weighed."""
    weighed = [
        (one.code, pharmacy_page.standing_of(study.code, one.code))
        for one in visible_participants(person).filter(study=study).order_by("code")
        if state_of(log_of(one)).everywhere(Weighed) and protocol_of(log_of(one)).dose is not None
    ]
    return {"study": study, "weighed": weighed}


@require_POST
@needs("kit_dispense")
@fresh_proof
def release_kit(request: HttpRequest, code: str) -> HttpResponseBase:
    """Release the kit of the one who waits, or another of the same arm for a spoilt one.

    With `kit`: write into the log the release that stands in the store and, after a crash, not there.
    """
    person = person_of(request)
    subject, spoilt = request.POST.get("subject", ""), request.POST.get("spoilt_kit", "")
    participant = participant_named(person, code, subject)
    if kit := request.POST.get("kit", ""):
        if dict(store.state(code).kits).get(subject) != kit:
            raise Http404
        _log_release(person, participant, kit)
        messages.success(request, f"Kit {kit} of {subject} is in the record.")
        return HttpResponseRedirect(reverse("pharmacy"))
    command: Release | Replace = (
        Replace(subject=subject, spoilt_kit=spoilt, by=person.username, at_ms=_now_ms())
        if spoilt
        else Release(subject=subject, by=person.username, at_ms=_now_ms())
    )
    try:
        event = store.perform(code, command).event
    except KerpError as error:
        messages.error(request, in_words(error.faults[0]))
        return HttpResponseRedirect(reverse("pharmacy"))
    assert isinstance(event, Released)
    audit.record(actor=person.username, act="allocation.released", subject=f"participant:{subject}", reason=spoilt)
    _log_release(person, participant, event.kit)
    messages.success(request, f"Kit {event.kit} is released for {subject}.")
    return HttpResponseRedirect(reverse("pharmacy"))


def _log_release(person: Person, participant: Participant, kit: str) -> None:
    """Once, however often it is asked for: the entry's id follows from what was released."""
    if not _in_log(participant, kit):
        entry = uuid.uuid5(NAMESPACE, f"{participant.study.code}/{participant.code}/{kit}")
        log, events = log_of(participant), [Dispensed(kit=kit)]
        submit(log=log, person=person, role="pharmacist", entry_id=entry, events=events)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("unblind_request", "unblind_confirm")
def unblinding(request: HttpRequest) -> HttpResponseBase:
    """Ask for one person's arm in an emergency; another person confirms."""
    person = person_of(request)
    form = AskForm(sent(request), person=person)
    if request.method == "POST":
        if not person.may("unblind_request"):
            raise PermissionDenied
        if form.is_valid():
            return _ask(request, form)
    blinded = Study.objects.filter(blinded=True)
    seen = {(one.study_id, one.code) for one in visible_participants(person).filter(study__in=blinded)}
    rows = [row for study in blinded for row in _asked(study) if (study.id, row["subject"]) in seen]
    return render(request, "kerp/blinding/unblinding.html", {"form": form, "rows": rows, "me": person.username})


@fresh_proof
def _ask(request: HttpRequest, form: AskForm) -> HttpResponseBase:
    person, participant = person_of(request), form.cleaned_data["participant"]
    asked = {"subject": participant.code, "reason": form.cleaned_data["reason"]}
    store.note(participant.study.code, store.ASKED, asked, person.username)
    audit.record(
        actor=person.username,
        act="unblinding.asked",
        subject=f"participant:{participant.code}",
        reason=form.cleaned_data["reason"],
    )
    messages.warning(request, "A second person must confirm before anything is shown.")
    return HttpResponseRedirect(reverse("unblinding"))


def _asked(study: Study) -> list[dict[str, Any]]:
    done = {(event.subject, event.by, event.reason) for event in _unblinded(study.code)}
    asked = store.notes(study.code, store.ASKED)
    return [
        row | {"study": study, "confirmed": (row["subject"], row["by"], row["reason"].strip()) in done}
        for row in asked
    ]


def _unblinded(code: str) -> list[Any]:
    return [event for event in store.record_of(code) if hasattr(event, "second_person")]


@require_POST
@needs("unblind_confirm")
@fresh_proof
def confirm(request: HttpRequest, code: str, seq: int) -> HttpResponseBase:
    """The second person confirms: recorded in the allocation store, in the log (without the arm) and in the audit."""
    person = person_of(request)
    study = get_object_or_404(Study, code=code)
    row = next((one for one in _asked(study) if one["seq"] == str(seq) and not one["confirmed"]), None)
    if row is None:
        raise Http404
    participant = participant_named(person, code, row["subject"])
    command = Unblind(
        subject=row["subject"],
        reason=row["reason"],
        by=row["by"],
        second_person=person.username,
        at_ms=_now_ms(),
    )
    try:
        store.perform(code, command)
    except KerpError as error:
        messages.error(request, in_words(error.faults[0]))
        return HttpResponseRedirect(reverse("unblinding"))
    event = Unblinded(reason=row["reason"], second_person=person.username)
    entry = uuid.uuid5(NAMESPACE, f"{code}/unblinding/{seq}")
    role = acting_role(person, "unblind_confirm")
    submit(log=log_of(participant), person=person, role=role, entry_id=entry, events=[event])
    audit.record(actor=person.username, act="unblinding.confirmed", subject=f"participant:{row['subject']}")
    messages.success(request, f"Confirmed. {row['by']} can see the arm of {row['subject']}.")
    return HttpResponseRedirect(reverse("unblinding"))


@require_POST
@needs("unblind_request")
@fresh_proof
def show_arm(request: HttpRequest, code: str, seq: int) -> HttpResponseBase:
    """The arm, to the person who asked, each look recorded."""
    person = person_of(request)
    study = get_object_or_404(Study, code=code)
    row = next((one for one in _asked(study) if one["seq"] == str(seq) and one["confirmed"]), None)
    if row is None or row["by"] != person.username:
        raise Http404
    participant_named(person, code, row["subject"])
    store.note(code, store.SHOWN, {"subject": row["subject"]}, person.username)
    audit.record(actor=person.username, act="unblinding.shown", subject=f"participant:{row['subject']}")
    arms, _ = store.arms_for_unblinded(code)
    return render(request, "kerp/blinding/arm.html", {"row": row, "arm": arms[row["subject"]]})


@require_safe
@needs("bang_view")
def blinding_index(request: HttpRequest) -> HttpResponse:
    """Bang's index by arm and by who guessed. Only for those who may know arms."""
    if not person_of(request).may_know_arm():
        raise PermissionDenied
    studies = [study for study in Study.objects.filter(blinded=True) if store.has_list(study.code)]
    tables = [(study, _indices(study)) for study in studies]
    return render(request, "kerp/blinding/index.html", {"tables": tables, "why_not": WHY_NOT_ADJUSTED})


def _indices(study: Study) -> list[tuple[str, str, Any]]:
    """(planned time, who guessed, index), by arm; the first guess of each person for each planned time counts."""
    arms, active = store.arms_for_unblinded(study.code)
    guesses = []
    for participant in study.participants.filter(code__in=arms):
        arm = arms[participant.code]
        first: dict[tuple[str, str], ArmGuess] = {}
        for item in state_of(log_of(participant)).everywhere(ArmGuess):
            first.setdefault((item.event.visit or item.entry.session or "no planned time", item.event.by), item.event)
        guesses += [_guess(arm, arm in active, event, when) for (when, _), event in first.items()]
    return [
        (when, by, index)
        for when, by in sorted({(g.when, g.by) for g in guesses})
        for index in bang_by_arm(g for g in guesses if (g.when, g.by) == (when, by))
    ]


_SAID = {"active": True, "comparison": False, "control": False}
_UNSURE = frozenset({"unknown", "unsure"})


def _guess(arm: str, is_active: bool, event: ArmGuess, when: str) -> Guess:
    """A guess beside the true arm. A log that names an arm itself is compared with it."""
    word = event.guess.lower()
    guessed: str | None = event.guess
    if word in _UNSURE:
        guessed = None
    elif word in _SAID:
        guessed = arm if _SAID[word] == is_active else "another arm"
    return Guess(arm=arm, guessed=guessed, by=str(event.by), when=when, certainty_pct=event.certainty)
