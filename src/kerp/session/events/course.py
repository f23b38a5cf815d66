"""Events of the whole course: opening of the log, eligibility, consent, planning, visits, blinding, withdrawal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from kerp.session.events.fields import Answer, Event, LocalTime, Name, Percent, Prose, Strand, Suds, Word, Words


class Origin(StrEnum):
    """How a log came about. Analysis does not look at it; people must be able to."""

    RECORDED = "recorded"  # at the bedside
    TRANSCRIBED = "transcribed"  # from paper
    SIMULATED = "simulated"
    DEMONSTRATION = "demonstration"  # a simulated participant driving the application


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOpened(Event):
    """First entry of every log: what it must be replayed with."""

    type: ClassVar[str] = "log_opened"
    strand: ClassVar[Strand] = Strand.COURSE
    participant: Name  # study code, never a name
    protocol_id: Name
    protocol_digest: Name  # of the resolved protocol
    engine_version: Name
    base_digest: Word = ""
    overlay_digest: Word = ""
    stopping_rules_digest: Word = ""
    stopping_rules_version: Word = ""
    parameter_digests: Mapping[str, str] = field(default_factory=dict)
    site: Word = ""
    origin: Origin = Origin.RECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityItem(Event):
    """One criterion looked at. `met`: the participant passes it (an exclusion that is absent is met)."""

    type: ClassVar[str] = "eligibility_item"
    strand: ClassVar[Strand] = Strand.COURSE
    criterion: Name
    met: bool
    value: Answer | None = None
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChecked(Event):
    """Consent looked at: which version, still given or not."""

    type: ClassVar[str] = "consent_checked"
    strand: ClassVar[Strand] = Strand.COURSE
    version: Name
    confirmed: bool
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchyItem(Event):
    """One item of the exposure hierarchy; the same `item` again replaces it."""

    type: ClassVar[str] = "hierarchy_item"
    strand: ClassVar[Strand] = Strand.COURSE
    item: Name
    trigger: Prose
    feared_outcome: Prose = ""
    theme: Word = ""
    suds: Suds | None = None
    hazards: Words = ()
    props: Words = ()
    safety_signals: Words = ()
    modality: Word = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsChosen(Event):
    """Items picked for the sessions of one plan."""

    type: ClassVar[str] = "items_chosen"
    strand: ClassVar[Strand] = Strand.COURSE
    plan: Name
    items: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePreventionAgreed(Event):
    """The response-prevention contract: which overt and mental rituals are given up."""

    type: ClassVar[str] = "response_prevention_agreed"
    strand: ClassVar[Strand] = Strand.COURSE
    agreed: bool
    overt_rituals: Words = ()
    mental_rituals: Words = ()
    text: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWordAgreed(Event):
    """The word that ends an exposure at once."""

    type: ClassVar[str] = "stop_word_agreed"
    strand: ClassVar[Strand] = Strand.COURSE
    word: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalesRehearsed(Event):
    """The short ratings were practised, so that they can be answered while dissociated."""

    type: ClassVar[str] = "scales_rehearsed"
    strand: ClassVar[Strand] = Strand.COURSE
    instruments: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardsChecked(Event):
    """Each exposure looked at for somebody who cannot stand safely."""

    type: ClassVar[str] = "hazards_checked"
    strand: ClassVar[Strand] = Strand.COURSE
    items: Words
    safe: bool
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitHeld(Event):
    """A visit took place."""

    type: ClassVar[str] = "visit"
    strand: ClassVar[Strand] = Strand.COURSE
    visit: Name
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBooked(Event):
    """A call was agreed with the participant: when, by the clock of the site, and who makes it. The newest counts."""

    type: ClassVar[str] = "call_booked"
    strand: ClassVar[Strand] = Strand.COURSE
    visit: Name
    at: LocalTime
    by: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMade(Event):
    """A call was tried. Day 1 counts only when somebody was reached (M13)."""

    type: ClassVar[str] = "call"
    strand: ClassVar[Strand] = Strand.COURSE
    visit: Name
    reached: bool
    concerns: bool = False
    note: Prose = ""


class Guesser(StrEnum):
    """Who guesses the arm."""

    PARTICIPANT = "participant"
    THERAPIST = "therapist"
    NURSE = "nurse"
    RATER = "rater"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmGuess(Event):
    """What somebody believes was given: a test of blinding, never the arm itself.

    `guess`: active, comparison or unknown. `visit`: the planned visit it belongs to; within a session, empty.
    """

    type: ClassVar[str] = "arm_guess"
    strand: ClassVar[Strand] = Strand.COURSE
    by: Guesser
    guess: Name
    certainty: Percent | None = None
    expected_improvement: Percent | None = None
    visit: Word = ""
    because: Word = ""  # effects, side_effects, change, told, chance, other
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblinded(Event):
    """Somebody learned the arm. Which arm stays in the allocation store; the log says who, why, and with whom."""

    type: ClassVar[str] = "unblinding"
    strand: ClassVar[Strand] = Strand.COURSE
    reason: Prose
    second_person: Name
    emergency: bool = True


class WithdrawalScope(StrEnum):
    """What the participant withdraws from. Exposure ends in every case."""

    EXPOSURE = "exposure"
    TREATMENT = "treatment"
    STUDY = "study"


class Initiator(StrEnum):
    """Who ended it."""

    PARTICIPANT = "participant"
    CLINICIAN = "clinician"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal(Event):
    """After this nobody asks for more exposure."""

    type: ClassVar[str] = "withdrawal"
    strand: ClassVar[Strand] = Strand.COURSE
    scope: WithdrawalScope
    initiated_by: Initiator
    reason: Prose = ""
