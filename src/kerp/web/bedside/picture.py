"""What the bedside page shows of a moment, as plain data: `kerp.session.status` and the rows of its figure.

Nothing is concluded here. Phase, due items, gate, advice and blockers are the engine's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from kerp.base.digest import plain
from kerp.protocol.model import Prompt
from kerp.session.asked import answers_to
from kerp.session.events import (
    AnxietyStepTaken,
    DoseComputed,
    ExposureStarted,
    ExposureStopped,
    FeltEffectRated,
    Observed,
    PatientStop,
    RitualSeen,
    SedationRated,
    Signature,
    StimulusShown,
    SudsRated,
    UrgeRated,
    VitalsTaken,
)
from kerp.session.exposure_track import Block
from kerp.session.gate import missing
from kerp.session.prompts import later_due_ms
from kerp.session.proposals import next_taper_step
from kerp.session.state import State
from kerp.session.status import Status, status
from kerp.session.verification import last_weight, verifiers
from kerp.session.view import View
from kerp.session.visits import visit_status
from kerp.web.bedside.forecast import may_see
from kerp.web.bedside.later_form import later_form
from kerp.web.course import protocol_of, state_at_head
from kerp.web.models import Log, Person

A_MOMENT_MS = 250
_KEPT = 256
_shown: dict[UUID, tuple[tuple[str, str, int], int, dict[str, Any]]] = {}
AHEAD = 12  # due times of one prompt that a device knows beforehand, should it lose contact


def picture(log: Log, session: str, person: Person, now_ms: int) -> dict[str, Any]:
    """Everything of one session at `now_ms`."""
    who = {"participant": log.participant.code, "forecast": may_see(log, person)}
    return _shared(log, session, now_ms) | who | {"now_ms": now_ms}


def _shared(log: Log, session: str, now_ms: int) -> dict[str, Any]:
    """What is the same for everybody who looks.

    Pages of one session ask at once when an entry has come: who asks a moment later, with nothing recorded since, is
    shown the same. The page counts on from there by itself.
    """
    asked = (log.head_hash, session, log.clock_speed)
    kept = _shown.get(log.id)
    if kept is not None and kept[0] == asked and 0 <= now_ms - kept[1] <= A_MOMENT_MS * log.clock_speed:
        return kept[2]
    shown = _drawn(log, session, now_ms)
    _shown[log.id] = (asked, now_ms, shown)
    while len(_shown) > _KEPT:
        with suppress(KeyError, StopIteration, RuntimeError):  # another thread was quicker
            del _shown[next(iter(_shown))]
    return shown


def _drawn(log: Log, session: str, now_ms: int) -> dict[str, Any]:
    now = status(protocol_of(log), state_at_head(log), now_ms, session)
    shown = {"speed": log.clock_speed, "head": log.head_seq} | _status(now)
    if now.view is not None:
        shown |= _session(now.view, now, state_at_head(log))
    return shown


def _status(now: Status) -> dict[str, Any]:
    return now.as_dict("session", "advice", "discharge_blockers", "falls", "deviations", "flags")


def _session(view: View, now: Status, state: State) -> dict[str, Any]:
    return {
        "phase": _phase(view),
        "due": _due(view, now),
        "gate": gate(view),
        "drug": _drug(view),
        "exposure": _exposure(view),
        "series": series(view),
        "stopped_by_participant_ms": view.ended_by_patient_ms,
        "discharged": view.discharged,
        "signature": _signature(view, state),
        "later_form": _later_form(view),
        "call": _call(view),
    }


def _later_form(view: View) -> dict[str, Any] | None:
    """The participant's form after the dose: when, and what of it is not there yet."""
    form = later_form(view)
    return {"due_ms": form.due_ms, "opens_ms": form.opens_ms, "left": list(form.left)} if form else None


