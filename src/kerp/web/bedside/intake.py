"""Entries and requests of devices, on their way through the one writing door.

Facts are always kept. A request is decided while the head of the log is held, so that two devices that ask for the
same thing at once get one yes. The same id again gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid5

from django.db import OperationalError
from django.utils import timezone

from kerp.base.errors import Fault, KerpError
from kerp.session.codec import decode, decode_event
from kerp.session.decide import Accepted, Record, Refused, Request, decide, reasons_against
from kerp.session.events import Corrected, Discharged, DoseComputed, DoseVerified, Event, ReadyConfirmed, Signature
from kerp.session.guards import GUARDS, Reason
from kerp.session.limits import CLOCK_OFFSET_MS
from kerp.session.state import SessionRecord
from kerp.session.view import view_of
from kerp.web.actions import record
from kerp.web.actions.participants import note_treating
from kerp.web.actions.record import SameIdOtherContentError, Submitted
from kerp.web.bedside import dosecheck
from kerp.web.bedside.reach import RECORD, Place, check_may_record
from kerp.web.bedside.wire import BatchIn, EntryIn, RequestIn, uuid_of
from kerp.web.course import protocol_of, state_at_head, state_of
from kerp.web.models import Entry, Log, Person
from kerp.web.office.desk import acting_role
from kerp.web.sight import roles_with


class LookAgainError(KerpError):
    """What somebody looked at is not what stands there now."""


ANSWER_WITHIN_MS = 20_000  # a request that comes later than this after it was asked is asked again, not carried out
TREATING = frozenset({"prescriber", "nurse", "therapist"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry: `stored`, `known` (it was there already), `conflict` or `refused`."""

    id: str
    result: str
    seq: int | None = None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Reason, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "result": self.result,
            "seq": self.seq,
            "faults": [fault.as_dict() for fault in self.faults],
            "warnings": [reason_dict(reason) for reason in self.warnings],
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    accepted: bool
    seq: int | None = None
    reasons: tuple[Reason, ...] = ()
    overridden: bool = False

    def as_dict(self) -> dict[str, Any]:
        reasons = [reason_dict(reason) for reason in self.reasons]
        return {"accepted": self.accepted, "seq": self.seq, "reasons": reasons, "overridden": self.overridden}


def reason_dict(reason: Reason) -> dict[str, Any]:
    """A reason as a page shows it."""
    return {
        "id": reason.id,
        "text": reason.text,
        "ways_out": list(reason.ways_out),
        "who": reason.who,
        "overridable": reason.overridable,
        "entries": list(reason.entries),
    }


def skew_ms(sent_wall_ms: int | None, claimed_ms: int) -> int:
    """How far a device's clock is off: what it measured itself, or what we see where that does not fit (M20)."""
    if sent_wall_ms is None:
        return claimed_ms
    seen = sent_wall_ms - round(timezone.now().timestamp() * 1000)
    return seen if abs(seen - claimed_ms) > CLOCK_OFFSET_MS else claimed_ms


# --- entries ---


def take(log: Log, session: str, person: Person, batch: BatchIn, standing: frozenset[str]) -> list[Outcome]:
    """Keep every entry that can be kept; each answer stands for itself. `standing`: from `check_may_treat`."""
    outcomes = [_take(log, session, person, batch, one) for one in batch.entries]
    if any(outcome.result == "stored" for outcome in outcomes):
        _remember_who_treats(log, person, standing)
    return outcomes


def _take(log: Log, session: str, person: Person, batch: BatchIn, one: EntryIn) -> Outcome:
    try:
        submitted = _as_it_stands(_submitted(log, session, person, batch, one))
        _check_what_was_seen(log, submitted)
        _check_dose(log, submitted)
        warnings = _warnings(log, submitted, person)
        appended = record.append(log_id=log.id, actor=person.username, submitted=submitted)
    except SameIdOtherContentError as error:
        return Outcome(one.id, "conflict", faults=error.faults)
    except KerpError as error:
        return Outcome(one.id, "refused", faults=error.faults)
    except OperationalError:
        return Outcome(one.id, "later", faults=(Fault("the store is busy; keep the entry and send it again"),))
    if not appended.created:
        return Outcome(one.id, "known", appended.entry.seq)
    return Outcome(one.id, "stored", appended.entry.seq, warnings=warnings)


