"""M-LMM: no mechanism. Severity moves linearly with days, sessions and doses; every comparison must include it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from kerp.learning.contract import Array, Card, Equation, Inputs, Phase, Signals
from kerp.learning.smooth import root, share

_WIDTH = 0.005  # of the smooth bounds, relative to baseline severity
_FAR = 3.0  # beyond it severity is at a bound anyway


class State(NamedTuple):
    """Severity relative to baseline, drug kernel, and the open session."""

    y: Array  # severity without the drug's passing effect; 1 at baseline
    X: Array  # passing effect of the drug, in [0, 1]
    exposed: Array  # intensity-weighted days of exposure in the open session
    drugged: Array


@dataclass(frozen=True, slots=True)
class LinearParameters:
    """Random intercepts (V0, n0) and slopes, and the shape of the drug term."""

    V0: Array
    n0: Array
    m: Array
    slope_day: Array
    slope_session: Array
    slope_both: Array
    slope_drug: Array
    tauX: Array
    k_on: Array


class LinearNull:
    """`y = 1 + b_day t + sum over sessions of (b_session + b_both Ebar) hours + b_drug X`."""

    parameter_type: type[Any] = LinearParameters

    def __init__(self, card: Card) -> None:
        self._card = card

    @property
    def card(self) -> Card:
        return self._card

    def parameters(self, xp: Any, values: Mapping[str, Array]) -> LinearParameters:
        return LinearParameters(**{f.name: values[f.name] for f in fields(LinearParameters)})

    def init(self, xp: Any, p: LinearParameters) -> State:
        zero = 0.0 * (p.V0 + p.n0 + p.slope_session + p.slope_drug)
        return State(1.0 + zero, zero, zero, zero)

    def step(self, xp: Any, state: State, p: LinearParameters, u: Inputs, phase: Phase, days: Array) -> State:
        if phase == Phase.SESSION_END:
            return self.count_session(state, p)
        fill = p.k_on * u.E
        rate = fill + 1.0 / p.tauX
        X = fill / rate + (state.X - fill / rate) * xp.exp(-rate * days)
        seen = u.i * days if phase == Phase.SESSION else 0.0
        return State(state.y + p.slope_day * days, X, state.exposed + seen, state.drugged + seen * u.E)

    def count_session(self, s: State, p: LinearParameters) -> State:
        """`y <- y + (b_session + b_both Ebar) hours`."""
        gain = (p.slope_session + p.slope_both * share(s.drugged, s.exposed)) * 24.0 * s.exposed
        zero = 0.0 * s.y
        return s._replace(y=s.y + gain, exposed=zero, drugged=zero)

    def level(self, xp: Any, s: State, p: LinearParameters) -> Array:
        """`y + b_drug X`, bounded smoothly to what the scale can hold."""
        y = xp.clip(s.y + p.slope_drug * s.X, -_FAR, _FAR)
        top = xp.minimum(1.0 / p.V0, 1.0 / p.n0**2)
        return _WIDTH * (xp.log1p(xp.exp(y / _WIDTH)) - xp.log1p(xp.exp((y - top) / _WIDTH)))

    def severity(self, xp: Any, state: State, p: LinearParameters) -> tuple[Array, Array]:
        level = self.level(xp, state, p)
        obsession = p.V0 * level
        return obsession, (p.m + 0.5 * (1.0 - p.m)) * p.n0 * root(xp, level) * root(xp, obsession)

    def observe(self, xp: Any, state: State, p: LinearParameters, u: Inputs, phase: Phase) -> Signals:
        level = self.level(xp, state, p)
        obsession, compulsion = self.severity(xp, state, p)
        n = p.n0 * root(xp, level)
        distress = obsession * u.i if phase == Phase.SESSION else obsession
        none = 0.0 * level
        return Signals(obsession, obsession, distress, n, n, compulsion, none, none, none + xp.nan)


EQUATIONS = (
    Equation("days", "dy/dt = b_day", "linear_null.LinearNull.step"),
    Equation(
        "sessions", "y <- y + (b_session + b_both Ebar) hours of exposure", "linear_null.LinearNull.count_session"
    ),
    Equation("drug", "dX/dt = k_on E (1 - X) - X/tauX", "linear_null.LinearNull.step"),
    Equation("severity", "O = V0 (y + b_drug X), bounded; n = n0 sqrt(y + b_drug X)", "linear_null.LinearNull.level"),
)

MODEL = LinearNull(
    Card(
        id="linear-null",
        title="Linear mixed null (M-LMM)",
        idea="Severity falls by a fixed amount per hour of exposure, per day and per dose, with its own slope for "
        "exposure under the drug. No loop, no belief, no retention.",
        predicts="Straight lines: no sensitisation, return of fear or theme effect, nothing about SUDS in a session. "
        "A mechanism must beat this to be believed.",
        equations=EQUATIONS,
        differs="everything: no mechanism",
        evidence="statistical null; slopes assumed from ERP arms of Metapsy and Rodriguez 2013",
        sources=("metapsy2024", "rodriguez2013"),
    )
)
