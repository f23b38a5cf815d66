"""Events of the exposure track: blocks, steps, tapering, rituals, coaching, expectancy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from kerp.session.events.fields import (
    AtLeastOne,
    Event,
    Intensity,
    Length,
    Name,
    Percent,
    Prose,
    Seconds,
    Strand,
    Word,
)


class Modality(StrEnum):
    """How the stimulus is given; PAPER P28 asks for physical or virtual."""

    OBJECT = "object"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    TEXT = "text"
    IMAGINAL = "imaginal"
    VIRTUAL = "virtual"
    SITUATION = "situation"


class Demand(StrEnum):
    """What the exposure asks of the participant. `low` = imaginal script, object held, few prompts."""

    FULL = "full"
    LOW = "low"


class EndingRule(StrEnum):
    """Which rule ended a block."""

    HABITUATION = "habituation"
    EXPECTANCY_TESTED = "expectancy_tested"
    FIXED_TIME = "fixed_time"
    PROTOCOL_TAPER = "protocol_taper"
    CLINICIAN = "clinician"
    PATIENT_STOP = "patient_stop"
    SAFETY = "safety"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureStarted(Event):
    """A block opens: one stimulus, one start, one end."""

    type: ClassVar[str] = "exposure_start"
    strand: ClassVar[Strand] = Strand.EXPOSURE
    block: Name  # named by who records it; steps and end refer to it
    item: Name  # of the hierarchy
    modality: Modality
    intensity: Intensity = 1.0
    demand: Demand = Demand.FULL
    stimulus: Word = ""
    off_drug_repeat_of: Word = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureStepped(Event):
    """Stronger, weaker, or less demanding, within a block."""

    type: ClassVar[str] = "exposure_step"
    strand: ClassVar[Strand] = Strand.EXPOSURE
    block: Name
    intensity: Intensity
    demand: Demand = Demand.FULL
    stimulus: Word = ""
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaperStepped(Event):
    """A step of the protocol's taper after the peak (PAPER P31)."""

    type: ClassVar[str] = "taper_step"
    strand: ClassVar[Strand] = Strand.EXPOSURE
    block: Name
    step: Name
    intensity: Intensity


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureHeld(Event):
    """A pause within a block."""

    type: ClassVar[str] = "exposure_hold"
    strand: ClassVar[Strand] = Strand.EXPOSURE
    block: Name
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureResumed(Event):
    """The block goes on."""

    type: ClassVar[str] = "exposure_resume"
    strand: ClassVar[Strand] = Strand.EXPOSURE
    block: Name
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureEnded(Event):
    """A block closes, and which rule closed it."""

    type: ClassVar[str] = "exposure_end"
    strand: ClassVar[Strand] = Strand.EXPOSURE
    block: Name
    ending_rule: EndingRule
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureStopped(Event):
    """No more exposure in this session; closes what is open. One tap. The drug goes on until somebody stops it."""

    type: ClassVar[str] = "exposure_stop"
    strand: ClassVar[Strand] = Strand.EXPOSURE
    ending_rule: EndingRule
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StimulusShown(Event):
    """What the display of the participant really showed; `shown` false = calm screen, or contact lost."""

    type: ClassVar[str] = "stimulus_shown"
    strand: ClassVar[Strand] = Strand.EXPOSURE
    block: Name
    stimulus: Name
    shown: bool
    intensity: Intensity = 1.0
    contact_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectancyRated(Event):
    """How likely the feared outcome is, and the worst distress expected, before or after a block."""

    type: ClassVar[str] = "expectancy"
    strand: ClassVar[Strand] = Strand.BEHAVIOUR
    block: Name
    after: bool
    probability_pct: Percent
    worst_distress: Percent | None = None
    rated_by: Name = "participant"


class Ritual(StrEnum):
    """What takes the place of extinction (PAPER P22)."""

    OVERT = "overt"
    MENTAL = "mental"
    REASSURANCE = "reassurance"
    AVOIDANCE = "avoidance"
    DISTRACTION = "distraction"


@dataclass(frozen=True, slots=True, kw_only=True)
class RitualSeen(Event):
    """A ritual, mental ritual, reassurance, avoidance or distraction, and who judged it so."""

    type: ClassVar[str] = "ritual"
    strand: ClassVar[Strand] = Strand.BEHAVIOUR
    kind: Ritual
    judged_by: Name
    block: Word = ""
    duration_s: Seconds | None = None
    count: AtLeastOne = 1
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coached(Event):
    """Response-prevention coaching."""

    type: ClassVar[str] = "coaching"
    strand: ClassVar[Strand] = Strand.BEHAVIOUR
    what: Name
    block: Word = ""
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnxietyStepTaken(Event):
    """How far the graded response to paradoxical anxiety went: `step` counts from 1 (PAPER P37)."""

    type: ClassVar[str] = "paradoxical_anxiety_step"
    strand: ClassVar[Strand] = Strand.BEHAVIOUR
    step: AtLeastOne
    note: Prose = ""


class FallCause(StrEnum):
    """Why SUDS fell. Only habituation is evidence of learning (M10)."""

    HABITUATION = "habituation"
    RITUAL = "ritual"
    AVOIDANCE = "avoidance"
    DISTRACTION = "distraction"
    DRUG = "drug"


@dataclass(frozen=True, slots=True, kw_only=True)
class FallExplained(Event):
    """A clinician's judgement of why SUDS fell to the rating `rating` (id of its entry)."""

    type: ClassVar[str] = "fall_cause"
    strand: ClassVar[Strand] = Strand.BEHAVIOUR
    rating: Name
    causes: Annotated[tuple[FallCause, ...], Length(5, least=1)]
    judged_by: Name
    note: Prose = ""
