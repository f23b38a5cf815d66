"""A log as its row stands now, with what stands beside it.

No act of the application changes a participant, a study, a site or a signed protocol version once there is a log:
they are read once for each log. The row itself, with the head of its chain, is read every time, and so is whether the
study is blinded: what nobody may see hangs on it (M8).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from copy import copy
from uuid import UUID

from django.db import connection

from kerp.web.models import Log, Participant
from kerp.web.rows import row_where

_KEPT = 512
# Asked by every request: written out, because the ORM takes longer to write it than the database to answer.
_HEAD = "SELECT head_seq, head_hash FROM kerp_log WHERE id = %s"
_BLINDED = "SELECT blinded FROM kerp_study WHERE id = %s"
_lock = threading.Lock()
_participants: OrderedDict[UUID, Participant] = OrderedDict()


def log_now(log_id: UUID, *, hold: bool = False) -> Log:
    """The log; `hold` keeps others from appending until the transaction ends. `Log.DoesNotExist` where none is."""
    log = row_where(Log, "id", log_id, hold=hold)
    if log is None:
        raise Log.DoesNotExist
    with _lock:
        known = _participants.get(log_id)
    log.participant = _own(known) if known is not None else _read(log_id)
    return log


def head_of(log_id: UUID) -> tuple[int, str]:
    """Number and hash of the last entry. `Log.DoesNotExist` where there is no such log."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD, [Log._meta.pk.get_db_prep_value(log_id, connection)])
        row = cursor.fetchone()
    if row is None:
        raise Log.DoesNotExist
    return row[0], row[1]


def _own(known: Participant) -> Participant:
    """Copies, because a model instance remembers what was asked of it."""
    participant = copy(known)
    participant.study = copy(known.study)
    with connection.cursor() as cursor:
        cursor.execute(_BLINDED, [participant.study_id])
        participant.study.blinded = bool(cursor.fetchone()[0])
    return participant


def _read(log_id: UUID) -> Participant:
    read = Log.objects.with_study().get(id=log_id).participant
    with _lock:
        _participants[log_id] = copy(read)
        while len(_participants) > _KEPT:
            _participants.popitem(last=False)
    return read
