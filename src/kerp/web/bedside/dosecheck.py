"""The door for doses: what a device calls the computed dose is computed again here, by the protocol's own rule (M2).

Two people who agree do not make a dose right. What does not agree with the rule is refused before it is written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal

from kerp.base.errors import Fault, KerpError
from kerp.protocol.dose import DosePlan, DoseRequest, exact, kit_settings, plan_dose
from kerp.protocol.model import DoseRule
from kerp.session.codec import secret_fields
from kerp.session.events import Corrected, DoseComputed, Event
from kerp.web.course import protocol_of
from kerp.web.models import Log
from kerp.web.vault import store

WAYS = ("compute it again on this page, and record what it shows",)
_SAME = 1e-9  # relative: floats of the same decimal, on their way through a browser
_Numbers = Mapping[str, Decimal | int | None]


def dose_in(event: Event) -> DoseComputed | None:
    """The computed dose that an entry holds, itself or in the place of another."""
    said = event.replacement if isinstance(event, Corrected) else event
    return said if isinstance(said, DoseComputed) else None


def check(log: Log, event: Event) -> None:
    """`KerpError` where a computed dose, or the one a correction puts in its place, is not the protocol's."""
    said = dose_in(event)
    if said is None:
        return
    protocol = protocol_of(log)
    blinded = protocol.blinded or log.participant.study.blinded
    if blinded and secret_fields(said):
        return  # refused where it would be written, without a word of what the arms share
    faults = list(_of_kit(log, protocol.dose, said) if blinded else _of_rule(protocol.dose, said))
    if faults:
        raise KerpError(*faults)


def _of_rule(rule: DoseRule | None, said: DoseComputed) -> Iterator[Fault]:
    """Computed again from the weight, the concentration and the number of devices that were sent."""
    mixed = rule is not None and rule.blinding is not None  # then the strength follows from the volume
    plan = plan_dose(
        rule,
        DoseRequest(
            weight_kg=_decimal(said.weight_kg),
            concentration_mg_per_ml=None if mixed else _decimal(said.concentration_mg_per_ml),
            devices=said.devices,
            weight_confirmed=True,  # asked on the page that computes; the dose itself is held against the cap
        ),
    )
    yield from _differences(said, _numbers(plan), needed=("dose_mg",))


def _of_kit(log: Log, rule: DoseRule | None, said: DoseComputed) -> Iterator[Fault]:
    """Volume and rate that every arm shares, and the kit that the pharmacy released (M8)."""
    if rule is None:
        raise KerpError(Fault("this protocol gives no drug", field="event.type"))
    plan = kit_settings(rule)
    shared: _Numbers = {
        "volume_ml": plan.volume_ml,
        "rate_ml_per_h": plan.rate_ml_per_h,
        "duration_min": plan.duration_min,
    }
    yield from _differences(said, shared, needed=("volume_ml", "rate_ml_per_h"))
    study, code = log.participant.study.code, log.participant.code
    kit = dict(store.state(study).kits).get(code, "") if store.has_list(study) else said.kit
    if said.kit != kit:
        message = "this is not the kit that was released for this participant"
        yield Fault(message, field="event.kit", found=said.kit or "none", allowed=kit or "none yet", ways_out=WAYS)


def _numbers(plan: DosePlan) -> _Numbers:
    return {
        "dose_mg": plan.dose_mg,
        "concentration_mg_per_ml": plan.concentration_mg_per_ml,
        "volume_ml": plan.volume_ml,
        "rate_ml_per_h": plan.rate_ml_per_h,
        "duration_min": plan.duration_min,
        "devices": len(plan.devices) or None,
    }


def _differences(said: DoseComputed, computed: _Numbers, needed: tuple[str, ...]) -> Iterator[Fault]:
    """Every number that is not the computed one; one that was left out only where it is needed."""
    for name, right in computed.items():
        found = getattr(said, name)
        if found is None and name not in needed:
            continue
        if right is None or found is None or not math.isclose(found, float(right), rel_tol=_SAME):
            message = "this is not what the protocol gives"
            allowed = "none" if right is None else f"{float(right):g}"
            shown = "none" if found is None else f"{found:g}"
            yield Fault(message, field=f"event.{name}", found=shown, allowed=allowed, ways_out=WAYS)


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else exact(value)
