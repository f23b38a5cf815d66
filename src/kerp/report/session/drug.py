"""What the drug models say about a session: predicted concentration and the forecast of the felt effect.

Model output, shown beside the record; nothing in a session was ever decided by it. A blinded log holds no dose in mg,
so there is nothing to predict from, and nothing is shown (M8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerp.base.elapsed import MS_PER_MIN
from kerp.drug.effect import Link, load_link
from kerp.drug.events import Doses, NasalDevice, RateSegment
from kerp.drug.forecast import Band, EffectRule, Forecast, Panel, Rating, build_panel, forecast
from kerp.drug.kinetics import concentration
from kerp.drug.model import DrugModel, load_model
from kerp.drug.population import Ancestry, draw, people, typical
from kerp.drug.route import load_route
from kerp.protocol.model import Agent, Fact
from kerp.session.events import DoseComputed, EligibilityItem, FeltEffectRated
from kerp.session.verification import last_weight
from kerp.session.view import View

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
CURVES = 2000  # drawn for bands and forecast; fixed seed, so that a report can be made again
SEED = 1
_MODELLED = {Agent.KETAMINE, Agent.ESKETAMINE}


@dataclass(frozen=True)
class Prediction:
    """Concentration at `sampling_site`: `bands` (5, times) at `LEVELS`, `typical` (times,) of the typical person."""

    model: DrugModel
    analyte: str
    times_min: NDArray[np.float64]
    typical: NDArray[np.float64]
    bands: NDArray[np.float64]
    doses: Doses
    who: str
    caveats: tuple[str, ...]

    @property
    def sampling_site(self) -> str:
        """Where the blood of the model was drawn."""
        return self.model.sampling_site


@dataclass(frozen=True)
class Foretold:
    """A forecast of the felt effect made at `made_min` from the ratings given by then."""

    made_min: float
    ratings: int
    forecast: Forecast
    label: str


@dataclass(frozen=True)
class DrugPicture:
    """What can be shown, or why nothing can be (`why_not`)."""

    prediction: Prediction | None = None
    forecasts: tuple[Foretold, ...] = ()
    why_not: str = ""

    @property
    def used(self) -> tuple[object, ...]:
        """Frozen data whose numbers the picture rests on."""
        if self.prediction is None:
            return ()
        return self.prediction.model, load_link(), load_link("felt_rating", "felt_rating")

    @property
    def link(self) -> Link | None:
        """The link from concentration to what is felt."""
        return load_link() if self.prediction is not None else None

    @property
    def caveats(self) -> tuple[str, ...]:
        """Everything that must stand beside the picture, each once."""
        if self.prediction is None:
            return ()
        said = self.forecasts[0].forecast.caveats if self.forecasts else ()
        return tuple(dict.fromkeys((*self.prediction.caveats, *said)))


def drug_picture(view: View, until_min: float) -> DrugPicture:
    """Prediction and forecasts of one session, from T0 to `until_min`."""
    why = _why_not(view)
    if why:
        return DrugPicture(why_not=why)
    doses = doses_of(view)
    weight_kg = _weight_kg(view)
    if doses is None or weight_kg is None:
        return DrugPicture(why_not="Not predicted: the log holds no dose in mg, or no weight.")
    prediction = _predicted(view, doses, weight_kg, until_min)
    return DrugPicture(prediction, _foretold(view, prediction, weight_kg))


def _why_not(view: View) -> str:
    dose = view.protocol.dose
    if view.protocol.blinded:
        return "Hidden: this log is blinded (M8)."
    if dose is None or not view.drug.given:
        return "No drug was given in this session."
    if dose.agent not in _MODELLED:
        return f"Not predicted: there is no concentration model for {dose.agent}."
    return ""


def doses_of(view: View) -> Doses | None:
    """What was given, in minutes since T0; None where the log does not say it in mg."""
    t0 = view.drug.t0_ms
    if t0 is None or view.protocol.blinded:
        return None
    computed = view.record.last(DoseComputed)
    strength = computed.event.concentration_mg_per_ml if computed else None
    segments = []
    for segment in view.drug.segments:
        rate = segment.mg_per_min
        if rate is None and segment.ml_per_h is not None and strength is not None:
            rate = segment.ml_per_h * strength / 60
        if rate is None:
            return None
        end_ms = segment.to_ms if segment.to_ms is not None else view.drug.ended_ms or view.now_ms
        segments.append(RateSegment((segment.from_ms - t0) / MS_PER_MIN, (end_ms - t0) / MS_PER_MIN, rate))
    devices = _devices(view, t0)
    return Doses(tuple(segments), devices) if segments or devices else None


def _devices(view: View, t0_ms: int) -> tuple[NasalDevice, ...]:
    """Each device with its own strength, or the protocol's; several written as one count as many."""
    rule = view.protocol.dose
    usual = rule.device_mg.value if rule and rule.device_mg else None
    found = []
    for device in view.drug.devices:
        each_mg = device.each_mg(usual)
        if each_mg is not None:
            found += [NasalDevice((device.at_ms - t0_ms) / MS_PER_MIN, each_mg)] * device.count
    return tuple(found)


