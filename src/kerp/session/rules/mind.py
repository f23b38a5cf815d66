"""Psychotic signs, suicidality, chest pain and neurological signs: what a physician must see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kerp.protocol.model import Level, Rule
from kerp.session.advice import Action, Finding
from kerp.session.asked import BPRS_POSITIVE, CSSRS, CSSRS_BEHAVIOUR, cssrs_level, scale, scale_everywhere
from kerp.session.events import AdverseEvent, AdverseEventFollowed, Observed, ScaleAnswered
from kerp.session.rules.runs import at, ids, limit, since_start
from kerp.session.state import State
from kerp.session.view import View

_PSYCHOTIC = frozenset({"persecutory_idea", "conviction_rises", "hallucination"})
_ACUTE = frozenset({"chest_pain", "neurological_sign"})
Answers = Mapping[str, float | None]


def psychosis(view: View, rule: Rule) -> Iterator[Finding]:
    """A positive item risen by so much since before the dose, or a psychotic sign written down (PAPER P35, P36)."""
    yield from _open_events(view, _PSYCHOTIC, Action.STOP_EXPOSURE)
    answered = since_start(view, scale(view.record, BPRS_POSITIVE))
    if not answered:
        return
    last, before = answered[-1], _before(view)
    if before is None:
        detail = "No rating of the positive items before the start: a rise cannot be seen."
        yield Finding(entries=(last.id,), since_ms=last.at_ms, detail=detail, level=Level.WARN)
        return
    risen = _risen(before.event.answers, last.event.answers, limit(rule, "item_rise"))
    if risen:
        detail = f"Risen since before the start: {', '.join(risen)} (at {at(view, last.at_ms)})."
        yield Finding(entries=(before.id, last.id), since_ms=last.at_ms, detail=detail, proposes=Action.STOP_EXPOSURE)


def _before(view: View) -> Observed[ScaleAnswered] | None:
    earlier = [a for a in scale_everywhere(view.state, BPRS_POSITIVE) if a.at_ms < (view.t0_ms or 0)]
    return earlier[-1] if earlier else None


def _risen(before: Answers, now: Answers, by: float) -> list[str]:
    """Items answered both times that rose by so much; a missing answer is no zero."""
    found = []
    for name, value in now.items():
        was = before.get(name)
        if value is not None and was is not None and value - was >= by:
            found.append(f"{name} {was:g} to {value:g}")
    return found


def chest_pain_or_neurological(view: View, _rule: Rule) -> Iterator[Finding]:
    """Until somebody records that it has ended."""
    yield from _open_events(view, _ACUTE, Action.NOTHING if view.drug.over else Action.STOP_DRUG)


def _open_events(view: View, codes: frozenset[str], action: Action) -> Iterator[Finding]:
    ended = {item.event.adverse_event for item in view.record.of(AdverseEventFollowed) if item.event.ended}
    for item in view.record.of(AdverseEvent):
        if item.event.code in codes and item.id not in ended:
            detail = f"{item.event.code.replace('_', ' ').capitalize()} at {at(view, item.at_ms)}, not ended."
            yield Finding(entries=(item.id,), since_ms=item.at_ms, detail=detail, proposes=action)


def suicidality(state: State, rule: Rule) -> Iterator[Finding]:
    """The newest C-SSRS of the course at the level, or any recent behaviour. Clears with a later, clear one."""
    answered = scale_everywhere(state, CSSRS)
    run: list[Observed[ScaleAnswered]] = []
    for item in reversed(answered):
        if not _suicidal(item.event.answers, limit(rule, "cssrs_level")):
            break
        run.insert(0, item)
    if run:
        last = run[-1].event.answers
        what = "behaviour" if last.get(CSSRS_BEHAVIOUR) else f"level {cssrs_level(last)}"
        yield Finding(
            entries=ids(run),
            since_ms=run[0].at_ms,
            detail=f"C-SSRS: {what}.",
            proposes=Action.HOLD_BOTH,
            session=run[-1].entry.session,
        )


def _suicidal(answers: Answers, level: float) -> bool:
    return cssrs_level(answers) >= level or bool(answers.get(CSSRS_BEHAVIOUR))
