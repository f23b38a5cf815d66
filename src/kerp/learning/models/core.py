"""The core model of MODEL.md, KERP-loop: one method per equation, so that a variant changes one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from kerp.base.elapsed import MIN_PER_DAY
from kerp.learning.contract import Array, Card, Equation, Inputs, Phase, Signals
from kerp.learning.smooth import approach, cap, logistic, logit, riccati, root, share


class State(NamedTuple):
    """Safety, habit, dissolution, and what the open session has seen so far."""

    S: Array  # consolidated safety; may be negative
    L: Array  # labile safety of this session
    Q: Array  # habit: expected relief
    X: Array  # thought dissolution
    exposed: Array  # intensity-weighted days of exposure in the open session
    drugged: Array  # the same, weighted with E: Ebar = drugged / exposed


@dataclass(frozen=True, slots=True)
class Parameters:
    """Natural scale. The first eleven are free (research section 4.1); the rest are constants with their mark."""

    V0: Array
    n0: Array
    eta0: Array
    xi: Array
    delta: Array
    kappa_a: Array
    kappa_c: Array
    kappa_p: Array
    psi: Array
    tauX: Array
    zeta: Array
    m: Array
    N: Array
    g_max: Array
    g_margin: Array
    tauQ: Array
    rho: Array
    k_on: Array


class Constants(NamedTuple):
    """What follows from the parameters and never changes; MCT and drug never change `phi`."""

    phi: Array
    g: Array
    Q0: Array
    logit_n0: Array
    logit_xi: Array


class Bound(NamedTuple):
    """Parameters and their constants."""

    free: Any
    fixed: Constants


def gain_limit(p: Parameters) -> Array:
    """`g*`: above it the untreated rest is unstable (MODEL.md)."""
    return 1.0 / (1.0 - p.V0) + p.delta / (p.xi * p.eta0 * p.N * p.V0 * (1.0 - p.n0))


def chronicity(p: Parameters) -> Array:
    """`phi`, fixed at baseline so that an untreated patient neither gains nor loses safety."""
    return p.xi * p.eta0 * p.N * (1.0 - p.n0) / (p.n0 * (1.0 - p.V0))


class LoopModel:
    """Obsession, distress, compulsion, relief; extinction, retention, forgetting; dissolution and plasticity."""

    parameter_type: type[Any] = Parameters

    def __init__(self, card: Card) -> None:
        self._card = card

    @property
    def card(self) -> Card:
        return self._card

    # -- parameters and rest ---------------------------------------------------------------------------------------

    def parameters(self, xp: Any, values: Mapping[str, Array]) -> Bound:
        named = {f.name: values[f.name] for f in fields(self.parameter_type)}
        p = self.parameter_type(**(named | dict(self.card.fixed)))
        g = self.loop_gain(xp, p)
        fixed = Constants(chronicity(p), g, p.rho * p.V0, logit(xp, p.n0), logit(xp, p.xi))
        return Bound(p, fixed)

    def loop_gain(self, xp: Any, p: Parameters) -> Array:
        """How strongly habit drives neutralising: below the limit of stability by a margin."""
        return xp.minimum(p.g_max, p.g_margin * gain_limit(p))

    def init(self, xp: Any, p: Bound) -> Any:
        zero = 0.0 * (p.free.V0 + p.free.n0 + p.free.psi + p.free.eta0 + p.free.kappa_a + p.free.zeta)
        return State(zero, zero, p.fixed.Q0 + zero, zero, zero, zero)

    # -- one method per equation -----------------------------------------------------------------------------------

    def belief(self, s: Any, p: Bound) -> Array:
        """Threat belief `V = V0 - S - L`."""
        return p.free.V0 - s.S - s.L

    def clarity(self, X: Array, p: Bound) -> Array:
        """`1 - psi X`: what dissolution leaves of obsession and of covert neutralising (PAPER P15, P18)."""
        return 1.0 - p.free.psi * X

    def aversiveness(self, xp: Any, p: Bound, u: Inputs) -> Array:
        """`lam = min(zeta F, 1)`, smooth: how aversive the altered state is (PAPER P37)."""
        return cap(xp, p.free.zeta * u.F)

    def distress(self, obsession: Array, lam: Array, u: Inputs, phase: Phase) -> Array:
        """In session `D = 1 - (1 - O i)(1 - lam)`; otherwise `D = O` (PAPER P1)."""
        return 1.0 - (1.0 - obsession * u.i) * (1.0 - lam) if phase == Phase.SESSION else obsession

    def neutralising(self, xp: Any, Q: Array, p: Bound) -> Array:
        """`n = s(logit n0 + g (Q - Q0)/rho)`: habit drives the compulsion (PAPER P2)."""
        return logistic(xp, p.fixed.logit_n0 + p.fixed.g * (Q - p.fixed.Q0) / p.free.rho)

    def reach(self, X: Array, p: Bound, u: Inputs, phase: Phase) -> Array:
        """Share of neutralising that works: response prevention reaches only the overt share m (PAPER P4, P17)."""
        overt = p.free.m * (1.0 - u.r) if phase == Phase.SESSION else p.free.m
        return overt + (1.0 - p.free.m) * self.clarity(X, p)

    def learning_rate(self, xp: Any, s: Any, p: Bound, u: Inputs, lam: Array) -> Array:
        """`eta = eta0 exp(kappa_a E + kappa_p P)`: signed couplings (PAPER P19, P20)."""
        return p.free.eta0 * xp.exp(p.free.kappa_a * u.E + p.free.kappa_p * u.P)

    def extinguishable(self, s: Any, p: Bound, X: Array) -> Array:
        """Which part of learned fear the exposure reaches; all of it here."""
        return 1.0

    def retention(self, xp: Any, s: Any, p: Bound, u: Inputs) -> Array:
        """Share of the session kept: `s(logit xi + kappa_c Ebar + kappa_p P)`."""
        Ebar = share(s.drugged, s.exposed)
        kept = p.fixed.logit_xi + xp.log(u.mct) + p.free.kappa_c * Ebar + p.free.kappa_p * u.P
        return logistic(xp, kept)

    def dissolution(self, xp: Any, X: Array, p: Bound, u: Inputs, days: Array) -> tuple[Array, Array]:
        """`dX/dt = k_on E (1 - X) - X/tauX`, exact for constant E: at half the step and at its end."""
        fill = p.free.k_on * u.E
        rate = fill + 1.0 / p.free.tauX
        gap = X - fill / rate
        left = xp.exp(-0.5 * rate * days)
        return fill / rate + gap * left, fill / rate + gap * left * left

    # -- time ------------------------------------------------------------------------------------------------------

    def step(self, xp: Any, state: Any, p: Bound, u: Inputs, phase: Phase, days: Array) -> Any:
        if phase == Phase.SESSION_END:
            return self.consolidate(xp, state, p, u)
        X_mid, X_end = self.dissolution(xp, state.X, p, u, days)
        clear, share_n = self.clarity(X_mid, p), self.reach(X_mid, p, u, phase)
        V = self.belief(state, p)
        Q_mid = self.habit(xp, state.Q, self.neutralising(xp, state.Q, p) * share_n, V * clear, p, 0.5 * days)
        ne = self.neutralising(xp, Q_mid, p) * share_n
        lam = self.aversiveness(xp, p, u) if phase == Phase.SESSION else 0.0
        eta = self.learning_rate(xp, state, p, u, lam)
        if phase == Phase.SESSION:
            dV = self.extinction(xp, state, p, u, V, X_mid, ne, eta, lam, days)
            state = state._replace(L=state.L - dV, exposed=state.exposed + u.i * days)
            state = state._replace(drugged=state.drugged + u.i * u.E * days)
        else:
            dV = self.drift(xp, state, p, u, V, clear, ne, eta, days)
            state = state._replace(S=state.S - dV)
        Q_end = self.habit(xp, state.Q, ne, (V + 0.5 * dV) * clear, p, days)
        return state._replace(Q=Q_end, X=X_end)

    def habit(self, xp: Any, Q: Array, ne: Array, obsession: Array, p: Bound, days: Array) -> Array:
        """`dQ/dt = (ne/n0)(rho O - Q)/tauQ`: relief is learned when a neutralisation happens (PAPER P2)."""
        return Q + (p.free.rho * obsession - Q) * approach(xp, ne / (p.free.n0 * p.free.tauQ), days)

    def extinction(
        self, xp: Any, s: Any, p: Bound, u: Inputs, V: Array, X: Array, ne: Array, eta: Array, lam: Array, days: Array
    ) -> Array:
        """`dL/dt = (1 - ne) eta i (V - lam)`: extinction, or sensitisation where lam > V (PAPER P21-P24, P37)."""
        rate = (1.0 - ne) * eta * MIN_PER_DAY * u.i * self.extinguishable(s, p, X)
        return (lam - V) * approach(xp, rate, days)

    def drift(
        self, xp: Any, s: Any, p: Bound, u: Inputs, V: Array, clear: Array, ne: Array, eta: Array, days: Array
    ) -> Array:
        """`dS/dt = xi (1 - ne) eta N O - phi ne O (1 - V) - delta S` as a change of V; exact for frozen ne, X."""
        kept = logistic(xp, p.fixed.logit_xi + xp.log(u.mct))
        loss = kept * (1.0 - ne) * eta * p.free.N * clear
        return riccati(xp, V, loss, p.fixed.phi * ne * clear, p.free.delta, self.trace(s, p), days)

    def trace(self, s: Any, p: Bound) -> Array:
        """The original fear trace, to which forgetting returns."""
        return p.free.V0

    def consolidate(self, xp: Any, state: Any, p: Bound, u: Inputs) -> Any:
        """`S <- S + retention L; L <- 0` at session end."""
        kept = self.retention(xp, state, p, u) * state.L
        zero = 0.0 * state.L
        return state._replace(S=state.S + kept, L=zero, exposed=zero, drugged=zero)

    # -- what shows ------------------------------------------------------------------------------------------------

    def severity(self, xp: Any, state: Any, p: Bound) -> tuple[Array, Array]:
        obsession = self.belief(state, p) * self.clarity(state.X, p)
        n = self.neutralising(xp, state.Q, p)
        return obsession, (p.free.m + 0.5 * (1.0 - p.free.m)) * n * root(xp, obsession)

    def observe(self, xp: Any, state: Any, p: Bound, u: Inputs, phase: Phase) -> Signals:
        V = self.belief(state, p)
        obsession, compulsion = self.severity(xp, state, p)
        lam = self.aversiveness(xp, p, u)
        n = self.neutralising(xp, state.Q, p)
        eta = self.learning_rate(xp, state, p, u, lam)
        distress = self.distress(obsession, lam, u, phase)
        ne = n * self.reach(state.X, p, u, phase)
        return Signals(V, obsession, distress, n, ne, compulsion, lam, eta, self.loop_number(xp, state, p, u, eta))

    def loop_number(self, xp: Any, s: Any, p: Bound, u: Inputs, eta: Array) -> Array:
        """`R = [phi ne O (1 - V) + delta S] / [xi (1 - ne) eta N O]`: above 1 safety is being lost."""
        V = self.belief(s, p)
        obsession = V * self.clarity(s.X, p)
        ne = self.neutralising(xp, s.Q, p) * self.reach(s.X, p, u, Phase.BETWEEN)
        kept = logistic(xp, p.fixed.logit_xi + xp.log(u.mct))
        loss = p.fixed.phi * ne * obsession * (1.0 - V) + p.free.delta * (self.trace(s, p) - V)
        return loss / (kept * (1.0 - ne) * eta * p.free.N * obsession + 1e-300)


EQUATIONS = (
    Equation("belief", "V = V0 - S - L", "core.LoopModel.belief", "P1"),
    Equation("obsession", "O = V (1 - psi X)", "core.LoopModel.clarity", "P15, P18"),
    Equation("aversiveness", "lam = min(zeta F, 1), smooth", "core.LoopModel.aversiveness", "P37"),
    Equation("distress", "D = 1 - (1 - O i)(1 - lam) in session, O otherwise", "core.LoopModel.distress", "P1"),
    Equation("neutralising", "n = s(logit n0 + g (Q - Q0)/rho), Q0 = rho V0", "core.LoopModel.neutralising", "P2"),
    Equation("loop gain", "g = min(6, 0.9 g*)", "core.LoopModel.loop_gain", "P2"),
    Equation("gain limit", "g* = 1/(1 - V0) + delta/(xi eta0 N V0 (1 - n0))", "core.gain_limit", "P2"),
    Equation(
        "reach", "ne = n (m (1 - r) + (1 - m)(1 - psi X)); r = 0 out of session", "core.LoopModel.reach", "P4, P17"
    ),
    Equation("habit", "dQ/dt = (ne/n0)(rho O - Q)/tauQ", "core.LoopModel.habit", "P2"),
    Equation(
        "learning rate", "eta = eta0 exp(kappa_a E + kappa_p P)", "core.LoopModel.learning_rate", "P19, P20, P38"
    ),
    Equation(
        "extinction", "dL/dt = (1 - ne) eta i (V - lam) in session", "core.LoopModel.extinction", "P21-P24, P37"
    ),
    Equation(
        "retention",
        "S <- S + s(logit xi + kappa_c Ebar + kappa_p P) L; L <- 0",
        "core.LoopModel.retention",
        "P20, P38",
    ),
    Equation(
        "between sessions",
        "dS/dt = xi (1 - ne) eta N O - phi ne O (1 - V) - delta S",
        "core.LoopModel.drift",
        "P2, P22",
    ),
    Equation("chronicity", "phi = xi eta0 N (1 - n0)/(n0 (1 - V0))", "core.chronicity", "P2"),
    Equation("dissolution", "dX/dt = k_on E (1 - X) - X/tauX", "core.LoopModel.dissolution", "P15"),
    Equation("plasticity window", "P = 1 - prod_k(1 - p_k)", "kerp.learning.plasticity.window", "P6, P38"),
    Equation(
        "loop number",
        "R = [phi ne O (1 - V) + delta S]/[xi (1 - ne) eta N O]",
        "core.LoopModel.loop_number",
        "P2, P24",
    ),
)

MODEL = LoopModel(
    Card(
        id="core",
        title="Core loop model, all couplings free (H-full)",
        idea=(
            "Obsession raises distress, neutralising relieves it and protects the fear from extinction. Exposure "
            "builds labile safety; only part is kept. The drug dissolves obsessions for days and may change learning "
            "(kappa_a), keeping (kappa_c) and later plasticity (kappa_p) in either direction."
        ),
        predicts=(
            "Concurrent beats sequential if kappa_a and kappa_c are positive, loses if kappa_c is negative; kappa_p "
            "favours exposure one to several days after the dose."
        ),
        equations=EQUATIONS,
        evidence="PAPER P1-P25, P37, P38; signs of the couplings are open (research section 0)",
        sources=("bottemanne2021",),
    )
)
