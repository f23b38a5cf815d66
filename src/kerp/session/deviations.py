"""Departures from the protocol that follow from the record itself, beside those somebody wrote down.

A deviation is never a refusal: it says what happened, with the entries that show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kerp.base.elapsed import clock, min_from_ms
from kerp.protocol.model import Protocol
from kerp.session.events import (
    AdministrationStarted,
    AdviceOverridden,
    DeviationNoted,
    DeviceGiven,
    Discharged,
    DoseComputed,
    ExposureStarted,
    ScaleAnswered,
    TransitionOverridden,
    Unblinded,
    Weighed,
)
from kerp.session.fold import as_of
from kerp.session.gate import missing
from kerp.session.prompts import SlotState, slots_of
from kerp.session.rules.course import straddling
from kerp.session.rules.dose import device_gap_findings
from kerp.session.state import State
from kerp.session.verification import weight_change_pct
from kerp.session.view import View, views_of
from kerp.session.visits import VisitState, visits_of


@dataclass(frozen=True, slots=True)
class Deviation:
    """What departed, since when, and the entries that show it."""

    kind: str
    text: str
    at_ms: int
    entries: tuple[str, ...] = ()
    session: str = ""
    major: bool = False


def deviations(protocol: Protocol, state: State, now_ms: int) -> tuple[Deviation, ...]:
    """Every deviation known at `now_ms`, in order of time."""
    state = as_of(protocol, state, now_ms)
    views = views_of(protocol, state, now_ms)
    found = [
        *_written(state),
        *_overrides(state),
        *_moved_starts(state),
        *_scales(protocol, state),
        *_roles(protocol, state),
        *_visits(protocol, state, now_ms),
        *(deviation for view in views for deviation in _of_session(view)),
    ]
    return tuple(sorted(found, key=lambda deviation: (deviation.at_ms, deviation.kind, deviation.entries)))


def _of_session(view: View) -> Iterator[Deviation]:
    yield from _started_without(view)
    yield from _weight(view)
    yield from _devices(view)
    yield from _exposure_after_stop(view)
    yield from _missed(view)
    yield from _left_early(view)


def _written(state: State) -> Iterator[Deviation]:
    for item in state.everywhere(DeviationNoted):
        text = f"{item.event.category}: {item.event.text}"
        yield Deviation("noted", text, item.at_ms, (item.id,), item.entry.session, item.event.major)
    for broken in state.everywhere(Unblinded):
        text = f"{broken.actor} learned the arm, with {broken.event.second_person}"
        yield Deviation("unblinding", text, broken.at_ms, (broken.id,), broken.entry.session, major=True)


def _overrides(state: State) -> Iterator[Deviation]:
    for item in state.everywhere(TransitionOverridden):
        text = f"{item.event.transition} against {', '.join(item.event.reasons)}: {item.event.reason}"
        yield Deviation("transition_overridden", text, item.at_ms, (item.id,), item.entry.session)
    for other in state.everywhere(AdviceOverridden):
        text = f"advice {other.event.rule}: {other.event.reason}"
        yield Deviation("advice_overridden", text, other.at_ms, (other.id,), other.entry.session)


def _moved_starts(state: State) -> Iterator[Deviation]:
    """A start that was corrected afterwards moves every minute of its session."""
    for applied in state.applied:
        before, correction = applied.before, applied.correction
        moved = getattr(correction.event, "occurred_ms", None)
        if isinstance(before.event, AdministrationStarted | DeviceGiven) and moved is not None:
            by = min_from_ms(moved - before.occurred_ms)
            text = f"{before.event.type} moved by {by:+.1f} min, {correction.actor}: {_reason(correction.event)}"
            entries = (before.id, correction.id)
            yield Deviation("start_corrected", text, correction.occurred_ms, entries, before.session)


def _reason(event: object) -> str:
    return str(getattr(event, "reason", ""))


def _started_without(view: View) -> Iterator[Deviation]:
    """What was missing when the drug was started, whoever overrode it."""
    if view.drug.t0_ms is None:
        return
    absent = missing(view)
    if absent:
        text = "started without: " + "; ".join(f"{item.title} ({item.why})" for item in absent)
        entries = (view.drug.t0_entry,)
        yield Deviation("started_without", text, view.drug.t0_ms, entries, view.record.id, major=True)


def _weight(view: View) -> Iterator[Deviation]:
    """The weight turned out to be another one after the dose had begun (M2)."""
    computed, dose = view.record.last(DoseComputed), view.protocol.dose
    if computed is None or dose is None or not view.drug.given or computed.event.weight_kg is None:
        return
    weights = [weight for weight in view.record.of(Weighed) if weight.at_ms <= (view.drug.t0_ms or 0)]
    change = weight_change_pct(computed, weights[-1]) if weights else None
    if change is not None and change > dose.weight_change_pct.value:
        text = (
            f"dose computed for {computed.event.weight_kg:g} kg, weight {weights[-1].event.weight_kg:g} kg: "
            f"{change:.0f} % off; what was given stands"
        )
        yield Deviation(
            "wrong_weight", text, computed.at_ms, (computed.id, weights[-1].id), view.record.id, major=True
        )


def _devices(view: View) -> Iterator[Deviation]:
    for finding in device_gap_findings(view):
        kind = "device_gap" if len(finding.entries) > 1 else "devices_as_one"
        yield Deviation(kind, finding.detail, finding.since_ms, finding.entries, view.record.id)


def _exposure_after_stop(view: View) -> Iterator[Deviation]:
    ended_ms = view.ended_by_patient_ms
    for item in view.record.of(ExposureStarted):
        if ended_ms is not None and item.at_ms > ended_ms:
            text = "an exposure began after the participant had ended it"
            yield Deviation("exposure_after_stop", text, item.at_ms, (item.id,), view.record.id, major=True)


def _missed(view: View) -> Iterator[Deviation]:
    """Required ratings that were not asked in time, one deviation for each prompt."""
    missed: dict[str, list[int]] = {}
    for slot in slots_of(view):
        if slot.state is SlotState.MISSED and slot.prompt.required:
            missed.setdefault(slot.prompt.id, []).append(slot.due_ms)
    for name, times in missed.items():
        shown = ", ".join(clock(ms - (view.t0_ms or 0)) for ms in times)
        yield Deviation("not_asked", f"{name}: {len(times)} missed ({shown})", times[0], (), view.record.id)


def _left_early(view: View) -> Iterator[Deviation]:
    left = view.record.last(Discharged)
    if left is not None and left.event.blockers:
        text = f"discharged although: {', '.join(left.event.blockers)}"
        yield Deviation("left_early", text, left.at_ms, (left.id,), view.record.id, major=True)


def _scales(protocol: Protocol, state: State) -> Iterator[Deviation]:
    for answered, dose, days in straddling(protocol, state):
        text = f"{answered.event.instrument} asked {days} study days after a dose: not valid for analysis"
        entries = (answered.id, dose.id)
        yield Deviation("reference_period", text, answered.at_ms, entries, answered.entry.session)
    raters = {use.id: use.rater for use in protocol.instruments if use.role in {"primary", "secondary"}}
    for answered in state.everywhere(ScaleAnswered):
        rater, role = raters.get(answered.event.instrument), answered.entry.role
        if rater and rater != "participant" and role and role != rater:
            text = f"{answered.event.instrument} rated by a {role}, not by the {rater} (M7)"
            yield Deviation("wrong_rater", text, answered.at_ms, (answered.id,), answered.entry.session)


def _roles(protocol: Protocol, state: State) -> Iterator[Deviation]:
    """One person in two roles that exclude each other (M7)."""
    first: dict[tuple[str, str], tuple[int, str]] = {}
    for entry in state.entries:
        if entry.role:
            first.setdefault((entry.actor, entry.role), (entry.occurred_ms, entry.id))
    for role in protocol.roles:
        for other in role.never_also:
            for actor in {actor for actor, held in first if held == role.id and (actor, other) in first}:
                one, two = sorted([first[actor, role.id], first[actor, other]])
                text = f"{actor} acted as {role.id} and as {other}, which exclude each other"
                yield Deviation("two_roles", text, two[0], (one[1], two[1]), major=True)


def _visits(protocol: Protocol, state: State, now_ms: int) -> Iterator[Deviation]:
    for status in visits_of(protocol, state, now_ms):
        at_ms = status.due_ms if status.due_ms is not None else 0
        if status.state is VisitState.DONE_OUTSIDE:
            text = f"{status.visit.title}: done on study day {status.day}, outside its window"
            yield Deviation("visit_window", text, at_ms, (status.entry,))
        elif status.state in {VisitState.MISSED, VisitState.ESCALATED} and status.visit.mandatory:
            yield Deviation("visit_missed", f"{status.visit.title}: not done in time", at_ms)
