"""Phases and prompts: can each phase be reached, and does each prompt ever fall due?"""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.errors import Fault
from kerp.protocol.checks.course import DOSING, EXPOSING, objection
from kerp.protocol.model import Fact, Phase, Prompt, Protocol, SessionPlan

EFFECT_FACTS = (Fact.EFFECT_ONSET, Fact.EFFECT_PEAK, Fact.EFFECT_RESOLVED)
DRUG_FACTS = (Fact.ADMINISTRATION_START, Fact.ADMINISTRATION_END, *EFFECT_FACTS)
EXPOSURE_FACTS = (Fact.FIRST_EXPOSURE, Fact.EXPOSURE_STOPPED)

# fact -> facts that have always happened before it
_BEFORE: dict[Fact, tuple[Fact, ...]] = {
    Fact.SESSION_OPENED: (),
    Fact.READY_CONFIRMED: (Fact.SESSION_OPENED,),
    Fact.ADMINISTRATION_START: (Fact.READY_CONFIRMED,),
    Fact.FIRST_EXPOSURE: (Fact.READY_CONFIRMED,),
    Fact.EFFECT_ONSET: (Fact.ADMINISTRATION_START,),
    Fact.EFFECT_PEAK: (Fact.EFFECT_ONSET,),
    Fact.ADMINISTRATION_END: (Fact.ADMINISTRATION_START,),
    Fact.EFFECT_RESOLVED: (Fact.EFFECT_PEAK, Fact.ADMINISTRATION_END),
    Fact.EXPOSURE_STOPPED: (Fact.FIRST_EXPOSURE,),
    Fact.DISCHARGED: (Fact.SESSION_OPENED,),
}


def precedes(first: Fact, second: Fact) -> bool:
    """Whether `first` has always happened once `second` has."""
    return any(fact is first or precedes(first, fact) for fact in _BEFORE[second])


def impossible(protocol: Protocol, plan: SessionPlan, fact: Fact) -> str:
    """Why a fact can never come true in a session; empty when it can."""
    if fact in DRUG_FACTS and (plan.kind not in DOSING or protocol.dose is None):
        return "no drug is given in this session"
    if fact in EFFECT_FACTS and protocol.effect_rule is None:
        return "there is no effect rule that could read it off the ratings"
    if fact in EXPOSURE_FACTS and plan.kind not in EXPOSING:
        return "there is no exposure in this session"
    return ""


def unreachable_phases(protocol: Protocol) -> Iterator[Fault]:
    """A phase whose fact can never come true, or that a later phase of the list always hides."""
    for plan in protocol.sessions:
        hidden: dict[str, list[Phase]] = {}  # one phase out of its place hides many: that is one fault
        for index, phase in enumerate(plan.phases):
            fact = phase.enters_on
            if why := impossible(protocol, plan, fact):
                ways = ("remove the phase", "let another fact open it")
                field = f"sessions.{plan.id}.phases.{phase.id}"
                yield objection(field, f"this phase is never reached: {why}", *ways, found=fact.value)
            elif hiding := _hidden_by(plan, index):
                hidden.setdefault(hiding.id, []).append(phase)
        for name, phases in hidden.items():
            yield _hidden(plan, name, phases)


def _hidden(plan: SessionPlan, hiding: str, phases: list[Phase]) -> Fault:
    more = ", ".join(repr(phase.id) for phase in phases[1:])
    message = f"this phase is never reached: when it opens, the session is in {hiding!r} already"
    message += f"; nor are {more}" if more else ""
    ways = ("put the phases in the order in which their facts come true", 'place a new one with after = "..."')
    return objection(f"sessions.{plan.id}.phases.{phases[0].id}", message, *ways, found=phases[0].enters_on.value)


def _hidden_by(plan: SessionPlan, index: int) -> Phase | None:
    """The furthest open phase counts: a later one of the list, open by then, hides this one."""
    fact = plan.phases[index].enters_on
    later = plan.phases[index + 1 :]
    return next((phase for phase in later if phase.enters_on is fact or precedes(phase.enters_on, fact)), None)


def sessions_without_a_beginning(protocol: Protocol) -> Iterator[Fault]:
    """A session has a first phase that opens with the session, or nobody knows where they are."""
    for plan in protocol.sessions:
        if not plan.phases or plan.phases[0].enters_on is not Fact.SESSION_OPENED:
            message = f"the first phase of {plan.title!r} does not open with the session"
            way = 'begin with a phase that enters_on = "session_opened"'
            yield objection(f"sessions.{plan.id}.phases", message, way)


def prompts_that_never_fall_due(protocol: Protocol) -> Iterator[Fault]:
    """No time, an empty window, an anchor that never comes, or a phase that is over by then."""
    for plan in protocol.sessions:
        for prompt in plan.prompts:
            field = f"sessions.{plan.id}.prompts.{prompt.id}"
            for message, way in _reasons_never_due(protocol, plan, prompt):
                yield objection(field, f"{prompt.title!r} never falls due: {message}", way)


