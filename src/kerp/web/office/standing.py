"""How a participant stands: eligibility, consent, plan, visits, sessions. Read from the engine, never stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from kerp.protocol.model import Criterion, Protocol, SessionPlan
from kerp.session.events import (
    AdverseEvent,
    AdverseEventFollowed,
    ConsentChecked,
    EligibilityItem,
    HazardsChecked,
    HierarchyItem,
    ItemsChosen,
    Observed,
    ResponsePreventionAgreed,
    ScalesRehearsed,
    Signature,
    StopWordAgreed,
    Withdrawal,
)
from kerp.session.state import SessionRecord, State
from kerp.session.view import View, view_of
from kerp.session.visits import VisitState, VisitStatus, visits_of
from kerp.web.actions.record import elapsed_ms, moment, site_clock
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log, Participant

CLASSES = {
    VisitState.PLANNED: "later",
    VisitState.DUE: "due",
    VisitState.ESCALATED: "overdue",
    VisitState.MISSED: "overdue",
    VisitState.DONE: "done",
    VisitState.DONE_OUTSIDE: "done",
}
MARKS = {
    VisitState.PLANNED: ("planned", ""),
    VisitState.DUE: ("due", "info"),
    VisitState.ESCALATED: ("overdue: call the prescriber", "stop"),
    VisitState.MISSED: ("missed", "stop"),
    VisitState.DONE: ("done", "good"),
    VisitState.DONE_OUTSIDE: ("done outside its window", "warn"),
}


@dataclass(frozen=True, slots=True)
class Screened:
    """A criterion and what was found."""

    criterion: Criterion
    found: Observed[EligibilityItem] | None

    @property
    def state(self) -> str:
        """met, failed or open."""
        return "open" if self.found is None else "met" if self.found.event.met else "failed"


@dataclass(frozen=True, slots=True)
class Screening:
    """All active criteria."""

    items: tuple[Screened, ...]

    @property
    def state(self) -> str:
        """eligible, not eligible, or open."""
        states = {item.state for item in self.items}
        return "not eligible" if "failed" in states else "open" if "open" in states else "eligible"

    @property
    def done(self) -> int:
        """How many were looked at."""
        return sum(item.state != "open" for item in self.items)


def screening(protocol: Protocol, state: State) -> Screening:
    """Each active criterion with the newest finding."""
    newest = {item.event.criterion: item for item in state.everywhere(EligibilityItem)}
    active = (one for one in protocol.criteria if one.active)
    return Screening(tuple(Screened(one, newest.get(one.id)) for one in active))


@dataclass(frozen=True, slots=True)
class Plan:
    """The exposure plan as it stands."""

    items: tuple[Observed[HierarchyItem], ...]
    chosen: dict[str, tuple[str, ...]]
    contract: ResponsePreventionAgreed | None
    stop_word: StopWordAgreed | None
    rehearsed: ScalesRehearsed | None
    hazards: HazardsChecked | None

    def missing(self, protocol: Protocol) -> Iterator[str]:
        """What the protocol's planning still asks for."""
        wanted = protocol.planning
        low, high = int(wanted.hierarchy_min_items.value), int(wanted.hierarchy_max_items.value)
        if not low <= len(self.items) <= high:
            yield f"{len(self.items)} items in the hierarchy; {low} to {high} are asked for"
        if any(item.event.suds is None for item in self.items):
            yield "an item without SUDS"
        if wanted.response_prevention_contract and not (self.contract and self.contract.agreed):
            yield "the response-prevention contract"
        if wanted.stop_word and self.stop_word is None:
            yield "a stop word"
        if wanted.rehearse_scales and self.rehearsed is None:
            yield "the rehearsal of the scales"
        if wanted.hazards_checked and not (self.hazards and self.hazards.safe):
            yield "the check of hazards"
        if not self.chosen:
            yield "the items chosen for the session"


def plan(state: State) -> Plan:
    """The newest of everything that was agreed."""
    items: dict[str, Observed[HierarchyItem]] = {item.event.item: item for item in state.everywhere(HierarchyItem)}
    ordered = sorted(items.values(), key=lambda item: (item.event.suds is None, item.event.suds or 0))
    course = state.course

    def newest(kind: Any) -> Any:
        last = course.last(kind)
        return last.event if last else None

    return Plan(
        tuple(ordered),
        {one.event.plan: one.event.items for one in state.everywhere(ItemsChosen)},
        newest(ResponsePreventionAgreed),
        newest(StopWordAgreed),
        newest(ScalesRehearsed),
        newest(HazardsChecked),
    )


