"""How corrections change the reading of earlier entries. Nothing is edited; the newest standing correction wins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kerp.session.events import Corrected, Entry, LogOpened


def targets(entries: Sequence[Entry]) -> set[str]:
    """Ids that corrections speak of."""
    return {entry.event.entry for entry in entries if isinstance(entry.event, Corrected)}


def standing(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Corrected, Entry]]:
    """(entry of the correction, the correction, entry it speaks of) of every correction that counts, oldest first."""
    void = _void(entries)
    by_id = {entry.id: entry for entry in reversed(entries)}
    for entry in entries:
        if not isinstance(entry.event, Corrected) or entry.id in void:
            continue
        target = by_id.get(entry.event.entry)
        if target is not None and correctable(target, entry.event):
            yield entry, entry.event, target


def effective_entries(entries: Sequence[Entry]) -> dict[int, Entry | None]:
    """`seq` -> the entry as it reads now; None where it was retracted."""
    read_now: dict[int, Entry | None] = {entry.seq: entry for entry in entries}
    for _, correction, target in standing(entries):
        read_now[target.seq] = _corrected(read_now[target.seq] or target, correction)
    return read_now


def correctable(target: Entry, correction: Corrected) -> bool:
    """A correction may only be retracted; the opening of the log stands, and no entry becomes one of these."""
    if isinstance(target.event, LogOpened):
        return False
    if isinstance(correction.replacement, LogOpened | Corrected):
        return False
    return correction.retracted or not isinstance(target.event, Corrected)


def _void(entries: Sequence[Entry]) -> set[str]:
    """Ids of corrections that a later, standing correction takes back."""
    seqs = {entry.id: entry.seq for entry in reversed(entries) if isinstance(entry.event, Corrected)}
    void: set[str] = set()
    for entry in reversed(entries):
        event = entry.event
        if not isinstance(event, Corrected) or entry.id in void:
            continue
        if event.retracted and seqs.get(event.entry, entry.seq) < entry.seq:
            void.add(event.entry)
    return void


def _corrected(entry: Entry, correction: Corrected) -> Entry | None:
    if correction.retracted:
        return None
    event = correction.replacement if correction.replacement is not None else entry.event
    occurred = correction.occurred_ms if correction.occurred_ms is not None else entry.occurred_ms
    return replace(entry, event=event, occurred_ms=occurred)
