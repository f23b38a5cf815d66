"""Operating characteristics from sums: every figure with its Monte-Carlo standard error (Morris and others 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from kerp.trial.design import Design, Planning
from kerp.trial.power import t_power, variance_factor
from kerp.trial.scenario import Scenario
from kerp.trial.sizing import alpha_one_sided, design_residual_sd
from kerp.trial.tally import Tally, number, row
from kerp.trial.truth import Truth


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and the Monte-Carlo standard error of it."""

    value: float
    mcse: float

    def within(self, stated: float, errors: float = 3.0) -> bool:
        """Whether a stated number lies within so many Monte-Carlo standard errors."""
        return abs(self.value - stated) <= errors * self.mcse


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastFigures:
    """One contrast. Differences in points, negative is better; power counts rejections for the positive weights.

    `null_*` are rejections under permuted labels; non-binding futility and safety stops are overruled there. Bias,
    coverage and spread are None where the effect differs between trials.
    """

    id: str
    truth: Figure
    power: Figure
    harm: Figure
    null_benefit: Figure
    null_harm: Figure
    bias: Figure | None
    coverage: Figure | None
    empirical_se: Figure | None
    model_se: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """One arm: people per trial, and shares of its people (`response` by definition).

    Mean score and mean change at the endpoint, points; None where nobody was seen there.
    """

    id: str
    people: Figure
    endpoint_mean: Figure | None
    change_mean: Figure | None
    with_endpoint: Figure
    infusion_stopped: Figure
    psychotic_reaction: Figure
    rescued: Figure
    believes_active: Figure
    response: dict[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """What a design would do in one world."""

    scenario: str
    model: str
    effect_points: float
    trials: int
    not_converged: Figure
    expected_size: Figure
    months_to_enrol: Figure
    screened: Figure
    stopped_at_look: tuple[Figure, ...]
    futility: Figure
    safety_stop: Figure
    contrasts: tuple[ContrastFigures, ...]
    arms: tuple[ArmFigures, ...]

    @property
    def primary(self) -> ContrastFigures:
        """The contrast the size is planned for."""
        return self.contrasts[0]


def proportion(count: float, of: float) -> Figure:
    """A share; its standard error never collapses to 0 where nothing, or everything, was counted."""
    if of <= 0:
        return Figure(0.0, 0.0)
    smoothed = (count + 0.5) / (of + 1.0)
    return Figure(count / of, math.sqrt(smoothed * (1.0 - smoothed) / of))


def mean(total: float, squares: float, of: float) -> Figure:
    """A mean over so many trials, from their sum and the sum of their squares."""
    value = total / of
    return Figure(value, math.sqrt(max(squares / of - value**2, 0.0) / of))


def operating(scenario: Scenario, tally: Tally, truth: Truth) -> Operating:
    """Figures of one world; contrasts with the primary one first."""
    design, trials = scenario.design, number(tally, "trials")
    order = sorted(range(len(design.contrasts)), key=lambda index: not design.contrasts[index].primary)

    def average(name: str) -> Figure:
        return mean(number(tally, name), number(tally, f"{name}2"), trials)

    return Operating(
        scenario=scenario.name,
        model=scenario.model,
        effect_points=scenario.effect_points,
        trials=int(trials),
        not_converged=proportion(trials - number(tally, "fitted"), trials),
        expected_size=average("size"),
        months_to_enrol=average("months"),
        screened=average("screened"),
        stopped_at_look=tuple(proportion(count, trials) for count in row(tally, "stopped_at")),
        futility=proportion(number(tally, "futile"), trials),
        safety_stop=proportion(number(tally, "halted"), trials),
        contrasts=tuple(_contrast(scenario, index, tally, truth) for index in order),
        arms=tuple(_arm(design, index, tally) for index in range(len(design.arms))),
    )


def _contrast(scenario: Scenario, index: int, tally: Tally, truth: Truth) -> ContrastFigures:
    trials, fitted = number(tally, "trials"), max(number(tally, "fitted"), 1.0)

    def share(name: str) -> Figure:
        return proportion(row(tally, name)[index], trials)

    bias = row(tally, "error")[index] / fitted
    variance = max(row(tally, "error2")[index] / fitted - bias**2, 0.0) * fitted / max(fitted - 1.0, 1.0)
    sd = math.sqrt(variance)
    fixed = scenario.effect_spread_points == 0
    return ContrastFigures(
        id=scenario.design.contrasts[index].id,
        truth=Figure(truth.contrasts[index], truth.se[index]),
        power=share("benefit"),
        harm=share("harm"),
        null_benefit=share("null_benefit"),
        null_harm=share("null_harm"),
        bias=Figure(bias, math.hypot(sd / math.sqrt(fitted), truth.se[index])) if fixed else None,
        coverage=proportion(row(tally, "covered")[index], fitted) if fixed else None,
        empirical_se=Figure(sd, sd / math.sqrt(2.0 * max(fitted - 1.0, 1.0))) if fixed else None,
        model_se=_model_se(row(tally, "se2")[index], row(tally, "se4")[index], fitted),
    )


def _model_se(squares: float, fourth_powers: float, fitted: float) -> Figure:
    """Root mean square of the model's standard errors; its own error by the delta method."""
    variance = mean(squares, fourth_powers, fitted)
    root = math.sqrt(variance.value)
    return Figure(root, variance.mcse / (2.0 * root) if root > 0.0 else 0.0)


def _arm(design: Design, index: int, tally: Tally) -> ArmFigures:
    people = row(tally, "people")[index]
    trials = number(tally, "trials")

    def share(name: str) -> Figure:
        return proportion(row(tally, name)[index], people)

    return ArmFigures(
        id=design.arms[index].id,
        people=mean(people, row(tally, "people2")[index], trials),
        endpoint_mean=_mean_of_people(tally, "endpoint", index),
        change_mean=_mean_of_people(tally, "change", index),
        with_endpoint=share("with_endpoint"),
        infusion_stopped=share("stopped"),
        psychotic_reaction=share("psychotic"),
        rescued=share("rescued"),
        believes_active=share("believes"),
        response={name: share(f"response {name}") for name in design.endpoint.response_rules},
    )


def _mean_of_people(tally: Tally, name: str, index: int) -> Figure | None:
    """Mean over the people of all trials, with the error of a ratio of sums over trials."""
    count = row(tally, "with_endpoint")[index]
    if count <= 0.0:
        return None
    sums, squares, cross, counts = (
        row(tally, f"{name}_{part}")[index] for part in ("sum", "sum2", "cross", "count2")
    )
    value = sums / count
    spread = max(squares - 2.0 * value * cross + value**2 * counts, 0.0)
    return Figure(value, math.sqrt(spread) / count)


def curve(design: Design, planning: Planning, points: tuple[float, ...]) -> list[dict[str, Any]]:
    """Closed-form power of the primary contrast, in favour of the positive weights, against the effect in points."""
    sd = design_residual_sd(planning)
    return [{"effect_points": point, "power": _signed_power(design, point / sd)} for point in points]


def _signed_power(design: Design, effect_sd: float) -> float:
    """Power for benefit; below alpha where the effect is harm. Looks, dropout and clusters are not counted."""
    n, shares = design.size.n_total, design.shares
    noncentrality = effect_sd * math.sqrt(n / variance_factor(design.weights(design.primary), shares))
    return t_power(noncentrality, n - len(shares) - 1, alpha_one_sided(design, design.primary))


def assurance(design: Design, planning: Planning, nodes: int = 201) -> float:
    """Chance that the trial shows benefit, averaged over the prior of the effect: power is not that chance."""
    quantiles = ndtri((np.arange(nodes) + 0.5) / nodes)
    effects = planning.assurance_mean.value + planning.assurance_sd.value * quantiles
    return float(np.mean([_signed_power(design, float(effect)) for effect in effects]))
