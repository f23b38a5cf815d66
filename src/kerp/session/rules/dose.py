"""Rules on weight and devices (M2, M3). Their numbers stand in the protocol's dose."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from kerp.base.elapsed import min_from_ms, ms_from_min
from kerp.protocol.model import Rule
from kerp.session.advice import Action, Finding
from kerp.session.events import DoseComputed
from kerp.session.rules.runs import at
from kerp.session.verification import last_weight, weight_age_days, weight_change_pct
from kerp.session.view import View


def weight_stale(view: View, _rule: Rule) -> Iterator[Finding]:
    """Before the dose: the newest weight is too old."""
    dose, newest = view.protocol.dose, last_weight(view.state)
    if dose is None or newest is None or view.drug.given or not view.dosing:
        return
    age = weight_age_days(view)
    if age is not None and age > dose.weight_max_age_days.value:
        detail = f"Weight of {newest.event.weight_kg:g} kg is {age} study days old."
        yield Finding(entries=(newest.id,), since_ms=newest.at_ms, detail=detail, proposes=Action.DO_NOT_START)


def weight_changed(view: View, _rule: Rule) -> Iterator[Finding]:
    """Before the dose: the newest weight differs too much from the one the dose was computed with."""
    dose, computed, newest = view.protocol.dose, view.record.last(DoseComputed), last_weight(view.state)
    if dose is None or computed is None or newest is None or view.drug.given:
        return
    change = weight_change_pct(computed, newest)
    if change is not None and change > dose.weight_change_pct.value:
        detail = f"Computed for {computed.event.weight_kg:g} kg, now {newest.event.weight_kg:g} kg ({change:.0f} %)."
        entries = (computed.id, newest.id)
        yield Finding(entries=entries, since_ms=newest.at_ms, detail=detail, proposes=Action.DO_NOT_START)


def device_gap(view: View, _rule: Rule) -> Iterator[Finding]:
    """Devices closer together than the protocol allows, or several written as one. Clears with a correction."""
    return device_gap_findings(view)


def device_gap_findings(view: View) -> Iterator[Finding]:
    """The same for the list of deviations, where a protocol switched the rule off."""
    dose = view.protocol.dose
    if dose is None or dose.device_gap_min is None:
        return
    for device in view.drug.devices:
        if device.count > 1:
            detail = f"{device.count} devices were written as one at {at(view, device.at_ms)}: when was each given?"
            yield Finding(entries=(device.entry,), since_ms=device.at_ms, detail=detail)
    for first, second in pairwise(view.drug.devices):
        if second.at_ms - first.at_ms < ms_from_min(dose.device_gap_min.value):
            gap_min = min_from_ms(second.at_ms - first.at_ms)
            detail = f"Devices {first.number} and {second.number} are {gap_min:.1f} min apart."
            yield Finding(entries=(first.entry, second.entry), since_ms=second.at_ms, detail=detail)
