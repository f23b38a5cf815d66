"""Which event answers which instrument of the protocol, and the few ids the engine must know by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kerp.session.events import (
    AdverseEvent,
    ArmGuess,
    Discharged,
    DischargeObserved,
    Event,
    ExpectancyRated,
    FeltEffectRated,
    Observed,
    RatingMissed,
    RitualSeen,
    ScaleAnswered,
    SedationRated,
    SudsRated,
    UrgeRated,
    VitalsTaken,
)
from kerp.session.state import SessionRecord, State

CSSRS = "cssrs_screener"
CSSRS_IDEATION = "ideation_"  # + the number of the question
CSSRS_BEHAVIOUR = "behaviour_3_months"
BPRS_POSITIVE = "bprs_plus4"

_ANSWERED_BY: Mapping[str, tuple[type[Event], ...]] = {
    "suds": (SudsRated,),
    "urge": (UrgeRated,),
    "felt_effect": (FeltEffectRated,),
    "expectancy": (ExpectancyRated,),
    "vitals": (VitalsTaken,),
    "moaas": (SedationRated,),
    "adverse_events": (AdverseEvent,),
    "discharge": (DischargeObserved, Discharged),
    "arm_guess": (ArmGuess,),
    "ritual_log": (RitualSeen,),
}


def answers_to(record: SessionRecord, instrument: str) -> tuple[Observed[Any], ...]:
    """Everything in a session that answers an instrument, oldest first; also a reason why it was not answered."""
    found: list[Observed[Any]] = [item for kind in _ANSWERED_BY.get(instrument, ()) for item in record.of(kind)]
    found += [item for item in record.of(ScaleAnswered) if item.event.instrument == instrument]
    found += [item for item in record.of(RatingMissed) if item.event.instrument == instrument]
    return tuple(sorted(found, key=lambda item: (item.at_ms, item.entry.seq)))


def scale(record: SessionRecord, instrument: str) -> tuple[Observed[ScaleAnswered], ...]:
    """Answers to a scale within a session, oldest first."""
    return tuple(item for item in record.of(ScaleAnswered) if item.event.instrument == instrument)


def scale_everywhere(state: State, instrument: str) -> tuple[Observed[ScaleAnswered], ...]:
    """Answers to a scale in the whole course, oldest first."""
    return tuple(item for item in state.everywhere(ScaleAnswered) if item.event.instrument == instrument)


def cssrs_level(answers: Mapping[str, float | None]) -> int:
    """Number of the highest ideation question answered yes; 0 if none."""
    return max((number for number, value in _ideation(answers) if value), default=0)


def _ideation(answers: Mapping[str, float | None]) -> Iterator[tuple[int, float | None]]:
    for name, value in answers.items():
        if name.startswith(CSSRS_IDEATION) and name.removeprefix(CSSRS_IDEATION).isdigit():
            yield int(name.removeprefix(CSSRS_IDEATION)), value
