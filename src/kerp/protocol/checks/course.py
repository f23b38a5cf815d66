"""What every check asks of a protocol: which sessions give drug, on which days, what is asked of whom."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.errors import Fault, UnknownIdError
from kerp.instrument.load import load_instrument
from kerp.instrument.model import Instrument
from kerp.protocol.model import Protocol, SessionPlan

DOSING = ("dosing_with_exposure", "dosing_only")
EXPOSING = ("dosing_with_exposure", "exposure_only")
PARTICIPANT = "participant"


def gives_drug(protocol: Protocol) -> bool:
    """Whether any session of the course gives a drug."""
    return protocol.dose is not None or any(plan.kind in DOSING for plan in protocol.sessions)


def dosing_sessions(protocol: Protocol) -> list[SessionPlan]:
    """Sessions in which drug is given."""
    return [plan for plan in protocol.sessions if plan.kind in DOSING]


def dose_days(protocol: Protocol) -> list[float]:
    """Study days of the doses, first to last."""
    return sorted(day for plan in dosing_sessions(protocol) for day in plan.days)


def active_rules(protocol: Protocol, kind: str) -> list[str]:
    """Ids of the rules of a kind that are switched on."""
    return [rule.id for rule in protocol.rules if rule.kind == kind and rule.active]


def asked(protocol: Protocol) -> Iterator[tuple[str, str, str]]:
    """(instrument, who answers or rates, path) wherever something is asked."""
    for plan in protocol.sessions:
        for prompt in plan.prompts:
            yield prompt.instrument, prompt.asked_by, f"sessions.{plan.id}.prompts.{prompt.id}"
    for visit in protocol.visits:
        for item in visit.assessments:
            yield item.instrument, item.rater, f"visits.{visit.id}.assessments.{item.instrument}"


def instrument_of(identifier: str) -> Instrument | None:
    """The shipped instrument, or None where there is none of that id."""
    try:
        return load_instrument(identifier)
    except UnknownIdError:
        return None


def objection(field: str, message: str, *ways_out: str, found: object = "", allowed: str = "") -> Fault:
    """A fault at a dotted path of keys and record ids; the runner adds file and line."""
    shown = f"{found:g}" if isinstance(found, float) else str(found)
    return Fault(message, field=field, found=shown, allowed=allowed, ways_out=ways_out)
