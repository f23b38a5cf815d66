"""A simulated team at a running server: the desk whose log is kept elsewhere, on the server's session clock.

Whatever the simulated team would write down goes over the bedside's interface, as from tablets; whatever anybody
records in the session comes back from there. The server decides; the state here is only what its answers tell.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from kerp import __version__
from kerp.base.errors import Fault, KerpError
from kerp.protocol.load import Resolved
from kerp.protocol.model import Protocol as SessionProtocol
from kerp.session.codec import decode, encode_event
from kerp.session.events import (
    DoseComputed,
    Entry,
    Event,
    HierarchyItem,
    LogOpened,
    Origin,
    ScaleAnswered,
    SessionOpened,
    Signature,
)
from kerp.session.fold import step
from kerp.session.guards import Reason
from kerp.simulate.desk import Desk
from kerp.simulate.device import Answer

MS_PER_S = 1000
_AGAIN_S = 0.5
_MOST_AT_ONCE = 500  # entries the server gives at once; fewer: there are no more
MEANING = "I am responsible for this session"  # one of those the page offers


class Tablet(Protocol):
    """What the desk needs of a device."""

    def get(self, path: str) -> Any:
        """What is at an address."""

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Send, and send the same again until the server has answered."""

    def prove(self) -> None:
        """Prove again who signs."""

    def submit(self, path: str, values: dict[str, str]) -> None:
        """Fill in the form of a page and send it."""


@dataclass
class SessionClock:
    """The server's session clock as a device follows it: `speed` session seconds for each second that passes."""

    now_ms: int
    speed: float
    seconds: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.seconds()

    def read_ms(self) -> int:
        """The time now."""
        return self.now_ms + int((self.seconds() - self._since) * MS_PER_S * self.speed)

    def heard(self, server_ms: int) -> None:
        """The server was at least this far: never behind it."""
        if server_ms > self.read_ms():
            self.now_ms, self._since = server_ms, self.seconds()

    def wait_until(self, at_ms: int) -> None:
        """Let time pass until then."""
        while (left_ms := at_ms - self.read_ms()) > 0:
            self.pause(left_ms / MS_PER_S / self.speed)


@dataclass(frozen=True)
class Place:
    """Where a session is: the log's address and the session's name."""

    log: str
    session: str

    def address(self, what: str) -> str:
        """An address of the interface."""
        return f"/api/sessions/{self.log}/{self.session}/{what}"

    def page(self, what: str) -> str:
        """A page of this session."""
        return f"/bedside/{self.log}/{self.session}/{what}/"


