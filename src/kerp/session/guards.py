"""What stands against a requested transition, in words, with who may override it.

Only transitions are ever refused. Stops, holds of exposure, and facts are not in this list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kerp.base.elapsed import clock, ms_from_min
from kerp.protocol.model import Fact
from kerp.session.advise import course_advice, holds_drug, holds_exposure, rule_advice
from kerp.session.discharge import discharge_blockers
from kerp.session.drug_track import DrugStatus
from kerp.session.events import (
    AdministrationEnded,
    AdministrationStarted,
    AnxietyStepTaken,
    DeviceGiven,
    Discharged,
    DrugHeld,
    DrugResumed,
    DrugStopped,
    Event,
    ExposureEnded,
    ExposureHeld,
    ExposureResumed,
    ExposureStarted,
    ExposureStepped,
    HierarchyItem,
    RateChanged,
    ReadyConfirmed,
    SessionOpened,
    Signature,
    SignOff,
    TaperStepped,
    Withdrawal,
)
from kerp.session.gate import missing
from kerp.session.limits import CLOCK_OFFSET_MS
from kerp.session.view import View
from kerp.session.visits import dose_entries

ANYBODY = ""
PRESCRIBER = "prescriber"
THERAPIST = "therapist"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands against a transition.

    `overridable`: somebody in the role `who` (or the prescriber) may go on with a reason; else it makes no sense.
    """

    id: str
    text: str
    ways_out: tuple[str, ...] = ()
    who: str = PRESCRIBER
    overridable: bool = True
    entries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The transition that is asked for, in the session as it stands."""

    view: View
    event: Any
    clock_offset_ms: int = 0


Guard = Callable[[Asked], Iterator[Reason]]


def _never(identifier: str, text: str, *ways_out: str) -> Reason:
    return Reason(identifier, text, ways_out, who=ANYBODY, overridable=False)


# --- session ---


def _opening(asked: Asked) -> Iterator[Reason]:
    view, plan_id = asked.view, asked.event.plan
    plan = next((plan for plan in view.protocol.sessions if plan.id == plan_id), None)
    if plan is None:
        known = ", ".join(plan.id for plan in view.protocol.sessions)
        yield _never("no_such_plan", f"the protocol has no session {plan_id!r}", f"choose one of {known}")
        return
    if view.record.plan_id:
        yield _never("already_open", f"session {view.record.id} is open already", "give the new session its own id")
    if (withdrawal := view.state.course.first(Withdrawal)) is not None:
        yield Reason("withdrawn", "the participant has withdrawn", ("do not open it",), entries=(withdrawal.id,))
    for other in view.state.sessions:
        if other.plan_id and other.id != view.record.id and other.last(Discharged) is None:
            yield Reason("other_open", f"session {other.id} is not closed", ("record its discharge first",))
    if plan.kind.startswith("dosing"):
        yield from _next_dose(view)


def _next_dose(view: View) -> Iterator[Reason]:
    """After paradoxical anxiety the next dose needs a fresh sign-off (clinical.md section 8, step 6)."""
    dose = view.protocol.dose
    given = dose_entries(view.state)
    if dose is not None and len(given) >= dose.doses_total:
        yield Reason("doses_given", f"{len(given)} of {dose.doses_total} doses were given")
    steps = view.state.everywhere(AnxietyStepTaken)
    cleared = [item for item in view.state.everywhere(SignOff) if item.event.cleared]
    if steps and not any(item.at_ms >= steps[-1].at_ms for item in cleared):
        ways = ("record the sign-off for the next dose",)
        yield Reason("no_sign_off", "paradoxical anxiety at the last dose was not signed off", ways)


def _ready(asked: Asked) -> Iterator[Reason]:
    for item in missing(asked.view):
        yield Reason(f"missing.{item.id}", f"{item.title}: {item.why}", who=item.role or PRESCRIBER)


# --- drug ---


def _start(asked: Asked) -> Iterator[Reason]:
    """Minute 0: gate, ready, time, no rule against it, the participant goes on."""
    view = asked.view
    if view.drug.given:
        yield _never("started", "the administration has started", "to change when it started, correct the entry")
        return
    if not view.dosing:
        yield _never("no_dose", "this kind of session gives no drug", "open a session of the dose")
    yield from _ready(asked)
    if Fact.READY_CONFIRMED not in view.facts:
        yield Reason("not_ready", "'ready' was not confirmed", ("confirm ready first",))
    if abs(asked.clock_offset_ms) > CLOCK_OFFSET_MS:
        ways = ("set the clock of the device, or start from another one",)
        yield Reason("clock_offset", f"this device is {asked.clock_offset_ms / 1000:.1f} s off", ways)
    yield from _ended_by_participant(view)
    yield from _drug_rules(view, skip={item.id for item in missing(view)})


def _device(asked: Asked) -> Iterator[Reason]:
    view, dose = asked.view, asked.view.protocol.dose
    if not view.drug.given:
        yield from _start(asked)
        return
    if view.drug.over:
        yield Reason("over", "the administration is over", ("record what was given, if it was given",))
    if asked.event.number in {device.number for device in view.drug.devices}:
        yield _never("same_number", f"device {asked.event.number} was given already", "give the next number")
    if asked.event.count > 1:
        yield _never("one_by_one", "each device is recorded by itself (M3)", "record one event for each device")
    if dose is not None and dose.device_gap_min is not None and view.drug.devices:
        allowed_ms = view.drug.devices[-1].at_ms + ms_from_min(dose.device_gap_min.value)
        if view.now_ms < allowed_ms:
            text = f"the next device is due at {clock(allowed_ms - (view.t0_ms or 0))}"
            yield Reason("device_gap", text, (f"wait {dose.device_gap_min.value:g} min between devices",))
    yield from _drug_rules(view)
    yield from _ended_by_participant(view)


def _drug_rules(view: View, skip: set[str] | None = None) -> Iterator[Reason]:
    """Every hold or stop rule that fires on the drug and that nobody overrode."""
    for advice in (*rule_advice(view), *course_advice(view.protocol, view.state, view.now_ms)):
        if holds_drug(advice) and advice.rule_id not in (skip or set()):
            yield Reason(f"rule.{advice.rule_id}", advice.text, who=advice.who_decides, entries=advice.entries)


def _running(asked: Asked) -> Iterator[Reason]:
    if asked.view.drug.status is not DrugStatus.RUNNING:
        yield _never("not_running", f"the drug is {asked.view.drug.status.replace('_', ' ')}")


def _held(asked: Asked) -> Iterator[Reason]:
    """Resuming: it must be held, and no rule may stand against it."""
    if asked.view.drug.status is not DrugStatus.HELD:
        yield _never("not_held", f"the drug is {asked.view.drug.status.replace('_', ' ')}, not held")
        return
    yield from _drug_rules(asked.view)
    yield from _ended_by_participant(asked.view)


def _given_not_over(asked: Asked) -> Iterator[Reason]:
    if not asked.view.drug.given or asked.view.drug.over:
        yield _never("nothing_to_stop", f"the drug is {asked.view.drug.status.replace('_', ' ')}")


def _given(asked: Asked) -> Iterator[Reason]:
    if not asked.view.drug.given:
        yield _never("not_started", "the administration has not started")


# --- exposure ---


def _ended_by_participant(view: View) -> Iterator[Reason]:
    if view.ended_by_patient:
        ways = ("leave it; talk first",)
        entries = (view.ended_by_patient,)
        yield Reason(
            "ended_by_participant", "the participant has said stop or withdrawn", ways, THERAPIST, True, entries
        )


def _exposure(asked: Asked) -> Iterator[Reason]:
    view, item = asked.view, asked.event.item
    if view.plan is None or view.plan.exposure is None:
        yield _never(
            "no_exposure_planned", "this kind of session has no exposure", "record it as a fact if it happened"
        )
        return
    yield from _ended_by_participant(view)
    if view.exposure.open_blocks:
        open_name = view.exposure.open_blocks[-1].name
        yield _never("block_open", f"block {open_name} is open", f"end block {open_name} first")
    if view.dosing and not view.drug.given:
        text = "exposure opens with the administration (PAPER P28), which has not started"
        yield Reason("before_start", text, ("start the administration first",), THERAPIST)
    if item not in {known.event.item for known in view.state.everywhere(HierarchyItem)}:
        yield Reason(
            "not_in_hierarchy", f"{item!r} is not in the hierarchy", ("add the item to the hierarchy",), THERAPIST
        )
    if view.discharged:
        yield _never("discharged", "the session is closed")
    yield from _exposure_rules(view)


def _exposure_rules(view: View) -> Iterator[Reason]:
    for advice in (*rule_advice(view), *course_advice(view.protocol, view.state, view.now_ms)):
        if holds_exposure(advice):
            yield Reason(f"rule.{advice.rule_id}", advice.text, who=advice.who_decides, entries=advice.entries)


def _open_block(asked: Asked) -> Iterator[Reason]:
    names = [block.name for block in asked.view.exposure.open_blocks]
    if asked.event.block not in names:
        known = f"open: {', '.join(names)}" if names else "no block is open"
        yield _never("no_such_block", f"block {asked.event.block} is not open", known)


def _step(asked: Asked) -> Iterator[Reason]:
    """A stronger stimulus needs what a new block needs; a weaker one never waits."""
    yield from _open_block(asked)
    stronger = any(b.now.intensity < asked.event.intensity for b in asked.view.exposure.open_blocks)
    if stronger:
        yield from _ended_by_participant(asked.view)
        yield from _exposure_rules(asked.view)


def _resume(asked: Asked) -> Iterator[Reason]:
    yield from _open_block(asked)
    yield from _ended_by_participant(asked.view)
    yield from _exposure_rules(asked.view)


def _taper(asked: Asked) -> Iterator[Reason]:
    view = asked.view
    yield from _open_block(asked)
    known = [step.id for step in view.plan.exposure.taper] if view.plan and view.plan.exposure else []
    if asked.event.step not in known:
        yield _never(
            "no_such_step", f"the protocol has no taper step {asked.event.step!r}", f"one of {', '.join(known)}"
        )
    if view.drug.given and view.effect.peak_ms is None:
        text = "the peak of the effect has not been declared (PAPER P31)"
        yield Reason("before_peak", text, ("step down as a step of the block",), THERAPIST)


# --- end ---


def _discharge(asked: Asked) -> Iterator[Reason]:
    view = asked.view
    if view.exposure.open_blocks:
        yield _never("exposure_open", "exposure is open", "end or stop it first")
    if view.drug.given and not view.drug.over:
        yield _never("drug_running", f"the drug is {view.drug.status}", "record its end or stop first")
    for blocker in discharge_blockers(view):
        yield Reason(f"discharge.{blocker.id}", f"{blocker.title}: {blocker.why}")
    for advice in course_advice(view.protocol, view.state, view.now_ms):
        if holds_drug(advice) and holds_exposure(advice):
            yield Reason(f"rule.{advice.rule_id}", advice.text, who=advice.who_decides, entries=advice.entries)


def _signature(asked: Asked) -> Iterator[Reason]:
    view = asked.view
    if asked.event.through_seq > view.state.last_seq:
        text = f"the log ends with entry {view.state.last_seq}"
        yield _never("beyond_the_end", text, "sign what has been recorded")
    if view.exposure.open_blocks or (view.drug.given and not view.drug.over):
        yield _never("still_going", "drug or exposure is still going", "record their ends first")


GUARDS: Mapping[type[Event], Guard] = {
    SessionOpened: _opening,
    ReadyConfirmed: _ready,
    AdministrationStarted: _start,
    DeviceGiven: _device,
    RateChanged: _running,
    DrugHeld: _running,
    DrugResumed: _held,
    DrugStopped: _given_not_over,
    AdministrationEnded: _given,
    ExposureStarted: _exposure,
    ExposureStepped: _step,
    ExposureResumed: _resume,
    ExposureHeld: _open_block,
    ExposureEnded: _open_block,
    TaperStepped: _taper,
    Discharged: _discharge,
    Signature: _signature,
}


def filled(view: View, event: Event) -> Event:
    """The event with what stood against it written into it, where its type has room for that."""
    if isinstance(event, ReadyConfirmed):
        return replace(event, missing=tuple(item.id for item in missing(view)))
    if isinstance(event, Discharged):
        return replace(event, blockers=tuple(item.id for item in discharge_blockers(view)))
    return event
