"""Binds a population to a learning model: drawn columns first, constants at their typical value for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerp.learning.contract import LearningModel
from kerp.learning.priors import names, priors
from kerp.patient.record import Population


def values_of(model: LearningModel, people: Population, fixed: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Every parameter the model reads, shaped (people,) or scalar; `fixed` wins over what was drawn."""
    held = fixed or {}
    book = priors()
    values: dict[str, Any] = {}
    for name in names(model):
        drawn = people.parameters.get(name)
        values[name] = held.get(name, book[name].typical.value if drawn is None else drawn)
        if name in model.card.signs:
            values[name] = model.card.signs[name] * np.abs(values[name])
    return values


def constant_of(name: str, people: Population, fixed: Mapping[str, float] | None = None) -> float:
    """A constant of `learning.priors.EVERYONE`, possibly set by the reader."""
    held = fixed or {}
    column = people.parameters.get(name)
    drawn = priors()[name].typical.value if column is None else float(column[0])
    return float(held.get(name, drawn))
