"""How the drug of a schedule reaches each person: learning effect E, felt effect F, plasticity P, over time.

Concentrations come from the drug room, dose by dose. Doses per kg use that a linear model answers in proportion
to the dose: dividing volumes and clearances by a factor is giving that many times the dose. Doses closer than
their washout add in concentration; felt effects of separate doses combine as `1 - (1 - F1)(1 - F2)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from kerp.base.elapsed import MIN_PER_DAY
from kerp.drug.effect import drawn_c50, drawn_pressure, drives, load_link, pressure_rise
from kerp.drug.events import Doses, devices, infusion, stop
from kerp.drug.model import DrugModel, load_model
from kerp.drug.population import Ancestry, People, draw, typical
from kerp.learning.plasticity import window
from kerp.patient.record import Column, Population
from kerp.patient.values import constant_of
from kerp.protocol.schedule import PlannedDose, Schedule

MODEL_OF_ROUTE = {"iv_infusion": "kamp2020", "nasal_spray": "perezruixo2021"}
_WASHOUT_DAYS = 6.0  # beyond it the learning effect is below 1e-7 (a numerical cut)
_REFERENCE_MG = 35.0  # any dose: kinetics are linear and scaled to the person's own


class DrugInputs(NamedTuple):
    """Per sub-step, shaped (steps, people): concentration in racemate-equivalents, E, F, P."""

    concentration_ng_per_ml: Column
    E: Column
    F: Column
    P: Column


@dataclass(frozen=True, slots=True)
class Response:
    """What stays the same in a person: kinetics by model id, and the C50 of the felt effect."""

    kinetics: Mapping[str, Mapping[str, Column]]
    c50: Column


def response(people: Population, schedule: Schedule) -> Response:
    """The drug response of each person, for every route of the schedule; the typical one where `drug_seed` is -1."""
    used = dict.fromkeys(MODEL_OF_ROUTE[dose.route] for dose in schedule.doses if dose.active)
    return response_to(people, tuple(used))


def response_to(people: Population, models: tuple[str, ...]) -> Response:
    """The drug response of each person under the named kinetic models."""
    kinetics = {model_id: _kinetics(load_model(model_id), people) for model_id in models}
    link = load_link()
    c50 = _by_seed(people, lambda seed, first, count: drawn_c50(link, count, seed, first), link["c50"])
    return Response(kinetics, c50)


def drug_inputs(
    people: Population,
    schedule: Schedule,
    days: Column,
    given: Column | None = None,
    fixed: Mapping[str, float] | None = None,
    who: Response | None = None,
) -> DrugInputs:
    """E, F, P at the given days (steps,). `given` (people, doses): share of each dose that was given, 1 if absent."""
    who = who or response(people, schedule)
    active = [k for k, dose in enumerate(schedule.doses) if dose.active]
    shares = np.ones((people.count, len(schedule.doses))) if given is None else given
    concentration, unfelt = np.zeros((days.size, people.count)), np.ones((days.size, people.count))
    for k in active:
        _add_dose(people, schedule.doses[k], days, shares[:, k], who, concentration, unfelt)
    ec50 = constant_of("EC50", people, fixed)
    effect = concentration / (ec50 + concentration)
    return DrugInputs(concentration, effect, 1.0 - unfelt, plasticity(people, schedule, days, shares, fixed))


def plasticity(
    people: Population, schedule: Schedule, days: Column, shares: Column, fixed: Mapping[str, float] | None = None
) -> Column:
    """P at the given days, (steps, people)."""
    active = [k for k, dose in enumerate(schedule.doses) if dose.active]
    if not active:
        return np.zeros((days.size, people.count))
    relative = np.stack([shares[:, k] * _relative(schedule.doses[k], people, fixed) for k in active], axis=-1)
    starts = [schedule.doses[k].day for k in active]
    on, off = constant_of("tau_on", people, fixed), constant_of("tau_off", people, fixed)
    if np.all(relative == relative[0]):
        relative = relative[:1]
    opened = window(np, days, starts, relative, on, off)
    return np.ascontiguousarray(np.broadcast_to(opened.T, (days.size, people.count)))


def dose_mg(dose: PlannedDose, people: Population) -> Column:
    """Milligrams of a whole dose for each person."""
    if dose.route == "nasal_spray":
        return np.full(people.count, dose.devices * dose.device_mg)
    return np.asarray(dose.dose_mg_per_kg * people.traits["weight_kg"])


def relative_dose(doses: Doses, people: Population) -> float:
    """What was really given to one person, relative to the dose at which the plasticity window opens fully."""
    infused = sum(segment.dose_mg for segment in doses.segments) / float(people.traits["weight_kg"][0])
    sprayed = sum(device.dose_mg for device in doses.devices)
    return infused / constant_of("dose_ref_iv", people) + sprayed / constant_of("dose_ref_nasal", people)


def _relative(dose: PlannedDose, people: Population, fixed: Mapping[str, float] | None) -> float:
    if dose.route == "nasal_spray":
        return dose.devices * dose.device_mg / constant_of("dose_ref_nasal", people, fixed)
    return dose.dose_mg_per_kg / constant_of("dose_ref_iv", people, fixed)


def _add_dose(
    people: Population,
    dose: PlannedDose,
    days: Column,
    share: Column,
    who: Response,
    concentration: Column,
    unfelt: Column,
) -> None:
    """Add one dose to the running arrays, group by group of people who got the same share of it."""
    since = days - dose.day
    steps = np.flatnonzero((since > 0) & (since <= _WASHOUT_DAYS))
    if not steps.size:
        return
    minutes, back = np.unique(since[steps] * MIN_PER_DAY, return_inverse=True)
    model = load_model(MODEL_OF_ROUTE[dose.route])
    for part in np.unique(share):
        if part <= 0:
            continue
        rows = np.flatnonzero(share == part)
        drive = drives(
            model,
            _for_dose(model, who.kinetics[model.id], dose, people, rows),
            doses_of(dose, float(part)),
            minutes,
            who.c50[rows],
        )
        where = np.ix_(steps, rows)
        concentration[where] += drive.concentration_ng_per_ml.T[back]
        unfelt[where] *= 1.0 - drive.felt.T[back]


def doses_of(dose: PlannedDose, share: float = 1.0) -> Doses:
    """The administration as events from its own start; given in part, it stops early or devices are left out."""
    if dose.route == "nasal_spray":
        count = max(int(np.ceil(dose.devices * share - 1e-9)), 1)
        return devices(count, dose.device_gap_min, dose.device_mg)
    whole = infusion(_REFERENCE_MG, dose.duration_min)
    return whole if share >= 1.0 else stop(whole, share * dose.duration_min)


def pressure_over_baseline(people: Population, dose: PlannedDose, minutes: Column, who: Response) -> Column:
    """Rise of systolic pressure in mmHg, (people, minutes after the start), each with a factor of their own."""
    model = load_model(MODEL_OF_ROUTE[dose.route])
    everyone = np.arange(people.count)
    own = _for_dose(model, who.kinetics[model.id], dose, people, everyone)
    factor = _by_seed(people, lambda seed, first, count: drawn_pressure(count, seed, first), 1.0)
    return np.asarray(pressure_rise(model, own, doses_of(dose), minutes, factor).systolic_mmhg)


def _for_dose(
    model: DrugModel, kinetics: Mapping[str, Column], dose: PlannedDose, people: Population, rows: Column
) -> dict[str, Column]:
    own = {name: value[rows] for name, value in kinetics.items()}
    if dose.route == "nasal_spray":
        return own
    factor = dose_mg(dose, people)[rows] / _REFERENCE_MG
    scaled = {name for name, value in model.parameters.items() if value.unit.startswith("L")}
    return {name: value / factor if name in scaled else value for name, value in own.items()}


def _kinetics(model: DrugModel, people: Population) -> dict[str, Column]:
    who = _covariates(people, slice(None))
    found = {name: np.array(value) for name, value in typical(model, who).items()}
    for seed, first, rows in _runs(people):
        drawn = draw(model, _covariates(people, rows), seed, first)
        for name, value in drawn.items():
            found[name][rows] = value
    return found


def _covariates(people: Population, rows: slice) -> People:
    ancestry = people.traits["ancestry"][rows]
    japanese = ancestry == Ancestry.JAPANESE
    return People(
        np.asarray(people.traits["weight_kg"][rows], float),
        np.asarray(people.traits["age_years"][rows], float),
        japanese | (ancestry == Ancestry.ASIAN),
        japanese,
    )


def _by_seed(people: Population, drawn: Any, usual: float) -> Column:
    found = np.full(people.count, usual)
    for seed, first, rows in _runs(people):
        found[rows] = drawn(seed, first, rows.stop - rows.start)
    return found


def _runs(people: Population) -> list[tuple[int, int, slice]]:
    """Stretches of people with one seed and consecutive numbers; those with seed -1 are typical and left out."""
    seeds, numbers = people.traits["drug_seed"], people.traits["number"]
    breaks = np.flatnonzero((np.diff(seeds) != 0) | (np.diff(numbers) != 1)) + 1
    edges = [0, *breaks.tolist(), people.count]
    runs = [(int(seeds[a]), int(numbers[a]), slice(a, b)) for a, b in pairwise(edges) if b > a]
    return [run for run in runs if run[0] >= 0]
