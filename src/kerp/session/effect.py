"""Onset, peak and resolution of the felt effect, read off its ratings by the protocol's rule (PAPER P29-P31).

Assumed, and protocol data: `EffectRule`. Baseline is the median of the ratings before T0. Onset is the first of so
many consecutive ratings at least `onset_rise` above it. The peak is the last maximum, declared after so many ratings
at least `peak_fall` below it, and reopened by a higher one; a rating from before onset is no peak. Resolution comes
after the peak and the end of the administration, with so many ratings within `resolution_within` of baseline; a
rating back at onset level takes it back. A weak effect may be back at baseline without having fallen by `peak_fall`:
its resolution declares the peak too, or nothing would ever propose to stop. Ratings more than `max_gap_min` apart are
not consecutive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from kerp.base.elapsed import ms_from_min
from kerp.protocol.model import EffectRule, Fact
from kerp.session.drug_track import DrugTrack
from kerp.session.events import FeltEffectRated, Observed
from kerp.session.state import SessionRecord

Ratings = Sequence[Observed[FeltEffectRated]]


@dataclass(frozen=True, slots=True)
class Change:
    """At `known_ms` a fact became true (`at_ms` says since when), or ceased to hold (`at_ms` is None)."""

    known_ms: int
    fact: Fact
    at_ms: int | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What the ratings say so far. Times are since the log was opened; None: not (or no longer) declared."""

    baseline: float = 0.0
    baseline_assumed: bool = True  # nobody was asked before T0: the floor of the scale is taken
    onset_ms: int | None = None
    peak_ms: int | None = None
    peak_value: float | None = None
    resolved_ms: int | None = None
    highest: float | None = None
    last: Observed[FeltEffectRated] | None = None
    changes: tuple[Change, ...] = ()
    onset_entries: tuple[str, ...] = ()
    peak_entries: tuple[str, ...] = ()
    resolved_entries: tuple[str, ...] = ()

    @property
    def felt(self) -> bool:
        """Whether effects are felt now: after onset, not resolved."""
        return self.onset_ms is not None and self.resolved_ms is None


@dataclass(frozen=True, slots=True)
class _Reading:
    """The machine that walks the ratings: what is declared, and the runs that may become a declaration."""

    effect: Effect
    above: tuple[Observed[FeltEffectRated], ...] = ()  # running towards onset
    below: tuple[Observed[FeltEffectRated], ...] = ()  # running towards the peak's declaration
    back: tuple[Observed[FeltEffectRated], ...] = ()  # running towards resolution
    top: Observed[FeltEffectRated] | None = None


def effect_of(rule: EffectRule | None, record: SessionRecord, drug: DrugTrack) -> Effect:
    """Read the felt effect of one session; without a rule or before T0 nothing is declared."""
    ratings = record.of(FeltEffectRated)
    if rule is None or drug.t0_ms is None:
        return Effect(last=ratings[-1] if ratings else None)
    baseline = _baseline(rule, ratings, drug.t0_ms)
    start = Effect(baseline=baseline or 0.0, baseline_assumed=baseline is None)
    reading = _Reading(start)
    for rating in ratings:
        if rating.at_ms >= drug.t0_ms:
            reading = _after(rule, drug, reading, rating)
    return replace(reading.effect, last=ratings[-1] if ratings else None)


def _baseline(rule: EffectRule, ratings: Ratings, t0_ms: int) -> float | None:
    since = t0_ms - ms_from_min(rule.baseline_window_min.value)
    values = [rating.event.value for rating in ratings if since <= rating.at_ms < t0_ms]
    return median(values) if values else None


def _after(rule: EffectRule, drug: DrugTrack, reading: _Reading, rating: Observed[FeltEffectRated]) -> _Reading:
    value = rating.event.value
    top = rating if reading.top is None or value >= reading.top.event.value else reading.top
    highest = value if reading.effect.highest is None else max(value, reading.effect.highest)
    effect = replace(reading.effect, highest=highest)
    if effect.peak_ms is None or reading.top is None or value > reading.top.event.value:
        reading = _reopened(replace(reading, effect=effect, top=top), rating)
    else:
        reading = replace(reading, effect=effect)
    reading = _onset(rule, reading, rating)
    reading = _peak(rule, reading, rating)
    return _resolution(rule, drug, reading, rating)


