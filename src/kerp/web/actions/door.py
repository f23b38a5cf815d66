"""What every act goes through: one transaction, one writer at a time on SQLite, one timestamp."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connections, transaction
from django.utils import timezone

# SQLite allows one writer. Queueing here is fair; waiting on the file lock is not: one writer of four starved.
_ONE_WRITER = threading.RLock()


@contextmanager
def act(using: str = "default") -> Iterator[datetime]:
    """Open the door: yields the moment that every row of this act carries. All of it is written, or none."""
    if connections[using].vendor == "sqlite":
        with _ONE_WRITER, transaction.atomic(using=using):
            yield timezone.now()
    else:
        with transaction.atomic(using=using):
            yield timezone.now()
