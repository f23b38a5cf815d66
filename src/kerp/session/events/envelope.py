"""The envelope of an event: order, identity, times, who, where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from kerp.session.events.fields import Day, Event, Milliseconds, Name, Order, Word

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a log.

    `seq` counts from 1 without gaps; `id` is a UUID the client chose; `occurred_ms` and `recorded_ms` run from the
    opening of the log. `wall_clock` is opaque text nobody computes with; `local_date` is the date at the study site
    and gives study days. `queued`: a device held it while it could not reach the server, so that a late arrival is
    no late entry.
    """

    seq: Order
    id: Name
    occurred_ms: Milliseconds
    recorded_ms: Milliseconds
    actor: Name
    event: Event
    session: Word = ""  # id of the session within the course, or empty
    role: Word = ""
    device: Word = ""
    wall_clock: Word = ""
    local_date: Day = ""
    clock_offset_ms: Milliseconds = 0
    queued: bool = False


@dataclass(frozen=True, slots=True)
class Observed(Generic[E]):
    """An entry as it is read now (corrections applied), with its event typed."""

    entry: Entry
    event: E

    @property
    def at_ms(self) -> int:
        """When it happened, since the log was opened."""
        return self.entry.occurred_ms

    @property
    def id(self) -> str:
        """Id of the entry."""
        return self.entry.id

    @property
    def actor(self) -> str:
        """Who recorded it."""
        return self.entry.actor
