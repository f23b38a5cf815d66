"""How a simulated person's state becomes the event that answers an instrument."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerp.instrument.load import load_instrument
from kerp.instrument.model import Instrument
from kerp.learning.scales import cgi_improvement
from kerp.session.events import (
    Event,
    ExpectancyRated,
    FeltEffectRated,
    Guesser,
    ScaleAnswered,
    SedationRated,
    SudsRated,
    UrgeRated,
    VitalsTaken,
)
from kerp.simulate.answers import answers_all_true, answers_for_share, answers_for_total, answers_least
from kerp.simulate.guesses import Guesses
from kerp.simulate.person import Person

_LEAST = {"cssrs_screener", "ymrs1", "bprs_plus4", "adverse_events"}
_OBSESSIVE = {"ybocs", "ybocs2", "yboccs", "aybocs", "oci_r", "docs", "ocd_vas", "cgi_s"}


@dataclass
class Rater:
    """Answers for one person. `relief` is the share of baseline severity that is gone, set by who knows the day.

    `guesses` is what participant, therapist and rater believe was given.
    """

    person: Person
    chance: np.random.Generator
    guesses: Guesses
    relief: float = 0.0

    def scale(self, identifier: str, rated_by: str) -> ScaleAnswered:
        """A whole scale, answered."""
        instrument = load_instrument(identifier)
        answers = self._answers(instrument)
        return ScaleAnswered(instrument=identifier, version=instrument.version, answers=answers, rated_by=rated_by)

    def _answers(self, instrument: Instrument) -> dict[str, float | None]:
        severity = max(0.0, self.person.traits.ybocs / 40 * (1 - self.relief))
        if instrument.id in _LEAST:
            return answers_least(instrument)
        if instrument.id == "ybocs":
            noise = int(self.chance.integers(-1, 2)) if self.relief else 0
            return answers_for_total(instrument, round(40 * severity) + noise, self.chance)
        if instrument.id == "cadss6":
            return answers_for_total(instrument, self.person.cadss6(), self.chance)
        if instrument.id == "cgi_i":
            return {item.id: self._improvement() for item in instrument.counted}
        if instrument.id == "discharge":
            return answers_all_true(instrument)
        share = severity if instrument.id in _OBSESSIVE else 0.2
        return answers_for_share(instrument, min(1.0, share), self.chance)

    def _improvement(self) -> float:
        """CGI-I of the relief since baseline: the more, the lower."""
        return float(cgi_improvement(self.relief))

    def prompt(self, instrument: str, rated_by: str, block: str, *, after: bool) -> Event:
        """The event that answers a prompt now."""
        person = self.person
        match instrument:
            case "suds":
                return SudsRated(value=person.suds(), block=block)
            case "urge":
                return UrgeRated(value=person.urge(), block=block)
            case "felt_effect":
                return FeltEffectRated(value=person.felt())
            case "moaas":
                return SedationRated(moaas=person.moaas(), rated_by=rated_by)
            case "expectancy":
                worst = None if after else float(min(100, 20 + 0.9 * max(person.suds(), 40)))
                return ExpectancyRated(
                    block=block or "session", after=after, probability_pct=person.expectancy(), worst_distress=worst
                )
            case "vitals":
                vital = person.vitals()
                return VitalsTaken(
                    systolic_mmhg=vital.systolic_mmhg,
                    diastolic_mmhg=vital.diastolic_mmhg,
                    heart_rate_per_min=vital.heart_rate_per_min,
                    spo2_pct=vital.spo2_pct,
                )
            case "arm_guess":
                return self.guesses.asked(Guesser(rated_by))
            case _:
                return self.scale(instrument, rated_by)
