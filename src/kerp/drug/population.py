"""People's parameters: typical values with weight, age and ancestry, and draws of what differs between people.

Draws come in blocks of fixed size, each from its own stream, so that person 1,000 is the same whether drawn alone or
among 10,000, on one worker or on many (design decision 17).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.seeds import Stream, generator
from kerp.drug.kinetics import Curve
from kerp.drug.model import DrugModel, internal

Host = NDArray[np.float64]
Parameters = dict[str, Host]

BLOCK = 256
_KINETICS, _RESIDUAL = 101, 102  # keys of this room below the PATIENT and MEASUREMENT streams
LIGHTEST_KG, HEAVIEST_KG = 20.0, 350.0  # beyond these a weight is a slip; clinical limits are the protocol's
OLDEST_YEARS = 120.0


class Ancestry(StrEnum):
    """As the nasal model's covariates are defined. Japanese people take the Asian effects as well as their own."""

    CAUCASIAN = "caucasian"
    ASIAN = "asian"
    JAPANESE = "japanese"


@dataclass(frozen=True)
class People:
    """Covariates (people,): weight in kg, age in years, and two indicators."""

    weight_kg: Host
    age_years: Host
    asian: NDArray[np.bool_]
    japanese: NDArray[np.bool_]

    def __post_init__(self) -> None:
        _checked("weight_kg", self.weight_kg, LIGHTEST_KG, HEAVIEST_KG)
        _checked("age_years", self.age_years, 0.0, OLDEST_YEARS)

    @property
    def count(self) -> int:
        return int(self.weight_kg.shape[0])


def people(
    weight_kg: float, age_years: float, ancestry: Ancestry | str = Ancestry.CAUCASIAN, count: int = 1
) -> People:
    """`count` people alike in weight, age and ancestry."""
    if ancestry not in set(Ancestry):
        raise UnknownIdError("ancestry", str(ancestry), list(Ancestry), field="ancestry")
    if count < 1:
        raise KerpError(Fault("at least one person is needed", field="count", found=str(count)))
    japanese = np.full(count, ancestry == Ancestry.JAPANESE)
    asian = japanese | (ancestry == Ancestry.ASIAN)
    return People(np.full(count, float(weight_kg)), np.full(count, float(age_years)), asian, japanese)


def typical(model: DrugModel, who: People) -> Parameters:
    """Typical parameters (people,) in minutes and litres: weight scaling and covariates, nothing drawn."""
    values = {name: np.full(who.count, internal(value)) for name, value in model.parameters.items()}
    relative = who.weight_kg / model.scaling["reference_weight"].value
    for name, exponent in model.scaling.items():
        if name != "reference_weight":
            values[name] = values[name] * relative**exponent.value
    _apply_covariates(values, model, who)
    return values | {"weight_kg": who.weight_kg}


def draw(model: DrugModel, who: People, seed: int, first: int = 0) -> Parameters:
    """Parameters of drawn people. `first` is the number of the first of them in the population of this seed."""
    values = typical(model, who)
    names = sorted(model.between_subject)
    chance = standard_normals(seed, Stream.PATIENT, _KINETICS, first, who.count, len(names)) @ _root(model, names).T
    for column, name in enumerate(names):
        spread = model.between_subject[name]
        values[name] = _varied(values[name], internal(spread), spread.unit, chance[:, column])
    return values


def with_residual(curve: Curve, model: DrugModel, seed: int, first: int = 0) -> Curve:
    """What a laboratory would report: the model's residual error on every sample. A model without one is refused."""
    error = model.residual.get("proportional") or model.residual.get("log")
    if error is None:
        raise KerpError(Fault(f"{model.id} was published without a residual error", field="model"))
    count, times = curve.ng_per_ml.shape
    chance = standard_normals(seed, Stream.MEASUREMENT, _RESIDUAL, first, count, times) * internal(error)
    noisy = curve.ng_per_ml * (np.exp(chance) if error.unit == "SD log" else np.maximum(1 + chance, 0))
    return Curve(curve.model, curve.analyte, curve.sampling_site, curve.times_min, noisy)


def standard_normals(seed: int, stream: Stream, key: int, first: int, count: int, width: int) -> Host:
    """(count, width) standard normals of people `first`, `first` + 1...: the same however they are batched."""
    if first < 0 or count < 1:
        raise KerpError(Fault("people are counted from 0", field="first", found=f"{first}, {count}"))
    blocks = range(first // BLOCK, (first + count - 1) // BLOCK + 1)
    drawn = [generator(seed, stream, block, key).standard_normal((BLOCK, width)) for block in blocks]
    start = first - blocks[0] * BLOCK
    return np.concatenate(drawn)[start : start + count]


def _apply_covariates(values: Parameters, model: DrugModel, who: People) -> None:
    """`asian_on_X`, `japanese_on_X` multiply; `age_on_X` adds per year above `age_from`."""
    for name, effect in model.covariates.items():
        if name == "age_from":
            continue
        kind, target = name.split("_on_")
        if kind == "age":
            beyond = np.maximum(who.age_years - internal(model.covariates["age_from"]), 0)
            values[target] = _above_zero(values[target] + internal(effect) * beyond, target)
        else:
            concerned = who.asian if kind == "asian" else who.japanese
            values[target] = np.where(concerned, values[target] * effect.value, values[target])


def _above_zero(values: Host, name: str) -> Host:
    if (values <= 0).any():
        raise KerpError(
            Fault(f"at this age the model has no {name}: its age effect does not reach so far", field="age")
        )
    return values


def _root(model: DrugModel, names: list[str]) -> Host:
    """Cholesky root of the correlations between people."""
    matrix = np.eye(len(names))
    for pair in model.correlations:
        i, j = names.index(pair.first), names.index(pair.second)
        matrix[i, j] = matrix[j, i] = pair.r.value
    return np.asarray(np.linalg.cholesky(matrix)) if names else matrix


def _varied(typical_value: Host, spread: float, unit: str, chance: Any) -> Host:
    """Log-normal with a coefficient of variation, or additive on the logit."""
    if unit == "SD logit":
        odds = typical_value / (1 - typical_value) * np.exp(spread * chance)
        fraction: Host = odds / (1 + odds)
        return fraction
    return np.asarray(typical_value * np.exp(np.sqrt(np.log1p(spread**2)) * chance))


def _checked(field: str, values: Host, low: float, high: float) -> None:
    wrong = ~(np.isfinite(values) & (values >= low) & (values <= high))
    if wrong.any():
        allowed = f"{low:g} to {high:g}"
        raise KerpError(
            Fault("outside what the models cover", field=field, found=f"{values[wrong][0]:g}", allowed=allowed)
        )


def columns(parameters: Mapping[str, Host], part: slice) -> Parameters:
    """The same parameters for some of the people."""
    return {name: value[part] for name, value in parameters.items()}
