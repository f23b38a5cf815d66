"""From a log to a state: `fold` reads a whole log, `step` one entry more; both give the same.

Facts are never refused. A broken order, or one id with two contents, is no fact but a damaged log, and is refused
with its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kerp.base.errors import Fault, KerpError
from kerp.protocol.model import Protocol
from kerp.session.corrections import effective_entries, standing, targets
from kerp.session.events import Corrected, Entry, LogOpened, Observed
from kerp.session.oddities import flags_of
from kerp.session.state import Applied, State


def fold(protocol: Protocol, entries: Iterable[Entry], start: State | None = None) -> State:
    """The state after reading `entries` (on top of `start`); `KerpError` names the place of a damage."""
    state = start or State()
    first = len(state.entries)
    for entry in entries:
        state = _received(state, entry)
    added = tuple(state.entries)[first:]
    if any(_changes_the_past(state, entry) for entry in added):
        return _placed_again(protocol, state)
    for entry in added:
        state = _placed(protocol, state, entry)
    return state


def step(protocol: Protocol, state: State, entry: Entry) -> State:
    """The state after one entry more. An entry that was read before changes nothing."""
    received = _received(state, entry)
    if received is state:
        return state
    if _changes_the_past(received, entry):
        return _placed_again(protocol, received)
    return _placed(protocol, received, entry)


def as_of(protocol: Protocol, state: State, now_ms: int) -> State:
    """The state as it was known at `now_ms`: without what was recorded later."""
    if state.recorded_ms <= now_ms:
        return state
    known: list[Entry] = []
    for entry in state.entries:
        if entry.recorded_ms > now_ms:
            break
        known.append(entry)
    return fold(protocol, known)


def _received(state: State, entry: Entry) -> State:
    """The entry in the list of entries, in order; the very same entry again is passed over."""
    known = state.index.get(entry.id)
    if known is not None:
        _check_same(known, entry)
        if entry.seq <= state.last_seq:
            return state
    _check_order(state, entry)
    return replace(
        state,
        entries=state.entries.append(entry),
        index=state.index if known else state.index.put(entry.id, entry),
        last_seq=entry.seq,
        recorded_ms=max(state.recorded_ms, entry.recorded_ms),
    )


def _check_same(known: Entry, entry: Entry) -> None:
    if (known.event, known.occurred_ms, known.session, known.actor) == (
        entry.event,
        entry.occurred_ms,
        entry.session,
        entry.actor,
    ):
        return
    message = f"entry {entry.seq} has the id of entry {known.seq} and another content"
    ways = ("give the second its own id", "to change what was recorded, add a correction")
    raise KerpError(Fault(message, field="id", found=entry.id, allowed="one content per id", ways_out=ways))


def _check_order(state: State, entry: Entry) -> None:
    due = state.last_seq + 1
    if entry.seq != due:
        message = f"the order of the log is broken after entry {state.last_seq}"
        ways = ("an entry is missing or was written twice: restore the log from where it was recorded",)
        raise KerpError(Fault(message, field="seq", found=str(entry.seq), allowed=str(due), ways_out=ways))
    if due == 1 and not isinstance(entry.event, LogOpened):
        message = "a log begins with its opening record"
        raise KerpError(Fault(message, field="event.type", found=entry.event.type, allowed=LogOpened.type))


def _changes_the_past(state: State, entry: Entry) -> bool:
    return isinstance(entry.event, Corrected) or entry.id in state.awaited


def _placed(protocol: Protocol, state: State, entry: Entry) -> State:
    """The entry under its session and strand, with its flags."""
    recorded = state.index.get(entry.id)
    assert recorded is not None
    flags = flags_of(protocol, state, entry, repeated=recorded.seq != entry.seq)
    if recorded.seq != entry.seq:
        return state.flagged(*flags)
    return state.flagged(*flags).placed(Observed(entry, entry.event))


def _placed_again(protocol: Protocol, state: State) -> State:
    """Every entry put in its place anew, as the corrections say it should be read."""
    entries = tuple(state.entries)
    read_now = effective_entries(entries)
    applied = tuple(Applied(correction, before) for correction, _, before in standing(entries))
    known = {entry.id for entry in entries}
    placed = replace(
        State(),
        entries=state.entries,
        index=state.index,
        last_seq=state.last_seq,
        recorded_ms=state.recorded_ms,
        awaited=frozenset(targets(entries) - known),
        applied=applied,
    )
    for entry in entries:
        if (current := read_now[entry.seq]) is not None:
            placed = _placed(protocol, placed, current)
    return placed
