"""Before any data: how much a design would teach about each parameter.

First-order expected information with priors. Each person's data are normal around the model's expectation at the
reference person, with covariance `J_b Omega J_b' + R`: differences between people (`group_sd`) and rating error.
The posterior covariance of the population parameters is `(prior precision + sum over people of J' Sigma^-1 J)^-1`.
Sensitivities are complex-step derivatives, exact to rounding. First order is optimistic: constants count as known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kerp.fit.measure import Arm, Design, Measure, expected
from kerp.learning.contract import LearningModel
from kerp.learning.priors import fitting, free_names, priors
from kerp.learning.scales import constant
from kerp.patient.draw import reference_person
from kerp.patient.record import Column
from kerp.patient.values import values_of
from kerp.protocol.schedule import load_schedule

_STEP = 1e-30  # of the complex step: no cancellation, so as small as one likes
_VARIES = ("V0", "n0", "eta0", "xi", "delta", "psi", "tauX")  # between people; the rest is the same for all


@dataclass(frozen=True, slots=True)
class Learned:
    """One parameter on its free scale (logit, log or identity): SD before and after the data."""

    id: str
    prior_sd: float
    posterior_sd: float

    @property
    def contraction(self) -> float:
        return 1.0 - (self.posterior_sd / self.prior_sd) ** 2


@dataclass(frozen=True, slots=True)
class Identified:
    """A design's expected information. `contrast_*`: SD of concurrent minus sequential, Y-BOCS points at day 14."""

    design: Design
    model: str
    learned: tuple[Learned, ...]
    correlation: Column
    contrast_prior_sd: float
    contrast_posterior_sd: float
    data_per_person: dict[str, int]


def identify(design: Design, model: LearningModel, fixed: Mapping[str, float] | None = None) -> Identified:
    """Expected information of a design at the reference person (or at `fixed` values)."""
    held = fitting(model, fixed or {})
    names = tuple(name for name in free_names(model) if name not in held)
    prior_sd = np.array([priors()[name].spread() for name in names])
    information = np.diag(1.0 / prior_sd**2)
    counts: dict[str, int] = {}
    for arm in design.arms:
        jacobian, sd = sensitivity(design, arm, model, names, held)
        information = information + arm.people * person_information(jacobian, sd, names)
        counts[arm.schedule.id] = int(sd.size)
    covariance = np.linalg.inv(information)
    posterior_sd = np.sqrt(np.diag(covariance))
    learned = tuple(Learned(*row) for row in zip(names, prior_sd.tolist(), posterior_sd.tolist(), strict=True))
    gradient = contrast_gradient(design, model, names, held)
    return Identified(
        design=design,
        model=model.card.id,
        learned=learned,
        correlation=covariance / np.outer(posterior_sd, posterior_sd),
        contrast_prior_sd=float(np.sqrt(gradient**2 @ prior_sd**2)),
        contrast_posterior_sd=float(np.sqrt(gradient @ covariance @ gradient)),
        data_per_person=counts,
    )


def sensitivity(
    design: Design, arm: Arm, model: LearningModel, names: tuple[str, ...], held: Mapping[str, float]
) -> tuple[Column, Column]:
    """Derivatives of the expected data by the free parameters, (data, parameters), and the error SD of each datum."""
    shown = expected(design, arm, model, _stepped(model, names, held), held)
    return np.imag(shown.values) / _STEP, shown.sd


def person_information(jacobian: Column, sd: Column, names: tuple[str, ...]) -> Column:
    """Fisher information of one person's data about the population parameters."""
    varies = np.array([name in _VARIES for name in names])
    spread = constant("hierarchy", "group_sd")
    between = jacobian[:, varies] * spread
    covariance = between @ between.T + np.diag(sd**2)
    return np.asarray(jacobian.T @ np.linalg.solve(covariance, jacobian))


def contrast_gradient(
    design: Design, model: LearningModel, names: tuple[str, ...], held: Mapping[str, float]
) -> Column:
    """Derivatives of the week-rated Y-BOCS at day 14, concurrent minus sequential."""
    only = Design(design.id, design.title, (), (Measure("ybocs", 1.0),))
    rows = []
    for arm_id in ("concurrent", "sequential"):
        schedule = load_schedule(arm_id)
        jacobian, _ = sensitivity(only, Arm(schedule, 1), model, names, held)
        rows.append(jacobian[list(schedule.rating_days).index(14.0)])
    return np.asarray(rows[0] - rows[1])


def _stepped(model: LearningModel, names: tuple[str, ...], held: Mapping[str, float]) -> dict[str, Column]:
    """One column per parameter: everyone at the reference, each with one parameter moved along the imaginary axis."""
    centre = values_of(model, reference_person(held), held)
    book = priors()
    values: dict[str, Column] = {}
    for k, name in enumerate(names):
        value = float(np.asarray(centre[name]).ravel()[0])
        column = np.full(len(names), value, dtype=complex)
        column[k] += 1j * _STEP * float(book[name].slope(np.array(value)))
        values[name] = column
    return values