def _reopened(reading: _Reading, rating: Observed[FeltEffectRated]) -> _Reading:
    """A rating above a declared peak takes the declaration back, and what rested on it."""
    effect = reading.effect
    if effect.peak_ms is None:
        return reading
    effect = replace(effect, peak_ms=None, peak_value=None, peak_entries=())
    effect = _declare(effect, Change(rating.at_ms, Fact.EFFECT_PEAK, None))
    return _unresolved(replace(reading, effect=effect, below=()), rating)


def _unresolved(reading: _Reading, rating: Observed[FeltEffectRated]) -> _Reading:
    effect = reading.effect
    if effect.resolved_ms is None:
        return reading
    effect = replace(effect, resolved_ms=None, resolved_entries=())
    return replace(reading, effect=_declare(effect, Change(rating.at_ms, Fact.EFFECT_RESOLVED, None)), back=())


def _onset(rule: EffectRule, reading: _Reading, rating: Observed[FeltEffectRated]) -> _Reading:
    effect = reading.effect
    if effect.onset_ms is not None:
        return reading
    high = rating.event.value >= effect.baseline + rule.onset_rise.value
    run = _run(rule, reading.above, rating, holds=high)
    if len(run) < rule.onset_ratings.value:
        return replace(reading, above=run)
    effect = replace(effect, onset_ms=run[0].at_ms, onset_entries=_ids(run))
    effect = _declare(effect, Change(rating.at_ms, Fact.EFFECT_ONSET, run[0].at_ms))
    return replace(reading, effect=effect, above=(), top=_last_highest(run))


def _peak(rule: EffectRule, reading: _Reading, rating: Observed[FeltEffectRated]) -> _Reading:
    effect, top = reading.effect, reading.top
    if effect.onset_ms is None or effect.peak_ms is not None or top is None:
        return reading
    low = rating.event.value <= top.event.value - rule.peak_fall.value
    run = _run(rule, reading.below, rating, holds=low)
    if len(run) < rule.peak_ratings.value:
        return replace(reading, below=run)
    return replace(reading, effect=_peaked(effect, top, run), below=())


def _peaked(effect: Effect, top: Observed[FeltEffectRated], run: Ratings) -> Effect:
    effect = replace(effect, peak_ms=top.at_ms, peak_value=top.event.value, peak_entries=(top.id, *_ids(run)))
    return _declare(effect, Change(run[-1].at_ms, Fact.EFFECT_PEAK, top.at_ms))


def _last_highest(run: Ratings) -> Observed[FeltEffectRated]:
    return max(run, key=lambda rating: (rating.event.value, rating.at_ms))


def _resolution(rule: EffectRule, drug: DrugTrack, reading: _Reading, rating: Observed[FeltEffectRated]) -> _Reading:
    effect = reading.effect
    if effect.resolved_ms is not None:
        again = rating.event.value >= effect.baseline + rule.onset_rise.value
        return _unresolved(reading, rating) if again else reading
    over = drug.over and drug.ended_ms is not None and rating.at_ms >= drug.ended_ms
    near = rating.event.value <= effect.baseline + rule.resolution_within.value
    run = _run(rule, reading.back, rating, holds=near and over)
    top = reading.top
    if effect.onset_ms is None or top is None or len(run) < rule.resolution_ratings.value or top in run:
        return replace(reading, back=run)
    if effect.peak_ms is None:
        effect = _peaked(effect, top, run)
        reading = replace(reading, below=())
    effect = replace(effect, resolved_ms=run[0].at_ms, resolved_entries=_ids(run))
    return replace(reading, effect=_declare(effect, Change(rating.at_ms, Fact.EFFECT_RESOLVED, run[0].at_ms)))


def _run(
    rule: EffectRule,
    run: tuple[Observed[FeltEffectRated], ...],
    rating: Observed[FeltEffectRated],
    *,
    holds: bool,
) -> tuple[Observed[FeltEffectRated], ...]:
    """The run of consecutive ratings that `holds`, with this one; it breaks where the gap is too long."""
    if not holds:
        return ()
    if run and rating.at_ms - run[-1].at_ms > ms_from_min(rule.max_gap_min.value):
        return (rating,)
    return (*run, rating)


def _declare(effect: Effect, change: Change) -> Effect:
    return replace(effect, changes=(*effect.changes, change))


def _ids(run: Ratings) -> tuple[str, ...]:
    return tuple(rating.id for rating in run)
