"""What the simulated team does when the engine advises something: acknowledge what is loud, do what is proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import Level
from kerp.session.advice import Action, Advice
from kerp.session.drug_track import DrugStatus
from kerp.session.events import (
    AdviceAcknowledged,
    AnxietyStepTaken,
    Demand,
    DrugHeld,
    DrugStopped,
    EndingRule,
    ExposureHeld,
    ExposureResumed,
    ExposureStepped,
    MedicationGiven,
    MedicationKind,
    TaperStepped,
    VitalsTaken,
)
from kerp.session.proposals import next_taper_step
from kerp.session.view import View

if TYPE_CHECKING:
    from kerp.simulate.sitting import Sitting

_PEOPLE = {
    "prescriber",
    "nurse",
    "therapist",
    "coordinator",
    "pharmacist",
    "session_rater",
    "blind_rater",
    "participant",
}


def act(sitting: Sitting, advice: Advice) -> None:
    """Acknowledge what is loud, and do what is proposed. Each advice is acknowledged once."""
    if advice.level in {Level.WARN, Level.HOLD, Level.STOP} and advice.key not in sitting.acted:
        sitting.acted.add(advice.key)
        if not advice.rule_id.startswith("prompt."):
            who = advice.who_decides if advice.who_decides in _PEOPLE else "nurse"
            note = AdviceAcknowledged(advice=advice.key, rule=advice.rule_id)
            sitting.desk.record(note, who, sitting.session)
            _first_answer(sitting, advice)
    view = sitting.view()
    match advice.proposes:
        case Action.OPEN_EXPOSURE | Action.CONTINUE_EXPOSURE if not view.exposure.open_blocks and sitting.items:
            sitting.start_block()
        case Action.TAPER:
            _taper(sitting, view)
        case Action.STOP_EXPOSURE:
            patient = bool(view.ended_by_patient)
            calm = EndingRule.PATIENT_STOP if patient else EndingRule.PROTOCOL_TAPER
            sitting.stop_exposure(view, EndingRule.SAFETY if advice.level is Level.STOP and not patient else calm)
        case Action.STOP_DRUG if _confirmed(advice):
            _stop_drug(sitting, view, advice)
        case Action.HOLD_EXPOSURE:
            for block in view.exposure.open_blocks:
                if not block.held:
                    sitting.desk.request(
                        ExposureHeld(block=block.name, reason=advice.title), "therapist", sitting.session
                    )
        case _:
            _resume(sitting, view)


def _first_answer(sitting: Sitting, advice: Advice) -> None:
    """What the team does once when a rule fires: repeat a reading, hold the pump, take the next step."""
    view = sitting.view()
    if advice.rule_id == "bp_stop":
        if view.drug.status is DrugStatus.RUNNING and not sitting.infusion_by_device:
            sitting.desk.request(DrugHeld(reason=advice.title), "prescriber", sitting.session)
        sitting.desk.now_ms += 2 * MS_PER_MIN
        sitting.live_on()
        sitting.desk.record(_vitals(sitting), "nurse", sitting.session)
    elif advice.rule_id == "bp_warn":
        sitting.desk.record(_vitals(sitting), "nurse", sitting.session)
    elif advice.rule_id == "paradoxical_anxiety":
        _anxiety_step(sitting, advice, view)
    elif advice.rule_id == "patient_stop":
        sitting.stop_exposure(view, EndingRule.PATIENT_STOP)


def _vitals(sitting: Sitting) -> VitalsTaken:
    event = sitting.rater.prompt("vitals", "nurse", "", after=False)
    assert isinstance(event, VitalsTaken)
    return event


def _anxiety_step(sitting: Sitting, advice: Advice, view: View) -> None:
    step = advice.step + 1
    sitting.desk.record(AnxietyStepTaken(step=step), "therapist", sitting.session)
    for block in view.exposure.open_blocks:
        if step == 2:
            lower = ExposureStepped(block=block.name, intensity=0.4, demand=Demand.LOW, reason=advice.title)
            sitting.desk.request(lower, "therapist", sitting.session)
    if step == 4:
        given = MedicationGiven(
            kind=MedicationKind.BENZODIAZEPINE,
            name="lorazepam",
            amount="1 mg",
            route="oral",
            ordered_by="prescriber-1",
        )
        sitting.desk.record(given, "nurse", sitting.session)


def _confirmed(advice: Advice) -> bool:
    """The team waits for the second blood pressure; every other stop is acted on at once."""
    return advice.rule_id != "bp_stop" or len(advice.entries) > 1


def _stop_drug(sitting: Sitting, view: View, advice: Advice) -> None:
    if view.drug.over or not view.drug.given:
        return
    sitting.desk.request(DrugStopped(reason=advice.title), "prescriber", sitting.session)
    if sitting.infusion is not None and not sitting.infusion.devices:
        sitting.desk.request(sitting.ended(sitting.given_ml(view)), "nurse", sitting.session)


def _taper(sitting: Sitting, view: View) -> None:
    """A step every five minutes after the peak."""
    step = next_taper_step(view)
    block = view.exposure.open_blocks[-1] if view.exposure.open_blocks else None
    if step is None or block is None:
        return
    last = max((s.at_ms for s in block.steps if s.taper), default=block.started_ms)
    if any(s.taper for s in block.steps) and sitting.desk.now_ms - last < 5 * MS_PER_MIN:
        return
    taper = TaperStepped(block=block.name, step=step.id, intensity=step.intensity)
    sitting.desk.request(taper, "therapist", sitting.session)


def _resume(sitting: Sitting, view: View) -> None:
    for block in view.exposure.open_blocks:
        if block.held and sitting.person.moaas() > 3:
            sitting.desk.request(
                ExposureResumed(block=block.name, reason="alert again"), "therapist", sitting.session
            )
