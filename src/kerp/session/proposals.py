"""What the phase of a session proposes, what is asked now, what the gate and the discharge list say.

These come from the protocol's phases and prompts, not from its hold and stop rules. Text always says who decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from kerp.base.elapsed import ms_from_min
from kerp.evidence.sourced import Mark, Sourced
from kerp.protocol.model import EffectRule, Fact, Level, Phase, Proposal, TaperStep, Track
from kerp.session.advice import Action, Advice
from kerp.session.discharge import discharge_blockers
from kerp.session.events import Demand, FallCause
from kerp.session.falls import falls_of, suds_in
from kerp.session.gate import missing
from kerp.session.prompts import Slot, SlotState, slots_of
from kerp.session.rules.runs import at
from kerp.session.view import View

THERAPIST = "therapist"
PRESCRIBER = "prescriber"


def decides(view: View, role: str) -> str:
    """The sentence that ends every advice (M19)."""
    title = next((r.title for r in view.protocol.roles if r.id == role), role.replace("_", " "))
    spoken = title if title[1:2].isupper() else title[:1].lower() + title[1:]
    return f"The {spoken} decides."


# --- phase ---


def of_phase(view: View) -> Iterator[Advice]:
    """What entering the present phase proposes, while it is not done."""
    phase = view.phase
    if phase is None or view.discharged or (not phase.claims and phase.proposes is Proposal.NOTHING):
        return
    action, detail = _pending(view, phase)
    if action is Action.NOTHING and not detail:
        return
    who = PRESCRIBER if action is Action.DISCHARGE else THERAPIST
    yield Advice(
        rule_id=f"phase.{phase.id}",
        title=phase.title,
        level=Level.INFO,
        track=Track.NONE if action is Action.DISCHARGE else Track.EXPOSURE,
        text=" ".join(part for part in (phase.text, detail, decides(view, who)) if part),
        who_decides=who,
        proposes=action,
        source=", ".join(f"PAPER {claim}" for claim in phase.claims) or view.protocol.id,
        mark=Mark.READ if phase.claims else Mark.ASSUMED,
        since_ms=view.facts.get(phase.enters_on, view.now_ms),
        entries=_entries(view, phase.enters_on),
        session=view.record.id,
    )


def _entries(view: View, fact: Fact) -> tuple[str, ...]:
    """The entries that made the phase's fact true."""
    effect = view.effect
    ratings = {
        Fact.EFFECT_ONSET: effect.onset_entries,
        Fact.EFFECT_PEAK: effect.peak_entries,
        Fact.EFFECT_RESOLVED: effect.resolved_entries,
        Fact.ADMINISTRATION_START: (view.drug.t0_entry,) if view.drug.t0_entry else (),
    }
    return ratings.get(fact, ())


def _pending(view: View, phase: Phase) -> tuple[Action, str]:
    """The action that is still to do, and what to add in words; nothing where it is done."""
    is_open = bool(view.exposure.open_blocks)
    match phase.proposes:
        case Proposal.OPEN_EXPOSURE | Proposal.CONTINUE_EXPOSURE if not is_open:
            return _open(view, phase)
        case Proposal.LOW_DEMAND if any(b.now.demand is Demand.FULL for b in view.exposure.open_blocks):
            return Action.LOW_DEMAND, ""
        case Proposal.TAPER if is_open:
            return _taper(view)
        case Proposal.STOP_EXPOSURE if is_open or (view.exposure.blocks and view.exposure.stopped_ms is None):
            return Action.STOP_EXPOSURE, ""
        case Proposal.DISCHARGE if not discharge_blockers(view):
            return Action.DISCHARGE, "Nothing on the list stands against discharge."
        case _:
            return Action.NOTHING, ""


def _open(view: View, phase: Phase) -> tuple[Action, str]:
    """Another block, unless the protocol ends repetition once effects are felt (PAPER P29), or enough were run."""
    rule, plan = view.protocol.effect_rule, view.plan.exposure if view.plan else None
    if phase.enters_on is Fact.EFFECT_ONSET and rule is not None and not rule.expose_until_peak:
        return Action.NOTHING, _until_felt(rule)
    if plan is not None and len(view.exposure.blocks) >= plan.max_blocks.value:
        return Action.NOTHING, f"{len(view.exposure.blocks)} blocks were run, the most the protocol plans."
    more = phase.proposes is Proposal.CONTINUE_EXPOSURE
    return (Action.CONTINUE_EXPOSURE if more else Action.OPEN_EXPOSURE), ""


def _until_felt(rule: EffectRule) -> str:
    return f"Effects are felt: no further block. {rule.expose_until_peak_note}".strip()


def _taper(view: View) -> tuple[Action, str]:
    step = next_taper_step(view)
    return (Action.TAPER, f"Next: {step.title}. {step.text}".strip()) if step else (Action.NOTHING, "")


def next_taper_step(view: View) -> TaperStep | None:
    """The first step of the taper below the present intensity that is not yet a stop."""
    plan = view.plan.exposure if view.plan else None
    if plan is None or not view.exposure.open_blocks:
        return None
    now = min(block.now.intensity for block in view.exposure.open_blocks)
    return next((step for step in plan.taper if 0 < step.intensity < now), None)


# --- a block that may end ---


