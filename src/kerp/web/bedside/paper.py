"""The paper that stands in for the page: a sheet with the same codes, and its late entry, marked as such (M9)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from kerp.base.elapsed import clock, ms_from_min
from kerp.base.errors import Fault, KerpError
from kerp.session.events import (
    EndingRule,
    Event,
    ExposureStopped,
    FeltEffectRated,
    LateEntryNoted,
    PatientStop,
    RatingMissed,
    Ritual,
    RitualSeen,
    SedationRated,
    SudsRated,
    UrgeRated,
    VitalsTaken,
)
from kerp.session.view import View, view_of
from kerp.web.accounts.doors import needs, person_of
from kerp.web.actions import record
from kerp.web.bedside import api
from kerp.web.bedside.reach import RECORD, log_or_404
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log
from kerp.web.office.desk import acting_role
from kerp.web.office.faults import add_faults

# The codes stand on the sheet and are typed again: `12 S60 U40 F3`, `20 BP 128/82 HR 74 O 97 M5`.
CODES = (
    ("S", "SUDS 0-100"),
    ("U", "urge 0-100"),
    ("F", "felt effect 0-10"),
    ("BP", "blood pressure, 128/82"),
    ("HR", "heart rate"),
    ("O", "SpO2"),
    ("M", "MOAA/S 0-5"),
    ("R", "ritual: RO overt, RM mental, RR reassurance, RA avoidance, RD distraction"),
    ("XS XU XF", "asked, no answer"),
    ("STOP", "the participant says stop"),
    ("END", "exposure stopped"),
)
_RITUALS = {
    "O": Ritual.OVERT,
    "M": Ritual.MENTAL,
    "R": Ritual.REASSURANCE,
    "A": Ritual.AVOIDANCE,
    "D": Ritual.DISTRACTION,
}
_MISSED = {"S": "suds", "U": "urge", "F": "felt_effect"}
_LINE = re.compile(r"^\s*(-?\d{1,3}(?:[.,]\d+)?|\d{1,2}:\d{2})\s+(.+)$")
MOST_LINES = 300


@dataclass(frozen=True, slots=True)
class Written:
    """One code on one line of the sheet."""

    line: int
    minute: float
    event: Event


@require_safe
@needs("session_view")
def sheet(request: HttpRequest, log_id: UUID, session: str) -> HttpResponse:
    """The sheet, to be printed before the session; the minutes are those of the protocol's prompts."""
    view = _view(request, log_id, session)
    return render(
        request,
        "kerp/bedside/paper.html",
        {"view": view, "rows": rows(view), "codes": CODES, "log": log_id, "session": session},
    )


def rows(view: View) -> list[dict[str, Any]]:
    """Minutes from minute 0 and what is asked then, as the protocol plans it."""
    planned: dict[float, list[str]] = {}
    for prompt in view.plan.prompts if view.plan else ():
        if str(prompt.anchor) not in {"administration_start", "first_exposure"}:
            continue
        for minute in _minutes(prompt):
            planned.setdefault(minute, []).append(prompt.title)
    return [{"minute": minute, "asked": asked} for minute, asked in sorted(planned.items()) if minute <= 160]


def _minutes(prompt: Any) -> list[float]:
    repeated = []
    if prompt.every_min:
        first, last = prompt.from_min or 0.0, prompt.to_min or prompt.from_min or 0.0
        repeated = [
            first + prompt.every_min * number for number in range(int((last - first) / prompt.every_min + 1e-9) + 1)
        ]
    return sorted({*prompt.at_min, *repeated})


