"""Events of the conduct of one session: opening, checks, time-out, stop, debrief, discharge, signatures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from kerp.session.events.fields import Event, Hours, Minutes, Name, Order, Prose, Strand, Why, Word, Words


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened(Event):
    """A session of the plan `plan` begins; its id is the `session` of the entry."""

    type: ClassVar[str] = "session_opened"
    strand: ClassVar[Strand] = Strand.CONDUCT
    plan: Name


class TestResult(StrEnum):
    """Result of a pregnancy or drug test."""

    __test__ = False  # pytest collects classes called Test
    NEGATIVE = "negative"
    POSITIVE = "positive"
    NOT_APPLICABLE = "not_applicable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PregnancyTest(Event):
    """Before each dose, not only the first (M6)."""

    type: ClassVar[str] = "pregnancy_test"
    strand: ClassVar[Strand] = Strand.CONDUCT
    result: TestResult
    reason: Prose = ""  # why not applicable, or refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicologyTest(Event):
    """Urine or saliva screen."""

    type: ClassVar[str] = "toxicology_test"
    strand: ClassVar[Strand] = Strand.CONDUCT
    result: TestResult
    substances: Words = ()
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FastingCheck(Event):
    """Food and fluids before the dose."""

    type: ClassVar[str] = "fasting_check"
    strand: ClassVar[Strand] = Strand.CONDUCT
    kept: bool
    food_h: Hours | None = None
    fluids_h: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscortCheck(Event):
    """Whether somebody takes the participant home: `arranged` before the dose, `present` at discharge."""

    type: ClassVar[str] = "escort_check"
    strand: ClassVar[Strand] = Strand.CONDUCT
    arranged: bool
    present: bool = False
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem(Event):
    """One item of a checklist, by its id in the protocol."""

    type: ClassVar[str] = "checklist_item"
    strand: ClassVar[Strand] = Strand.CONDUCT
    item: Name
    done: bool
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyConfirmed(Event):
    """Every precondition is there, or somebody overrode those listed in `missing`."""

    type: ClassVar[str] = "ready_confirmed"
    strand: ClassVar[Strand] = Strand.CONDUCT
    missing: Words = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOut(Event):
    """All look up once before minute 0: right person, right dose, right exposure."""

    type: ClassVar[str] = "time_out"
    strand: ClassVar[Strand] = Strand.CONDUCT
    people: Words
    confirmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientStop(Event):
    """The participant says stop. One tap; no reason is required."""

    type: ClassVar[str] = "patient_stop"
    strand: ClassVar[Strand] = Strand.CONDUCT
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Debrief(Event):
    """Talk after the exposure."""

    type: ClassVar[str] = "debrief"
    strand: ClassVar[Strand] = Strand.CONDUCT
    learned: Prose = ""
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityNote(Event):
    """Whether a component of the protocol was delivered as written."""

    type: ClassVar[str] = "fidelity_note"
    strand: ClassVar[Strand] = Strand.CONDUCT
    component: Name
    adherent: bool
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviationNoted(Event):
    """A departure from the protocol that somebody writes down; the engine derives others by itself."""

    type: ClassVar[str] = "deviation"
    strand: ClassVar[Strand] = Strand.CONDUCT
    category: Name
    text: Prose
    major: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MetacognitiveSession(Event):
    """Metacognitive therapy on a following day (PAPER P33)."""

    type: ClassVar[str] = "mct_session"
    strand: ClassVar[Strand] = Strand.CONDUCT
    module: Name
    duration_min: Minutes | None = None
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DischargeObserved(Event):
    """One observed discharge criterion: `orientation`, `gait`, `nausea`, `advice` (written advice handed over)..."""

    type: ClassVar[str] = "discharge_criterion"
    strand: ClassVar[Strand] = Strand.CONDUCT
    criterion: Name
    met: bool
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discharged(Event):
    """The participant left. `blockers` are the criteria that were not met, if somebody overrode them."""

    type: ClassVar[str] = "discharge"
    strand: ClassVar[Strand] = Strand.CONDUCT
    escort: Word = ""
    leaflet: bool = False
    blockers: Words = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff(Event):
    """A clinician clears the next dose after a paradoxical response (clinical.md section 8, step 6)."""

    type: ClassVar[str] = "next_dose_sign_off"
    strand: ClassVar[Strand] = Strand.CONDUCT
    cleared: bool
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature(Event):
    """A person signs the record as it stands: `through_seq` and, where the store has one, the chain head."""

    type: ClassVar[str] = "signature"
    strand: ClassVar[Strand] = Strand.CONDUCT
    name: Name
    meaning: Name
    through_seq: Order
    record_digest: Word = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceAcknowledged(Event):
    """Somebody has seen an advice (`advice` is its key)."""

    type: ClassVar[str] = "advice_acknowledged"
    strand: ClassVar[Strand] = Strand.CONDUCT
    advice: Name
    rule: Name
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceOverridden(Event):
    """Somebody decided otherwise, and says why."""

    type: ClassVar[str] = "advice_overridden"
    strand: ClassVar[Strand] = Strand.CONDUCT
    advice: Name
    rule: Name
    reason: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionOverridden(Event):
    """A refused transition was made all the same: which, what stood against it, and why."""

    type: ClassVar[str] = "transition_overridden"
    strand: ClassVar[Strand] = Strand.CONDUCT
    transition: Name
    reasons: Words
    reason: Why
