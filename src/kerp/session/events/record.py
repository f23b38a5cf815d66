"""Events about the record itself: corrections, notes on late entry, and types this version does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kerp.session.events.fields import Event, Milliseconds, Name, Strand, Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected(Event):
    """A later entry that changes how an earlier one is read; nothing is edited.

    `replacement` says what happened instead, `occurred_ms` when it happened instead, `retracted` that it did not
    happen. A correction is itself undone by retracting it.
    """

    type: ClassVar[str] = "correction"
    strand: ClassVar[Strand] = Strand.RECORD
    entry: Name  # id of the corrected entry
    reason: Why
    replacement: Event | None = None
    occurred_ms: Milliseconds | None = None
    retracted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LateEntryNoted(Event):
    """Why an entry was written late, or that it was written from memory (M9)."""

    type: ClassVar[str] = "late_entry"
    strand: ClassVar[Strand] = Strand.RECORD
    entry: Name
    reason: Why
    from_memory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(Event):
    """An event of a type this version does not know: kept as it came, and reported."""

    type: ClassVar[str] = "unknown"
    strand: ClassVar[Strand] = Strand.RECORD
    name: Name
    raw: Mapping[str, Any]
