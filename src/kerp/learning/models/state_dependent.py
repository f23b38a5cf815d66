"""M-STATE: what is learned under the drug shows only in part when sober."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerp.learning.contract import Array, Card, Equation, Inputs
from kerp.learning.models.core import EQUATIONS, Bound, LoopModel, Parameters
from kerp.learning.smooth import share


@dataclass(frozen=True, slots=True)
class StateDependentParameters(Parameters):
    """With the weight of the difference between drugged and sober."""

    omega_state: Array


class StateDependent(LoopModel):
    """Changes one line: retention counts only as far as the drug state resembles everyday life."""

    parameter_type = StateDependentParameters

    def retention(self, xp: Any, s: Any, p: Bound, u: Inputs) -> Array:
        """`retention (1 - omega_state Ebar)`; the hidden rest is lost to sober life (not stored apart here)."""
        return super().retention(xp, s, p, u) * (1.0 - p.free.omega_state * share(s.drugged, s.exposed))


_LINE = Equation(
    "retention",
    "S <- S + s(logit xi + kappa_c Ebar + kappa_p P)(1 - omega_state Ebar) L; L <- 0",
    "state_dependent.StateDependent.retention",
    "P21, P24",
)

MODEL = StateDependent(
    Card(
        id="state-dependent",
        title="State-dependent retention (M-STATE)",
        idea="The drug is a context: safety learned in it shows in everyday life only in proportion to likeness.",
        predicts="Renewal when sober: concurrent exposure leaves less, whatever the distress did in the session.",
        equations=tuple(_LINE if line.name == "retention" else line for line in EQUATIONS),
        differs=_LINE.formula,
        evidence="renewal of extinguished fear outside its context (research 1.1); size assumed",
    )
)
