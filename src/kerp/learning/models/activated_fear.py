"""M-ACT: only fear that is felt can be extinguished, so dissolution protects it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerp.learning.contract import Array, Card, Equation
from kerp.learning.models.core import EQUATIONS, Bound, LoopModel, Parameters


@dataclass(frozen=True, slots=True)
class ActivatedFearParameters(Parameters):
    """With the share of dissolved fear that exposure cannot reach."""

    omega: Array


class ActivatedFear(LoopModel):
    """Changes one line: the fear that exposure reaches."""

    parameter_type = ActivatedFearParameters

    def extinguishable(self, s: Any, p: Bound, X: Array) -> Array:
        """`dL/dt = (1 - ne) eta i (1 - omega psi X)(V - lam)`."""
        return 1.0 - p.free.omega * p.free.psi * X


_LINE = Equation(
    "extinction",
    "dL/dt = (1 - ne) eta i (1 - omega psi X)(V - lam) in session",
    "activated_fear.ActivatedFear.extinguishable",
    "P15, P21",
)

MODEL = ActivatedFear(
    Card(
        id="activated-fear",
        title="Only activated fear extinguishes (M-ACT)",
        idea="Emotional processing: exposure corrects the fear that is felt. Dissolution hides it, as sedatives do.",
        predicts="Exposure under the drug and on the days of dissolution teaches less; before or well after wins.",
        equations=tuple(_LINE if line.name == "extinction" else line for line in EQUATIONS),
        differs=_LINE.formula,
        evidence="emotional processing theory; D-cycloserine (an agonist) helps: Mataix-Cols 2017",
        sources=("mataixcols2017",),
    )
)
