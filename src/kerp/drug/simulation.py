"""A simulated administration as one answer: typical person, bands, summary, and what to say with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerp.base.errors import Fault, KerpError
from kerp.drug.effect import EffectCurve, Link, drawn_c50, felt_effect, load_link
from kerp.drug.events import Doses
from kerp.drug.kinetics import Curve, Exposure, checked_analyte, checked_times, concentration, exposure
from kerp.drug.model import DrugModel
from kerp.drug.population import Ancestry, People, draw, people, typical

Host = NDArray[np.float64]

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
SUMMARY_H = 24.0  # the published tables' area: 0 to 24 h
LARGEST_POPULATION = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to simulate. `population` 0: the typical person only; `analyte` empty: the model's main one."""

    model: DrugModel
    doses: Doses
    times_min: tuple[float, ...]
    weight_kg: float
    age_years: float
    ancestry: Ancestry | str = Ancestry.CAUCASIAN
    population: int = 0
    seed: int = 0
    analyte: str = ""
    link: str = "pd_default_exploratory"


@dataclass(frozen=True)
class Simulation:
    """The typical person's curve and effect; bands (5, times) at `LEVELS` where a population was asked for."""

    request: Request
    typical: Curve
    effect: EffectCurve
    link: Link
    bands: NDArray[np.float64] | None
    effect_bands: NDArray[np.float64] | None

    @property
    def caveats(self) -> tuple[str, ...]:
        """Everything that must stand beside the numbers, each once."""
        return tuple(dict.fromkeys((*self.request.model.caveats, *self.link.caveats)))

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the references the numbers rest on, each once; our own choices left out."""
        model = self.request.model
        tables = (model.parameters, model.between_subject, model.scaling, model.covariates, self.link.parameters)
        named = [source for table in tables for value in table.values() for source in value.source.split("; ")]
        return tuple(sorted(set(named) - {"kerp"}))


def simulate(request: Request) -> Simulation:
    """Run one request; bad input is refused before anything is computed."""
    times = checked_times(request.times_min)
    checked_analyte(request.model, request.analyte)
    if not 0 <= request.population <= LARGEST_POPULATION:
        allowed = f"0 to {LARGEST_POPULATION}"
        raise KerpError(Fault("population size", field="population", found=str(request.population), allowed=allowed))
    one = typical(request.model, _people(request, 1))
    link = load_link(request.link)
    curve = concentration(request.model, one, request.doses, times, request.analyte)
    effect = felt_effect(link, request.model, one, request.doses, times)
    bands, effect_bands = _bands(request, link, times) if request.population else (None, None)
    return Simulation(request, curve, effect, link, bands, effect_bands)


def summary(request: Request) -> Exposure:
    """Peak, its minute and 24-h area of the typical person."""
    one = typical(request.model, _people(request, 1))
    return exposure(request.model, one, request.doses, SUMMARY_H, request.analyte)


def _people(request: Request, count: int) -> People:
    return people(request.weight_kg, request.age_years, request.ancestry, count)


def _bands(request: Request, link: Link, times: Host) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    who = _people(request, request.population)
    parameters = draw(request.model, who, request.seed)
    values = concentration(request.model, parameters, request.doses, times, request.analyte).ng_per_ml
    c50 = drawn_c50(link, who.count, request.seed)
    felt = felt_effect(link, request.model, parameters, request.doses, times, c50).felt
    return np.quantile(values, LEVELS, axis=0), np.quantile(felt, LEVELS, axis=0)
