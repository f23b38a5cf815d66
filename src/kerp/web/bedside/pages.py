"""Pages of the bedside: open sessions, the shell of the page, its service worker, the dose, signing."""

from __future__ import annotations

import hashlib
import json
import uuid
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kerp.base.errors import KerpError
from kerp.session.codec import encode_event
from kerp.session.deviations import deviations
from kerp.session.events import DoseComputed, DoseVerified, SessionOpened, Signature
from kerp.session.verification import verifiers
from kerp.session.view import View, view_of
from kerp.web.accounts.doors import fresh_proof, needs, person_of
from kerp.web.bedside import api, intake
from kerp.web.bedside.reach import VERIFY, log_or_404
from kerp.web.bedside.wire import RequestIn
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log
from kerp.web.office import standing
from kerp.web.office.desk import log_of, visible_participants
from kerp.web.office.faults import add_faults

STATIC = Path(__file__).parent.parent / "static" / "bedside"
MOST_WRONG_PASSWORDS = 5


# --- open sessions ---


@require_safe
@needs("session_view")
def sessions(request: HttpRequest) -> HttpResponse:
    """Sessions that are open now, and what each participant's protocol plans."""
    rows = []
    for participant in visible_participants(person_of(request)).order_by("study__code", "code"):
        log = log_of(participant)
        protocol, state = protocol_of(log), state_of(log)
        held = standing.sessions(log, protocol, state)
        rows += [{"participant": participant, "log": log, "held": one} for one in held if one.state != "signed"]
    return render(request, "kerp/bedside/sessions.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("session_record")
def open_session(request: HttpRequest, log_id: UUID) -> HttpResponseBase:
    """Open a session of the protocol. Refused with its reasons; the prescriber may go on with a reason."""
    person = person_of(request)
    log = log_or_404(person, log_id)
    plans = [(one.id, one.title) for one in protocol_of(log).sessions]
    form = _OpenForm(request.POST or None, plans=plans)
    reasons: list[Any] = []
    if request.method == "POST" and form.is_valid():
        try:
            name = _next_name(log, form.cleaned_data["plan"])
            answer = intake.ask(log, name, person, _asked(form))
            if answer.accepted:
                return HttpResponseRedirect(reverse("bedside", args=[log_id, name]))
            reasons = list(answer.reasons)
        except KerpError as error:
            add_faults(form, error)
    context = {"form": form, "log": log, "participant": log.participant, "reasons": reasons}
    return render(request, "kerp/bedside/open.html", context, status=200 if not reasons else 409)


class _OpenForm(forms.Form):
    entry_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    plan = forms.ChoiceField(label="Kind of session", widget=forms.RadioSelect)
    override = forms.CharField(
        required=False,
        max_length=2000,
        label="Reason to go on against what is said",
        help_text="Only where something stands against it; the prescriber decides. It goes into the record.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, plans: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].choices = plans  # type: ignore[attr-defined]


def _asked(form: forms.Form) -> RequestIn:
    data = form.cleaned_data
    event = encode_event(SessionOpened(plan=data["plan"]))
    return RequestIn(id=str(data["entry_id"]), event=event, device="office", override=data["override"])


def _next_name(log: Log, plan: str) -> str:
    """`dosing-1`, `dosing-2`: short, and says nothing of an arm."""
    names = {record.id for record in state_of(log).sessions}
    return next(name for number in range(1, 1000) if (name := f"{plan.replace('_', '-')[:40]}-{number}") not in names)


# --- the page ---


@require_safe
@needs("session_view")
def bedside(request: HttpRequest, log_id: UUID, session: str) -> HttpResponse:  # noqa: ARG001  the shell reads its address
    """The shell: the same for every session, holding nothing of anybody. What it shows comes by the interface."""
    log_or_404(person_of(request), log_id)
    return _shell(request)


@require_safe
@needs("session_view")
def shell(request: HttpRequest) -> HttpResponse:
    """The shell as the service worker keeps it."""
    return _shell(request)


def _shell(request: HttpRequest) -> HttpResponse:
    text = render_to_string("kerp/bedside/shell.html", {"version": version()})
    del request
    return HttpResponse(text)


@require_safe
@needs("session_view")
def worker(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  Django's signature
    """The service worker, which knows the files of this version."""
    names = [*(f"bedside/{name}" for name in _files()), "kerp/kerp.css", "kerp/mark.svg"]
    files = [settings.STATIC_URL + name for name in names]  # modules name each other without the hash of a version
    source = (STATIC / "worker-source.js").read_text()
    head = f"const VERSION = {json.dumps(version())};\nconst FILES = {json.dumps(files)};\n"
    return HttpResponse(head + source, content_type="text/javascript; charset=utf-8")


@cache
def _files() -> tuple[str, ...]:
    found = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
    return tuple(name for name in found if not name.endswith((".txt", "worker-source.js")))


@cache
def version() -> str:
    """Changes with any file of the page."""
    made = hashlib.sha256()
    for name in (*_files(), "worker-source.js"):
        made.update(name.encode() + b"\0" + (STATIC / name).read_bytes())
    made.update((STATIC.parents[1] / "templates" / "kerp" / "bedside" / "shell.html").read_bytes())
    return made.hexdigest()[:16]


@require_POST
@needs()
def unlock(request: HttpRequest) -> HttpResponseBase:
    """Unlock a bedside screen with the password of who is signed in. Five wrong ones end the sign-in."""
    wrong = int(request.session.get("kerp_wrong_unlocks", 0))
    if person_of(request).check_password(request.POST.get("password", "")[:1000]):
        request.session["kerp_wrong_unlocks"] = 0
        return JsonResponse({"unlocked": True})
    if wrong + 1 >= MOST_WRONG_PASSWORDS:
        logout(request)
        return JsonResponse({"error": "signed out: sign in again. Nothing was lost."}, status=401)
    request.session["kerp_wrong_unlocks"] = wrong + 1
    return JsonResponse({"error": "that is not the password", "left": MOST_WRONG_PASSWORDS - wrong - 1}, status=400)


# --- the dose ---


@require_http_methods(["GET", "HEAD", "POST"])
@needs(*VERIFY)
def dose(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """What is to be given, for a second person to verify from their own sign-in."""
    person = person_of(request)
    view = _view(request, log_id, session)
    computed = view.record.last(DoseComputed)
    shown = {"computed": computed.id if computed else ""}
    form, status = _VerifyForm(request.POST or None, initial=shown), 200
    if request.method == "POST" and form.is_valid():
        event = DoseVerified(
            agrees=form.cleaned_data["verdict"] == "agrees",
            computed=form.cleaned_data["computed"],
            what="kit and volume" if view.protocol.blinded else "dose",
            note=form.cleaned_data["note"],
        )
        try:
            asked = RequestIn(id=str(form.cleaned_data["entry_id"]), event=encode_event(event), device="office")
            intake.ask(log_or_404(person, log_id), session, person, asked)
            messages.success(request, "Recorded under your name.")
            return HttpResponseRedirect(request.path)
        except intake.LookAgainError as error:  # a new form: nothing that was said of another dose stays ticked
            form, status = _VerifyForm(initial=shown), 409
            messages.error(request, f"Not recorded: {error.faults[0].message}.")
        except KerpError as error:
            add_faults(form, error)
    people = verifiers(view.record, view.t0_ms if view.t0_ms is not None else view.now_ms)
    context = {"form": form, "view": view, "computed": computed, "people": people, "log": log_id, "session": session}
    return render(request, "kerp/bedside/dose.html", context, status=status)


class _VerifyForm(forms.Form):
    entry_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    computed = forms.CharField(widget=forms.HiddenInput, max_length=200)  # which dose this page shows
    verdict = forms.ChoiceField(
        label="I have checked it against the label, the pump and the participant",
        choices=[("agrees", "It agrees"), ("differs", "It does not agree")],
        widget=forms.RadioSelect,
    )
    note = forms.CharField(required=False, max_length=2000, label="Note")


def _view(request: HttpRequest, log_id: UUID, session: str) -> View:
    person = person_of(request)
    log = log_or_404(person, log_id)
    state = state_of(log)
    record = state.session(session)
    if record is None:
        raise Http404
    return view_of(protocol_of(log), state, record, api.now_of(log))


# --- signing ---


@require_http_methods(["GET", "HEAD", "POST"])
@needs("discharge_sign")
@fresh_proof
def sign(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """Sign the record as it stands: name, time, meaning, the last entry and the chain head it covers."""
    person = person_of(request)
    view = _view(request, log_id, session)
    log = log_or_404(person, log_id)
    now = {"through_seq": log.head_seq, "record_digest": log.head_hash}
    form = _SignForm(request.POST or None, initial=now)
    reasons: list[Any] = []
    if request.method == "POST" and form.is_valid():
        event = Signature(
            name=str(person),
            meaning=form.cleaned_data["meaning"],
            through_seq=form.cleaned_data["through_seq"],
            record_digest=form.cleaned_data["record_digest"],
        )
        if (event.through_seq, event.record_digest) != (log.head_seq, log.head_hash):
            messages.warning(request, "Entries have come since this page was shown. Look at them, then sign.")
            return HttpResponseRedirect(request.path)
        try:
            asked = RequestIn(id=str(form.cleaned_data["entry_id"]), event=encode_event(event), device="office")
            answer = intake.ask(log, session, person, asked)
            if answer.accepted:
                messages.success(request, f"Signed by {person} through entry {event.through_seq}.")
                return HttpResponseRedirect(request.path)
            reasons = list(answer.reasons)
        except KerpError as error:
            add_faults(form, error)
    context = _summary(view, log, session) | {"form": form, "reasons": reasons}
    return render(request, "kerp/bedside/sign.html", context)


class _SignForm(forms.Form):
    entry_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    through_seq = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    record_digest = forms.CharField(widget=forms.HiddenInput, max_length=64)
    meaning = forms.ChoiceField(
        label="What your signature means",
        widget=forms.RadioSelect,
        choices=[
            (text, text) for text in ("I have reviewed this session's record", "I am responsible for this session")
        ],
    )


def _summary(view: View, log: Log, session: str) -> dict[str, Any]:
    found = deviations(view.protocol, view.state, view.now_ms)
    return {
        "view": view,
        "log": log,
        "session": session,
        "participant": log.participant,
        "deviations": [one for one in found if one.session == session],
        "signatures": view.record.of(Signature),
        "entries": sum(entry.session == session for entry in view.state.entries),
        "later": _later(view),
    }


def _later(view: View) -> int:
    """Entries of this session after the newest signature."""
    last = view.record.last(Signature)
    if last is None:
        return 0
    through = max(last.event.through_seq, last.entry.seq)
    return sum(entry.seq > through and entry.session == view.record.id for entry in view.state.entries)
