"""Writing the audit trail. Called inside the act that it describes, so that neither stands without the other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection

from kerp.base.chain import GENESIS, chain_hash
from kerp.base.digest import canonical
from kerp.web.actions import door
from kerp.web.models import AuditEvent

_AUDIT_LOCK = 7_315_001  # PostgreSQL advisory lock of the audit chain


def record(
    *,
    actor: str,
    act: str,
    subject: str,
    reason: str = "",
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append one act to the chain."""
    with door.act() as now:
        return _append(now, actor=actor, act=act, subject=subject, reason=reason, details=canonical(details or {}))


def _append(now: datetime, **said: str) -> AuditEvent:
    _lock_chain()
    last = AuditEvent.objects.order_by("-seq").only("seq", "hash").first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    event = AuditEvent(seq=seq, at=now, previous_hash=previous, **said)
    event.hash = chain_hash(previous, chained(event))
    event.save(force_insert=True)
    return event


def chained(event: AuditEvent) -> dict[str, Any]:
    """What of an audit event is hashed."""
    return {
        "seq": event.seq,
        "at": event.at.isoformat(),
        "actor": event.actor,
        "act": event.act,
        "subject": event.subject,
        "reason": event.reason,
        "details": event.details,
    }


def _lock_chain() -> None:
    """One appender at a time; released with the transaction. SQLite needs none: the door is the lock."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_AUDIT_LOCK])
