"""The dose of this session as an event: computed by the protocol's rule, or read off the kit of a blinded study."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.protocol.dose import DoseRequest, kit_settings, plan_dose
from kerp.session.codec import encode_event
from kerp.session.events import DoseComputed
from kerp.web.course import protocol_of
from kerp.web.models import Log
from kerp.web.vault import store


def proposed(log: Log, given: dict[str, str]) -> dict[str, Any]:
    """The `dose_computed` event to record, and its warnings. Nothing is written."""
    protocol = protocol_of(log)
    if protocol.blinded or log.participant.study.blinded:
        return {"event": encode_event(_masked(log)), "warnings": []}
    number = _whole(given.get("devices", ""))
    request = DoseRequest(
        weight_kg=_number(given.get("weight_kg", ""), "weight_kg"),
        concentration_mg_per_ml=_number(given.get("concentration_mg_per_ml", ""), "concentration_mg_per_ml"),
        devices=number,
        weight_confirmed=given.get("weight_confirmed") == "yes",
    )
    plan = plan_dose(protocol.dose, request)
    event = DoseComputed(
        weight_kg=_float(request.weight_kg),
        dose_mg=_float(plan.dose_mg),
        concentration_mg_per_ml=_float(plan.concentration_mg_per_ml),
        volume_ml=_float(plan.volume_ml),
        rate_ml_per_h=_float(plan.rate_ml_per_h),
        duration_min=_float(plan.duration_min),
        devices=len(plan.devices) or None,
    )
    return {"event": encode_event(event), "warnings": [warning.text for warning in plan.warnings]}


def _masked(log: Log) -> DoseComputed:
    """Kit, volume and rate: the same in every arm (M8)."""
    rule = protocol_of(log).dose
    study, code = log.participant.study.code, log.participant.code
    kit = dict(store.state(study).kits).get(code, "") if store.has_list(study) else ""
    if not kit:
        raise KerpError(Fault("no kit was released for this participant", ways_out=("ask the pharmacy",)))
    if rule is None:
        raise KerpError(Fault("this protocol gives no drug", field="dose"))
    plan = kit_settings(rule)
    return DoseComputed(
        kit=str(kit),
        volume_ml=_float(plan.volume_ml),
        duration_min=_float(plan.duration_min),
        rate_ml_per_h=_float(plan.rate_ml_per_h),
    )


def _number(text: str, field: str) -> Decimal | None:
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise KerpError(Fault("a number is expected", field=field, found=text[:40])) from None
    if not value.is_finite():
        raise KerpError(Fault("a number is expected", field=field, found=text[:40]))
    return value


def _whole(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 3:
        raise KerpError(Fault("a whole number is expected", field="devices", found=text[:40]))
    return int(text)


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
