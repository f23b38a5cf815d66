"""Releasing allocations one at a time, and breaking one person's blind: pure decisions over an append-only record.

Rules. A person is registered once, in one stratum, for good. The next place of a list is released only to a person
who is registered, and only one person may be waiting. A released place is never taken back: a spoilt kit is replaced
by a kit of the same arm from the end of the list of that stratum. The record holds kit codes and no arm; looking one
up needs a reason and a second person, and is itself a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kerp.allocation.blocks import AllocationList, Entry, Stratum
from kerp.base.errors import Fault

SHORTEST_REASON = 10  # characters: a reason is a sentence, not a dot


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A person was found eligible and entered the trial. Cannot be undone."""

    subject: str
    stratum: Stratum
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The next place of the stratum went to a registered person; `replaces` names a spoilt kit."""

    subject: str
    kit: str
    by: str
    at_ms: int
    replaces: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblinded:
    """One person's arm was looked up."""

    subject: str
    reason: str
    by: str
    second_person: str
    at_ms: int


Event = Registered | Released | Unblinded


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Ask to enter a person; `eligibility_signed` is the signed record of every criterion."""

    subject: str
    stratum: Stratum
    eligibility_signed: bool
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Ask for the next allocation of a registered person."""

    subject: str
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Ask for another kit of the same arm because the kit cannot be used."""

    subject: str
    spoilt_kit: str
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblind:
    """Ask for one person's arm in an emergency."""

    subject: str
    reason: str
    by: str
    second_person: str
    at_ms: int


