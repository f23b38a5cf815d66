"""Reading a participant's course: the engine's state of a log, kept warm between requests and always rebuildable."""

from __future__ import annotations

import threading
from collections import OrderedDict
from uuid import UUID

from kerp.protocol.model import Protocol
from kerp.session.codec import decode
from kerp.session.fold import fold
from kerp.session.state import State
from kerp.web.models import Log
from kerp.web.protocols import from_text

_KEPT = 256
_warm: OrderedDict[UUID, tuple[str, State]] = OrderedDict()
_lock = threading.Lock()


def protocol_of(log: Log) -> Protocol:
    """The protocol version this log was opened with; later amendments do not touch it."""
    return from_text(log.participant.version.resolved)


def state_of(log: Log) -> State:
    """The engine's state after everything in the log. Only entries not read before are folded."""
    with _lock:
        head, state = _warm.get(log.id, ("", State()))
    rows = log.entries.order_by("seq").filter(seq__gt=len(state.entries))
    if not head or not _follows(log, head, len(state.entries)):
        state, rows = State(), log.entries.order_by("seq")
    read = list(rows)
    if read:
        state = fold(protocol_of(log), [decode(row.data()) for row in read], state)
        _keep(log.id, read[-1].hash, state)
    return state


def rebuilt(log: Log) -> State:
    """The state from nothing, for comparison with the kept one (a projection is never the truth)."""
    rows = log.entries.order_by("seq")
    return fold(protocol_of(log), [decode(row.data()) for row in rows])


def _follows(log: Log, head: str, seq: int) -> bool:
    """Whether what is kept is still a beginning of this log (it is not after a restore, or in a rolled-back test)."""
    return log.entries.filter(seq=seq, hash=head).exists()


def _keep(log_id: UUID, head: str, state: State) -> None:
    with _lock:
        _warm[log_id] = (head, state)
        _warm.move_to_end(log_id)
        while len(_warm) > _KEPT:
            _warm.popitem(last=False)


def forget() -> None:
    """Drop every kept state."""
    with _lock:
        _warm.clear()