def _reasons_never_due(protocol: Protocol, plan: SessionPlan, prompt: Prompt) -> Iterator[tuple[str, str]]:
    if not prompt.at_min and prompt.every_min is None:
        yield "it says neither at_min nor every_min", "write at_min = [5, 10] or every_min, from_min and to_min"
    if prompt.every_min is not None:
        yield from _window(prompt)
    if why := impossible(protocol, plan, prompt.anchor):
        yield f"its anchor {prompt.anchor.value} never happens, because {why}", "count it from another fact"
        return
    known = [phase.id for phase in plan.phases]
    unknown = [name for name in prompt.phases if name not in known]
    if unknown:
        yield f"the session has no phase {', '.join(unknown)}", f"name one of {', '.join(known)}"
    elif all(_hidden_by(plan, known.index(name)) for name in prompt.phases):
        return  # asked at any time, or in phases that are never reached: that is said of the phases
    elif all(_over(plan, name, prompt.anchor) for name in prompt.phases):
        names = ", ".join(prompt.phases)
        yield f"{names} is over when {prompt.anchor.value} happens", "name a phase that is open then, or none"


def _window(prompt: Prompt) -> Iterator[tuple[str, str]]:
    if prompt.from_min is None or prompt.to_min is None:
        yield "every_min needs from_min and to_min", "write both"
    elif prompt.to_min < prompt.from_min:
        yield f"its window from {prompt.from_min:g} to {prompt.to_min:g} min is empty", "let to_min follow from_min"


def _over(plan: SessionPlan, phase_id: str, anchor: Fact) -> bool:
    """Whether a phase is always left by the time its anchor happens: a later phase has opened by then."""
    names = [phase.id for phase in plan.phases]
    later = plan.phases[names.index(phase_id) + 1 :]
    return any(phase.enters_on is anchor or precedes(phase.enters_on, anchor) for phase in later)


def prompts_missed_before_late(protocol: Protocol) -> Iterator[Fault]:
    """A prompt is late first and missed afterwards."""
    for plan in protocol.sessions:
        for prompt in plan.prompts:
            if prompt.missed_after_min < prompt.late_after_min:
                field = f"sessions.{plan.id}.prompts.{prompt.id}.missed_after_min"
                found = f"late after {prompt.late_after_min:g} min, missed after {prompt.missed_after_min:g} min"
                message = f"{prompt.title!r} is missed before it is late"
                yield objection(field, message, "let missed_after_min be the larger of the two", found=found)


def effect_cannot_be_read(protocol: Protocol) -> Iterator[Fault]:
    """The effect rule needs ratings before minute 0 and, after it, no farther apart than its gap."""
    rule = protocol.effect_rule
    if rule is None:
        if protocol.dose is not None:
            yield objection(
                "effect_rule", "nothing says how onset, peak and end of effect are read", "add [effect_rule]"
            )
        return
    for plan in protocol.sessions:
        if plan.kind in DOSING:
            prompts = [prompt for prompt in plan.prompts if prompt.instrument == rule.instrument]
            yield from _ratings_missing(plan, prompts, float(rule.max_gap_min))


def effect_that_means_nothing(protocol: Protocol) -> Iterator[Fault]:
    """A rise or fall of no points is seen in every rating; an end above the onset would be reached at once."""
    rule = protocol.effect_rule
    if rule is None:
        return
    for name, value in (("onset_rise", rule.onset_rise), ("peak_fall", rule.peak_fall)):
        if not 0 < value.value <= _FELT_EFFECT_MAX:
            message = f"{name} is no change that a rating of 0 to {_FELT_EFFECT_MAX} can show"
            allowed = f"above 0, at most {_FELT_EFFECT_MAX} points"
            yield objection(f"effect_rule.{name}", message, "correct it", found=f"{value.value:g}", allowed=allowed)
    for name in ("onset_ratings", "peak_ratings", "resolution_ratings"):
        number = getattr(rule, name).value
        if number < 1 or number != round(number):
            message, allowed = f"{name} counts ratings", "a whole number from 1"
            yield objection(f"effect_rule.{name}", message, "correct it", found=f"{number:g}", allowed=allowed)
    if not 0 <= rule.resolution_within.value < rule.onset_rise.value:
        message = "an effect would be called gone while it is still felt as onset"
        allowed = f"from 0 to below onset_rise ({rule.onset_rise.value:g})"
        found = f"{rule.resolution_within.value:g}"
        yield objection("effect_rule.resolution_within", message, "lower it", found=found, allowed=allowed)


def _ratings_missing(plan: SessionPlan, prompts: list[Prompt], gap_min: float) -> Iterator[Fault]:
    field = f"sessions.{plan.id}.prompts"
    before = {Fact.SESSION_OPENED, Fact.READY_CONFIRMED}
    if not any(prompt.anchor in before for prompt in prompts):
        way = "ask it once or twice between opening and minute 0"
        yield objection(field, "the felt effect is not asked before the dose: its baseline is unknown", way)
    for phase in plan.phases:
        covering = [item for item in prompts if not item.phases or phase.id in item.phases]
        if phase.enters_on in _UNDER_WAY and not any(_steady(item, gap_min) for item in covering):
            message = f"in {phase.title!r} the felt effect is not asked often enough: onset, peak and end go unseen"
            allowed = f"every {gap_min:g} min or more often"
            yield objection(field, message, "ask it every 5 min", allowed=allowed)


_FELT_EFFECT_MAX = 10  # the scale of the felt effect, DESIGN section 6
_UNDER_WAY = (Fact.ADMINISTRATION_START, Fact.EFFECT_ONSET, Fact.EFFECT_PEAK)


def _steady(prompt: Prompt, gap_min: float) -> bool:
    after = prompt.anchor is Fact.ADMINISTRATION_START
    return after and prompt.every_min is not None and prompt.every_min <= gap_min


CHECKS = (
    sessions_without_a_beginning,
    unreachable_phases,
    prompts_that_never_fall_due,
    prompts_missed_before_late,
    effect_cannot_be_read,
    effect_that_means_nothing,
)