def _submitted(log: Log, session: str, person: Person, batch: BatchIn, one: EntryIn) -> Submitted:
    event = decode_event(one.event)
    if isinstance(event, Signature):
        raise KerpError(Fault("a signature is asked for, with a fresh proof of who signs", field="event.type"))
    wanted = check_may_record(person, event, Place(log.id, session))
    return Submitted(
        id=uuid_of(one.id),
        event=event,
        occurred_ms=one.occurred_ms,
        session=session,
        role=acting_role(person, *wanted),
        device=batch.device,
        clock_offset_ms=one.clock_offset_ms if one.queued else skew_ms(batch.sent_wall_ms, one.clock_offset_ms),
        queued=one.queued,
    )


def _check_what_was_seen(log: Log, submitted: Submitted) -> None:
    """A verification names the newest dose that was computed; `LookAgainError` where it names another or none.

    Sent again because its answer was lost, it is what it was. Nobody rewrites it by a correction: the name under it
    would be of one who never said so.
    """
    event = submitted.event
    if isinstance(event, Corrected) and isinstance(event.replacement, DoseVerified):
        ways = ("take it back by a correction, and verify again from your own sign-in",)
        raise KerpError(Fault("a verification is not rewritten", field="event.replacement", ways_out=ways))
    if not isinstance(event, DoseVerified) or record.known(submitted.id):
        return
    held = state_of(log).session(submitted.session)
    newest = held.last(DoseComputed) if held else None
    if newest is not None and event.computed == newest.id:
        return
    said = (
        "the dose was changed since you looked; look again" if event.computed else "which dose was looked at is asked"
    )
    ways = ("look at the dose as it stands now, and verify that one",)
    allowed = newest.id if newest else "a dose that was computed in this session"
    found = event.computed or "nothing"
    raise LookAgainError(Fault(said, field="event.computed", found=found, allowed=allowed, ways_out=ways))


def _check_dose(log: Log, submitted: Submitted) -> None:
    """A dose that stands already is not looked at again: what was sent twice is the same entry."""
    if dosecheck.dose_in(submitted.event) and not record.known(submitted.id):
        dosecheck.check(log, submitted.event)


def _warnings(log: Log, submitted: Submitted, person: Person) -> tuple[Reason, ...]:
    """What a transition that simply happened departs from, as the record stands before it."""
    if type(submitted.event) not in GUARDS:
        return ()
    state, protocol = state_of(log), protocol_of(log)
    held = state.session(submitted.session) or SessionRecord(submitted.session)
    now_ms = record.elapsed_ms(log, timezone.now())
    at_ms = now_ms if submitted.occurred_ms is None else submitted.occurred_ms
    command = Record(event=submitted.event, at_ms=at_ms, actor=person.username, session=submitted.session)
    return reasons_against(view_of(protocol, state, held, at_ms), command)


def _remember_who_treats(log: Log, person: Person, standing: frozenset[str]) -> None:
    """Whoever records here treats, and may never rate this participant blinded (M7)."""
    role = acting_role(person, *RECORD)
    if role in TREATING - standing:
        note_treating(participant=log.participant, person=person, role=role)


def check_may_treat(log: Log, person: Person) -> frozenset[str]:
    """The roles in which this person works with the participant now; 403 for one who ever rated them blinded (M7)."""
    return roles_with(log.participant_id, person)


# --- requests ---


