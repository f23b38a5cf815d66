"""What is known after reading a log: the entries, sorted by session and strand, and what is odd about them.

`State` holds no conclusions (phase, onset, what is due): those are read off it when asked, so that a corrected fact
moves everything that rests on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from kerp.session.events import Entry, Event, LogOpened, Observed, SessionOpened, Strand
from kerp.session.once import ReadOnce
from kerp.session.series import Index, Series

E = TypeVar("E", bound=Event)
_STRANDS = tuple(Strand)
_AT = {strand: at for at, strand in enumerate(_STRANDS)}


class FlagKind(StrEnum):
    """What can be odd about an entry. A flagged entry is kept and used."""

    LATE = "late_entry"
    AHEAD = "happened_after_it_was_recorded"
    CLOCK = "clock_offset"
    CONFLICT = "conflicting_observations"
    REPEATED = "sent_twice"
    UNKNOWN_EVENT = "unknown_event"
    UNKNOWN_TARGET = "corrects_an_unknown_entry"
    NOT_CORRECTABLE = "cannot_be_corrected_so"
    NOT_OPENED = "session_was_never_opened"
    NO_SESSION = "belongs_to_no_session"
    NOT_IN_PROTOCOL = "not_in_the_protocol"
    OTHER_PROTOCOL = "log_of_another_protocol"
    TELLS_ARM = "would_tell_the_arm"


@dataclass(frozen=True, slots=True)
class Flag:
    """Something odd about one or more entries."""

    kind: FlagKind
    text: str
    entries: tuple[str, ...]
    session: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """A correction and the entry it changed, as that entry was before."""

    correction: Entry
    before: Entry


@dataclass(frozen=True)
class SessionRecord(ReadOnce):
    """Entries of one session (or, with an empty id, of the course) by strand, in the order in which they happened."""

    id: str = ""
    strands: tuple[Series[Observed[Any]], ...] = tuple(Series() for _ in _STRANDS)

    def strand(self, strand: Strand) -> Series[Observed[Any]]:
        """Everything of one strand."""
        return self.strands[_AT[strand]]

    def of(self, kind: type[E]) -> tuple[Observed[E], ...]:
        """Everything of one type, oldest first."""
        found: tuple[Observed[E], ...] | None = self._answers.get(kind)
        if found is None:
            found = tuple(item for item in self.strand(kind.strand) if isinstance(item.event, kind))
            self._answers[kind] = found
        return found

    def latest(self, kind: type[E]) -> Iterator[Observed[E]]:
        """Everything of one type, newest first."""
        return (item for item in reversed(self.strand(kind.strand)) if isinstance(item.event, kind))

    def last(self, kind: type[E]) -> Observed[E] | None:
        """The newest of one type, or None."""
        return next(self.latest(kind), None)

    def first(self, kind: type[E]) -> Observed[E] | None:
        """The oldest of one type, or None."""
        return next((item for item in self.strand(kind.strand) if isinstance(item.event, kind)), None)

    @property
    def plan_id(self) -> str:
        """The kind of session it was opened as; empty when nobody opened it."""
        opened = self.last(SessionOpened)
        return opened.event.plan if opened else ""

    def placed(self, item: Observed[Any]) -> SessionRecord:
        """The record with one entry more."""
        at = _AT[item.event.strand]
        series = self.strands[at].insert(item, _order)
        return SessionRecord(self.id, (*self.strands[:at], series, *self.strands[at + 1 :]))


def _order(item: Observed[Any]) -> tuple[int, int]:
    return item.entry.occurred_ms, item.entry.seq


@dataclass(frozen=True)
class State(ReadOnce):
    """Everything the engine knows of one participant's course. Made by `fold`; never changed."""

    entries: Series[Entry] = field(default_factory=Series)  # as recorded, in order of `seq`, corrections not applied
    index: Index[Entry] = field(default_factory=Index)  # id -> entry as recorded
    last_seq: int = 0
    recorded_ms: int = 0  # newest `recorded_ms` so far
    course: SessionRecord = field(default_factory=SessionRecord)
    sessions: tuple[SessionRecord, ...] = ()
    flags: Series[Flag] = field(default_factory=Series)
    applied: tuple[Applied, ...] = ()
    awaited: frozenset[str] = frozenset()  # ids that corrections name and nobody has recorded yet

    @property
    def opening(self) -> LogOpened | None:
        """What the log was opened with."""
        opened = self.course.first(LogOpened)
        return opened.event if opened else None

    def session(self, identifier: str) -> SessionRecord | None:
        """The record of a session, or None."""
        return next((record for record in self.sessions if record.id == identifier), None)

    def everywhere(self, kind: type[E]) -> tuple[Observed[E], ...]:
        """Everything of one type in the whole course, in the order in which it happened."""
        found = [item for record in (self.course, *self.sessions) for item in record.of(kind)]
        return tuple(sorted(found, key=_order))

    def flagged(self, *flags: Flag) -> State:
        """The state with more flags."""
        series = self.flags
        for flag in flags:
            series = series.append(flag)
        return replace(self, flags=series) if flags else self

    def placed(self, item: Observed[Any]) -> State:
        """The state with one entry put where it belongs."""
        name = item.entry.session
        if not name or item.event.strand is Strand.COURSE:
            return replace(self, course=self.course.placed(item))
        if self.session(name) is None:
            return replace(self, sessions=(*self.sessions, SessionRecord(name).placed(item)))
        changed = tuple(record.placed(item) if record.id == name else record for record in self.sessions)
        return replace(self, sessions=changed)
