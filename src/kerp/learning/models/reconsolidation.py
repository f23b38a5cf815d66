"""M-REC: a brief retrieval under the drug rewrites the original trace, in either direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from kerp.base.elapsed import MIN_PER_DAY
from kerp.learning.contract import Array, Card, Equation, Inputs, Phase
from kerp.learning.models.core import EQUATIONS, Bound, LoopModel, Parameters
from kerp.learning.smooth import approach


class State(NamedTuple):
    """The core state and the original trace, which is no longer constant."""

    S: Array
    L: Array
    Q: Array
    X: Array
    exposed: Array
    drugged: Array
    T: Array  # original fear trace; V0 at rest


@dataclass(frozen=True, slots=True)
class ReconsolidationParameters(Parameters):
    """With the signed rewriting rate and the length of a retrieval."""

    kappa_r: Array
    tau_r: Array


class Reconsolidation(LoopModel):
    """Changes one line: the original trace moves while a retrieval is fresh and the drug is there."""

    parameter_type = ReconsolidationParameters

    def init(self, xp: Any, p: Bound) -> State:
        rest = super().init(xp, p)
        return State(rest.S, rest.L, rest.Q, rest.X, rest.exposed, rest.drugged, p.free.V0 + rest.S)

    def belief(self, s: Any, p: Bound) -> Array:
        return s.T - s.S - s.L

    def trace(self, s: Any, p: Bound) -> Array:
        return s.T

    def step(self, xp: Any, state: Any, p: Bound, u: Inputs, phase: Phase, days: Array) -> Any:
        if phase != Phase.SESSION:
            return super().step(xp, state, p, u, phase, days)
        since, half = state.exposed * MIN_PER_DAY, 0.5 * u.i * days * MIN_PER_DAY
        before = self.rewrite(xp, state, p, u, since, half)  # half before, half after extinction: second order
        return self.rewrite(xp, super().step(xp, before, p, u, phase, days), p, u, since + half, half)

    def rewrite(self, xp: Any, s: Any, p: Bound, u: Inputs, since_min: Array, minutes: Array) -> Any:
        """`dT/dt = kappa_r E i exp(-t_exposed/tau_r) T (1 - T)`, at most as far as belief stays a probability.

        From `since_min` of exposure on, over `minutes` of it; exact for constant E. The trace, what is left of it by
        consolidated safety, and the belief of the moment all stay in [0, 1].
        """
        fresh = p.free.tau_r * xp.exp(-since_min / p.free.tau_r) * approach(xp, 1.0 / p.free.tau_r, minutes)
        push = p.free.kappa_r * u.E * fresh
        moved = self._moved(xp, s.T, push)
        for bounded in (s.T - s.S, self.belief(s, p)):
            other = self._moved(xp, bounded, push)
            moved = xp.where(abs(other) < abs(moved), other, moved)
        return s._replace(T=s.T + moved)

    def _moved(self, xp: Any, v: Array, push: Array) -> Array:
        """How far a shift of the logit by `push` moves v: exact, and nowhere at 0 and 1."""
        odds = xp.exp(xp.clip(push, -50.0, 50.0))
        return v * odds / (1.0 - v + v * odds) - v


_LINE = Equation(
    "original trace",
    "dT/dt = kappa_r E i exp(-t_exposed/tau_r) T (1 - T); V = T - S - L",
    "reconsolidation.Reconsolidation.rewrite",
    "P20, P35",
)

MODEL = Reconsolidation(
    Card(
        id="reconsolidation",
        title="Signed reconsolidation (M-REC)",
        idea="The first minutes of exposure under the drug retrieve the old fear and rewrite it: weaker or stronger.",
        predicts=(
            "A brief retrieval under the drug changes the belief for good: down if kappa_r < 0 (Das 2019), up if "
            "kappa_r > 0 (Corlett 2013); a long exposure mostly extinguishes."
        ),
        equations=(*EQUATIONS, _LINE),
        differs=_LINE.formula,
        evidence="up: Corlett 2013, Honsberger 2015; down: Das 2019; exposure length decides: Merlo (review)",
        sources=("corlett2013", "honsberger2015", "das2019", "reconsolidation2020"),
    )
)