def of_block(view: View) -> Iterator[Advice]:
    """An open block has run its time, or may end by habituation (which only unexplained falls count for, M10)."""
    plan = view.plan.exposure if view.plan else None
    if plan is None or view.discharged:
        return
    for block in view.exposure.open_blocks:
        due_ms = block.started_ms + ms_from_min(plan.block_min.value)
        ratings = suds_in(view, block)
        if "habituation" in plan.ending_rules and ratings and habituated(view, block.name, plan.habituation_fraction):
            text = f"SUDS fell to {ratings[-1].event.value} without ritual, avoidance, distraction or drug."
            source = plan.habituation_fraction
            yield _block_advice(view, "exposure.habituated", text, ratings[-1].at_ms, source, (ratings[-1].id,))
        elif view.now_ms >= due_ms:
            text = f"The block has run {plan.block_min.value:g} min.{_then(view, plan.repeat_rule)}"
            yield _block_advice(view, "exposure.block_time", text, due_ms, plan.block_min, (block.entry,))


def _then(view: View, repeat_rule: str) -> str:
    """What follows a block, while exposure is to go on; from the taper on its phase says what follows."""
    over = view.phase is not None and view.phase.proposes in {Proposal.TAPER, Proposal.STOP_EXPOSURE}
    return "" if over else f" Then: {repeat_rule.replace('_', ' ')}."


def habituated(view: View, block: str, share: Sourced) -> bool:
    """Whether SUDS fell far enough in a block, and through habituation alone (M10)."""
    falls = [fall for fall in falls_of(view) if fall.block == block]
    if not falls or any(fall.causes != (FallCause.HABITUATION,) for fall in falls):
        return False
    return falls[-1].to_suds <= share.value * max(fall.from_suds for fall in falls)


def _block_advice(
    view: View, rule: str, text: str, since_ms: int, source: Sourced, entries: tuple[str, ...]
) -> Advice:
    return Advice(
        rule_id=rule,
        title="The block may end",
        level=Level.INFO,
        track=Track.EXPOSURE,
        text=f"{text} {decides(view, THERAPIST)}",
        who_decides=THERAPIST,
        proposes=Action.NOTHING,
        source=source.source,
        mark=source.mark,
        since_ms=since_ms,
        entries=entries,
        session=view.record.id,
        thresholds={rule.rsplit(".", 1)[-1]: source},
    )


# --- what is asked ---


def of_prompts(view: View) -> Iterator[Advice]:
    """One advice for each prompt: what is due or overdue now, else what was missed last (never back-dated, M9)."""
    slots = sorted(slots_of(view), key=lambda slot: (slot.prompt.id, slot.due_ms))
    for _, group in groupby(slots, key=lambda slot: slot.prompt.id):
        every = list(group)
        if every[-1].open or every[-1].state is SlotState.MISSED:
            yield _prompt_advice(view, every)


def _prompt_advice(view: View, slots: list[Slot]) -> Advice:
    last, prompt = slots[-1], slots[-1].prompt
    missed = sum(1 for slot in slots if slot.state is SlotState.MISSED)
    state = {SlotState.DUE: "due", SlotState.OVERDUE: "overdue", SlotState.MISSED: "missed"}[last.state]
    tally = f" {missed} of {len(slots)} missed; they stay missing." if missed else ""
    loud = last.state is not SlotState.DUE and prompt.required
    return Advice(
        rule_id=f"prompt.{prompt.id}",
        title=prompt.title,
        level=Level.WARN if loud else Level.INFO,
        track=Track.NONE,
        text=f"{prompt.title}: {state}, {at(view, last.due_ms)}.{tally} {decides(view, prompt.asked_by)}",
        who_decides=prompt.asked_by,
        proposes=Action.ASK if last.open else Action.NOTHING,
        source=prompt.source,
        mark=prompt.mark,
        since_ms=last.due_ms,
        session=view.record.id,
    )


# --- gate and discharge ---


def of_gate(view: View) -> Iterator[Advice]:
    """What is missing before the start, by name."""
    if view.t0_ms is not None or view.discharged:
        return
    absent = missing(view)
    if absent:
        text = "Missing: " + "; ".join(f"{item.title} ({item.why})" for item in absent) + "."
        yield _list_advice(view, "ready", "Not ready", text, Track.DRUG if view.dosing else Track.EXPOSURE)


def of_discharge(view: View) -> Iterator[Advice]:
    """What still stands against discharge, by name, once exposure and drug are over."""
    if view.discharged or view.t0_ms is None or view.exposure.open_blocks or (view.drug.given and not view.drug.over):
        return
    blockers = discharge_blockers(view)
    if blockers:
        text = "Not yet: " + "; ".join(f"{item.title} ({item.why})" for item in blockers) + "."
        yield _list_advice(view, "discharge", "Discharge", text, Track.NONE)


def _list_advice(view: View, rule: str, title: str, text: str, track: Track) -> Advice:
    return Advice(
        rule_id=rule,
        title=title,
        level=Level.INFO,
        track=track,
        text=f"{text} {decides(view, PRESCRIBER)}",
        who_decides=PRESCRIBER,
        proposes=Action.NOTHING,
        source=view.protocol.id,
        mark=Mark.ASSUMED,
        since_ms=min(view.facts.values(), default=view.now_ms),
        session=view.record.id,
    )
