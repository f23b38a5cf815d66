"""What a simulated participant, therapist and rater believe was given, and say when they are asked.

Each holds one belief for the whole course: drawn once, with the chances of `data/persons`, from what was really
given. The arm itself is in no guess; the log says active, comparison or unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kerp.evidence.sourced import Sourced
from kerp.session.events import ArmGuess, Guesser

AT_A_VISIT = (Guesser.PARTICIPANT, Guesser.THERAPIST, Guesser.RATER)
INSTRUMENT = "arm_guess"
_MOST_PCT = 100.0


@dataclass(frozen=True, slots=True)
class Belief:
    """What one of them says, and how sure they are (%)."""

    guess: str
    certainty: float


class Guesses:
    """The beliefs about one participant's treatment; `active` is what was really given."""

    def __init__(self, numbers: Mapping[str, Sourced], chance: np.random.Generator, *, active: bool) -> None:
        self._held = {by: _drawn(by, numbers, chance, active=active) for by in AT_A_VISIT}

    def asked(self, by: Guesser, visit: str = "") -> ArmGuess:
        """The entry; `visit` is the planned visit, empty within a session."""
        held = self._held[by]
        return ArmGuess(by=by, guess=held.guess, certainty=held.certainty, visit=visit)


def _drawn(by: Guesser, numbers: Mapping[str, Sourced], chance: np.random.Generator, *, active: bool) -> Belief:
    unsure, believes = chance.random(2)
    sure = chance.normal(numbers["certainty_mean"].value, numbers["certainty_sd"].value)
    if unsure < numbers["unsure_chance"].value:
        return Belief("unknown", 0.0)
    given = "active" if active else "comparison"
    said = "active" if believes < numbers[f"{by}_active_given_{given}"].value else "comparison"
    return Belief(said, float(round(min(_MOST_PCT, max(0.0, sure)))))
