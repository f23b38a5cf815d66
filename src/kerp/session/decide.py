"""Commands: a fact is always accepted, a transition is accepted or refused with its reasons and ways out.

`Record` writes down what happened. `Request` asks for something to begin, change or end; what stands against it can
be overridden by a person in the right role, and the override is an event of its own. Malformed input is neither: it
raises `KerpError`, and nothing happens.
"""

from __future__ import annotations

from dataclasses import dataclass

from kerp.base.errors import Fault, KerpError
from kerp.protocol.model import Protocol
from kerp.session.codec import faults_of, secret_fields
from kerp.session.events import Event, TransitionOverridden
from kerp.session.guards import GUARDS, PRESCRIBER, Asked, Reason, filled
from kerp.session.state import SessionRecord, State
from kerp.session.view import View, view_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something happened."""

    event: Event
    at_ms: int
    actor: str
    session: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something shall happen now. `override` is the reason to go on against what is said."""

    event: Event
    at_ms: int
    actor: str
    session: str = ""
    role: str = ""
    override: str = ""
    clock_offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """Events to append, in order; `warnings` are what a recorded fact departs from."""

    events: tuple[Event, ...]
    warnings: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Everything that stands against the transition, at once."""

    reasons: tuple[Reason, ...]


Command = Record | Request


def decide(protocol: Protocol, state: State, command: Command) -> Accepted | Refused:
    """What follows from a command. `KerpError` for a malformed one."""
    _check(protocol, command)
    view = _view(protocol, state, command)
    reasons = reasons_against(view, command)
    if isinstance(command, Record):
        return Accepted((command.event,), reasons)
    standing = tuple(reason for reason in reasons if not _may_override(reason, command))
    if standing:
        return Refused(_with_ways(standing, command))
    if not reasons:
        return Accepted((command.event,))
    names = tuple(reason.id for reason in reasons)
    override = TransitionOverridden(transition=command.event.type, reasons=names, reason=command.override)
    return Accepted((override, filled(view, command.event)), reasons)


def reasons_against(view: View, command: Command) -> tuple[Reason, ...]:
    """What stands against the event of a command; nothing for facts that are no transition."""
    guard = GUARDS.get(type(command.event))
    offset = command.clock_offset_ms if isinstance(command, Request) else 0
    return tuple(guard(Asked(view=view, event=command.event, clock_offset_ms=offset))) if guard else ()


def _view(protocol: Protocol, state: State, command: Command) -> View:
    record = state.session(command.session) or SessionRecord(command.session)
    return view_of(protocol, state, record, command.at_ms)


def _check(protocol: Protocol, command: Command) -> None:
    faults = list(faults_of(command.event))
    if not command.actor:
        faults.append(Fault("a command needs the person who gives it", field="actor"))
    if protocol.blinded:
        ways = ("leave it to the allocation store; the log keeps kit, mL and mL/h",)
        message = "the log of a blinded trial may not say this (M8)"
        faults += [Fault(message, field=name, ways_out=ways) for name in secret_fields(command.event)]
    if faults:
        raise KerpError(*faults)


def _may_override(reason: Reason, command: Request) -> bool:
    """With a reason given, by the role that decides or by the prescriber."""
    return bool(reason.overridable and command.override.strip() and command.role in {reason.who, PRESCRIBER})


def _with_ways(reasons: tuple[Reason, ...], command: Request) -> tuple[Reason, ...]:
    return tuple(_with_override(reason, command) for reason in reasons)


def _with_override(reason: Reason, command: Request) -> Reason:
    if not reason.overridable:
        return reason
    who = reason.who if reason.who == PRESCRIBER else f"{reason.who} or the {PRESCRIBER}"
    way = f"the {who.replace('_', ' ')} may go on with a reason"
    if command.override.strip():
        way += f"; {command.role or 'nobody in particular'} may not"
    return Reason(reason.id, reason.text, (*reason.ways_out, way), reason.who, True, reason.entries)