def now_ms(log: Log) -> int:
    """The log's clock now."""
    return elapsed_ms(log, timezone.now())


def visits(log: Log, protocol: Protocol, state: State) -> list[dict[str, Any]]:
    """The course as a line of visits, for `kerp/participants/course.html`."""
    return [_visit(log, status) for status in visits_of(protocol, state, now_ms(log))]


def _visit(log: Log, status: VisitStatus) -> dict[str, Any]:
    word, mark = MARKS[status.state]
    due = site_clock(log, status.due_ms) if status.due_ms is not None else None
    escalate = site_clock(log, status.escalate_ms) if status.escalate_ms is not None else None
    return {
        "status": status,
        "visit": status.visit,
        "class": CLASSES[status.state],
        "word": word,
        "mark": mark,
        "due": due,
        "escalate": escalate,
        "booked": status.booked,
        "booked_at": site_clock(log, status.booked_ms) if status.booked_ms is not None else None,
        "booked_late": status.late_at(now_ms(log)),
        "open": status.state in {VisitState.DUE, VisitState.ESCALATED, VisitState.MISSED, VisitState.PLANNED},
    }


@dataclass(frozen=True, slots=True)
class Held:
    """A session that was opened."""

    view: View
    started: Any
    signed: bool

    @property
    def state(self) -> str:
        """In words."""
        if self.signed:
            return "signed"
        if self.view.discharged:
            return "to be signed"
        return "running" if self.view.t0_ms is not None else "being prepared"


def sessions(log: Log, protocol: Protocol, state: State) -> list[Held]:
    """Every session that was opened, in order."""
    moment_now = now_ms(log)
    return [_held(log, view_of(protocol, state, record, moment_now), record) for record in state.sessions]


def _held(log: Log, view: View, record: SessionRecord) -> Held:
    first = min((item.at_ms for strand in record.strands for item in strand), default=0)
    return Held(view, moment(log, first), record.last(Signature) is not None)


def plans_to_hold(protocol: Protocol, held: list[Held]) -> list[tuple[SessionPlan, int]]:
    """Each kind of session of the protocol, and how many of it were opened."""
    counted = [session.view.record.plan_id for session in held]
    return [(one, counted.count(one.id)) for one in protocol.sessions]


def open_adverse_events(state: State) -> list[Observed[AdverseEvent]]:
    """Adverse events that nobody has recorded the end of."""
    ended = {item.event.adverse_event for item in state.everywhere(AdverseEventFollowed) if item.event.ended}
    return [item for item in state.everywhere(AdverseEvent) if item.id not in ended]


def page(log: Log) -> dict[str, Any]:
    """Everything of one participant's page."""
    protocol, state = protocol_of(log), state_of(log)
    agreed = plan(state)
    held = sessions(log, protocol, state)
    consent = state.course.last(ConsentChecked)
    return {
        "protocol": protocol,
        "screening": screening(protocol, state),
        "consent": consent,
        "plan": agreed,
        "plan_missing": list(agreed.missing(protocol)),
        "visits": visits(log, protocol, state),
        "sessions": held,
        "plans": plans_to_hold(protocol, held),
        "withdrawal": state.course.last(Withdrawal),
        "adverse": open_adverse_events(state),
        "oddities": list(state.flags),
    }


def row(participant: Participant) -> dict[str, Any]:
    """One line of the list of participants."""
    log = participant.log
    log.participant = participant
    protocol, state = protocol_of(log), state_of(log)
    screened = screening(protocol, state)
    course = visits(log, protocol, state)
    return {
        "participant": participant,
        "screening": screened,
        "withdrawn": state.course.last(Withdrawal) is not None,
        "next": next((visit for visit in course if visit["open"]), None),
        "overdue": [visit for visit in course if visit["class"] == "overdue"],
        "adverse": len(open_adverse_events(state)),
        "sessions": sessions(log, protocol, state),
    }