def _weight_kg(view: View) -> float | None:
    computed = view.record.last(DoseComputed)
    weighed = last_weight(view.state)
    if computed is not None and computed.event.weight_kg is not None:
        return computed.event.weight_kg
    return weighed.event.weight_kg if weighed else None


def _age_years(view: View) -> float | None:
    """Age, where eligibility wrote it down as a value."""
    ages = [item.event.value for item in view.state.everywhere(EligibilityItem) if item.event.criterion == "age_min"]
    return next((age for age in reversed(ages) if age is not None), None)


def _predicted(view: View, doses: Doses, weight_kg: float, until_min: float) -> Prediction:
    assert view.protocol.dose is not None
    model = load_model(load_route(view.protocol.dose.route).model)
    age, said = _age_for(view, model)
    who = people(weight_kg, age, Ancestry.CAUCASIAN, CURVES)
    times = np.arange(0.0, max(until_min, doses.end_min + 1) + 0.5, 1.0)
    one = typical(model, people(weight_kg, age))
    values = concentration(model, draw(model, who, SEED), doses, times).ng_per_ml
    middle = concentration(model, one, doses, times)
    caveats = (*model.caveats, *((said,) if said else ()))
    bands = np.quantile(values, LEVELS, axis=0)
    words = f"{weight_kg:g} kg, {doses.dose_mg:.3g} mg as given"
    return Prediction(model, middle.analyte, times, middle.ng_per_ml[0], bands, doses, words, caveats)


def _age_for(view: View, model: DrugModel) -> tuple[float, str]:
    """Age for the model, and what to say where the log does not tell what the model would use."""
    age = _age_years(view)
    from_years = model.covariates.get("age_from")
    if from_years is None:
        return age or 0.0, ""
    said = "Ancestry is not in the log: the model's reference ancestry is taken."
    if age is None:
        said += " Nor is the age: the model's age effect is left out."
    return (from_years.value if age is None else age), said


def _foretold(view: View, prediction: Prediction, weight_kg: float) -> tuple[Foretold, ...]:
    """Before any rating, when onset became known, and looking back at the end."""
    rule, t0 = view.protocol.effect_rule, view.drug.t0_ms
    if rule is None or t0 is None:
        return ()
    age, _ = _age_for(view, prediction.model)
    thresholds = EffectRule(rule.onset_rise.value, rule.resolution_within.value)
    who = people(weight_kg, age, Ancestry.CAUCASIAN, CURVES)
    panel = build_panel(prediction.model, who, prediction.doses, prediction.times_min, thresholds, SEED)
    ratings = [
        Rating((item.at_ms - t0) / MS_PER_MIN, item.event.value)
        for item in view.record.of(FeltEffectRated)
        if 0 <= (item.at_ms - t0) / MS_PER_MIN <= prediction.times_min[-1]
    ]
    baseline = view.effect.baseline
    found = [_made(panel, 0.0, (), baseline, "at the start, from no rating")]
    known = _onset_known_min(view)
    if known is not None:
        early = [rating for rating in ratings if rating.at_min <= known + 0.01]
        found.append(_made(panel, known, early, baseline, "when onset became known"))
    if ratings:
        found.append(_made(panel, ratings[-1].at_min, ratings, baseline, "looking back, from every rating"))
    return tuple(found)


def _made(panel: Panel, at_min: float, ratings: Sequence[Rating], baseline: float, words: str) -> Foretold:
    return Foretold(at_min, len(ratings), forecast(panel, ratings, baseline), words)


def _onset_known_min(view: View) -> float | None:
    known = next((c.known_ms for c in view.effect.changes if c.fact is Fact.EFFECT_ONSET and c.at_ms), None)
    return None if known is None or view.drug.t0_ms is None else (known - view.drug.t0_ms) / MS_PER_MIN


def shown(band: Band) -> str:
    """`33 (50 %: 30 to 38; 90 %: 26 to 51)`, or what lies beyond the panel."""

    def minute(value: float | None) -> str:
        return "beyond" if value is None else f"{value:.0f}"

    if band.median is None and band.low_90 is None:
        return "not expected"
    fifty, ninety = (band.low_50, band.high_50), (band.low_90, band.high_90)
    inner, outer = (f"{minute(low)} to {minute(high)}" for low, high in (fifty, ninety))
    return f"{minute(band.median)} (50 %: {inner}; 90 %: {outer})"