def ask(log: Log, session: str, person: Person, request: RequestIn, standing: frozenset[str] = frozenset()) -> Answer:
    """Decide a requested transition and, if it is accepted, write it. `KerpError` for what makes no sense.

    `standing`: from `check_may_treat`; left out, it is looked up where it matters.
    """
    event = decode_event(request.event)
    wanted = check_may_record(person, event, Place(log.id, session))
    submitted = Submitted(
        id=uuid_of(request.id),
        event=event,
        occurred_ms=request.occurred_ms,
        session=session,
        role=acting_role(person, *wanted),
        device=request.device,
        clock_offset_ms=skew_ms(request.sent_wall_ms, request.clock_offset_ms),
    )
    _check_what_was_seen(log, submitted)
    _check_dose(log, submitted)
    with record.conflicts_flagged(log.id, person.username, (submitted,)):
        answer = _decided(log, person, submitted, request.override)
    if answer.accepted:
        _remember_who_treats(log, person, standing)
    return answer


def _decided(log: Log, person: Person, submitted: Submitted, override: str) -> Answer:
    with record.opened(log.id) as held:
        if known := record.known(submitted.id):
            return _again(known, held, submitted, person)
        if late := _asked_too_long_ago(held.log, held.recorded_ms, submitted.occurred_ms):
            return Answer(accepted=False, reasons=(late,))
        command = Request(
            event=submitted.event,
            at_ms=held.recorded_ms,
            actor=person.username,
            session=submitted.session,
            role=submitted.role,
            override=override,
            clock_offset_ms=submitted.clock_offset_ms,
        )
        decision = decide(protocol_of(held.log), state_at_head(held.log), command)
        if isinstance(decision, Refused):
            return Answer(accepted=False, reasons=decision.reasons)
        return _written(held, decision, submitted, person)


def _written(held: record.OpenLog, decision: Accepted, submitted: Submitted, person: Person) -> Answer:
    appended: Sequence[record.Appended] = [
        held.append(_part(submitted, event, last=event is decision.events[-1]), actor=person.username)
        for event in decision.events
    ]
    overridden = len(decision.events) > 1
    return Answer(accepted=True, seq=appended[-1].entry.seq, reasons=decision.warnings, overridden=overridden)


def _part(submitted: Submitted, event: Event, *, last: bool) -> Submitted:
    """The transition under the id the device chose; the override before it under an id made from that."""
    identifier: UUID = submitted.id if last else uuid5(submitted.id, "override")
    return Submitted(
        id=identifier,
        event=event,
        occurred_ms=submitted.occurred_ms,
        session=submitted.session,
        role=submitted.role,
        device=submitted.device,
        clock_offset_ms=submitted.clock_offset_ms,
    )


def _again(known: Entry, held: record.OpenLog, submitted: Submitted, person: Person) -> Answer:
    """A request whose answer was lost: the same yes. `SameIdOtherContentError` for another content under that id."""
    same = _part(submitted, _with_what_stood_against_it(submitted.event, known), last=True)
    return Answer(accepted=True, seq=held.append(same, actor=person.username).entry.seq)


def _with_what_stood_against_it(event: Event, known: Entry) -> Event:
    """As the engine filled it in when the request was overridden (`guards.filled`)."""
    stands = decode(known.data()).event
    if isinstance(event, ReadyConfirmed) and isinstance(stands, ReadyConfirmed):
        return replace(event, missing=stands.missing)
    if isinstance(event, Discharged) and isinstance(stands, Discharged):
        return replace(event, blockers=stands.blockers)
    return event


def _as_it_stands(submitted: Submitted) -> Submitted:
    """A fact under the id of a request whose answer was lost: what the engine wrote into that is no other content."""
    if not isinstance(submitted.event, ReadyConfirmed | Discharged):
        return submitted
    stands = record.known(submitted.id)
    return replace(submitted, event=_with_what_stood_against_it(submitted.event, stands)) if stands else submitted


def _asked_too_long_ago(log: Log, now_ms: int, asked_ms: int | None) -> Reason | None:
    if asked_ms is None or abs(now_ms - asked_ms) <= ANSWER_WITHIN_MS * log.clock_speed:
        return None
    off_s = (now_ms - asked_ms) / 1000
    ways = ("ask again", "if it has happened, record it as a fact with its time")
    return Reason("asked_too_long_ago", f"this was asked {off_s:.0f} s ago", ways, who="", overridable=False)
