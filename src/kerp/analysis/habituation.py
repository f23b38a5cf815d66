"""Falls of distress with their causes kept apart, and what is kept between sessions (M10).

Only a fall without ritual, avoidance, distraction or drug counts as habituation; a fall with several possible causes
counts for none of them alone and is reported as mixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, stdev

HABITUATION = "habituation"
MIXED = "mixed"
UNKNOWN = "not stated"


@dataclass(frozen=True, slots=True)
class Fall:
    """One fall of SUDS: points from its high to its low, minutes it took, and its possible causes."""

    participant: str
    session: str
    points: float
    minutes: float | None
    causes: tuple[str, ...]

    @property
    def cause(self) -> str:
        """The single cause, `mixed` where several are possible, `not stated` where none was looked for."""
        if not self.causes:
            return UNKNOWN
        return self.causes[0] if len(self.causes) == 1 else MIXED


@dataclass(frozen=True, slots=True)
class CauseRow:
    """Falls of one cause in one arm."""

    arm: str
    cause: str
    falls: int
    participants: int
    mean_points: float
    counts_as_habituation: bool


def falls_by_cause(falls: Iterable[Fall], arm_of: Mapping[str, str]) -> tuple[CauseRow, ...]:
    """Falls by arm and cause, never summed over causes."""
    groups: dict[tuple[str, str], list[Fall]] = {}
    for fall in falls:
        groups.setdefault((arm_of[fall.participant], fall.cause), []).append(fall)
    return tuple(
        CauseRow(
            arm, cause, len(own), len({f.participant for f in own}), mean(f.points for f in own), cause == HABITUATION
        )
        for (arm, cause), own in sorted(groups.items())
    )


def habituation_per_participant(falls: Iterable[Fall]) -> dict[str, float]:
    """Mean fall in points over the falls that count as habituation; participants without one are absent, not zero."""
    own: dict[str, list[float]] = {}
    for fall in falls:
        if fall.cause == HABITUATION:
            own.setdefault(fall.participant, []).append(fall.points)
    return {who: mean(points) for who, points in own.items()}


@dataclass(frozen=True, slots=True)
class BlockRating:
    """First, highest and last SUDS of one exposure block to one item."""

    participant: str
    session_order: int
    item: str
    first: float
    peak: float
    last: float


@dataclass(frozen=True, slots=True)
class Retention:
    """For one item met again in a later session: what was gained within, and how much of it was there next time."""

    participant: str
    item: str
    gained: float
    returned: float
    between: float

    @property
    def kept(self) -> float | None:
        """Share of the gain still there at the next session; None where nothing was gained."""
        return None if self.gained <= 0 else 1.0 - self.returned / self.gained


def retention(blocks: Sequence[BlockRating]) -> tuple[Retention, ...]:
    """Pairs of consecutive sessions with the same item: last of one against first and peak of the next.

    `returned` is the rise from the last rating to the first of the next session (return of fear), `between` the fall
    of the peak. Within one session only the last block of an item counts as its end, the first as its start.
    """
    by_item: dict[tuple[str, str], dict[int, list[BlockRating]]] = {}
    for block in blocks:
        by_item.setdefault((block.participant, block.item), {}).setdefault(block.session_order, []).append(block)
    pairs = []
    for (who, item), sessions in sorted(by_item.items()):
        order = sorted(sessions)
        for earlier, later in pairwise(order):
            before, after = sessions[earlier], sessions[later]
            peak_before, peak_after = max(b.peak for b in before), max(b.peak for b in after)
            end = before[-1].last
            pairs.append(Retention(who, item, peak_before - end, after[0].first - end, peak_before - peak_after))
    return tuple(pairs)


@dataclass(frozen=True, slots=True)
class Summary:
    """Count, mean and SD; the SD is None with fewer than two values."""

    n: int
    mean: float | None
    sd: float | None


def summary(values: Iterable[float]) -> Summary:
    """Describe values; nothing is invented where there are none."""
    listed = list(values)
    if not listed:
        return Summary(0, None, None)
    return Summary(len(listed), mean(listed), stdev(listed) if len(listed) > 1 else None)


def causes_seen(falls: Iterable[Fall]) -> Counter[str]:
    """How many falls have each cause."""
    return Counter(fall.cause for fall in falls)
