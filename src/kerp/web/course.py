"""Reading a participant's course: the engine's state of a log, kept warm between requests and always rebuildable.

What is kept belongs to a head (number and hash of the last entry read), and the head is always asked of the database
first, so that other processes may write meanwhile. An equal head is an equal log: the chain says so.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from kerp.protocol.model import Protocol
from kerp.session.codec import decode
from kerp.session.fold import fold
from kerp.session.state import State
from kerp.web.logbook import head_of
from kerp.web.models import Log
from kerp.web.protocols import from_text

_KEPT = 256
# Asked after every entry: written out, because the ORM takes longer to write it than the database to answer.
_ROWS = "SELECT record, previous_hash, hash FROM kerp_entry WHERE log_id = %s AND seq > %s AND seq <= %s ORDER BY seq"
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Read:
    """A log as far as it was read: the hash of the last entry, and the state after it."""

    head: str = ""
    state: State = field(default_factory=State)


_warm: OrderedDict[UUID, _Read] = OrderedDict()
_protocols: dict[str, Protocol] = {}


def protocol_of(log: Log) -> Protocol:
    """The protocol version this log was opened with; later amendments do not touch it."""
    version = log.participant.version
    known = _protocols.get(version.digest)
    if known is None:
        known = _protocols[version.digest] = from_text(version.resolved)
    return known


def state_of(log: Log) -> State:
    """The engine's state after everything in the log now. Only entries not read before are folded."""
    return _state(log, *head_of(log.id))


def state_at_head(log: Log) -> State:
    """The state after everything up to the head that `log` itself carries: for a row just read from the database.

    Asks nothing where that head is the one that is kept.
    """
    return _state(log, log.head_seq, log.head_hash)


def _state(log: Log, head_seq: int, head: str) -> State:
    with _lock:
        kept = _warm.get(log.id, _Read())
    if kept.head == head:
        return kept.state
    rows = _rows(log, len(kept.state.entries), head_seq)
    if not _continues(kept.head, rows, head):
        kept, rows = _Read(), _rows(log, 0, head_seq)
    state = fold(protocol_of(log), [decode(json.loads(row.record)) for row in rows], kept.state)
    if rows and rows[-1].hash == head:
        _keep(log.id, _Read(head, state))
    return state


class _Row(NamedTuple):
    record: str
    previous_hash: str
    hash: str


def _rows(log: Log, after: int, until: int) -> list[_Row]:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [Log._meta.pk.get_db_prep_value(log.id, connection), after, until])
        return [_Row(*row) for row in cursor.fetchall()]


def _continues(kept: str, rows: Sequence[_Row], head: str) -> bool:
    """Whether these entries go on from what is kept to the head. They do not after a restore or a rolled-back act."""
    if not kept or not rows or rows[-1].hash != head:
        return False
    return all(
        row.previous_hash == before for row, before in zip(rows, [kept, *(r.hash for r in rows)], strict=False)
    )


def rebuilt(log: Log) -> State:
    """The state from nothing, for comparison with the kept one (a projection is never the truth)."""
    rows = log.entries.order_by("seq")
    return fold(protocol_of(log), [decode(row.data()) for row in rows])


def _keep(log_id: UUID, read: _Read) -> None:
    with _lock:
        _warm[log_id] = read
        _warm.move_to_end(log_id)
        while len(_warm) > _KEPT:
            _warm.popitem(last=False)


def forget() -> None:
    """Drop every kept state and protocol."""
    with _lock:
        _warm.clear()
        _protocols.clear()
