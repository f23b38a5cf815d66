"""Visits, calls and the reference periods of what is asked at them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from kerp.base.errors import Fault
from kerp.instrument.model import MIN_PER_DAY, Instrument
from kerp.protocol.checks.course import DOSING, dose_days, gives_drug, instrument_of, objection
from kerp.protocol.model import Fact, Protocol, SessionPlan, Visit

BEFORE_DOSE = (Fact.SESSION_OPENED, Fact.READY_CONFIRMED)


def window(visit: Visit) -> tuple[float, float]:
    """First and last study day of a visit, counted from its anchor."""
    return visit.day - visit.window_before_days, visit.day + visit.window_after_days


def crossing_windows(protocol: Protocol) -> Iterator[Fault]:
    """Two visits that ask the same thing must not share a day: nobody could say which of them it was."""
    for first, second in combinations(protocol.visits, 2):
        shared = {item.instrument for item in first.assessments} & {item.instrument for item in second.assessments}
        (_, end), (start, _) = sorted([window(first), window(second)])[0], sorted([window(first), window(second)])[1]
        if shared and first.anchor == second.anchor and start <= end:
            message = (
                f"the windows of {first.title!r} and {second.title!r} cross, and both ask {', '.join(sorted(shared))}"
            )
            field = f"visits.{second.id}.window_before_days"
            yield objection(
                field, message, "narrow one of the windows", "move one of the visits", found=_days(first, second)
            )


def _days(*visits: Visit) -> str:
    return "; ".join(f"{visit.id}: day {window(visit)[0]:g} to {window(visit)[1]:g}" for visit in visits)


def crossing_sessions(protocol: Protocol) -> Iterator[Fault]:
    """Two sessions of one kind must not share a day."""
    for plan in protocol.sessions:
        days = sorted(plan.days)
        if not days:
            yield objection(f"sessions.{plan.id}.days", f"{plan.title!r} has no day", "list its study days")
        width = plan.window_before_days + plan.window_after_days
        for earlier, later in pairwise(days):
            if earlier + width >= later:
                message = f"the windows of {plan.title!r} on days {earlier:g} and {later:g} cross"
                yield objection(f"sessions.{plan.id}.days", message, "narrow the windows", "space the days")


def scales_that_look_back_over_a_dose(protocol: Protocol) -> Iterator[Fault]:
    """A visit on which a scale would look back over a dose: the Y-BOCS less than 7 study days after one (M1).

    The day of the dose itself is allowed: before the dose the scale is valid, and the engine flags it after.
    """
    days = dose_days(protocol)
    if not days:
        return
    for visit in protocol.visits:
        first, last = (edge + (days[-1] if visit.anchor == "last_dose" else 0) for edge in window(visit))
        for item in visit.assessments:
            period = _days_that_must_be_free(instrument_of(item.instrument))
            clash = [day for day in days if period and first < day + period and last > day]
            if clash:
                yield _looks_back(visit, item.instrument, period, clash[-1], first)


def _days_that_must_be_free(instrument: Instrument | None) -> float:
    if instrument is None or not instrument.period.must_not_straddle_dose:
        return 0.0
    return instrument.period.window_days if instrument.period.window_min >= MIN_PER_DAY else 0.0


def _looks_back(visit: Visit, instrument: str, period: float, dose_day: float, first: float) -> Fault:
    name = _short_name(instrument)
    message = f"{name} rates the past {period:g} days, and {visit.title!r} can fall less than that after a dose (M1)"
    ways = (
        f"let the window begin on study day {dose_day + period:g} or later",
        "ask the OCD-VAS or a short-period form instead",
    )
    found = f"from day {first:g}, dose on day {dose_day:g}"
    return objection(f"visits.{visit.id}.assessments.{instrument}", message, *ways, found=found)


def _short_name(identifier: str) -> str:
    instrument = instrument_of(identifier)
    return instrument.short_name if instrument else identifier


def prompts_that_look_back_over_a_dose(protocol: Protocol) -> Iterator[Fault]:
    """The same within the session of the dose, in minutes for short periods (M1)."""
    for plan in protocol.sessions:
        for prompt in plan.prompts if plan.kind in DOSING else ():
            instrument = instrument_of(prompt.instrument)
            if instrument is None or not instrument.period.must_not_straddle_dose or prompt.anchor in BEFORE_DOSE:
                continue
            earliest = min([*prompt.at_min, *([prompt.from_min] if prompt.from_min is not None else [])], default=0.0)
            free_from = instrument.period.window_min + _still_running(protocol, prompt.anchor)
            if earliest < free_from:
                yield _too_early(plan, prompt.id, instrument, free_from)


def _still_running(protocol: Protocol, anchor: Fact) -> float:
    """Minutes of administration that may follow an anchor: none once it has ended."""
    if anchor is Fact.ADMINISTRATION_END or protocol.dose is None:
        return 0.0
    return float(protocol.dose.duration_min) if protocol.dose.duration_min is not None else 0.0


def _too_early(plan: SessionPlan, prompt_id: str, instrument: Instrument, free_from: float) -> Fault:
    name, period = instrument.short_name, instrument.period.text
    message = f"{name} speaks of the {period}, and is asked while that reaches over the dose"
    ways = ("ask the OCD-VAS or a short-period form instead", f"ask it {free_from:g} min after the anchor or later")
    return objection(f"sessions.{plan.id}.prompts.{prompt_id}", message, *ways)


def no_day_one_call(protocol: Protocol) -> Iterator[Fault]:
    """After every dose a mandatory contact on the next day, with the suicidality screen and an escalation (M13)."""
    if not gives_drug(protocol):
        return
    for day in dose_days(protocol):
        calls = [visit for visit in protocol.visits if visit.kind == "call" and _on(protocol, visit, day + 1)]
        good = [visit for visit in calls if visit.mandatory]
        if not good:
            ways = ('add a visit of kind = "call", day = 1, mandatory = true',)
            yield objection(
                "visits", f"nobody is bound to call on the day after the dose of day {day:g} (M13)", *ways
            )
        for visit in good:
            yield from _call_is_complete(visit)


def _on(protocol: Protocol, visit: Visit, day: float) -> bool:
    last = dose_days(protocol)[-1] if visit.anchor == "last_dose" else 0
    return visit.day + last == day and not visit.window_after_days


def _call_is_complete(visit: Visit) -> Iterator[Fault]:
    asked = {item.instrument for item in visit.assessments if item.required}
    if not any(name.startswith("cssrs") for name in asked):
        way = "add the assessment cssrs_screener"
        yield objection(f"visits.{visit.id}.assessments", "the call does not ask for suicidal thoughts", way)
    if visit.escalate_after_h is None:
        message = "nobody is told when the call is not made"
        yield objection(
            f"visits.{visit.id}.escalate_after_h", message, "write escalate_after_h = 12 (noon of the day)"
        )


def baseline_not_locked(protocol: Protocol) -> Iterator[Fault]:
    """One locked baseline, with the primary outcome, before the first dose or exposure (M15)."""
    baselines = [visit for visit in protocol.visits if visit.kind == "baseline"]
    if len(baselines) != 1:
        message, way = (
            "there must be one baseline visit, chosen before anything is given",
            'add one of kind = "baseline"',
        )
        yield objection("visits", message, way, found=len(baselines))
        return
    visit = baselines[0]
    if not visit.locked:
        message = "the baseline can still be chosen afterwards (M15)"
        yield objection(f"visits.{visit.id}.locked", message, "write locked = true", found="false")
    primary = {use.id for use in protocol.instruments if use.role == "primary"}
    if missing := primary - {item.instrument for item in visit.assessments}:
        names = ", ".join(sorted(missing))
        yield objection(
            f"visits.{visit.id}.assessments", f"the baseline lacks the primary outcome {names}", f"add {names}"
        )
    if window(visit)[1] > min(dose_days(protocol), default=0):
        way = "end its window on the day of the dose"
        yield objection(f"visits.{visit.id}", "the baseline can fall after the dose", way, found=_days(visit))


CHECKS = (
    crossing_windows,
    crossing_sessions,
    scales_that_look_back_over_a_dose,
    prompts_that_look_back_over_a_dose,
    no_day_one_call,
    baseline_not_locked,
)
