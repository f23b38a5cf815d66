"""Blood pressure, heart rate, oxygen, sedation. Thresholds and their sources are protocol data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from kerp.base.elapsed import ms_from_min
from kerp.protocol.model import Rule
from kerp.session.advice import Action, Finding
from kerp.session.events import Observed, SedationRated, VitalsTaken
from kerp.session.pressure import Reading, alarming, baseline, held_by, reaches, shown
from kerp.session.rules.runs import at, ids, limit, newest_run, since_start
from kerp.session.view import View

_E = TypeVar("_E", VitalsTaken, SedationRated)


def do_not_start_bp(view: View, rule: Rule) -> Iterator[Finding]:
    """Before the dose: two readings above the limit (M5). Clears when two readings are below, not with one."""
    if view.drug.given or not view.dosing:
        return
    held = held_by(rule, view.record)
    if held:
        detail = f"Readings {', '.join(shown(reading) for reading in held)}."
        yield Finding(entries=ids(held), since_ms=held[0].at_ms, detail=detail, proposes=Action.DO_NOT_START)


def bp_warn(view: View, rule: Rule) -> Iterator[Finding]:
    """At the limit, or risen by so much since before the dose."""
    before = baseline(view.record, view.drug.t0_ms)
    yield from _of_run(view, _pressure_run(view, lambda item: _warns(item, rule, before)), shown, Action.NOTHING)


def _pressure_run(view: View, holds: Callable[[Reading], bool]) -> tuple[Reading, ...]:
    return newest_run(since_start(view, alarming(view.record, holds)), holds)


def _warns(item: Reading, rule: Rule, before: tuple[float, float] | None) -> bool:
    if reaches(item, rule):
        return True
    if before is None or "sbp_rise_mmhg" not in rule.thresholds or "dbp_rise_mmhg" not in rule.thresholds:
        return False
    measured = (item.event.systolic_mmhg, item.event.diastolic_mmhg)
    rises = (limit(rule, "sbp_rise_mmhg"), limit(rule, "dbp_rise_mmhg"))
    return any(
        value is not None and value - was >= rise for value, was, rise in zip(measured, before, rises, strict=True)
    )


def bp_stop(view: View, rule: Rule) -> Iterator[Finding]:
    """At the stop limit: says so at once, asks for the repeat, and says when the repeat confirms it."""
    run = _pressure_run(view, lambda item: reaches(item, rule))
    if not run:
        return
    first, last = run[0], run[-1]
    due_ms = first.at_ms + ms_from_min(limit(rule, "confirm_within_min"))
    if len(run) > 1:
        detail = f"Confirmed: {shown(first)} at {at(view, first.at_ms)}, {shown(last)} at {at(view, last.at_ms)}."
    elif view.now_ms > due_ms:
        detail = f"{shown(first)} at {at(view, first.at_ms)}; the repeat due at {at(view, due_ms)} is overdue."
    else:
        detail = f"{shown(first)} at {at(view, first.at_ms)}, one reading; repeat by {at(view, due_ms)}."
    once = view.drug.over and len(run) == 1
    action = Action.REPEAT_READING if once else _stop_drug(view)
    yield Finding(entries=ids(run), since_ms=first.at_ms, detail=detail, proposes=action)


def _stop_drug(view: View) -> Action:
    """Nothing is left to stop once the administration is over."""
    return Action.NOTHING if view.drug.over else Action.STOP_DRUG


def heart_rate(view: View, rule: Rule, action: Action = Action.NOTHING) -> Iterator[Finding]:
    """Above the upper or below the lower limit."""

    def out(item: Observed[VitalsTaken]) -> bool:
        rate = item.event.heart_rate_per_min
        low = rule.thresholds.get("hr_low_per_min")
        return rate is not None and (rate > limit(rule, "hr_high_per_min") or (low is not None and rate < low.value))

    measured = [item for item in view.record.of(VitalsTaken) if item.event.heart_rate_per_min is not None]
    yield from _of_run(view, newest_run(since_start(view, measured), out), _heart_rate_of, action)


def heart_rate_stop(view: View, rule: Rule) -> Iterator[Finding]:
    """Heart rate at the stop limit."""
    return heart_rate(view, rule, _stop_drug(view))


def spo2(view: View, rule: Rule, action: Action = Action.NOTHING) -> Iterator[Finding]:
    """Below the limit. Clears with a reading at or above it."""
    measured = [item for item in view.record.of(VitalsTaken) if item.event.spo2_pct is not None]
    low = newest_run(since_start(view, measured), lambda item: (item.event.spo2_pct or 0) < limit(rule, "spo2_pct"))
    yield from _of_run(view, low, _spo2_of, action)


def spo2_stop(view: View, rule: Rule) -> Iterator[Finding]:
    """Oxygen saturation at the stop limit."""
    return spo2(view, rule, _stop_drug(view))


def sedation_pause(view: View, rule: Rule) -> Iterator[Finding]:
    """At or below the level: exposure waits and the prescriber is called."""
    ratings = since_start(view, view.record.of(SedationRated))
    run = newest_run(ratings, lambda item: item.event.moaas <= limit(rule, "moaas"))
    going = any(not block.held for block in view.exposure.open_blocks)
    yield from _of_run(view, run, _moaas_of, Action.HOLD_EXPOSURE if going else Action.NOTHING)


def sedation_stop(view: View, rule: Rule) -> Iterator[Finding]:
    """At or below the level: a stop of the drug; deeper still, an airway call."""
    ratings = since_start(view, view.record.of(SedationRated))
    run = newest_run(ratings, lambda item: item.event.moaas <= limit(rule, "moaas"))
    airway = rule.thresholds.get("airway_moaas")
    for finding in _of_run(view, run, _moaas_of, _stop_drug(view)):
        deep = airway is not None and any(item.event.moaas <= airway.value for item in run[-1:])
        detail = f"{finding.detail} Airway call now." if deep else finding.detail
        yield Finding(entries=finding.entries, since_ms=finding.since_ms, detail=detail, proposes=finding.proposes)


def _of_run(
    view: View, run: tuple[Observed[_E], ...], said: Callable[[Observed[_E]], str], action: Action
) -> Iterator[Finding]:
    if run:
        detail = f"{said(run[-1])} at {at(view, run[-1].at_ms)}."
        yield Finding(entries=ids(run), since_ms=run[0].at_ms, detail=detail, proposes=action)


def _heart_rate_of(item: Observed[VitalsTaken]) -> str:
    return f"Heart rate {item.event.heart_rate_per_min} /min"


def _spo2_of(item: Observed[VitalsTaken]) -> str:
    return f"SpO2 {item.event.spo2_pct:g} %"


def _moaas_of(item: Observed[SedationRated]) -> str:
    return f"MOAA/S {item.event.moaas}"
