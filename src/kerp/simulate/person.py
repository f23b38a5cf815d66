"""What a simulated participant must be able to do, and a simple one. Another person fits where this one does.

A person lives in minutes since T0 of the session (negative before). `live` moves it on under what was given and
how strong the exposure is; the other methods say what it would answer or show now, by the person's own chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kerp.drug.cadss import drawn_person, mean_total
from kerp.drug.effect import felt_effect, load_link, pressure_rise
from kerp.drug.events import Doses
from kerp.drug.model import DrugModel, load_model
from kerp.drug.population import people, typical
from kerp.session.events import Ritual
from kerp.simulate.traits import Traits

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Situation:
    """What a person lives through: what was given, how strong the exposure is (0-1), and the item's distress."""

    doses: Doses
    intensity: float
    item: str
    item_suds: float
    day: float = 0.0  # days since the log was opened


@dataclass(frozen=True)
class Vital:
    """Vital signs as a monitor shows them."""

    systolic_mmhg: int
    diastolic_mmhg: int
    heart_rate_per_min: int
    spo2_pct: float


class Person(Protocol):
    """The contract of a simulated participant."""

    traits: Traits

    def live(self, to_min: float, situation: Situation) -> None:
        """Move on to this minute."""

    def suds(self) -> int:
        """SUDS now."""

    def urge(self) -> int:
        """Urge to ritualise now."""

    def felt(self) -> float:
        """Felt effect now, 0-10."""

    def vitals(self) -> Vital:
        """Vital signs now."""

    def moaas(self) -> int:
        """MOAA/S now."""

    def cadss6(self) -> int:
        """CADSS-6 total now."""

    def expectancy(self) -> float:
        """How likely the feared outcome seems now, %."""

    def ritual(self, minutes: float) -> Ritual | None:
        """A ritual in the last `minutes`, if there was one; its relief is felt at once."""

    def begin_session(self) -> None:
        """A new session: minutes count from its own T0; what was learned stays."""

    def end_session(self) -> None:
        """The session is over: what it taught is kept, as far as it is kept."""

    def relief(self, day: float) -> float | None:
        """Share of the baseline severity gone over the week before this day of the log; None if it has no model."""


