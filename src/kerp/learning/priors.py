"""Priors and constants of the learning models: read from data, checked, drawn by inverse transform."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from kerp.base.data import path_of
from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.tomlfile import TomlDocument, read_toml
from kerp.evidence.sourced import Mark, Sourced
from kerp.learning.contract import Array, Card, LearningModel

FROM_PATIENT = frozenset({"theme", "adherence"})  # drawn by the patient room, not here
EVERYONE = ("EC50", "tau_on", "tau_off", "dose_ref_iv", "dose_ref_nasal", "mct_factor")  # one number for all people
# Read outside the models: who is drawn and screened, how sessions are kept, how the drug and its window are driven.
_OUTSIDE = ("V0", "n0", "m", "r", *EVERYONE)
_ARGUMENTS = {
    "logit-normal": ("location", "scale"),
    "log-normal": ("median", "scale"),
    "normal": ("mean", "scale"),
    "beta": ("alpha", "beta"),
    "half-normal-mixture": ("scale", "second_mean", "second_scale", "second_weight"),
    "fixed": (),
    "theme": (),
    "adherence": (),
}


@dataclass(frozen=True, slots=True)
class Prior:
    """One parameter: what it means, how sure we are, and where the numbers are from."""

    id: str
    meaning: str
    role: str
    family: str
    arguments: Mapping[str, float]
    typical: Sourced
    lower: float
    upper: float

    def drawn(self, uniform: Array, sign: int = 0) -> Array:
        """Values for uniform numbers in (0, 1), within the support; `sign` folds a signed prior to one side."""
        values = _quantile(self, uniform)
        if sign:
            values = sign * abs(values)
        return np.clip(values, self.lower, self.upper)

    def spread(self) -> float:
        """Standard deviation on the free scale (`free`), for information and initial values."""
        a = self.arguments
        if self.family == "beta":
            return float(np.sqrt(special.polygamma(1, a["alpha"]) + special.polygamma(1, a["beta"])))
        return float(a.get("scale", 0.0))

    def free(self, value: Array) -> Array:
        """The unbounded scale on which the prior is (close to) normal: logit, log or identity."""
        if self.family in {"logit-normal", "beta"}:
            return special.logit(value)
        return np.log(value) if self.family == "log-normal" else value

    def natural(self, free: Array) -> Array:
        """Back from the unbounded scale."""
        if self.family in {"logit-normal", "beta"}:
            return special.expit(free)
        return np.exp(free) if self.family == "log-normal" else free

    def slope(self, value: Array) -> Array:
        """Change of the natural value per unit of the free scale."""
        if self.family in {"logit-normal", "beta"}:
            return value * (1.0 - value)
        return value if self.family == "log-normal" else np.ones_like(value)

    def text(self) -> str:
        """`logit-normal(location 0.85, scale 0.5)`, or the fixed value."""
        if not self.arguments:
            return f"fixed at {self.typical.value:g}" if self.family == "fixed" else f"by {self.family}"
        return f"{self.family}({', '.join(f'{name} {value:g}' for name, value in self.arguments.items())})"


def _quantile(prior: Prior, u: Array) -> Array:
    a = prior.arguments
    if prior.family == "logit-normal":
        return special.expit(a["location"] + a["scale"] * special.ndtri(u))
    if prior.family == "log-normal":
        return a["median"] * np.exp(a["scale"] * special.ndtri(u))
    if prior.family == "normal":
        return a["mean"] + a["scale"] * special.ndtri(u)
    if prior.family == "beta":
        return special.betaincinv(a["alpha"], a["beta"], u)
    if prior.family == "half-normal-mixture":
        return _mixture(a, u)
    return np.full(np.shape(u), prior.typical.value)


def _mixture(a: Mapping[str, float], u: Array) -> Array:
    """Main half-normal below 1 - weight, the second component above: monotone within each, one uniform number."""
    weight = a["second_weight"]
    main = a["scale"] * special.ndtri(0.5 + 0.5 * np.clip(u / (1.0 - weight), 0.0, 1.0 - 1e-12))
    inside = np.clip((u - (1.0 - weight)) / weight, 1e-12, 1.0 - 1e-12)
    below = special.ndtr(-a["second_mean"] / a["second_scale"])  # cut at 0
    second = a["second_mean"] + a["second_scale"] * special.ndtri(below + inside * (1.0 - below))
    return np.where(u > 1.0 - weight, second, main)


@cache
def priors(identifier: str = "mechanism") -> Mapping[str, Prior]:
    """Every parameter and constant by id, from `data/priors/<identifier>.toml`."""
    return parse(read_toml(path_of("priors", identifier)))


def parse(document: TomlDocument) -> Mapping[str, Prior]:
    """Check a priors file; every fault is reported, each with its line."""
    faults: list[Fault] = []
    found: dict[str, Prior] = {}
    for name, table in document.data.get("parameters", {}).items():
        fault = _fault(document, name, table)
        if fault is None:
            found[name] = _prior(name, table)
        else:
            faults.append(fault)
    if faults or not found:
        raise KerpError(*faults or [Fault("no parameters in this file", where=document.where)])
    return found


def _fault(document: TomlDocument, name: str, table: Mapping[str, Any]) -> Fault | None:
    path = ("parameters", name)
    missing = [key for key in ("meaning", "role", "family", "typical", "unit", "source", "mark") if key not in table]
    family = table.get("family")
    if family in _ARGUMENTS:
        missing += [key for key in _ARGUMENTS[family] if key not in table]
    elif not missing:
        return Fault(
            "unknown prior family",
            document.where,
            document.line_of((*path, "family")),
            f"parameters.{name}.family",
            str(family),
            ", ".join(_ARGUMENTS),
        )
    if missing:
        message = f"the parameter lacks {', '.join(missing)}"
        return Fault(message, document.where, document.line_of(path), f"parameters.{name}")
    return None


def _prior(name: str, table: Mapping[str, Any]) -> Prior:
    typical = Sourced(
        value=float(table["typical"]),
        unit=table["unit"],
        source=table["source"],
        mark=Mark(table["mark"]),
        note=table.get("note", ""),
    )
    arguments = {key: float(table[key]) for key in _ARGUMENTS[table["family"]]}
    lower, upper = float(table.get("lower", -np.inf)), float(table.get("upper", np.inf))
    return Prior(name, table["meaning"], table["role"], table["family"], arguments, typical, lower, upper)


def names(model: LearningModel) -> tuple[str, ...]:
    """The parameters and constants a model reads, in its own order."""
    return tuple(f.name for f in fields(model.parameter_type))


def read_with(model: LearningModel) -> tuple[str, ...]:
    """Everything a simulation with this model reads: what the model does, and what is read outside it; each once."""
    return tuple(dict.fromkeys((*names(model), *_OUTSIDE)))


def free_names(model: LearningModel) -> tuple[str, ...]:
    """Those with a prior of their own that the model does not hold fixed."""
    book = priors()
    held = model.card.fixed
    return tuple(
        name
        for name in names(model)
        if name not in held and book[name].family != "fixed" and book[name].family not in FROM_PATIENT
    )


def typical(card: Card | None = None) -> dict[str, float]:
    """The reference person of MODEL.md: every parameter at its typical value."""
    values = {name: prior.typical.value for name, prior in priors().items()}
    return values | dict(card.fixed if card else {})


def checked(values: Mapping[str, float], allowed: Collection[str] | None = None) -> dict[str, float]:
    """Overrides such as `--set kappa_a=0.8`: known names, finite, inside their support. All faults at once."""
    book = priors()
    known = set(book) if allowed is None else set(allowed)
    faults: list[Fault] = []
    for name, value in values.items():
        if name not in known:
            faults.extend(UnknownIdError("parameter", name, sorted(known), field="--set").faults)
        elif not (np.isfinite(value) and book[name].lower <= value <= book[name].upper):
            support = f"{book[name].lower:g} to {book[name].upper:g} {book[name].typical.unit}"
            faults.append(
                Fault("the value is outside its support", field=f"--set {name}", found=str(value), allowed=support)
            )
    if faults:
        raise KerpError(*faults)
    return dict(values)


def fitting(model: LearningModel, values: Mapping[str, float]) -> dict[str, float]:
    """`checked`, and nothing the model would pass over: what it does not read, holds, or keeps to one sign."""
    card, known = model.card, read_with(model)
    faults: list[Fault] = []
    for name, value in checked(values).items():
        held, sign, place = card.fixed.get(name), card.signs.get(name, 0), f"--set {name}"
        ways = ("kerp model list",)
        if name not in known:
            message = f"the model {card.id} does not read this parameter"
            faults.append(Fault(message, field=place, allowed=", ".join(known)))
        elif held is not None and value != held:
            message = f"the model {card.id} holds this parameter"
            faults.append(Fault(message, field=place, found=f"{value:g}", allowed=f"{held:g}", ways_out=ways))
        elif value * sign < 0:
            message = f"the model {card.id} keeps this parameter on one side of 0"
            allowed = "0 or above" if sign > 0 else "0 or below"
            faults.append(Fault(message, field=place, found=f"{value:g}", allowed=allowed, ways_out=ways))
    if faults:
        raise KerpError(*faults)
    return dict(values)
