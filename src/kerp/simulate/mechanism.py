"""The mechanism patient in a real session: the same equations as the populations', stepped from event to event.

A `Person` of the session simulator. Its clock is days since the log was opened (`Situation.day`); distress, rituals,
expectancy and severity come from a learning model, drug response from the drug room, the body (pressure, saturation)
from the simple person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from kerp.base.elapsed import MIN_PER_DAY
from kerp.drug.effect import drives, load_link
from kerp.drug.events import Doses
from kerp.learning.contract import Inputs, LearningModel, Phase, Signals
from kerp.learning.plasticity import window
from kerp.learning.registry import model as learning_model
from kerp.learning.scales import constant, expectancy, ritual_rate_per_h, suds, urge, ybocs_mean
from kerp.patient.draw import draw
from kerp.patient.record import Column, Patient, of_patients
from kerp.patient.response import Response, relative_dose, response_to
from kerp.patient.values import constant_of, values_of
from kerp.session.events import Ritual
from kerp.simulate.person import SimplePerson, Situation, on_scale
from kerp.simulate.traits import Traits

_WASHOUT_DAYS = 6.0  # as in the population executor (a numerical cut)
_STEPS = ((0.25, 10.0), (2.0, 90.0))  # within so many days of a dose, at most so many minutes a step; numerical
_ELSEWHERE_MIN = 360.0


@dataclass(frozen=True, slots=True)
class Given:
    """Doses of one session, minutes since its T0, and the day of that T0."""

    day: float
    doses: Doses


class MechanismPerson(SimplePerson):
    """Learns by a learning model; answers with its ratings and their noise."""

    def __init__(
        self, traits: Traits, drug_model: str, chance: np.random.Generator, patient: Patient, model: LearningModel
    ) -> None:
        self.learner, self.people = model, of_patients([patient])
        self._day: float | None = None
        self._given: list[Given] = []
        self._in_session = False
        self._who: Response = response_to(self.people, (drug_model,))
        self._p = model.parameters(np, values_of(model, self.people))
        self._state = model.init(np, self._p)
        self._adherence = 1.0 / (1.0 + np.exp(-float(self.people.traits["adherence_logit"][0])))
        self._past: list[tuple[float, float, float]] = []  # start, days, mean severity in points
        super().__init__(_of(traits, patient, self._who), drug_model, chance)
        self._parameters = dict(self._who.kinetics[drug_model])
        self._signals = self._observe(Phase.BETWEEN, 0.0)
        self._baseline = self._severity()

    # -- the clock -------------------------------------------------------------------------------------------------

    def begin_session(self) -> None:
        super().begin_session()
        self._in_session = False

    def end_session(self) -> None:
        """What the session taught is kept in part (its inputs are those of this moment)."""
        if self._in_session:
            E, F, P = self._drug_at(np.array([self._day or 0.0]))
            u = Inputs(E[0], F[0], P[0], 0.0, self._adherence, 1.0)
            self._state = self.learner.step(np, self._state, self._p, u, Phase.SESSION_END, 0.0)
        self._in_session = False

    def live(self, to_min: float, situation: Situation) -> None:
        super().live(to_min, situation)
        self._note_doses(situation.day - to_min / MIN_PER_DAY, situation.doses)
        intensity = self._intensity(situation)
        self._in_session = self._in_session or intensity > 0
        self._advance(situation.day, intensity)
        self._signals = self._observe(Phase.SESSION if self._in_session else Phase.BETWEEN, intensity)

    def relief(self, day: float) -> float | None:
        """Share of the baseline severity that is gone, over the past week, as a rater would ask."""
        self._advance(day, 0.0)
        return 1.0 - self.week(day) / self._baseline

    def week(self, day: float) -> float:
        """Mean severity over the rated window before `day`, in points; the untreated rest before the start."""
        length = constant("ybocs", "window")
        total = known = 0.0
        for start, days, points in self._past:
            overlap = min(start + days, day) - max(start, day - length)
            if overlap > 0:
                total, known = total + overlap * points, known + overlap
        return (total + max(length - known, 0.0) * self._baseline) / max(length, known)

    # -- the model -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """The learner's state now."""
        return self._state

    def _intensity(self, situation: Situation) -> float:
        """Intensity that makes the first rating of an item its planned SUDS, at most full exposure."""
        if situation.intensity <= 0 or not situation.item:
            return 0.0
        reach = situation.item_suds / (100.0 * float(self.people.parameters["V0"][0]))
        avoided = float(self.people.traits["avoidance"][0])
        return situation.intensity * min(1.0, reach) * (1.0 - avoided)

    def _note_doses(self, t0_day: float, doses: Doses) -> None:
        """The doses of this session replace what was noted for it before (a pump is recorded as it runs)."""
        if doses.dose_mg and not self.traits.no_effect:
            self._given = [one for one in self._given if abs(one.day - t0_day) > 0.2]
            self._given.append(Given(t0_day, doses))

    def _advance(self, day: float, intensity: float) -> None:
        if self._day is None:
            self._day = day
        if day <= self._day:
            return
        edges = self._edges(self._day, day)
        middles = np.stack([edges[:-1] + 0.25 * np.diff(edges), edges[:-1] + 0.75 * np.diff(edges)], 1).ravel()
        E, F, P = self._drug_at(middles)
        phase = Phase.SESSION if self._in_session else Phase.BETWEEN
        before = self._severity()
        for k, (start, end) in enumerate(pairwise(edges)):
            points = before
            for j in (2 * k, 2 * k + 1):
                u = Inputs(E[j], F[j], P[j], intensity, self._adherence, 1.0)
                self._state = self.learner.step(np, self._state, self._p, u, phase, 0.5 * (end - start))
                before = self._severity()
                points += before * (4.0 if j == 2 * k else 1.0)
            self._past.append((float(start), float(end - start), points / 6.0))
        self._day = day

    def _edges(self, start: float, end: float) -> Column:
        """Step ends between two moments: finer the nearer a dose lies behind."""
        edges = [start]
        while edges[-1] < end - 1e-12:
            since = min((edges[-1] - one.day for one in self._given if one.day <= edges[-1]), default=np.inf)
            longest = next((minutes for within, minutes in _STEPS if since < within), _ELSEWHERE_MIN)
            edges.append(min(end, edges[-1] + longest / MIN_PER_DAY))
        return np.array(edges)

    def _drug_at(self, days: Column) -> tuple[Column, Column, Column]:
        """E, F, P of everything given so far, at these days."""
        concentration, unfelt = np.zeros(days.size), np.ones(days.size)
        for one in self._given:
            minutes = (days - one.day) * MIN_PER_DAY
            near = np.flatnonzero((minutes > 0) & (minutes <= _WASHOUT_DAYS * MIN_PER_DAY))
            if near.size:
                drive = drives(self.model, self._parameters, one.doses, minutes[near], self._who.c50)
                concentration[near] += drive.concentration_ng_per_ml[0]
                unfelt[near] *= 1.0 - drive.felt[0]
        effect = concentration / (constant_of("EC50", self.people) + concentration)
        return effect, 1.0 - unfelt, self._plasticity(days)

    def _plasticity(self, days: Column) -> Column:
        if not self._given:
            return np.zeros(days.size)
        shares = [relative_dose(one.doses, self.people) for one in self._given]
        on, off = constant_of("tau_on", self.people), constant_of("tau_off", self.people)
        return np.asarray(window(np, days, [one.day for one in self._given], np.array([shares]), on, off)[0])

    def _severity(self) -> float:
        o, c = self.learner.severity(np, self._state, self._p)
        return float(np.ravel(sum(ybocs_mean(o, c)))[0])

    def _observe(self, phase: Phase, intensity: float) -> Signals:
        E, F, P = self._drug_at(np.array([self._day or 0.0]))
        u = Inputs(E[0], F[0], P[0], intensity, self._adherence, 1.0)
        return Signals(*(np.ravel(field)[0] for field in self.learner.observe(np, self._state, self._p, u, phase)))

    # -- answers ---------------------------------------------------------------------------------------------------

    def suds(self) -> int:
        return self._answer(max(float(suds(self._signals)), self.traits.suds_rest), constant("suds", "sd"))

    def urge(self) -> int:
        return self._answer(float(urge(self._signals)), constant("urge", "sd"))

    def expectancy(self) -> float:
        return float(self._answer(float(expectancy(self._signals)), constant("expectancy", "sd")))

    def _answer(self, mean: float, sd: float) -> int:
        return on_scale(mean + self.chance.normal(0, sd), 100, int(constant("suds", "digit")))

    def ritual(self, minutes: float) -> Ritual | None:
        """Rituals that response prevention did not prevent; their effect on learning is in the model already."""
        if self._situation.intensity <= 0:
            return None
        rate = ritual_rate_per_h(self._signals, self.people.parameters["m"][0], self._adherence)
        if self.chance.random() > float(rate) * minutes / 60:
            return None
        kinds = [Ritual.MENTAL, Ritual.REASSURANCE] if self.traits.covert else [Ritual.OVERT, Ritual.MENTAL]
        return kinds[int(self.chance.random() > 0.7)]


def maker(seed: int, model_id: str = "core") -> Callable[[Traits, str, np.random.Generator], MechanismPerson]:
    """Makes person 0 of this seed's population, for `simulate_course(..., made=maker(seed))`."""
    patient, learner = draw(1, seed, signs=learning_model(model_id).card.signs).patient(0), learning_model(model_id)
    return lambda traits, drug_model, chance: MechanismPerson(traits, drug_model, chance, patient, learner)


def _of(traits: Traits, patient: Patient, who: Response) -> Traits:
    """The body and habits of `traits` with what the patient record says."""
    own = patient.traits
    return replace(
        traits,
        weight_kg=float(round(own["weight_kg"], 1)),
        age_years=float(round(own["age_years"])),
        ancestry=str(own["ancestry"]),
        sex=str(own["sex"]),
        theme={"doubt-harm": "doubt"}.get(str(own["theme"]), str(own["theme"])),
        covert=patient.parameters["m"] < 0.5,
        ybocs=int(own["baseline_ybocs"]),
        c50_factor=float(who.c50[0]) / load_link()["c50"],
        gain_factor=float(own["felt_use"]),
    )
