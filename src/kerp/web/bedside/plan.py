"""What a device needs once: the protocol's session in words, the exposure plan, the instruments that are asked."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any

from kerp.base.data import DATA
from kerp.base.tomlfile import read_toml
from kerp.instrument.model import Instrument, Item
from kerp.protocol.model import Protocol, SessionPlan
from kerp.session.events import EndingRule, FallCause, MedicationKind, Modality, Relation, Ritual
from kerp.session.state import State
from kerp.session.verification import last_weight
from kerp.web.bedside.later_form import PANELS, last_minute
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log
from kerp.web.office import standing
from kerp.web.office.answers import instrument, pack_of


def plan_of(log: Log, session: str) -> dict[str, Any]:
    """Everything of a session that does not move while it runs."""
    protocol, state = protocol_of(log), state_of(log)
    record = state.session(session)
    plan = next((one for one in protocol.sessions if record and one.id == record.plan_id), None)
    return {
        "title": plan.title if plan else session,
        "protocol": {"id": protocol.id, "title": protocol.title, "version": protocol.version},
        "intended_use": protocol.intended_use,
        "zone": log.participant.site.zone,
        "blinded": protocol.blinded or log.participant.study.blinded,
        "phases": [_phase(phase) for phase in plan.phases] if plan else [],
        "kind": plan.kind if plan else "",
        "exposure": _exposure(protocol, plan, state),
        "dose": _dose(protocol, state),
        "scales": [_scale(instrument(name)) for name in _asked(plan)],
        "anxiety_steps": next((list(r.steps) for r in protocol.rules if r.kind == "paradoxical_anxiety"), []),
        "discharge": [{"id": c.id, "kind": c.kind, "title": c.title} for c in protocol.discharge if c.active],
        "roles": {role.id: role.title for role in protocol.roles},
        "codes": {
            "rituals": _named("rituals", Ritual),
            "modalities": [str(one) for one in Modality],
            "endings": [str(one) for one in EndingRule],
            "relations": [str(one) for one in Relation],
            "causes": _named("causes", FallCause),
            "medication": [str(one) for one in MedicationKind],
            "missed": lists()["missed"],
            "coaching": lists()["coaching"],
            "adverse": _adverse(),
            "grades": _codes("adverse_events")[1:],  # the first says that there is none
            "sedation": _codes("moaas"),
            "intensity": [one["value"] for one in lists()["intensity"]],
        },
        "later_form_min": _later_form_min(plan),
    }


@cache
def lists() -> dict[str, Any]:
    """Codes that are tapped at the bedside, from `data/web/lists.toml`."""
    return read_toml(DATA / "web" / "lists.toml").data


def _named(name: str, kind: type[StrEnum]) -> list[dict[str, str]]:
    """The words for the codes of an event field; every code has its button, also one the list forgot."""
    titles = {one["code"]: one["title"] for one in lists()[name]}
    return [{"code": str(one), "title": titles.get(str(one), str(one).replace("_", " "))} for one in kind]


def _adverse() -> list[dict[str, str]]:
    """The terms of the instrument, then what rules know beside them; `other` is last."""
    terms = [
        {"code": item.id, "title": item.label[:1].upper() + item.label[1:]}
        for item in instrument("adverse_events").items
    ]
    return [*(one for one in terms if one["code"] != "other"), *lists()["adverse"], *terms[-1:]]


def _codes(name: str) -> list[dict[str, Any]]:
    """The coded answers of an instrument's first item."""
    return [{"code": code.code, "title": code.label} for code in instrument(name).items[0].codes]


def _later_form_min(plan: SessionPlan | None) -> float | None:
    prompts = plan.prompts if plan else ()
    return last_minute(prompts)


def _phase(phase: Any) -> dict[str, Any]:
    return {
        "id": phase.id,
        "title": phase.title,
        "text": phase.text,
        "claims": list(phase.claims),
        "expected_min": [phase.expected_from_min, phase.expected_to_min],
    }


def _exposure(protocol: Protocol, plan: SessionPlan | None, state: State) -> dict[str, Any]:
    agreed = standing.plan(state)
    chosen = agreed.chosen.get(plan.id, ()) if plan else ()
    if plan and plan.exposure and plan.exposure.same_items_as:
        chosen = chosen or agreed.chosen.get(plan.exposure.same_items_as, ())
    items = [_item(one.event) for one in agreed.items]
    return {
        "planned": bool(plan and plan.exposure),
        "items": sorted(items, key=lambda item: item["id"] not in chosen),
        "chosen": list(chosen),
        "stop_word": agreed.stop_word.word if agreed.stop_word else "",
        "contract": agreed.contract.text if agreed.contract else "",
        "overt_rituals": list(agreed.contract.overt_rituals) if agreed.contract else [],
        "mental_rituals": list(agreed.contract.mental_rituals) if agreed.contract else [],
        "forbidden_hazards": list(protocol.planning.forbidden_hazards),
        "taper": [
            {"id": step.id, "title": step.title, "text": step.text, "intensity": step.intensity}
            for step in (plan.exposure.taper if plan and plan.exposure else ())
        ],
        "block_min": plan.exposure.block_min.value if plan and plan.exposure else None,
    }


def _item(event: Any) -> dict[str, Any]:
    return {
        "id": event.item,
        "trigger": event.trigger,
        "feared_outcome": event.feared_outcome,
        "suds": event.suds,
        "hazards": list(event.hazards),
        "props": list(event.props),
        "modality": event.modality,
    }


def _dose(protocol: Protocol, state: State) -> dict[str, Any] | None:
    rule, weight = protocol.dose, last_weight(state)
    if rule is None:
        return None
    return {
        "agent": str(rule.agent),
        "route": rule.route,
        "devices_allowed": list(rule.devices_allowed),
        "devices_default": rule.devices_default,
        "concentration_mg_per_ml": rule.concentration_mg_per_ml.value if rule.concentration_mg_per_ml else None,
        "weight_kg": weight.event.weight_kg if weight else None,
        "masked": protocol.blinded,
        "volume_ml": rule.blinding.volume_ml.value if rule.blinding else None,
        "duration_min": rule.duration_min.value if rule.duration_min else None,
    }


def _asked(plan: SessionPlan | None) -> list[str]:
    names = dict.fromkeys(prompt.instrument for prompt in plan.prompts) if plan else {}
    return [name for name in names if name not in PANELS]


def _scale(chosen: Instrument) -> dict[str, Any]:
    pack = pack_of(chosen)
    return {
        "id": chosen.id,
        "name": chosen.short_name or chosen.name,
        "version": chosen.version,
        "rater": str(chosen.rater),
        "text_pack": pack.digest if pack else "",
        "items": [_asked_item(item, pack) for item in chosen.items],
    }


def _asked_item(item: Item, pack: Any) -> dict[str, Any]:
    text = pack.items.get(item.id, "") if pack else ""
    return {
        "id": item.id,
        "label": text or item.prompt or item.label,
        "min": item.min,
        "max": item.max,
        "step": item.step or 1,
        "unit": item.unit,
        "low": item.low_anchor,
        "high": item.high_anchor,
        "codes": [{"code": code.code, "label": code.label} for code in item.codes],
    }
