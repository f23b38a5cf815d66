"""What every learning model is: `init`, `step`, `observe` (with its cheap part `severity`), and a card of claims.

Arrays are shaped `(patients,)` or scalar. The array namespace `xp` (NumPy or `jax.numpy`) is an argument, so one
source of the equations serves simulation, gradients and compiled sweeps. Time is in days, rates per minute are
converted once (`MIN_PER_DAY`). Steps are exact for frozen neighbours (exponential integrators), second order overall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

Array = Any  # numpy.ndarray or jax.Array; scalars broadcast


class Phase(IntEnum):
    """What a span of time is to the learner."""

    BETWEEN = 0  # ordinary life
    SESSION = 1  # an exposure session: intensity may be zero between blocks
    SESSION_END = 2  # the instant a session closes; takes no time; comes between SESSION and BETWEEN


class Inputs(NamedTuple):
    """What reaches the learner during one step (means over the step).

    `E` learning effect of the drug, `F` felt effect, `P` plasticity window, all in [0, 1]; `i` exposure intensity in
    [0, 1]; `r` response-prevention adherence in [0, 1]; `mct` factor on the odds of keeping safety (PAPER P33).
    """

    E: Array = 0.0
    F: Array = 0.0
    P: Array = 0.0
    i: Array = 0.0
    r: Array = 0.0
    mct: Array = 1.0


class Signals(NamedTuple):
    """What a state shows. All in [0, 1] except `eta` (1/min) and `R` (loop number, 1 at an untreated rest)."""

    V: Array  # threat belief
    O: Array  # noqa: E741  obsession, the symbol of MODEL.md
    D: Array  # distress
    n: Array  # probability of neutralising
    ne: Array  # effective neutralising
    C: Array  # compulsions: overt share and half of the covert, on the scale of O
    lam: Array  # dissociative aversiveness
    eta: Array  # learning rate per minute of full exposure
    R: Array  # loss over gain of safety between sessions


@dataclass(frozen=True, slots=True)
class Equation:
    """One line of a model: what it is called, how it reads, which function computes it, which claim it serves."""

    name: str
    formula: str
    code: str  # a function, from the `kerp.learning.models` folder or, starting with `kerp.`, from anywhere
    claims: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What a model says of itself (`kerp model show`)."""

    id: str
    title: str
    idea: str
    predicts: str
    equations: tuple[Equation, ...]
    differs: str = ""  # the line that differs from the core model
    evidence: str = ""
    sources: tuple[str, ...] = ()  # reference ids of that evidence
    fixed: Mapping[str, float] = field(default_factory=dict)  # parameters this model holds at a value
    signs: Mapping[str, int] = field(default_factory=dict)  # parameters it keeps at or above (+1), at or below (-1) 0


@runtime_checkable
class LearningModel(Protocol):
    """The contract. A state is a NamedTuple of arrays, so that JAX can carry it."""

    parameter_type: type[Any]  # a frozen dataclass whose fields are the parameters and constants the model reads

    @property
    def card(self) -> Card: ...

    def parameters(self, xp: Any, values: Mapping[str, Array]) -> Any:
        """Bind named values (natural scale) and derive what stays constant, for example the chronicity `phi`."""

    def init(self, xp: Any, p: Any) -> Any:
        """The untreated patient, at rest."""

    def step(self, xp: Any, state: Any, p: Any, u: Inputs, phase: Phase, days: Array) -> Any:
        """The state after `days` of constant inputs, or after the instant `Phase.SESSION_END`."""

    def severity(self, xp: Any, state: Any, p: Any) -> tuple[Array, Array]:
        """`O` and `C` only: what the Y-BOCS averages over its window, called at every step."""

    def observe(self, xp: Any, state: Any, p: Any, u: Inputs, phase: Phase) -> Signals:
        """What the state shows under these inputs."""