class PaperForm(forms.Form):
    """A sheet, typed line by line."""

    entry_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    lines = forms.CharField(
        label="Lines of the sheet: the minute, then its codes",
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "class": "mono"}),
        help_text="For example: 12 S60 U40 F3, or 0:20 BP 128/82 HR 74 O 97 M5.",
    )
    reason = forms.CharField(max_length=500, label="Why on paper")
    source = forms.ChoiceField(
        label="Written",
        choices=[("paper", "on the sheet, at the time"), ("memory", "from memory, later")],
        widget=forms.RadioSelect,
        initial="paper",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("session_record")
def late(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """Enter a sheet: every line is read before any is written."""
    person = person_of(request)
    log, view = log_or_404(person, log_id), _view(request, log_id, session)
    form = PaperForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            kept = _keep(log, view, form.cleaned_data, person.username, acting_role(person, *RECORD))
            messages.success(request, f"{kept} entries were taken over from paper, each marked as late.")
            return HttpResponseRedirect(request.path)
        except KerpError as error:
            add_faults(form, error)
    context = {"view": view, "form": form, "codes": CODES, "log": log_id, "session": session}
    return render(request, "kerp/bedside/paper_entry.html", context)


def _keep(log: Log, view: View, data: dict[str, Any], actor: str, role: str) -> int:
    """Each code becomes an entry with its own minute, and a note why it is late."""
    if view.t0_ms is None:
        raise KerpError(Fault("minute 0 is not recorded yet; record the start first, as a fact"))
    now_ms = view.now_ms
    submitted: list[record.Submitted] = []
    for number, one in enumerate(read_sheet(data["lines"])):
        at_ms = view.t0_ms + ms_from_min(one.minute)
        if at_ms > now_ms:
            raise KerpError(Fault("this minute has not come yet", line=one.line, found=clock(at_ms - view.t0_ms)))
        identifier = uuid5(data["entry_id"], f"{number}")
        shared: Any = {"session": view.record.id, "role": role, "device": "paper"}
        submitted.append(record.Submitted(id=identifier, event=one.event, occurred_ms=at_ms, **shared))
        why = LateEntryNoted(entry=str(identifier), reason=data["reason"], from_memory=data["source"] == "memory")
        submitted.append(record.Submitted(id=uuid5(identifier, "late"), event=why, **shared))
    record.append_all(log_id=log.id, actor=actor, submitted=submitted)
    return len(submitted) // 2


def read_sheet(text: str) -> list[Written]:
    """Every code of every line; `KerpError` names each line that cannot be read."""
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise KerpError(Fault("this is too long", found=f"{len(lines)} lines", allowed=f"at most {MOST_LINES}"))
    found: list[Written] = []
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found += _line(number, line)
            except KerpError as error:
                faults += error.faults
    if faults or not found:
        raise KerpError(*(faults or [Fault("no line was typed", field="lines")]))
    return found


def _line(number: int, line: str) -> list[Written]:
    match = _LINE.match(line)
    if match is None:
        raise KerpError(Fault("a line begins with its minute", line=number, found=line[:60], allowed="12 S60 U40"))
    minute = _minute(match[1])
    codes = re.sub(r"\b(BP|HR|O|M|S|U|F)\s+(?=\d)", r"\1", match[2].upper().replace(",", " ")).split()
    vitals: dict[str, Any] = {}
    found = []
    for code in codes:
        event = _event(number, code, vitals)
        if event is not None:
            found.append(Written(number, minute, event))
    if vitals:
        found.append(Written(number, minute, VitalsTaken(**vitals)))
    return found


def _minute(text: str) -> float:
    if ":" in text:
        hours, minutes = text.split(":")
        return int(hours) * 60 + int(minutes)
    return float(text.replace(",", "."))


def _event(number: int, code: str, vitals: dict[str, Any]) -> Event | None:
    """The event of a code; vital signs of one line are collected into one entry."""
    if taken := _vital(code):
        if vitals.keys() & taken.keys():
            ways = ("write the second reading on a line of its own, with its minute",)
            raise KerpError(Fault("this is on the line twice", line=number, found=code[:40], ways_out=ways))
        vitals |= taken
        return None
    event = next(_events(code), None)
    if event is None:
        raise KerpError(
            Fault(
                "this code is not on the sheet", line=number, found=code[:40], allowed=", ".join(c for c, _ in CODES)
            )
        )
    return event


def _vital(code: str) -> dict[str, Any]:
    if match := re.fullmatch(r"BP(\d{2,3})/(\d{2,3})", code):
        return {"systolic_mmhg": int(match[1]), "diastolic_mmhg": int(match[2])}
    if match := re.fullmatch(r"HR(\d{2,3})", code):
        return {"heart_rate_per_min": int(match[1])}
    if match := re.fullmatch(r"O(\d{2,3})", code):
        return {"spo2_pct": float(match[1])}
    return {}


def _events(code: str) -> Iterator[Event]:
    if match := re.fullmatch(r"([SUFM])(\d{1,3}(?:\.5)?)", code):
        yield from _rating(match[1], float(match[2]))
    elif match := re.fullmatch(r"R([OMRAD])", code):
        yield RitualSeen(kind=_RITUALS[match[1]], judged_by="paper sheet")
    elif match := re.fullmatch(r"X([SUF])", code):
        yield RatingMissed(instrument=_MISSED[match[1]], reason="no answer, on paper")
    elif code == "STOP":
        yield PatientStop()
    elif code == "END":
        yield ExposureStopped(ending_rule=EndingRule.CLINICIAN)


def _rating(kind: str, value: float) -> Iterator[Event]:
    top = {"S": 100, "U": 100, "F": 10, "M": 5}[kind]
    if value > top or (kind != "F" and value != int(value)):
        return
    if kind == "S":
        yield SudsRated(value=int(value))
    elif kind == "U":
        yield UrgeRated(value=int(value))
    elif kind == "F":
        yield FeltEffectRated(value=value)
    else:
        yield SedationRated(moaas=int(value), rated_by="paper sheet")


def _view(request: HttpRequest, log_id: UUID, session: str) -> View:
    person = person_of(request)
    log = log_or_404(person, log_id)
    state = state_of(log)
    held = state.session(session)
    if held is None:
        raise Http404
    return view_of(protocol_of(log), state, held, api.now_of(log))
