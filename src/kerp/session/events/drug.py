"""Events of the drug track: weight, dose, verification, and what was really given.

An infusion is a series of constant-rate segments with the actual volume at the end; nasal devices are one event each
(M3). In a blinded log every field marked `Unblinding` stays empty: kit code, mL and mL/h say enough (M8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerp.session.events.fields import (
    AtLeastOne,
    Event,
    Kilograms,
    Millilitres,
    Minutes,
    MlPerHour,
    Name,
    Prose,
    SecretMgPerMin,
    SecretMgPerMl,
    SecretMilligrams,
    SecretWord,
    Strand,
    Why,
    Word,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed(Event):
    """Body weight, measured unless said otherwise."""

    type: ClassVar[str] = "weight"
    strand: ClassVar[Strand] = Strand.DOSE
    weight_kg: Kilograms
    measured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseComputed(Event):
    """What is to be given, from which weight (M2). A later one replaces it, and needs its own verification."""

    type: ClassVar[str] = "dose_computed"
    strand: ClassVar[Strand] = Strand.DOSE
    weight_kg: Kilograms | None = None
    dose_mg: SecretMilligrams = None
    concentration_mg_per_ml: SecretMgPerMl = None
    volume_ml: Millilitres | None = None
    rate_ml_per_h: MlPerHour | None = None
    duration_min: Minutes | None = None
    devices: AtLeastOne | None = None
    kit: Word = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseVerified(Event):
    """One person checked dose and preparation. Two different people are needed; the actor of the entry is who.

    `computed` is the id of the `dose_computed` entry that was looked at: it counts for no other. Logs of before say
    nothing there; the order of the entries then tells which dose was meant.
    """

    type: ClassVar[str] = "dose_verified"
    strand: ClassVar[Strand] = Strand.DOSE
    agrees: bool
    computed: Word = ""
    what: Name = "dose"  # dose | kit and volume (blinded bedside staff)
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensed(Event):
    """What left the pharmacy."""

    type: ClassVar[str] = "dispensing"
    strand: ClassVar[Strand] = Strand.DOSE
    kit: Name
    volume_ml: Millilitres | None = None
    agent: SecretWord = ""
    lot: SecretWord = ""
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationStarted(Event):
    """Start of the infusion: minute 0, by an explicit act, never from the plan (M4)."""

    type: ClassVar[str] = "administration_start"
    strand: ClassVar[Strand] = Strand.DRUG
    route: Name
    rate_ml_per_h: MlPerHour | None = None
    rate_mg_per_min: SecretMgPerMin = None
    kit: Word = ""
    witness: Word = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChanged(Event):
    """The pump runs at another rate from now on."""

    type: ClassVar[str] = "rate_change"
    strand: ClassVar[Strand] = Strand.DRUG
    rate_ml_per_h: MlPerHour | None = None
    rate_mg_per_min: SecretMgPerMin = None
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugHeld(Event):
    """The infusion is paused, or the next device waits. Exposure goes on until somebody stops it."""

    type: ClassVar[str] = "drug_hold"
    strand: ClassVar[Strand] = Strand.DRUG
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugResumed(Event):
    """Goes on, at a given rate or the one before."""

    type: ClassVar[str] = "drug_resume"
    strand: ClassVar[Strand] = Strand.DRUG
    rate_ml_per_h: MlPerHour | None = None
    rate_mg_per_min: SecretMgPerMin = None
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugStopped(Event):
    """No more drug in this session: the infusion is off, or the remaining devices are withheld."""

    type: ClassVar[str] = "drug_stop"
    strand: ClassVar[Strand] = Strand.DRUG
    reason: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationEnded(Event):
    """The infusion ran out or was taken down: volume really given, not the plan."""

    type: ClassVar[str] = "administration_end"
    strand: ClassVar[Strand] = Strand.DRUG
    volume_given_ml: Millilitres | None = None
    dose_given_mg: SecretMilligrams = None
    interruptions: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGiven(Event):
    """One nasal device. `count` above 1 means that several were written as one: kept, and flagged (M3)."""

    type: ClassVar[str] = "device_given"
    strand: ClassVar[Strand] = Strand.DRUG
    number: AtLeastOne
    count: AtLeastOne = 1
    dose_mg: SecretMilligrams = None
    kit: Word = ""
    note: Prose = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWithheld(Event):
    """A planned device was not given."""

    type: ClassVar[str] = "device_withheld"
    strand: ClassVar[Strand] = Strand.DRUG
    number: AtLeastOne
    reason: Why
