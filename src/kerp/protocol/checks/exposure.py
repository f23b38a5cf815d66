"""Exposure: opened, ended, tapered and repeated as an ERP therapist would; planning that can be kept."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from kerp.base.errors import Fault
from kerp.protocol.checks.course import EXPOSING, dose_days, dosing_sessions, objection
from kerp.protocol.model import ExposurePlan, Proposal, Protocol, SessionPlan


def sessions_that_contradict_the_dose(protocol: Protocol) -> Iterator[Fault]:
    """A dose without a session to give it in, or the reverse; as many dosing days as doses."""
    dosing = dosing_sessions(protocol)
    if protocol.dose is None and dosing:
        yield objection(f"sessions.{dosing[0].id}.kind", "drug is given, but there is no [dose]", "add [dose]")
    elif protocol.dose is not None and not dosing:
        yield objection(
            "dose", "there is a dose, but no session gives it", "add a session of a dosing kind", "remove [dose]"
        )
    elif protocol.dose is not None and len(dose_days(protocol)) != protocol.dose.doses_total:
        found = f"{len(dose_days(protocol))} days, {protocol.dose.doses_total} doses"
        ways = ("list one study day for each dose in `days`", "correct doses_total")
        yield objection("dose.doses_total", "the sessions do not give as many doses as stated", *ways, found=found)


def exposure_without_plan(protocol: Protocol) -> Iterator[Fault]:
    """Where exposure is run, blocks, endings and a phase that opens and one that ends it are stated."""
    for plan in protocol.sessions:
        field = f"sessions.{plan.id}"
        if plan.kind not in EXPOSING:
            if plan.exposure is not None:
                yield objection(f"{field}.exposure", "exposure is planned in a session without exposure", "remove it")
        elif plan.exposure is None:
            yield objection(
                f"{field}.exposure", f"{plan.title!r} runs exposure, but says not how", "add [sessions.exposure]"
            )
        else:
            yield from _opened_and_ended(plan, plan.exposure, field)


def _opened_and_ended(plan: SessionPlan, exposure: ExposurePlan, field: str) -> Iterator[Fault]:
    proposed = {phase.proposes for phase in plan.phases}
    if Proposal.OPEN_EXPOSURE not in proposed:
        yield objection(
            f"{field}.phases", "no phase proposes to open exposure", 'add one with proposes = "open_exposure"'
        )
    if plan.kind == "dosing_with_exposure" and Proposal.STOP_EXPOSURE not in proposed:
        way = 'add a phase that enters_on = "effect_resolved" and proposes = "stop_exposure"'
        yield objection(f"{field}.phases", "nothing ever proposes to stop exposure (PAPER P31)", way)
    if plan.kind == "exposure_only" and exposure.duration_min is None:
        yield objection(
            f"{field}.exposure.duration_min", "a session without drug needs a duration", "add duration_min"
        )


def endings(protocol: Protocol) -> Iterator[Fault]:
    """Each ending rule has what it needs; a person can always end exposure."""
    for plan, exposure, field in _exposures(protocol):
        if "clinician" not in exposure.ending_rules:
            way = 'add "clinician" to ending_rules'
            yield objection(f"{field}.ending_rules", "the clinician must be able to end exposure", way)
        if "protocol_taper" in exposure.ending_rules and not exposure.taper:
            ways = ("add [[sessions.exposure.taper]] steps", 'remove "protocol_taper"')
            yield objection(f"{field}.ending_rules", "a taper is named, but has no steps", *ways)
        if "fixed_time" in exposure.ending_rules and exposure.duration_min is None and plan.kind == "exposure_only":
            yield objection(f"{field}.ending_rules", "a fixed time is named, but not stated", "add duration_min")
        if not 0 < float(exposure.habituation_fraction) < 1:
            found, way = float(exposure.habituation_fraction), "write a fraction, for example 0.5"
            place = f"{field}.habituation_fraction"
            yield objection(
                place, "habituation is a share of the block's peak", way, found=found, allowed="between 0 and 1"
            )


def taper_goes_down(protocol: Protocol) -> Iterator[Fault]:
    """Steps fall from at most full to nothing."""
    for _, exposure, field in _exposures(protocol):
        levels = [step.intensity for step in exposure.taper]
        if levels and levels[0] > 1:
            yield objection(
                f"{field}.taper", "a taper starts at full intensity at most", found=levels[0], allowed="0 to 1"
            )
        for step, (above, below) in zip(exposure.taper[1:], pairwise(levels), strict=True):
            if below >= above:
                way = "order the steps from full to nothing"
                place = f"{field}.taper.{step.id}.intensity"
                yield objection(
                    place, f"the step {step.title!r} does not go down", way, found=below, allowed=f"under {above:g}"
                )
        if levels and levels[-1] != 0:
            way = "let the last step be intensity = 0"
            yield objection(f"{field}.taper", "the taper never ends exposure (PAPER P31)", way, found=levels[-1])


def repetition(protocol: Protocol) -> Iterator[Fault]:
    """The off-drug repetition names a session of exposure that comes before it."""
    plans = {plan.id: plan for plan in protocol.sessions}
    for plan, exposure, field in _exposures(protocol):
        first = plans.get(exposure.same_items_as)
        if not exposure.same_items_as:
            continue
        if first is None or first.kind not in EXPOSING:
            ways = (f"name one of {', '.join(name for name in plans if name != plan.id)}",)
            message = "the same items as those of a session that has none"
            yield objection(f"{field}.same_items_as", message, *ways, found=exposure.same_items_as)
        elif min(plan.days) <= min(first.days):
            message = f"the repetition does not come after {first.title!r}"
            yield objection(f"sessions.{plan.id}.days", message, "give it a later day", found=min(plan.days))


def _exposures(protocol: Protocol) -> Iterator[tuple[SessionPlan, ExposurePlan, str]]:
    for plan in protocol.sessions:
        if plan.exposure is not None:
            yield plan, plan.exposure, f"sessions.{plan.id}.exposure"


def planning_can_be_kept(protocol: Protocol) -> Iterator[Fault]:
    """Least is not more than most; a session's items fit into the hierarchy."""
    plan = protocol.planning
    for low, high in (
        ("hierarchy_min_items", "hierarchy_max_items"),
        ("session_items_min", "session_items_max"),
        ("session_items_max", "hierarchy_min_items"),
        ("suds_middle_low", "suds_middle_high"),
    ):
        below, above = float(getattr(plan, low)), float(getattr(plan, high))
        if below > above:
            found = f"{below:g} and {above:g}"
            yield objection(
                f"planning.{low}", f"{low} is larger than {high}", "exchange or correct them", found=found
            )


CHECKS = (
    sessions_that_contradict_the_dose,
    exposure_without_plan,
    endings,
    taper_goes_down,
    repetition,
    planning_can_be_kept,
)