def _call(view: View) -> dict[str, Any] | None:
    """The mandatory call after the dose, and for when it was agreed."""
    visit = next((one for one in view.protocol.visits if one.kind == "call" and one.mandatory), None)
    if visit is None or not view.dosing:
        return None
    found = visit_status(view.state, visit, view.now_ms)
    booked = found.booked.event if found.booked else None
    return {
        "visit": visit.id,
        "title": visit.title,
        "day": visit.day,
        "state": str(found.state),
        "escalate_ms": found.escalate_ms,
        "at": booked.at if booked else "",
        "by": booked.by if booked else "",
        "late": found.late_at(view.now_ms),
    }


def _phase(view: View) -> dict[str, Any] | None:
    phase = view.phase
    if phase is None or view.plan is None:
        return None
    order = [one.id for one in view.plan.phases]
    known = [
        {"id": one.id, "title": one.title, "since_ms": view.facts.get(one.enters_on)} for one in view.plan.phases
    ]
    return {
        "id": phase.id,
        "title": phase.title,
        "text": phase.text,
        "claims": list(phase.claims),
        "number": order.index(phase.id) + 1,
        "since_ms": view.facts.get(phase.enters_on),
        "all": known,
    }


def _due(view: View, now: Status) -> list[dict[str, Any]]:
    """What can be answered now, what was missed last, and what comes next: one line for each prompt."""
    latest = {slot.prompt.id: slot for slot in now.slots}
    prompts = view.plan.prompts if view.plan else ()
    rows = [_prompt(view, prompt, latest.get(prompt.id)) for prompt in prompts]
    return sorted((row for row in rows if row), key=lambda row: (row["order"], row["due_ms"]))


_ORDER = {"overdue": 0, "due": 1, "next": 2, "missed": 3}


def _prompt(view: View, prompt: Prompt, slot: Any) -> dict[str, Any] | None:
    later = later_due_ms(view, prompt)
    upcoming = later[0] if later else None
    state, due_ms = "next", upcoming
    if slot is not None and (slot.open or (str(slot.state) == "missed" and upcoming is None)):
        state, due_ms = str(slot.state), slot.due_ms
    if due_ms is None:
        return None
    return {
        "prompt": prompt.id,
        "instrument": prompt.instrument,
        "title": prompt.title,
        "asked_by": prompt.asked_by,
        "of_phase": not prompt.phases or (view.phase is not None and view.phase.id in prompt.phases),
        "required": prompt.required,
        "state": state,
        "order": _ORDER.get(state, 2),
        "due_ms": due_ms,
        "late_ms": due_ms + round(prompt.late_after_min * 60_000),
        "missed_ms": due_ms + round(prompt.missed_after_min * 60_000),
        "later_ms": later[:AHEAD],
    }


def gate(view: View) -> list[dict[str, Any]]:
    """Every precondition, met or not and why not; what the blood pressure says stands among them."""
    absent = {item.id: item for item in missing(view)}
    known = [
        {
            "id": item.id,
            "title": item.title,
            "kind": item.kind,
            "role": item.role,
            "met": item.id not in absent,
            "why": absent[item.id].why if item.id in absent else "",
        }
        for item in view.protocol.preconditions
    ]
    listed = {row["id"] for row in known}
    more = [
        {"id": m.id, "title": m.title, "kind": "vitals", "role": m.role, "met": False, "why": m.why}
        for m in absent.values()
        if m.id not in listed
    ]
    return [*known, *more]


