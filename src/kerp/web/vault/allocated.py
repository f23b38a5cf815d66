"""Who was allocated to what, as the analysis needs it: the first release of each person, never a replacement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from kerp.allocation.release import Registered, Released
from kerp.web.vault import store

EXPORTED = "exported"


@dataclass(frozen=True, slots=True)
class Row:
    """One participant: the arm, the stratum (levels joined by a slash), the place in it, the day (UTC)."""

    participant: str
    arm: str
    stratum: str
    sequence: int
    date: str


def rows(study_code: str) -> list[Row]:
    """Everybody who was allocated, in the order of participants."""
    made = store.opened(study_code).made
    entry_of = {entry.kit: entry for entry in made.entries}
    record = store.record_of(study_code)
    strata = {event.subject: event.stratum for event in record if isinstance(event, Registered)}
    first: dict[str, Released] = {}
    for event in record:
        if isinstance(event, Released):
            first.setdefault(event.subject, event)
    return [
        Row(
            participant=subject,
            arm=entry_of[event.kit].arm,
            stratum="/".join(strata[subject]),
            sequence=entry_of[event.kit].sequence,
            date=datetime.fromtimestamp(event.at_ms / 1000, UTC).date().isoformat(),
        )
        for subject, event in sorted(first.items())
    ]
