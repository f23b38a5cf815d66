"""The leaflet for discharge: statements of `data/web/leaflet.toml`, filled in from the record, with their sources."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from kerp.base.data import DATA
from kerp.base.digest import digest
from kerp.base.errors import KerpError
from kerp.base.tomlfile import read_toml
from kerp.evidence.references import cite
from kerp.session.events import DischargeObserved, DoseComputed
from kerp.session.view import View, view_of
from kerp.web.accounts.doors import needs, person_of
from kerp.web.actions import record
from kerp.web.bedside import api
from kerp.web.bedside.later_form import LaterForm, later_form
from kerp.web.bedside.reach import RECORD, log_or_404
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log
from kerp.web.office import answers, standing
from kerp.web.office.desk import EntryForm, acting_role, submit
from kerp.web.office.faults import add_faults

_BLANK = "______________"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it: text, and where it is from."""

    heading: str
    statements: tuple[tuple[str, str], ...]


@cache
def _written() -> dict[str, Any]:
    return read_toml(DATA / "web" / "leaflet.toml").data


class HandedForm(EntryForm):
    """Only the id: the act is the button."""


@require_http_methods(["GET", "HEAD", "POST"])
@needs("session_view")
def leaflet(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """The page to print; handing it over is recorded under the name of who did it."""
    person = person_of(request)
    log = log_or_404(person, log_id)
    view = _view(log, session)
    form = HandedForm(request.POST or None)
    sections = written_for(log, view)
    advice = next((item for item in view.protocol.discharge if item.kind == "advice" and item.active), None)
    if request.method == "POST" and person.may("session_record") and advice and form.is_valid():
        note = f"leaflet {_written()['version']}, {digest([one.statements for one in sections])[:19]}, handed over"
        event = DischargeObserved(criterion=advice.id, met=True, note=note)
        try:
            entry_id, role = form.cleaned_data["entry_id"], acting_role(person, *RECORD)
            submit(log=log, person=person, role=role, entry_id=entry_id, events=[event], session=session)
            messages.success(request, "Recorded: the leaflet was handed over.")
            return HttpResponseRedirect(request.path)
        except KerpError as error:
            add_faults(form, error)
    handed = [one for one in view.record.of(DischargeObserved) if advice and one.event.criterion == advice.id]
    context = {"log": log_id, "session": session, "view": view, "sections": sections, "form": form}
    context |= {"handed": handed[-1] if handed else None, "asked": advice is not None, "participant": log.participant}
    context |= {"title": _written()["title"], "sources": _sources(sections)}
    return render(request, "kerp/bedside/leaflet.html", context)


def _view(log: Log, session: str) -> View:
    state = state_of(log)
    held = state.session(session)
    if held is None:
        raise Http404
    return view_of(protocol_of(log), state, held, api.now_of(log))


def written_for(log: Log, view: View) -> tuple[Section, ...]:
    """What stands on the leaflet of this session."""
    facts = _facts(log, view)
    holds = _holds(log, view, facts)
    found = []
    for section in _written()["sections"]:
        chosen = [one for one in section["statements"] if one["when"] in holds]
        filled = tuple((_filled(one["text"], facts), one["source"]) for one in chosen)
        if filled:
            found.append(Section(section["heading"], filled))
    return tuple(found)


def _filled(text: str, facts: dict[str, str]) -> str:
    names = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    return " ".join(text.format(**{name: facts[name] for name in names}).split())


def _holds(log: Log, view: View, facts: dict[str, str]) -> set[str]:
    """Which statements apply."""
    blinded = view.protocol.blinded or log.participant.study.blinded
    dosing = view.dosing
    return {"always"} | {
        name
        for name, true in {
            "dosing": dosing,
            "open": dosing and not blinded,
            "blinded": dosing and blinded,
            "contract": bool(facts["rituals"] or facts["contract"]),
            "form": bool(facts["form"]),
            "booked": dosing and bool(facts["call"]),
            "unbooked": dosing and not facts["call"],
        }.items()
        if true
    }


def _facts(log: Log, view: View) -> dict[str, str]:
    agreed = standing.plan(view.state).contract
    form = later_form(view)
    rituals = [*agreed.overt_rituals, *agreed.mental_rituals] if agreed else []
    return {
        "given": _given(log, view),
        "rituals": ", ".join(rituals),
        "contract": agreed.text if agreed else "",
        "call": _call(log, view),
        "form": _form_names(form),
        "form_at": _clock(record.site_time(log, form.due_ms)) if form and form.due_ms is not None else _BLANK,
    }


def _given(log: Log, view: View) -> str:
    """What was really given. In a blinded study only what everybody at the bedside may know (M8)."""
    dose, track = view.record.last(DoseComputed), view.drug
    if view.protocol.blinded or log.participant.study.blinded:
        return f"kit {dose.event.kit}" if dose and dose.event.kit else "by its kit code"
    rule = view.protocol.dose
    name = str(rule.agent).capitalize() if rule else ""
    if track.devices:
        count = sum(device.count for device in track.devices)
        return f"{name} nasal spray: {count} device{'s' if count != 1 else ''}."
    amount = f" {track.volume_given_ml:g} mL" if track.volume_given_ml is not None else ""
    of = dose.event.concentration_mg_per_ml if dose else None
    strength = f" of {of:g} mg/mL" if of and amount else ""
    planned = f" (computed dose {dose.event.dose_mg:g} mg)" if dose and dose.event.dose_mg else ""
    return f"{name} into a vein:{amount or ' amount not recorded yet'}{strength}{planned}."


def _form_names(form: LaterForm | None) -> str:
    return ", ".join(answers.instrument(name).name for name in form.instruments) if form else ""


def _call(log: Log, view: View) -> str:
    """The next call that was agreed, by the clock of the site."""
    course = standing.visits(log, view.protocol, view.state)
    row = next((row for row in course if row["booked_at"] and row["visit"].kind == "call" and row["open"]), None)
    return f"{_clock(row['booked_at'])}, by {row['booked'].event.by}" if row else ""


def _clock(at: datetime) -> str:
    return f"{at:%A} {at.day} {at:%B}, {at:%H:%M}"


def _sources(sections: tuple[Section, ...]) -> str:
    """References of the statements that have one, as they are printed below."""
    named = {part for section in sections for _, source in section.statements for part in source.split("; ")}
    known = sorted(one for one in named if one != "kerp" and not one.startswith("PAPER"))
    return cite(known) if known else ""
