"""Where a simulated team writes things down: one log, one clock, through the same engine as the bedside.

Facts are recorded; transitions are requested, and a refusal is kept for whoever asked. Nothing here knows whether a
person or a program presses the buttons.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kerp.base.elapsed import MS_PER_DAY
from kerp.base.errors import Fault, KerpError
from kerp.protocol.model import Protocol
from kerp.session.decide import Accepted, Record, Refused, Request, decide
from kerp.session.events import Entry, Event
from kerp.session.fold import step
from kerp.session.guards import Reason
from kerp.session.state import State

SECOND_MS = 1_000


@dataclass
class Desk:
    """The log of one participant while it is written. `opened` is the site's wall clock at the log's zero."""

    protocol: Protocol
    opened: dt.datetime
    chance: np.random.Generator
    now_ms: int = 0
    state: State = field(default_factory=State)
    entries: list[Entry] = field(default_factory=list)
    refusals: list[tuple[Event, tuple[Reason, ...]]] = field(default_factory=list)
    listener: Callable[[Entry], None] | None = None

    def go_to(self, day: int, hour: float) -> None:
        """Move the clock to a study-calendar day (0 = the day the log opened) and hour; never back."""
        start = dt.datetime.combine(self.opened.date(), dt.time())
        at = start + dt.timedelta(days=day, hours=hour)
        self.now_ms = max(self.now_ms, round((at - self.opened).total_seconds() * 1000))

    def record(
        self, event: Event, who: str, session: str = "", *, at_ms: int | None = None, late_ms: int | None = None
    ) -> Entry:
        """Write down what happened (`at_ms`, now by default), `late_ms` after it."""
        occurred = self.now_ms if at_ms is None else at_ms
        command = Record(event=event, at_ms=occurred, actor=actor_of(who), session=session, role=who)
        decision = decide(self.protocol, self.state, command)
        assert isinstance(decision, Accepted)
        return self._append(event, who, session, occurred, late_ms)

    def request(self, event: Event, who: str, session: str, override: str = "") -> tuple[Reason, ...]:
        """Ask for a transition once what was seen is written; returns what stood against it (empty: it was made)."""
        self.now_ms = max(self.now_ms, self.entries[-1].recorded_ms if self.entries else 0)
        command = Request(
            event=event, at_ms=self.now_ms, actor=actor_of(who), session=session, role=who, override=override
        )
        decision = decide(self.protocol, self.state, command)
        if isinstance(decision, Refused):
            self.refusals.append((event, decision.reasons))
            return decision.reasons
        for accepted in decision.events:
            self._append(accepted, who, session, self.now_ms, 0)
        return ()

    def must(self, event: Event, who: str, session: str) -> None:
        """Ask for a transition that this team never gets wrong; a refusal is a fault of the simulation."""
        reasons = self.request(event, who, session)
        if reasons:
            texts = "; ".join(reason.text for reason in reasons)
            ways = ("run `kerp protocol check` on the protocol",)
            raise KerpError(Fault(f"the simulated team cannot go on: {event.type}: {texts}", ways_out=ways))

    def _append(self, event: Event, who: str, session: str, occurred: int, late_ms: int | None) -> Entry:
        delay = int(self.chance.integers(1, 8)) * SECOND_MS if late_ms is None else late_ms
        recorded = max(occurred + delay, self.entries[-1].recorded_ms if self.entries else 0)
        entry = Entry(
            seq=len(self.entries) + 1,
            id=str(uuid.UUID(bytes=self.chance.bytes(16), version=4)),
            occurred_ms=occurred,
            recorded_ms=recorded,
            actor=actor_of(who),
            role=who,
            session=session,
            device=f"tablet-{who.replace('_', '-')}",
            wall_clock=(self.opened + dt.timedelta(milliseconds=recorded)).isoformat(timespec="milliseconds"),
            local_date=(self.opened + dt.timedelta(milliseconds=occurred)).date().isoformat(),
            event=event,
        )
        self.entries.append(entry)
        self.state = step(self.protocol, self.state, entry)
        if self.listener is not None:
            self.listener(entry)
        return entry

    @property
    def day(self) -> int:
        """Days since the log was opened, by the calendar."""
        midnight = dt.datetime.combine(self.opened.date(), dt.time())
        return ((self.opened - midnight) // dt.timedelta(milliseconds=1) + self.now_ms) // MS_PER_DAY


def actor_of(role: str) -> str:
    """The pseudonym of whoever holds a role in the simulated team."""
    return role if role == "participant" else f"{role.replace('_', '-')}-1"
