"""Appending to a participant's log: the only way anything gets into it.

Same id and same content: the stored entry is given back, nothing is written twice. Same id and other content:
refused (`SameIdOtherContentError`, HTTP 409), and the attempt itself is kept as a flag. Entries need no audit row of
their own: each carries its actor and moments and is bound into the chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from kerp.base.chain import chain_hash
from kerp.base.digest import canonical, digest
from kerp.base.errors import Fault, KerpError
from kerp.session.codec import decode, encode, encode_event, secret_fields
from kerp.session.events import Entry as LogEntry
from kerp.session.events import Event
from kerp.web.actions import door
from kerp.web.logbook import log_now
from kerp.web.models import Entry, Flag, Log
from kerp.web.rows import row_where

FUTURE_TOLERANCE_MS = 5_000  # beyond this an entry from the future is kept and flagged (M20)


class SameIdOtherContentError(KerpError):
    """An id that is in the record already, with other content. What stands is not touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What a person or device hands in. `occurred_ms` since the log was opened; None: at this moment."""

    id: UUID
    event: Event
    occurred_ms: int | None = None
    session: str = ""
    role: str = ""
    device: str = ""
    clock_offset_ms: int = 0
    queued: bool = False

    def content_hash(self, actor: str) -> str:
        """What makes a second post the same one: not how often it was tried, nor what the clock offset was then."""
        same = (str(self.id), encode_event(self.event), self.occurred_ms, self.session, self.role, self.device, actor)
        return digest(same).removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class Appended:
    """The stored entry, and whether this call wrote it."""

    entry: Entry
    created: bool


class OpenLog:
    """A log whose head this act holds: read it, decide, append; nobody else appends meanwhile."""

    def __init__(self, log: Log, now: datetime) -> None:
        self.log = log
        self.now = now
        self.recorded_ms = elapsed_ms(log, now)

    def entries(self) -> tuple[LogEntry, ...]:
        """Everything recorded so far, as the engine reads it."""
        return entries_of(self.log)

    def append(self, submitted: Submitted, *, actor: str) -> Appended:
        """Write one entry, or give back the one that stands."""
        content = submitted.content_hash(actor)
        stands = known(submitted.id)
        if stands and stands.content_hash == content and stands.log_id == self.log.id:
            return Appended(stands, created=False)
        self._check_tells_no_arm(submitted.event)  # before a conflict, which would keep what was refused
        if stands:
            raise _conflict(submitted, stands)
        return Appended(self._write(submitted, content, actor), created=True)

    def _check_tells_no_arm(self, event: Event) -> None:
        if self.log.participant.study.blinded and (told := secret_fields(event)):
            raise KerpError(
                Fault("this field would tell the arm, and the log is blinded", field=", ".join(told), allowed="empty")
            )

    def _write(self, submitted: Submitted, content: str, actor: str) -> Entry:
        record = self._record(submitted, actor)
        written = encode(record)
        hashed = chain_hash(self.log.head_hash, written)
        row = Entry(
            log=self.log,
            seq=record.seq,
            entry_id=submitted.id,
            kind=written["event"]["type"],
            occurred_ms=record.occurred_ms,
            recorded_ms=record.recorded_ms,
            received_at=self.now,
            actor=actor,
            device=submitted.device[:64],
            content_hash=content,
            record=canonical(written),
            previous_hash=self.log.head_hash,
            hash=hashed,
        )
        row.save(force_insert=True)
        self.log.head_seq, self.log.head_hash = record.seq, hashed
        self.log.save(update_fields=["head_seq", "head_hash"])
        self._flag_future(record)
        return row

    def _record(self, submitted: Submitted, actor: str) -> LogEntry:
        occurred = self.recorded_ms if submitted.occurred_ms is None else submitted.occurred_ms
        local = site_time(self.log, occurred)
        return LogEntry(
            seq=self.log.head_seq + 1,
            id=str(submitted.id),
            occurred_ms=occurred,
            recorded_ms=self.recorded_ms,
            actor=actor,
            event=submitted.event,
            session=submitted.session,
            role=submitted.role,
            device=submitted.device,
            wall_clock=local.isoformat(timespec="milliseconds"),
            local_date=local.date().isoformat(),
            clock_offset_ms=submitted.clock_offset_ms,
            queued=submitted.queued,
        )

    def _flag_future(self, record: LogEntry) -> None:
        if record.occurred_ms - record.recorded_ms > FUTURE_TOLERANCE_MS:
            self.flag(kind="from_the_future", entry_id=UUID(record.id), actor=record.actor, device=record.device)

    def flag(self, *, kind: str, entry_id: UUID, actor: str, device: str, refused: str = "") -> Flag:
        """Keep something that a person must look at."""
        return Flag.objects.create(
            log=self.log, at=self.now, kind=kind, entry_id=entry_id, actor=actor, device=device[:64], refused=refused
        )


@contextmanager
def opened(log_id: UUID) -> Iterator[OpenLog]:
    """Hold the head of a log for one act: `with opened(id) as log: ...decide... log.append(...)`. All or nothing."""
    with door.act() as now:
        yield OpenLog(log_now(log_id, hold=True), now)


def append(*, log_id: UUID, actor: str, submitted: Submitted) -> Appended:
    """Append one entry."""
    return append_all(log_id=log_id, actor=actor, submitted=(submitted,))[0]


def append_all(*, log_id: UUID, actor: str, submitted: Sequence[Submitted]) -> list[Appended]:
    """Append several entries: all of them, or, when one is refused, none."""
    with conflicts_flagged(log_id, actor, submitted), opened(log_id) as log:
        return [log.append(one, actor=actor) for one in submitted]


@contextmanager
def conflicts_flagged(log_id: UUID, actor: str, submitted: Sequence[Submitted]) -> Iterator[None]:
    """Around an act that is rolled back for an id with other content: the attempt is kept all the same."""
    try:
        yield
    except SameIdOtherContentError:
        _keep_conflicts(log_id, actor, submitted)
        raise


def known(entry_id: UUID) -> Entry | None:
    """The entry that stands under an id of a device."""
    return row_where(Entry, "entry_id", entry_id)


def _conflict(submitted: Submitted, stands: Entry) -> SameIdOtherContentError:
    return SameIdOtherContentError(
        Fault(
            "this entry is in the record already, with other content; what stands was not changed",
            field="id",
            found=str(submitted.id),
            ways_out=(f"write a correction of entry {stands.seq}",),
        )
    )


def _keep_conflicts(log_id: UUID, actor: str, submitted: Sequence[Submitted]) -> None:
    """The refused attempt is itself a fact: flagged in an act of its own, after the refused one was rolled back."""
    with opened(log_id) as log:
        for one in submitted:
            stands = Entry.objects.filter(entry_id=one.id).only("content_hash").first()
            if stands is None or stands.content_hash == one.content_hash(actor):
                continue
            refused = canonical({"event": encode_event(one.event), "occurred_ms": one.occurred_ms})
            kind = "same_id_other_content"
            if not log.log.flags.filter(kind=kind, entry_id=one.id, refused=refused).exists():
                log.flag(kind=kind, entry_id=one.id, actor=actor, device=one.device, refused=refused)


def elapsed_ms(log: Log, now: datetime) -> int:
    """Milliseconds since the log was opened; a demonstration's clock may run faster."""
    return round((now - log.opened_at) / timedelta(milliseconds=1)) * log.clock_speed


def moment(log: Log, occurred_ms: int) -> datetime:
    """The moment of an elapsed time (the inverse of `elapsed_ms`)."""
    return log.opened_at + timedelta(milliseconds=occurred_ms / log.clock_speed)


def site_time(log: Log, occurred_ms: int) -> datetime:
    """What the clock on the wall of the study site showed: study days are counted by it."""
    return moment(log, occurred_ms).astimezone(ZoneInfo(log.participant.site.zone))


def site_clock(log: Log, occurred_ms: int) -> datetime:
    """The same without its zone, for pages: a template would turn an aware time into UTC."""
    return site_time(log, occurred_ms).replace(tzinfo=None)


def entries_of(log: Log) -> tuple[LogEntry, ...]:
    """A log as the engine reads it."""
    return tuple(decode(row.data()) for row in log.entries.order_by("seq"))