Command = Register | Release | Replace | Unblind


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event to append; `arm` is set only for an unblinding, and is for the asker's eyes, never for the record."""

    event: Event
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not, and the ways out. Nothing is to be recorded."""

    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """What the record says: registered people with their stratum, their kit now, and every kit that left the list."""

    strata: tuple[tuple[str, Stratum], ...] = ()
    kits: tuple[tuple[str, str], ...] = ()
    used: tuple[str, ...] = ()
    unblinded: tuple[str, ...] = ()

    @property
    def waiting(self) -> str | None:
        """The person who is registered and has no allocation yet."""
        allocated = dict(self.kits)
        return next((subject for subject, _ in self.strata if subject not in allocated), None)


def fold(record: Sequence[Event]) -> ReleaseState:
    """The state after an append-only record."""
    strata: dict[str, Stratum] = {}
    kits: dict[str, str] = {}
    used: list[str] = []
    unblinded: list[str] = []
    for event in record:
        match event:
            case Registered():
                strata[event.subject] = event.stratum
            case Released():
                kits[event.subject] = event.kit
                used.append(event.kit)
            case Unblinded():
                unblinded.append(event.subject)
    return ReleaseState(tuple(strata.items()), tuple(kits.items()), tuple(used), tuple(unblinded))


def decide(made: AllocationList, record: Sequence[Event], command: Command) -> Accepted | Refused:
    """What to append for a command, or why nothing is appended."""
    state = fold(record)
    last = record[-1].at_ms if record else 0
    if command.at_ms < last:
        return _refused("the record already holds a later event", "at_ms", str(command.at_ms), f"{last} or later")
    match command:
        case Register():
            return _register(made, state, command)
        case Release():
            return _release(made, state, command)
        case Replace():
            return _replace(made, state, command)
        case Unblind():
            return _unblind(made, state, command)


def _register(made: AllocationList, state: ReleaseState, command: Register) -> Accepted | Refused:
    faults = []
    if command.subject in dict(state.strata):
        way = ("if this is another person, they need another study code",)
        message = "this person is already registered, for good"
        faults.append(Fault(message, field="subject", found=command.subject, ways_out=way))
    if command.stratum not in made.plan.strata:
        allowed = "; ".join("/".join(stratum) for stratum in made.plan.strata)
        faults.append(Fault("there is no such stratum", "", None, "stratum", "/".join(command.stratum), allowed))
    if not command.eligibility_signed:
        way = ("finish and sign eligibility first",)
        faults.append(Fault("eligibility is not signed", field="eligibility_signed", ways_out=way))
    if state.waiting is not None:
        way = (f"release the allocation of {state.waiting} first",)
        found = f"{state.waiting} is waiting"
        faults.append(Fault("one allocation at a time", field="subject", found=found, ways_out=way))
    if faults:
        return Refused(tuple(faults))
    event = Registered(subject=command.subject, stratum=command.stratum, by=command.by, at_ms=command.at_ms)
    return Accepted(event)


def _release(made: AllocationList, state: ReleaseState, command: Release) -> Accepted | Refused:
    stratum = dict(state.strata).get(command.subject)
    if stratum is None:
        return _refused("this person is not registered", "subject", command.subject, way="register them first")
    if command.subject in dict(state.kits):
        message = "this person already has an allocation; it is never drawn again"
        return _refused(message, "subject", command.subject, way="replace a spoilt kit with a kit of the same arm")
    entry = _next(made, state, stratum)
    if entry is None:
        return _refused("the list of this stratum is used up", "stratum", "/".join(stratum), way=_LENGTHEN)
    return Accepted(Released(subject=command.subject, kit=entry.kit, by=command.by, at_ms=command.at_ms))


_LENGTHEN = "make a longer list from the same seed: it begins with this one"


def _next(made: AllocationList, state: ReleaseState, stratum: Stratum) -> Entry | None:
    used = set(state.used)
    return next((entry for entry in made.of(stratum) if entry.kit not in used), None)


def _replace(made: AllocationList, state: ReleaseState, command: Replace) -> Accepted | Refused:
    current = dict(state.kits).get(command.subject)
    if current is None or current != command.spoilt_kit:
        return _refused("this is not the kit this person has", "spoilt_kit", command.spoilt_kit)
    used = set(state.used)
    arm = arm_of(made, current)
    stratum = dict(state.strata)[command.subject]
    spare = [entry for entry in made.of(stratum) if entry.kit not in used and entry.arm == arm]
    if not spare:
        return _refused("no kit of this kind is left in the stratum", "spoilt_kit", command.spoilt_kit, way=_LENGTHEN)
    event = Released(
        subject=command.subject, kit=spare[-1].kit, by=command.by, at_ms=command.at_ms, replaces=command.spoilt_kit
    )
    return Accepted(event)


def _unblind(made: AllocationList, state: ReleaseState, command: Unblind) -> Accepted | Refused:
    kit = dict(state.kits).get(command.subject)
    faults = []
    if kit is None:
        faults.append(Fault("this person has no allocation", field="subject", found=command.subject))
    if len(command.reason.strip()) < SHORTEST_REASON:
        allowed = "a sentence that a monitor will read"
        faults.append(Fault("breaking the blind needs its reason", "", None, "reason", command.reason, allowed))
    if not command.second_person.strip() or command.second_person.strip() == command.by.strip():
        allowed = "another person than the one who asks"
        found = command.second_person
        faults.append(Fault("breaking the blind needs a second person", "", None, "second_person", found, allowed))
    if faults or kit is None:
        return Refused(tuple(faults))
    event = Unblinded(
        subject=command.subject,
        reason=command.reason.strip(),
        by=command.by,
        second_person=command.second_person.strip(),
        at_ms=command.at_ms,
    )
    return Accepted(event, arm=arm_of(made, kit))


def arm_of(made: AllocationList, kit: str) -> str:
    """The arm of a kit. Only for the dispenser and for an accepted unblinding."""
    return next(entry.arm for entry in made.entries if entry.kit == kit)


def _refused(message: str, field: str, found: str, allowed: str = "", way: str = "") -> Refused:
    return Refused((Fault(message, "", None, field, found, allowed, (way,) if way else ()),))
