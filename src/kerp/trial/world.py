"""The worlds a trial can be run in: each draws participants and gives the outcome of every arm they might be in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kerp.trial import normal
from kerp.trial.assign import Ints
from kerp.trial.scenario import NORMAL, Scenario

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class World(Protocol):
    """Participants before any arm, and what each arm would do to them."""

    def draw(self, scenario: Scenario, root: int, block: int, trials: int, patients: int) -> Any:
        """Participants (t, n); whatever is returned has `baseline` (t, n)."""

    def outcomes(self, scenario: Scenario, patients: Any, arms: Ints, on_drug: Bools) -> Floats:
        """Latent scores (t, n, v) in the arms given (t, n)."""


@dataclass(frozen=True, slots=True)
class NormalWorld:
    """The plain correlated-normal generator."""

    def draw(self, scenario: Scenario, root: int, block: int, trials: int, patients: int) -> Any:
        return normal.draw(scenario, root, block, trials, patients)

    def outcomes(self, scenario: Scenario, patients: Any, arms: Ints, on_drug: Bools) -> Floats:
        return normal.outcomes(scenario, patients, arms, on_drug)


def world_of(scenario: Scenario) -> World:
    """The world a scenario names: `normal`, or the virtual patients of a mechanism."""
    if scenario.model == NORMAL:
        return NormalWorld()
    from kerp.trial.mechanism import MechanismWorld

    return MechanismWorld()
