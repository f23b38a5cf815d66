"""What is odd about an entry when it comes: late, ahead of its time, in conflict with another, unknown.

Flags never change how an entry is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import Protocol
from kerp.session.codec import secret_fields
from kerp.session.corrections import correctable
from kerp.session.events import (
    Corrected,
    EligibilityItem,
    Entry,
    FeltEffectRated,
    LogOpened,
    Observed,
    SedationRated,
    SessionOpened,
    Strand,
    SudsRated,
    UnknownEvent,
    UrgeRated,
    VitalsTaken,
    Weighed,
)
from kerp.session.limits import AHEAD_MS, CLOCK_OFFSET_MS, LATE_AFTER_MS, SAME_MOMENT_MS
from kerp.session.state import Flag, FlagKind, State

_COMPARED = (SudsRated, UrgeRated, FeltEffectRated, SedationRated, VitalsTaken, Weighed)
_OF_A_SESSION = {Strand.DRUG, Strand.EXPOSURE, Strand.SUDS, Strand.URGE, Strand.FELT, Strand.SEDATION}


def flags_of(protocol: Protocol, state: State, entry: Entry, *, repeated: bool = False) -> tuple[Flag, ...]:
    """Everything odd about `entry`, given what came before it."""
    if repeated:
        return (_flag(FlagKind.REPEATED, "the same entry was sent twice; it counts once", entry),)
    return (
        *_times(entry),
        *_known(protocol, state, entry),
        *_correction(state, entry),
        *_conflicts(state, entry),
    )


def _flag(kind: FlagKind, text: str, entry: Entry, *others: str) -> Flag:
    return Flag(kind, text, (*others, entry.id), entry.session)


def _times(entry: Entry) -> Iterator[Flag]:
    lag = entry.recorded_ms - entry.occurred_ms
    if lag > LATE_AFTER_MS and not entry.queued:
        yield _flag(FlagKind.LATE, f"written down {lag // MS_PER_MIN} min after it happened", entry)
    if lag < -AHEAD_MS:
        yield _flag(FlagKind.AHEAD, "happened later than it was recorded: look at the clock of the device", entry)
    if abs(entry.clock_offset_ms) > CLOCK_OFFSET_MS:
        offset_s = entry.clock_offset_ms / 1000
        yield _flag(FlagKind.CLOCK, f"the clock of {entry.device or 'the device'} was off by {offset_s:.1f} s", entry)


def _known(protocol: Protocol, state: State, entry: Entry) -> Iterator[Flag]:
    event = entry.event
    if isinstance(event, UnknownEvent):
        text = f"this version does not know events of type {event.name!r}; the entry is kept as it came"
        yield _flag(FlagKind.UNKNOWN_EVENT, text, entry)
    if isinstance(event, LogOpened) and event.protocol_id != protocol.id:
        text = f"the log was opened with protocol {event.protocol_id!r}, and is read with {protocol.id!r}"
        yield _flag(FlagKind.OTHER_PROTOCOL, text, entry)
    if isinstance(event, SessionOpened) and event.plan not in {plan.id for plan in protocol.sessions}:
        yield _flag(FlagKind.NOT_IN_PROTOCOL, f"the protocol has no session {event.plan!r}", entry)
    if isinstance(event, EligibilityItem) and event.criterion not in {c.id for c in protocol.criteria}:
        yield _flag(FlagKind.NOT_IN_PROTOCOL, f"the protocol has no criterion {event.criterion!r}", entry)
    if protocol.blinded and (secret := secret_fields(event)):
        yield _flag(FlagKind.TELLS_ARM, f"the log of a blinded trial may not say {', '.join(secret)}", entry)
    yield from _session(state, entry)


def _session(state: State, entry: Entry) -> Iterator[Flag]:
    if not entry.session and entry.event.strand in _OF_A_SESSION:
        yield _flag(FlagKind.NO_SESSION, f"{entry.event.type} belongs to a session, and names none", entry)
    opens = isinstance(entry.event, SessionOpened) or entry.event.strand is Strand.COURSE
    if entry.session and not opens and state.session(entry.session) is None:
        yield _flag(FlagKind.NOT_OPENED, f"session {entry.session!r} was not opened before this", entry)


def _correction(state: State, entry: Entry) -> Iterator[Flag]:
    if not isinstance(entry.event, Corrected):
        return
    target = state.index.get(entry.event.entry)
    if target is None:
        text = f"corrects entry {entry.event.entry!r}, which is not in this log"
        yield _flag(FlagKind.UNKNOWN_TARGET, text, entry)
    elif not correctable(target, entry.event):
        text = "a correction can only be retracted, and the opening of a log stands: this changes nothing"
        yield _flag(FlagKind.NOT_CORRECTABLE, text, entry)


def _conflicts(state: State, entry: Entry) -> Iterator[Flag]:
    """Two people or devices who saw the same moment differently: both are kept."""
    record = state.session(entry.session) if entry.session else state.course
    if record is None or not isinstance(entry.event, _COMPARED):
        return
    near: Any = takewhile(
        lambda item: item.at_ms >= entry.occurred_ms - SAME_MOMENT_MS, record.latest(type(entry.event))
    )
    for item in near:
        if item.at_ms <= entry.occurred_ms + SAME_MOMENT_MS and _differ(item, entry):
            text = f"two {entry.event.type} entries of the same moment differ; both are kept"
            yield _flag(FlagKind.CONFLICT, text, entry, item.id)


def _differ(item: Observed[Any], entry: Entry) -> bool:
    other_source = (item.entry.device, item.actor) != (entry.device, entry.actor)
    return other_source and item.event != entry.event
