"""What was asked or measured: ratings, scales, vital signs, sedation, adverse events, medication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from kerp.session.events.fields import (
    Answer,
    BeatsPerMinute,
    BreathsPerMinute,
    Event,
    Felt,
    Grade,
    MmHg,
    Moaas,
    Name,
    Prose,
    Saturation,
    Strand,
    Suds,
    Urge,
    Word,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SudsRated(Event):
    """Subjective units of distress, 0-100, now. No answer is `RatingMissed`, never a zero (M21)."""

    type: ClassVar[str] = "suds"
    strand: ClassVar[Strand] = Strand.SUDS
    value: Suds
    rated_by: Name = "participant"
    block: Word = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UrgeRated(Event):
    """Urge to ritualise, 0-100, now."""

    type: ClassVar[str] = "urge"
    strand: ClassVar[Strand] = Strand.URGE
    value: Urge
    rated_by: Name = "participant"
    block: Word = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeltEffectRated(Event):
    """Felt psychodysleptic effect (dissociation now), 0-10. Drives taper and stop (PAPER P29-P31)."""

    type: ClassVar[str] = "felt_effect"
    strand: ClassVar[Strand] = Strand.FELT
    value: Felt
    rated_by: Name = "participant"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingMissed(Event):
    """Asked and not answered, with the reason. It stays missing."""

    type: ClassVar[str] = "rating_missed"
    strand: ClassVar[Strand] = Strand.SCALE
    instrument: Name
    reason: Name  # asleep | refused | not_asked | too_dissociated | technical ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleAnswered(Event):
    """Answers to a scale: item id -> answer, `None` where not answered. Scores are computed when read."""

    type: ClassVar[str] = "scale_answers"
    strand: ClassVar[Strand] = Strand.SCALE
    instrument: Name
    version: Name
    answers: Mapping[str, Answer | None]
    rated_by: Name
    text_pack: Word = ""  # hash of the wording that was shown


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalsTaken(Event):
    """Vital signs; each may be missing."""

    type: ClassVar[str] = "vitals"
    strand: ClassVar[Strand] = Strand.VITALS
    systolic_mmhg: MmHg | None = None
    diastolic_mmhg: MmHg | None = None
    heart_rate_per_min: BeatsPerMinute | None = None
    spo2_pct: Saturation | None = None
    respiratory_rate_per_min: BreathsPerMinute | None = None
    instrument: Word = ""  # monitor, cuff side
    position: Word = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SedationRated(Event):
    """MOAA/S: 5 alert, 0 no response."""

    type: ClassVar[str] = "sedation"
    strand: ClassVar[Strand] = Strand.SEDATION
    moaas: Moaas
    rated_by: Name = "nurse"


class Relation(StrEnum):
    """What an adverse event is thought to come from."""

    DRUG = "drug"
    EXPOSURE = "exposure"
    BOTH = "both"
    NEITHER = "neither"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEvent(Event):
    """Something untoward. Codes that rules know: `chest_pain`, `neurological_sign`, `persecutory_idea`, `nausea`."""

    type: ClassVar[str] = "adverse_event"
    strand: ClassVar[Strand] = Strand.HARM
    code: Name
    grade: Grade
    serious: bool = False
    relation: Relation = Relation.UNCLEAR
    action: Prose = ""
    text: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventFollowed(Event):
    """How an adverse event went on; `adverse_event` is the id of its entry."""

    type: ClassVar[str] = "adverse_event_follow_up"
    strand: ClassVar[Strand] = Strand.HARM
    adverse_event: Name
    ended: bool
    outcome: Prose = ""
    grade: Grade | None = None


class MedicationKind(StrEnum):
    """Why it was given. A benzodiazepine may blunt learning: analyses must see it."""

    BENZODIAZEPINE = "benzodiazepine"
    ANTIEMETIC = "antiemetic"
    OXYGEN = "oxygen"
    ANTIHYPERTENSIVE = "antihypertensive"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class MedicationGiven(Event):
    """Medication other than the study drug, and who ordered it."""

    type: ClassVar[str] = "medication_given"
    strand: ClassVar[Strand] = Strand.HARM
    kind: MedicationKind
    name: Name
    amount: Word = ""  # "1 mg", "2 L/min"
    route: Word = ""
    ordered_by: Word = ""
    rescue: bool = True