class LiveDesk(Desk):
    """The desk of `kerp.simulate`, kept by a server. `tablets` by role; roles without one use the nurse's."""

    def __init__(
        self,
        resolved: Resolved,
        place: Place,
        tablets: Mapping[str, Tablet],
        clock: SessionClock,
        chance: np.random.Generator,
        listener: Callable[[Entry], None] | None = None,
    ) -> None:
        self.place, self.tablets, self.clock = place, tablets, clock
        self.head, self.opened_there = 0, False
        self._now_ms = clock.read_ms()
        opened = dt.datetime(2026, 1, 1)  # noqa: DTZ001  a calendar is the server's; nothing here reads it
        super().__init__(resolved.protocol, opened, chance, self._now_ms)
        self._keep(_opening(resolved.protocol, resolved))
        self.listener = listener

    # --- time ---

    @property
    def now_ms(self) -> int:
        """The session clock as this team last looked at it."""
        return self._now_ms

    @now_ms.setter
    def now_ms(self, at_ms: int) -> None:
        """Go on to a time: wait for it, and see what others have recorded meanwhile."""
        if at_ms > self.clock.read_ms():
            self.clock.wait_until(at_ms)
        self._now_ms = max(at_ms, self.clock.read_ms())
        if self.opened_there:
            self.listen()

    # --- writing ---

    def record(
        self,
        event: Event,
        who: str,
        session: str = "",  # noqa: ARG002  there is one session here
        *,
        at_ms: int | None = None,
        late_ms: int | None = None,  # noqa: ARG002  how late it is, the server sees
    ) -> Entry:
        """Send what happened; it is kept, or `KerpError` says why not."""
        writer = self._writer(event, who)
        one = {
            "id": self._new_id(),
            "event": encode_event(_rated_by_writer(event, writer)),
            "occurred_ms": self._now_ms if at_ms is None else at_ms,
        }
        body = {"device": _device(who), "entries": [one]}
        while True:
            outcome = self.tablets[writer].post(self.place.address("entries"), body).data["outcomes"][0]
            if outcome["result"] != "later":
                break
            self.clock.pause(_AGAIN_S)
        if outcome["result"] not in {"stored", "known"}:
            raise KerpError(*Answer(400, outcome).faults())
        self.listen()
        kept = self.state.index.get(str(one["id"]))
        assert kept is not None  # the server has just said that it is there
        return kept

    def request(self, event: Event, who: str, session: str, override: str = "") -> tuple[Reason, ...]:  # noqa: ARG002
        """Ask the server for a transition; returns what stood against it (empty: it was made)."""
        tablet = self.tablets[self._writer(event, who)]
        if isinstance(event, Signature):
            return self._sign(tablet)
        body = {"id": self._new_id(), "event": encode_event(event), "device": _device(who), "override": override}
        answer = tablet.post(self.place.address("requests"), body).data
        if not answer["accepted"]:
            reasons = tuple(_reason(one) for one in answer["reasons"])
            self.refusals.append((event, reasons))
            return reasons
        self.opened_there = True
        self.listen()
        return ()

    def _sign(self, tablet: Tablet) -> tuple[Reason, ...]:
        """On the page for signing, which shows what is signed: last entry and chain head."""
        tablet.prove()
        tablet.submit(self.place.page("sign"), {"meaning": MEANING})
        self.listen()
        return ()

    def _writer(self, event: Event, who: str) -> str:
        """A pharmacist computes the dose; at the bedside, whoever has no account is written for by the nurse."""
        at_bedside = {"prescriber", "nurse", "therapist"} | (
            {"pharmacist"} if isinstance(event, DoseComputed) else set()
        )
        return who if who in at_bedside else "nurse"

    def _new_id(self) -> str:
        return str(uuid.UUID(bytes=self.chance.bytes(16), version=4))

    # --- reading ---

    def listen(self) -> None:
        """Take in what was recorded since, by whomever."""
        at_once = _MOST_AT_ONCE
        while at_once >= _MOST_AT_ONCE:
            told = self.tablets["nurse"].get(self.place.address(f"entries?since={self.head}"))
            for one in told["entries"]:
                self._keep(decode(one))
            at_once, self.head = told["head"] - self.head, told["head"]

    def _keep(self, entry: Entry) -> None:
        """An entry of this session; entries of the course before it are the server's, so ours are counted anew."""
        self.clock.heard(entry.recorded_ms)
        self._now_ms = max(self._now_ms, entry.recorded_ms)
        counted = replace(entry, seq=len(self.entries) + 1)
        self.entries.append(counted)
        self.state = step(self.protocol, self.state, counted)
        if self.listener is not None:
            self.listener(entry)


def _opening(protocol: SessionProtocol, resolved: Resolved) -> Entry:
    """What a log begins with, for the state on this side only."""
    event = LogOpened(
        participant="DEMO",
        protocol_id=protocol.id,
        protocol_digest=resolved.digests.resolved,
        base_digest=resolved.digests.base,
        engine_version=__version__,
        origin=Origin.DEMONSTRATION,
    )
    return Entry(
        seq=1, id="opening", occurred_ms=0, recorded_ms=0, actor="demonstration", event=event, local_date="2026-01-01"
    )


def _rated_by_writer(event: Event, writer: str) -> Event:
    """Whoever holds the tablet rated: the server takes no scale in the name of somebody else."""
    if isinstance(event, ScaleAnswered) and event.rated_by != "participant":
        return replace(event, rated_by=writer)
    return event


def _device(who: str) -> str:
    return f"demo-tablet-{who.replace('_', '-')}"


def _reason(told: Mapping[str, Any]) -> Reason:
    return Reason(
        told["id"],
        told["text"],
        tuple(told["ways_out"]),
        told["who"],
        entries=tuple(told["entries"]),
        overridable=told["overridable"],
    )


def open_there(desk: LiveDesk, plan: str) -> None:
    """Open the session on the server; `KerpError` says what stands against it."""
    against = desk.request(SessionOpened(plan=plan), "nurse", desk.place.session)
    if against:
        raise KerpError(*(Fault(reason.text, ways_out=reason.ways_out) for reason in against))


def agreed_items(plan: Mapping[str, Any]) -> tuple[HierarchyItem, ...]:
    """The items chosen for this session (where none were: the whole hierarchy), from what `plan` answers."""
    chosen = plan["exposure"]["chosen"]
    return tuple(
        HierarchyItem(
            item=one["id"],
            trigger=one["trigger"],
            feared_outcome=one["feared_outcome"],
            suds=one["suds"],
            props=tuple(one["props"]),
            modality=one["modality"],
        )
        for one in plan["exposure"]["items"]
        if not chosen or one["id"] in chosen
    )
