"""M-VAL: the drug speeds good news only."""

from __future__ import annotations

from typing import Any

from kerp.learning.contract import Array, Card, Equation, Inputs
from kerp.learning.models.core import EQUATIONS, Bound, LoopModel
from kerp.learning.smooth import logistic

_WIDTH = 0.01  # of the switch between good and bad news, on the scale of V; keeps a gradient, decides nothing


class ValenceAsymmetry(LoopModel):
    """Changes one line: kappa_a acts on errors in the direction of safety."""

    def learning_rate(self, xp: Any, s: Any, p: Bound, u: Inputs, lam: Array) -> Array:
        """`eta = eta0 exp(kappa_a E [V > lam] + kappa_p P)`."""
        good_news = logistic(xp, (self.belief(s, p) - lam) / _WIDTH)
        return p.free.eta0 * xp.exp(p.free.kappa_a * u.E * good_news + p.free.kappa_p * u.P)


_LINE = Equation(
    "learning rate",
    "eta = eta0 exp(kappa_a E [V > lam] + kappa_p P)",
    "valence_asymmetry.ValenceAsymmetry.learning_rate",
    "P19, P20",
)

MODEL = ValenceAsymmetry(
    Card(
        id="valence-asymmetry",
        title="Only safety-direction errors are coupled (M-VAL)",
        idea="Ketamine makes updating asymmetric: better news moves belief faster, worse news does not.",
        predicts="As the core model where exposure calms; where dissociation frightens, the drug speeds no harm.",
        equations=tuple(_LINE if line.name == "learning rate" else line for line in EQUATIONS),
        differs=_LINE.formula,
        evidence="Bottemanne 2022: asymmetric belief updating 4 h after infusion (open, unblinded, not acute)",
        sources=("bottemanne2022",),
    )
)