def _drug(view: View) -> dict[str, Any]:
    track, rule, weight = view.drug, view.protocol.dose, last_weight(view.state)
    computed = view.record.last(DoseComputed)
    return {
        "dosing": view.dosing,
        "status": str(track.status),
        "route": rule.route if rule else "",
        "t0_ms": track.t0_ms,
        "t0_entry": track.t0_entry,
        "ended_ms": track.ended_ms,
        "segments": plain(track.segments),
        "devices": plain(track.devices),
        "planned_devices": track.planned_devices,
        "withheld": list(track.withheld),
        "device_gap_min": rule.device_gap_min.value if rule and rule.device_gap_min else None,
        "nasal": bool(rule and (rule.device_mg is not None or rule.devices_default)),
        "volume_given_ml": track.volume_given_ml,
        "computed": plain(computed.event) | {"id": computed.id, "by": computed.actor} if computed else None,
        "weight_kg": weight.event.weight_kg if weight else None,
        "verified_by": list(verifiers(view.record, view.t0_ms if view.t0_ms is not None else view.now_ms)),
        "expected_peak_min": [rule.expected_peak_from_min.value, rule.expected_peak_to_min.value] if rule else None,
    }


def _exposure(view: View) -> dict[str, Any]:
    step = next_taper_step(view)
    return {
        "blocks": [_block(view, block) for block in view.exposure.blocks],
        "stopped_ms": view.exposure.stopped_ms,
        "next_taper": {"id": step.id, "title": step.title, "intensity": step.intensity} if step else None,
    }


def _block(view: View, block: Block) -> dict[str, Any]:
    started = next((one for one in view.record.of(ExposureStarted) if one.id == block.entry), None)
    return {
        "name": block.name,
        "item": block.item,
        "modality": str(block.modality),
        "stimulus": started.event.stimulus if started else "",
        "started_ms": block.started_ms,
        "ended_ms": block.ended_ms,
        "ending_rule": str(block.ending_rule) if block.ending_rule else "",
        "held": block.held,
        "intensity": block.now.intensity,
        "demand": str(block.now.demand),
        "steps": [{"at_ms": s.at_ms, "intensity": s.intensity, "taper": s.taper} for s in block.steps],
    }


def series(view: View) -> dict[str, Any]:
    """Rows of the figure: [ms, value, id of the entry]."""
    record = view.record
    vitals = record.of(VitalsTaken)
    return {
        "suds": _rows(record.of(SudsRated)),
        "urge": _rows(record.of(UrgeRated)),
        "felt": _rows(record.of(FeltEffectRated)),
        "moaas": [[one.at_ms, one.event.moaas, one.id] for one in record.of(SedationRated)],
        "systolic": _vital(vitals, "systolic_mmhg"),
        "diastolic": _vital(vitals, "diastolic_mmhg"),
        "heart_rate": _vital(vitals, "heart_rate_per_min"),
        "spo2": _vital(vitals, "spo2_pct"),
        "anxiety": [[one.at_ms, one.event.step, one.id] for one in record.of(AnxietyStepTaken)],
        "rituals": [[one.at_ms, str(one.event.kind), one.id] for one in record.of(RitualSeen)],
        "stops": [
            [one.at_ms, kind.type, one.id] for kind in (PatientStop, ExposureStopped) for one in record.of(kind)
        ],
        "shown": [[one.at_ms, one.event.shown, one.event.contact_lost] for one in record.of(StimulusShown)],
        "answered": {name: len(answers_to(record, name)) for name in _instruments(view)},
    }


def _instruments(view: View) -> set[str]:
    return {prompt.instrument for prompt in view.plan.prompts} if view.plan else set()


def _rows(items: Iterable[Observed[Any]]) -> list[list[Any]]:
    return [[one.at_ms, one.event.value, one.id] for one in items]


def _vital(items: Iterable[Observed[Any]], field: str) -> list[list[Any]]:
    found = ((one, getattr(one.event, field)) for one in items)
    return [[one.at_ms, value, one.id] for one, value in found if value is not None]


def _signature(view: View, state: State) -> dict[str, Any] | None:
    """The newest signature, and how many entries of this session came after what it covers."""
    last = view.record.last(Signature)
    if last is None:
        return None
    later = sum(
        entry.seq > last.event.through_seq and entry.session == view.record.id and entry.event.type != Signature.type
        for entry in state.entries
    )
    return {"name": last.event.name, "meaning": last.event.meaning, "at_ms": last.at_ms, "unsigned": later}
