"""Finds the models: one file each in `kerp.learning.models`, each with its export `MODEL`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from inspect import getsourcelines
from typing import Any

from kerp.base.errors import UnknownIdError
from kerp.learning import models
from kerp.learning.contract import Equation, LearningModel


@cache
def catalogue() -> dict[str, LearningModel]:
    """Every model by id, the core model first."""
    found: list[LearningModel] = [
        import_module(f"{models.__name__}.{module.name}").MODEL for module in pkgutil.iter_modules(models.__path__)
    ]
    found.sort(key=lambda model: (model.card.id != "core", model.card.id))
    return {model.card.id: model for model in found}


def model(identifier: str) -> LearningModel:
    """The model of an id; an unknown one is refused with the nearest."""
    known = catalogue()
    if identifier not in known:
        raise UnknownIdError("model", identifier, list(known))
    return known[identifier]


def code_of(equation: Equation) -> Any:
    """The function that computes an equation."""
    place = equation.code if equation.code.startswith("kerp.") else f"{models.__name__}.{equation.code}"
    parts = place.split(".")
    start = 3 if equation.code.startswith("kerp.") else 4
    found: Any = import_module(".".join(parts[:start]))
    for part in parts[start:]:
        found = getattr(found, part)
    return found


def line_of(equation: Equation) -> str:
    """`src/kerp/learning/models/core.py:126`, where the equation is computed."""
    function = code_of(equation)
    module_path = function.__module__.replace(".", "/")
    return f"src/{module_path}.py:{getsourcelines(function)[1]}"
