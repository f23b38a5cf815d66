"""Advice at a moment: what the rules, the phase, the prompts, the gate and the discharge list say.

Pure: the same protocol, state and time give the same advice, and nothing recorded later plays a part. It proposes and
never acts; after a withdrawal or the participant's stop it asks for no more exposure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kerp.evidence.sourced import Mark
from kerp.protocol.model import Level, Protocol, Rule, Track
from kerp.session.advice import MORE_EXPOSURE, Action, Advice, AdviceState, Finding
from kerp.session.events import AdviceAcknowledged, AdviceOverridden, Observed
from kerp.session.fold import as_of
from kerp.session.proposals import PRESCRIBER, decides, of_block, of_discharge, of_gate, of_phase, of_prompts
from kerp.session.rules import COURSE_RULES, SESSION_RULES
from kerp.session.state import State
from kerp.session.view import View, view_of, views_of

_LOUDNESS = {Level.STOP: 0, Level.HOLD: 1, Level.WARN: 2, Level.INFO: 3}


def advise(protocol: Protocol, state: State, now_ms: int) -> tuple[Advice, ...]:
    """All advice at `now_ms` (since the log was opened), the loudest first."""
    state = as_of(protocol, state, now_ms)
    views = views_of(protocol, state, now_ms)
    found = course_advice(protocol, state, now_ms)
    course = tuple(found)
    for view in views:
        found += list(of_session(view, course, current=view is views[-1]))
    return tuple(sorted(with_answers(state, found), key=_place))


def _place(advice: Advice) -> tuple[int, int, str, str, str]:
    return _LOUDNESS[advice.level], advice.since_ms, advice.rule_id, advice.session, advice.key


def of_session(view: View, course: tuple[Advice, ...] = (), *, current: bool = True) -> Iterator[Advice]:
    """Advice of one session. An earlier session that nobody closed says only that."""
    if not current and not view.discharged:
        yield _not_closed(view)
        return
    rules = [] if view.discharged else rule_advice(view)
    proposed = [*of_phase(view), *of_block(view), *of_gate(view)] if not view.discharged else []
    waiting = _behind_holds(proposed, (*course, *rules))
    for advice in (*rules, *waiting, *of_prompts(view), *of_discharge(view)):
        yield _no_more_after_the_end(view, advice)


def rule_advice(view: View) -> list[Advice]:
    """What the hold, stop and warning rules of a session say, with what was answered to them."""
    found = []
    for rule in view.protocol.rules:
        wanted = rule.active and rule.kind in SESSION_RULES
        if wanted and (not rule.sessions or view.record.plan_id in rule.sessions):
            found += [_advice(view, rule, finding) for finding in SESSION_RULES[rule.kind](view, rule)]
    return with_answers(view.state, found)


def course_advice(protocol: Protocol, state: State, now_ms: int) -> list[Advice]:
    """What the rules say that speak of the participant, not of one session."""
    view = view_of(protocol, state, state.course, now_ms)
    found = []
    for rule in protocol.rules:
        if rule.active and rule.kind in COURSE_RULES:
            found += [_advice(view, rule, f) for f in COURSE_RULES[rule.kind](protocol, state, now_ms, rule)]
    return with_answers(state, found)


def _advice(view: View, rule: Rule, finding: Finding) -> Advice:
    return Advice(
        rule_id=rule.id,
        title=rule.title,
        level=finding.level or rule.level,
        track=rule.track,
        text=f"{finding.detail} {rule.text} {decides(view, rule.who_decides)}".strip(),
        who_decides=rule.who_decides,
        proposes=finding.proposes,
        source=rule.source,
        mark=rule.mark,
        since_ms=finding.since_ms,
        entries=finding.entries,
        session=finding.session or view.record.id,
        step=finding.step,
        thresholds=rule.thresholds,
    )


def _behind_holds(proposed: list[Advice], rules: tuple[Advice, ...]) -> Iterator[Advice]:
    """While a rule proposes to pause or stop exposure, nothing proposes to open or continue it."""
    holds = [rule for rule in rules if holds_exposure(rule)]
    for advice in proposed:
        if holds and advice.proposes in MORE_EXPOSURE - {Action.TAPER, Action.LOW_DEMAND}:
            yield replace(advice, proposes=Action.NOTHING, text=f"Waits: {holds[0].title}. {advice.text}")
        else:
            yield advice


def holds_exposure(advice: Advice) -> bool:
    """Whether an advice stands against more exposure: loud enough, on that track, and nobody overrode it."""
    loud = advice.level in {Level.HOLD, Level.STOP} and advice.state is not AdviceState.OVERRIDDEN
    return loud and advice.track in {Track.EXPOSURE, Track.BOTH}


def holds_drug(advice: Advice) -> bool:
    """Whether an advice stands against more drug."""
    loud = advice.level in {Level.HOLD, Level.STOP} and advice.state is not AdviceState.OVERRIDDEN
    return loud and advice.track in {Track.DRUG, Track.BOTH}


def _no_more_after_the_end(view: View, advice: Advice) -> Advice:
    """After a withdrawal or the participant's stop: stop what is open, and propose nothing else."""
    if not view.ended_by_patient or advice.proposes not in MORE_EXPOSURE:
        return advice
    action = Action.STOP_EXPOSURE if view.exposure.open_blocks else Action.NOTHING
    text = f"The participant has ended exposure. {decides(view, advice.who_decides)}"
    return replace(advice, proposes=action, text=text, entries=(view.ended_by_patient, *advice.entries))


def _not_closed(view: View) -> Advice:
    return Advice(
        rule_id="session_not_closed",
        title="A session was never closed",
        level=Level.WARN,
        track=Track.NONE,
        text=f"Session {view.record.id} has no discharge. {decides(view, PRESCRIBER)}",
        who_decides=PRESCRIBER,
        proposes=Action.NOTHING,
        source=view.protocol.id,
        mark=Mark.ASSUMED,
        since_ms=min(view.facts.values(), default=view.now_ms),
        session=view.record.id,
    )


def with_answers(state: State, advices: list[Advice]) -> list[Advice]:
    """Each advice with the newest answer that was given to it."""
    if not advices:
        return advices
    given: list[Observed[AdviceAcknowledged] | Observed[AdviceOverridden]] = [
        *state.everywhere(AdviceAcknowledged),
        *state.everywhere(AdviceOverridden),
    ]
    newest = {item.event.advice: item for item in sorted(given, key=lambda item: (item.at_ms, item.entry.seq))}
    return [_with_answer(advice, newest.get(advice.key)) for advice in advices]


def _with_answer(advice: Advice, answer: Observed[AdviceAcknowledged] | Observed[AdviceOverridden] | None) -> Advice:
    if answer is None:
        return advice
    if isinstance(answer.event, AdviceOverridden):
        state, text = AdviceState.OVERRIDDEN, answer.event.reason
    else:
        state, text = AdviceState.ACKNOWLEDGED, answer.event.note
    return replace(advice, state=state, answered_by=answer.actor, answer=text)
