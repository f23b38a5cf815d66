"""Rises since a reference occasion that the field treats as meaningful: dissociation, new psychotic signs, mood."""

from __future__ import annotations

from kerp.instrument.model import Instrument, Marker
from kerp.instrument.score import Answers, score


def rises(instrument: Instrument, before: Answers, after: Answers) -> tuple[Marker, ...]:
    """The markers of an instrument that are met between two occasions; a missing answer meets none.

    Raises `KerpError` when one of the sets of answers cannot be scored.
    """
    totals = score(instrument, before).total, score(instrument, after).total
    return tuple(marker for marker in instrument.markers if _met(marker, before, after, totals))


def _met(marker: Marker, before: Answers, after: Answers, totals: tuple[float | None, float | None]) -> bool:
    first, second = (before.get(marker.item), after.get(marker.item)) if marker.item else totals
    return first is not None and second is not None and second - first >= marker.rise_at_least
