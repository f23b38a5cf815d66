"""What a field of an event may hold: limits, units and markers that the codec, the JSON Schema and forms all read.

The limits here are those of a scale or of the format (SUDS runs from 0 to 100, nobody weighs 5,000 kg). They keep
nonsense out; they are not clinical thresholds, which are protocol data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar


@dataclass(frozen=True, slots=True)
class Limit:
    """Least and greatest value that can be written, and the unit."""

    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class Length:
    """Most characters of a text, or most members of a list; `least` = 1 means it may not be empty."""

    most: int
    least: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """A text of a fixed shape, as a regular expression; an empty text is allowed where `optional`."""

    pattern: str
    example: str
    optional: bool = True


@dataclass(frozen=True, slots=True)
class Unblinding:
    """Would tell the arm: must be empty in the log of a blinded trial (M8)."""


Name = Annotated[str, Length(200, least=1)]  # an id, a role, a title: required
Word = Annotated[str, Length(200)]  # the same, may be empty
Prose = Annotated[str, Length(10_000)]  # free text: never exported by default (M22)
Why = Annotated[str, Length(10_000, least=1)]  # a reason that must be given
Words = Annotated[tuple[Word, ...], Length(200)]
Day = Annotated[str, Shape(r"\d{4}-\d{2}-\d{2}", "2026-03-02")]  # date at the study site
LocalTime = Annotated[str, Shape(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", "2026-03-03T09:30", optional=False)]  # there

Suds = Annotated[int, Limit(0, 100, "SUDS points")]
Urge = Annotated[int, Limit(0, 100, "points")]
Felt = Annotated[float, Limit(0, 10, "points")]
Percent = Annotated[float, Limit(0, 100, "%")]
Intensity = Annotated[float, Limit(0, 1, "share of full intensity")]
Moaas = Annotated[int, Limit(0, 5, "MOAA/S level")]
Grade = Annotated[int, Limit(1, 5, "grade")]
Count = Annotated[int, Limit(0, 10_000, "count")]
AtLeastOne = Annotated[int, Limit(1, 1_000, "count")]
Order = Annotated[int, Limit(0, 10**9, "entries")]
Milliseconds = Annotated[int, Limit(-(10**13), 10**13, "ms")]
Kilograms = Annotated[float, Limit(1, 500, "kg")]
Minutes = Annotated[float, Limit(0, 100_000, "min")]
Hours = Annotated[float, Limit(0, 10_000, "h")]
Seconds = Annotated[float, Limit(0, 1_000_000, "s")]
Millilitres = Annotated[float, Limit(0, 10_000, "mL")]
MlPerHour = Annotated[float, Limit(0, 10_000, "mL/h")]
Milligrams = Annotated[float, Limit(0, 10_000, "mg")]
MmHg = Annotated[int, Limit(0, 400, "mm Hg")]
BeatsPerMinute = Annotated[int, Limit(0, 400, "/min")]
Saturation = Annotated[float, Limit(0, 100, "%")]
BreathsPerMinute = Annotated[int, Limit(0, 150, "/min")]
Answer = Annotated[float, Limit(-1_000_000, 1_000_000, "points")]
SecretMilligrams = Annotated[Milligrams | None, Unblinding()]
SecretMgPerMin = Annotated[Annotated[float, Limit(0, 10_000, "mg/min")] | None, Unblinding()]
SecretMgPerMl = Annotated[Annotated[float, Limit(0, 10_000, "mg/mL")] | None, Unblinding()]
SecretWord = Annotated[Word, Unblinding()]


class Strand(StrEnum):
    """Where `fold` keeps an event. Drug and exposure are separate, so that neither silently ends the other (M11)."""

    COURSE = "course"  # of the participant, not of one session
    CONDUCT = "conduct"  # who opened, checked, confirmed, signed
    DOSE = "dose"  # what is to be given, and who verified it
    DRUG = "drug"  # what was given
    EXPOSURE = "exposure"  # blocks, steps, tapering
    SUDS = "suds"
    URGE = "urge"
    FELT = "felt"
    BEHAVIOUR = "behaviour"  # rituals, coaching, expectancy, causes of a fall
    SCALE = "scale"
    VITALS = "vitals"
    SEDATION = "sedation"
    HARM = "harm"  # adverse events and what was given for them
    RECORD = "record"  # about the log itself: corrections, late entries, unknown


class Event:
    """What happened, without who and when (that is the `Entry`). `type` is its name in the log."""

    __slots__ = ()
    type: ClassVar[str]
    strand: ClassVar[Strand]
