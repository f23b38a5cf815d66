"""Falls of SUDS and what they may come from (M10).

A fall during the drug, a ritual, avoidance or distraction is no evidence of learning. Only a fall that has none of
these within it counts as habituation, or one that a clinician judged to be habituation and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kerp.base.elapsed import ms_from_min
from kerp.session.events import FallCause, FallExplained, FeltEffectRated, Observed, Ritual, RitualSeen, SudsRated
from kerp.session.exposure_track import Block
from kerp.session.view import View

_CAUSE_OF = {
    Ritual.OVERT: FallCause.RITUAL,
    Ritual.MENTAL: FallCause.RITUAL,
    Ritual.REASSURANCE: FallCause.RITUAL,
    Ritual.AVOIDANCE: FallCause.AVOIDANCE,
    Ritual.DISTRACTION: FallCause.DISTRACTION,
}


@dataclass(frozen=True, slots=True)
class Fall:
    """An unbroken fall of SUDS within one block, from its highest to its lowest rating."""

    block: str
    item: str
    from_ms: int
    to_ms: int
    from_suds: int
    to_suds: int
    entries: tuple[str, str]
    causes: tuple[FallCause, ...]  # possible ones, or those a clinician named
    judged_by: str = ""

    @property
    def drop(self) -> int:
        """SUDS points."""
        return self.from_suds - self.to_suds

    @property
    def is_habituation(self) -> bool:
        """Whether the fall may be counted as habituation."""
        return self.causes == (FallCause.HABITUATION,)


def falls_of(view: View) -> tuple[Fall, ...]:
    """Every fall of the session, in order, with its possible causes."""
    return view.once(_falls)


def _falls(view: View) -> tuple[Fall, ...]:
    return tuple(fall for block in view.exposure.blocks for fall in _falls_in(view, block))


def habituation_suds(view: View, block: str) -> int:
    """SUDS points by which a block fell through habituation alone."""
    return sum(fall.drop for fall in falls_of(view) if fall.block == block and fall.is_habituation)


def suds_in(view: View, block: Block) -> tuple[Observed[SudsRated], ...]:
    """Ratings made during a block."""
    return tuple(rating for rating in view.record.of(SudsRated) if block.covers(rating.at_ms))


def _falls_in(view: View, block: Block) -> Iterator[Fall]:
    for run in _falling_runs(suds_in(view, block)):
        yield _fall(view, block, run[0], run[-1])


def _falling_runs(ratings: tuple[Observed[SudsRated], ...]) -> Iterator[list[Observed[SudsRated]]]:
    run: list[Observed[SudsRated]] = []
    for rating in ratings:
        if run and rating.event.value > run[-1].event.value:
            yield from _kept(run)
            run = []
        run.append(rating)
    yield from _kept(run)


def _kept(run: list[Observed[SudsRated]]) -> Iterator[list[Observed[SudsRated]]]:
    """A run that falls, from the last rating of its plateau on."""
    while len(run) > 1 and run[1].event.value == run[0].event.value:
        run = run[1:]
    if len(run) > 1:
        yield run


def _fall(view: View, block: Block, high: Observed[SudsRated], low: Observed[SudsRated]) -> Fall:
    judged = next((j for j in view.record.latest(FallExplained) if j.event.rating == low.id), None)
    possible = tuple(dict.fromkeys([FallCause.HABITUATION, *_others(view, high.at_ms, low.at_ms)]))
    causes = judged.event.causes if judged else possible
    return Fall(
        block=block.name,
        item=block.item,
        from_ms=high.at_ms,
        to_ms=low.at_ms,
        from_suds=high.event.value,
        to_suds=low.event.value,
        entries=(high.id, low.id),
        causes=causes,
        judged_by=judged.event.judged_by if judged else "",
    )


def _others(view: View, from_ms: int, to_ms: int) -> Iterator[FallCause]:
    for seen in view.record.of(RitualSeen):
        if seen.at_ms <= to_ms and _end_ms(seen) >= from_ms:
            yield _CAUSE_OF[seen.event.kind]
    if _drug_possible(view, from_ms, to_ms):
        yield FallCause.DRUG


def _end_ms(seen: Observed[RitualSeen]) -> int:
    return seen.at_ms + round((seen.event.duration_s or 0) * 1000)


def _drug_possible(view: View, from_ms: int, to_ms: int) -> bool:
    """Whether the effect was, or may have been, above onset: also where nobody asked."""
    rule, effect, t0 = view.protocol.effect_rule, view.effect, view.drug.t0_ms
    if rule is None or t0 is None or to_ms < t0:
        return False
    if effect.onset_ms is not None and effect.onset_ms <= to_ms:
        return effect.resolved_ms is None or effect.resolved_ms > from_ms
    near = [
        rating for rating in view.record.of(FeltEffectRated) if _near(rating, from_ms, to_ms, rule.max_gap_min.value)
    ]
    limit = effect.baseline + rule.onset_rise.value
    return not near or any(rating.event.value >= limit for rating in near)


def _near(rating: Observed[Any], from_ms: int, to_ms: int, gap_min: float) -> bool:
    return from_ms - ms_from_min(gap_min) <= rating.at_ms <= to_ms
