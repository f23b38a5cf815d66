"""Why the participant may not leave yet, by name (M12). Advice and a gate; a clinician may override with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import DischargeCriterion
from kerp.session.asked import CSSRS, CSSRS_BEHAVIOUR, cssrs_level, scale
from kerp.session.events import (
    AdverseEvent,
    AdverseEventFollowed,
    DischargeObserved,
    EscortCheck,
    FeltEffectRated,
    SedationRated,
)
from kerp.session.pressure import baseline, pressures, readings_of
from kerp.session.view import View


@dataclass(frozen=True, slots=True)
class Blocker:
    """One criterion that is not met, and why."""

    id: str
    title: str
    why: str
    source: str


def discharge_blockers(view: View) -> tuple[Blocker, ...]:
    """Criteria that are not met now. Off-drug sessions of a drug protocol have none."""
    return view.once(_blockers)


def _blockers(view: View) -> tuple[Blocker, ...]:
    if view.t0_ms is None or not (view.drug.given or view.protocol.dose is None):
        return ()
    wanted = [item for item in view.protocol.discharge if item.active]
    found = ((item, _why(view, item)) for item in wanted)
    return tuple(Blocker(item.id, item.title, why, item.source) for item, why in found if why)


def _why(view: View, item: DischargeCriterion) -> str:
    check = _CHECKS.get(item.kind)
    return check(view, item) if check else f"nobody knows how to check {item.kind!r}"


def _limit(item: DischargeCriterion) -> float:
    return item.threshold.value if item.threshold else 0.0


def _elapsed(view: View, item: DischargeCriterion) -> str:
    """Since the last device, or the actual end of the infusion."""
    since = view.drug.last_given_ms
    if not view.drug.over or since is None:
        return "the administration has not ended"
    left_min = _limit(item) - (view.now_ms - since) / MS_PER_MIN
    return f"{left_min:.0f} min too early" if left_min > 0 else ""


def _moaas(view: View, item: DischargeCriterion) -> str:
    last = view.record.last(SedationRated)
    if last is None or last.at_ms < (view.t0_ms or 0):
        return "not rated since the start"
    return "" if last.event.moaas >= _limit(item) else f"MOAA/S {last.event.moaas}"


def _observed(view: View, item: DischargeCriterion) -> str:
    """A criterion somebody ticks: `orientation`, `gait`, `advice`, by its kind or its id."""
    names = {item.kind, item.id}
    seen = next((o for o in view.record.latest(DischargeObserved) if o.event.criterion in names), None)
    if seen is None or seen.at_ms < (view.t0_ms or 0):
        return "not looked at since the start"
    return "" if seen.event.met else "not met"


def _blood_pressure(view: View, item: DischargeCriterion) -> str:
    readings = [reading for reading in readings_of(view.record) if reading.at_ms > (view.t0_ms or 0)]
    before = baseline(view.record, view.t0_ms)
    if not readings or before is None:
        return "no reading since the start" if before else "no reading before the start to compare with"
    now = pressures(readings[-1])
    off = max(abs(value - base) / base * 100 for value, base in zip(now, before, strict=True) if base)
    return "" if off <= _limit(item) else f"{now[0]}/{now[1]} mm Hg is {off:.0f} % from baseline"


def _felt_effect(view: View, item: DischargeCriterion) -> str:
    last = view.record.last(FeltEffectRated)
    if last is None or last.at_ms < (view.t0_ms or 0):
        return "not rated since the start"
    above = last.event.value - view.effect.baseline
    return "" if above <= _limit(item) else f"{above:g} above baseline"


def _suicidality(view: View, _item: DischargeCriterion) -> str:
    since = [answer for answer in scale(view.record, CSSRS) if answer.at_ms > (view.t0_ms or 0)]
    if not since:
        return "C-SSRS not asked since the start"
    answers = since[-1].event.answers
    level = cssrs_level(answers)
    if answers.get(CSSRS_BEHAVIOUR):
        return "C-SSRS: behaviour"
    return f"C-SSRS level {level}: a psychiatrist first" if level >= _hold_level(view) else ""


def _hold_level(view: View) -> float:
    """The level at which the protocol's own rule holds; any ideation at all where it has no such rule."""
    rule = next((rule for rule in view.protocol.rules if rule.kind == "suicidality" and rule.active), None)
    return rule.thresholds["cssrs_level"].value if rule else 1.0


def _nausea(view: View, item: DischargeCriterion) -> str:
    ended = {f.event.adverse_event for f in view.record.of(AdverseEventFollowed) if f.event.ended}
    for event in view.record.of(AdverseEvent):
        if event.event.code in {"nausea", "vomiting"} and event.id not in ended:
            return f"{event.event.code} has not ended"
    seen = next((o for o in view.record.latest(DischargeObserved) if o.event.criterion in {item.id, "nausea"}), None)
    return "not met" if seen is not None and not seen.event.met else ""


def _escort(view: View, _item: DischargeCriterion) -> str:
    last = view.record.last(EscortCheck)
    return "" if last is not None and last.event.present else "the escort is not here"


_CHECKS: Mapping[str, Callable[[View, DischargeCriterion], str]] = {
    "elapsed": _elapsed,
    "moaas": _moaas,
    "orientation": _observed,
    "gait": _observed,
    "blood_pressure": _blood_pressure,
    "felt_effect": _felt_effect,
    "suicidality": _suicidality,
    "nausea": _nausea,
    "escort": _escort,
    "advice": _observed,
}
