"""Paradoxical anxiety (PAPER P37) and distress at its ceiling.

Paradoxical anxiety: at `consecutive` ratings in a row SUDS is at least `suds_rise` above its level at the same
exposure before onset, while the felt effect is above onset and the stimulus did not become stronger. Where SUDS
started above `ceiling_from_suds` there is no room for the rise: ratings at `ceiling_suds` or more count instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.elapsed import ms_from_min
from kerp.protocol.model import Rule
from kerp.session.advice import Action, Finding
from kerp.session.events import AnxietyStepTaken, FeltEffectRated, Observed, SudsRated
from kerp.session.exposure_track import Block
from kerp.session.limits import LATE_AFTER_MS
from kerp.session.rules.runs import at, consecutive, ids, limit, newest_run
from kerp.session.view import View

Suds = Observed[SudsRated]


def paradoxical_anxiety(view: View, rule: Rule) -> Iterator[Finding]:
    """Fires on the newest ratings; clears when one of them no longer counts."""
    gap = view.protocol.effect_rule.max_gap_min.value if view.protocol.effect_rule else None
    run = newest_run(view.record.of(SudsRated), lambda rating: _paradoxical(view, rule, rating))
    run = consecutive(run, gap)
    if view.effect.onset_ms is None or len(run) < limit(rule, "consecutive"):
        return
    reference = _reference(view, _block(view, run[-1]))
    assert reference is not None
    reached = step_reached(view)
    detail = (
        f"SUDS {reference.event.value} before onset, now {', '.join(str(r.event.value) for r in run)} "
        f"at the same exposure, effect felt. {_steps(rule, reached)}"
    )
    entries = (*ids(run), reference.id)
    yield Finding(
        entries=entries, since_ms=run[0].at_ms, detail=detail, step=reached, proposes=_proposal(view, reached)
    )


def step_reached(view: View) -> int:
    """The furthest step of the graded response taken in this session; 0 for none."""
    return max((item.event.step for item in view.record.of(AnxietyStepTaken)), default=0)


def _steps(rule: Rule, reached: int) -> str:
    done = f"Step {reached} was reached. " if reached else ""
    return f"{done}Next, step {reached + 1}: {rule.steps[reached]}" if reached < len(rule.steps) else done.strip()


def _proposal(view: View, reached: int) -> Action:
    """First look and lower the demand; then exposure stops. The drug is the physician's own decision."""
    if not view.exposure.open_blocks:
        return Action.NOTHING
    return Action.LOW_DEMAND if reached < 2 else Action.STOP_EXPOSURE


def _paradoxical(view: View, rule: Rule, rating: Suds) -> bool:
    onset, block = view.effect.onset_ms, _block(view, rating)
    reference = _reference(view, block)
    if onset is None or rating.at_ms < onset or block is None or reference is None:
        return False
    if not _felt_at(view, rating.at_ms) or _stronger_since(view, block, reference, rating):
        return False
    return _risen(rule, reference.event.value, rating.event.value)


def _risen(rule: Rule, before: int, now: int) -> bool:
    room = rule.thresholds.get("ceiling_from_suds")
    ceiling = rule.thresholds.get("ceiling_suds")
    if room is not None and ceiling is not None and before > room.value:
        return now >= ceiling.value
    return now - before >= limit(rule, "suds_rise")


def _block(view: View, rating: Suds) -> Block | None:
    """The block of a rating; after exposure the last block before it, so that distress that stays is still seen."""
    before = [block for block in view.exposure.blocks if block.started_ms <= rating.at_ms]
    return view.exposure.at(rating.at_ms) or (max(before, key=lambda b: b.started_ms) if before else None)


def _reference(view: View, block: Block | None) -> Suds | None:
    """The last rating at the same item before onset."""
    onset = view.effect.onset_ms
    if block is None or onset is None:
        return None
    for rating in view.record.latest(SudsRated):
        covering = view.exposure.at(rating.at_ms)
        if rating.at_ms < onset and covering is not None and covering.item == block.item:
            return rating
    return None


def _stronger_since(view: View, block: Block, reference: Suds, rating: Suds) -> bool:
    """Whether the stimulus became stronger between the two ratings."""
    steps = [step for b in view.exposure.blocks if b.item == block.item for step in b.steps]
    before = [step.intensity for step in steps if step.at_ms <= reference.at_ms]
    after = [step.intensity for step in steps if reference.at_ms < step.at_ms <= rating.at_ms]
    return bool(before and after) and max(after) > before[-1]


def _felt_at(view: View, at_ms: int) -> bool:
    """Whether the effect was above onset level at a rating, by the answer nearest to it."""
    rule = view.protocol.effect_rule
    if rule is None:
        return False
    since, until = at_ms - ms_from_min(rule.max_gap_min.value), at_ms + LATE_AFTER_MS
    near = [felt for felt in view.record.of(FeltEffectRated) if since <= felt.at_ms <= until]
    if not near:
        return False
    nearest = min(near, key=lambda felt: abs(felt.at_ms - at_ms))
    return nearest.event.value >= view.effect.baseline + rule.onset_rise.value


def suds_ceiling(view: View, rule: Rule) -> Iterator[Finding]:
    """So many ratings in a row at the ceiling, while exposure goes on."""
    run = newest_run(view.record.of(SudsRated), lambda rating: rating.event.value >= limit(rule, "suds"))
    inside = tuple(rating for rating in run if view.exposure.at(rating.at_ms) is not None)
    if view.exposure.open_blocks and len(inside) >= limit(rule, "consecutive"):
        detail = f"SUDS {inside[-1].event.value} since {at(view, inside[0].at_ms)}."
        yield Finding(entries=ids(inside), since_ms=inside[0].at_ms, detail=detail, proposes=Action.LOW_DEMAND)