class SimplePerson:
    """Exponential decay of distress within exposure, drug effect from the drug room, occasional rituals."""

    def __init__(self, traits: Traits, model: str, chance: np.random.Generator) -> None:
        self.traits = traits
        self.model: DrugModel = load_model(model)
        self.chance = chance
        self._parameters = typical(self.model, people(traits.weight_kg, traits.age_years, traits.ancestry))
        self._link = load_link()
        self._scale = load_link("felt_rating", "felt_rating")
        self.removed: dict[str, float] = {}  # item -> share of its distress that decay has taken away
        self._relief = 0.0
        self.begin_session()

    def begin_session(self) -> None:
        kept = self.traits.kept_share
        self.removed = {item: share * kept for item, share in self.removed.items()}
        self.minute = -math.inf
        self._situation = Situation(Doses(), 0.0, "", 0.0)
        self._relief = 0.0
        self._felt_now = 0.0
        self._rise = (0.0, 0.0)

    def end_session(self) -> None:
        pass

    def relief(self, day: float) -> float | None:  # noqa: ARG002
        return None

    def live(self, to_min: float, situation: Situation) -> None:
        elapsed = 0.0 if math.isinf(self.minute) else max(0.0, to_min - self.minute)
        if situation.intensity > 0 and situation.item:
            rate = math.log(2) / self.traits.half_time_min * situation.intensity
            left = 1 - self.removed.get(situation.item, 0.0)
            self.removed[situation.item] = 1 - left * math.exp(-rate * elapsed)
        self._relief *= math.exp(-elapsed / self.traits.half_time_min)
        self.minute, self._situation = to_min, situation
        self._drug(to_min, situation.doses)

    def _drug(self, at_min: float, doses: Doses) -> None:
        given = Doses(
            tuple(s for s in doses.segments if s.from_min < at_min),
            tuple(d for d in doses.devices if d.at_min < at_min),
        )
        if at_min <= 0 or not given.dose_mg or self.traits.no_effect:
            self._felt_now, self._rise = 0.0, (0.0, 0.0)
            return
        c50 = np.array([self._link["c50"] * self.traits.c50_factor])
        times = np.array([0.0, at_min])
        self._felt_now = float(felt_effect(self._link, self.model, self._parameters, given, times, c50).felt[0, -1])
        rise = pressure_rise(self.model, self._parameters, given, times, np.array([self.traits.pressure_factor]))
        self._rise = float(rise.systolic_mmhg[0, -1]), float(rise.diastolic_mmhg[0, -1])

    @property
    def _distress(self) -> float:
        """0-100, before noise."""
        s, traits = self._situation, self.traits
        rest = traits.suds_rest
        if s.intensity > 0:
            left = traits.floor_share + (1 - traits.floor_share) * (1 - self.removed.get(s.item, 0.0))
            rest = max(rest, s.item_suds * (0.4 + 0.6 * s.intensity) * left * (1 - self._relief))
        dissolved = rest * (1 - traits.drug_relief * self._felt_now)
        return dissolved + traits.paradoxical_suds * self._felt_now * (1 if s.intensity > 0 else 0.6)

    def suds(self) -> int:
        return on_scale(self._distress + self.chance.normal(0, self.traits.suds_noise), 100, 5)

    def urge(self) -> int:
        return on_scale(0.9 * self._distress + self.chance.normal(0, self.traits.suds_noise), 100, 5)

    def felt(self) -> float:
        full = self._scale["top"] * self._scale["gain"] * self.traits.gain_factor
        noise = self.chance.normal(0, self._scale["noise_sd"]) if self._felt_now > 0.02 else 0.0
        return float(on_scale(min(full * self._felt_now, self._scale["top"]) + noise, 10, 1))

    def vitals(self) -> Vital:
        t, noise = self.traits, self.traits.pressure_noise
        draw = self.chance.normal(0, 1, 4)
        return Vital(
            round(t.systolic_mmhg + self._rise[0] + noise * draw[0]),
            round(t.diastolic_mmhg + self._rise[1] + 0.6 * noise * draw[1]),
            round(t.heart_rate_per_min + t.heart_rate_rise * self._felt_now + 2 * draw[2]),
            float(min(100, round(t.spo2_pct - 1.5 * t.sedation * self._felt_now + 0.5 * draw[3]))),
        )

    def moaas(self) -> int:
        return max(0, 5 - round(self.traits.sedation * self._felt_now))

    def cadss6(self) -> int:
        mean = mean_total(np.array([[self._felt_now]]), self.traits.route, np.array([self.traits.cadss_factor]))
        return int(min(24, self.chance.poisson(float(mean[0, 0]) * 6 / 23)))

    def expectancy(self) -> float:
        left = 1 - max(self.removed.values(), default=0.0)
        return float(on_scale(100 * self.traits.expectancy * (0.35 + 0.65 * left), 100, 5))

    def ritual(self, minutes: float) -> Ritual | None:
        if self._situation.intensity <= 0 or self.chance.random() > self.traits.ritual_per_h * minutes / 60:
            return None
        self._relief = min(0.9, self._relief + self.traits.ritual_relief)
        kinds = [Ritual.MENTAL, Ritual.REASSURANCE] if self.traits.covert else [Ritual.OVERT, Ritual.MENTAL]
        return kinds[int(self.chance.random() > 0.7)]


def on_scale(value: float, top: int, step: int) -> int:
    """People answer in steps, within the scale."""
    return int(min(top, max(0, step * round(value / step))))


def drawn_cadss_factor(route: str, seed: int, number: int) -> float:
    """How readily this person dissociates, mean one."""
    return float(drawn_person(route, 1, seed, number)[0])
