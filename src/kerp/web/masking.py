"""What is kept from everybody who looks at a log: guesses of the arm, also where a correction holds one (M8).

One person's belief would colour what the others observe, and may tell the arm. It stays in the record, for the
blinding index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from kerp.session.events import ArmGuess, Corrected
from kerp.web.models import Entry

KEPT = "kept for the blinding index"
_KINDS = (ArmGuess.type, Corrected.type)


def guess_ids(log_id: UUID, events: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Entries of this log that say or said what somebody guesses; asked only where `events` hold a correction."""
    if not any(event["type"] == Corrected.type for event in events):
        return frozenset()
    rows = Entry.objects.filter(log_id=log_id, kind__in=_KINDS).order_by("seq").values_list("entry_id", "record")
    found: set[str] = set()
    for entry_id, record in rows:
        if _is_guess(json.loads(record)["event"], found):
            found.add(str(entry_id))
    return frozenset(found)


def masked(event: dict[str, Any], guesses: Iterable[str]) -> dict[str, Any]:
    """An event as it may be shown: of a guess, who gave it; of a correction of one, that there was one."""
    if not _is_guess(event, guesses):
        return event
    if event["type"] == ArmGuess.type:
        return {name: event.get(name) for name in ("type", "by")}
    kept = {name: event.get(name) for name in ("type", "entry", "retracted")}
    return kept | {"reason": KEPT}


def _is_guess(event: Mapping[str, Any], guesses: Iterable[str]) -> bool:
    """A guess; a correction that puts one in the place of an entry; a correction of either."""
    if event["type"] != Corrected.type:
        return bool(event["type"] == ArmGuess.type)
    instead = event.get("replacement")
    return str(event.get("entry", "")).lower() in guesses or bool(instead and _is_guess(instead, guesses))
