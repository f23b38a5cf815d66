"""Does the database still say what was written? Chains recomputed, columns compared with the records they index."""

from __future__ import annotations

import json
from dataclasses import dataclass

from kerp.base.chain import GENESIS, chain_hash
from kerp.web.actions.audit import chained
from kerp.web.models import AuditEvent, Entry, Log
from kerp.web.protocols import chain_start, from_text

Head = tuple[int, str]
_READINGS = 20  # of a log that grows while it is read


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold."""

    chain: str
    seq: int
    what: str


def check_log(log: Log) -> list[Break]:
    """Every break of one log: changed record, wrong link, gap, column that differs, head that is not the last.

    A break counts only where the head stood still meanwhile: a log that is being written is read again.
    """
    found: list[Break] = []
    for _ in range(_READINGS):
        head = _head(log)
        found = _breaks(log, head)
        if not found or head == _head(log):
            break
    return found


def _head(log: Log) -> Head:
    return Log.objects.values_list("head_seq", "head_hash").get(id=log.id)


def _breaks(log: Log, head: Head) -> list[Break]:
    found: list[Break] = []
    previous, last = chain_start(from_text(log.participant.version.resolved)), 0
    for row in log.entries.order_by("seq").iterator():
        found += [Break(str(log.id), row.seq, what) for what in _entry_breaks(row, previous, last + 1)]
        previous, last = row.hash, row.seq
    if head != (last, previous):
        found.append(Break(str(log.id), last, "the head is not the last entry"))
    return found


def _entry_breaks(row: Entry, previous: str, expected_seq: int) -> list[str]:
    record = json.loads(row.record)
    checks = {
        "an entry is missing before this one": row.seq != expected_seq,
        "the link to the entry before is broken": row.previous_hash != previous,
        "the record was changed": chain_hash(row.previous_hash, record) != row.hash,
        "a column differs from the record": _columns(row) != _recorded(record),
    }
    return [what for what, wrong in checks.items() if wrong]


def _columns(row: Entry) -> tuple[object, ...]:
    return (row.seq, str(row.entry_id), row.kind, row.occurred_ms, row.recorded_ms, row.actor)


def _recorded(record: dict[str, object]) -> tuple[object, ...]:
    event = record["event"]
    kind = event["type"] if isinstance(event, dict) else ""
    return (record["seq"], record["id"], kind, record["occurred_ms"], record["recorded_ms"], record["actor"])


def check_audit() -> list[Break]:
    """Every break of the audit trail."""
    found: list[Break] = []
    previous, last = GENESIS, 0
    for event in AuditEvent.objects.order_by("seq").iterator():
        if event.seq != last + 1 or event.previous_hash != previous:
            found.append(Break("audit", event.seq, "the link to the act before is broken"))
        if chain_hash(event.previous_hash, chained(event)) != event.hash:
            found.append(Break("audit", event.seq, "the act was changed"))
        previous, last = event.hash, event.seq
    return found


def check_everything() -> list[Break]:
    """All chains of the installation."""
    logs = [found for log in Log.objects.iterator() for found in check_log(log)]
    return logs + check_audit()
