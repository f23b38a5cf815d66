"""What a design costs: total sizes by closed form, and what an effect as small as the mechanism's would cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kerp.base.errors import Fault, KerpError
from kerp.trial.bounds import Bounds, Futility, bounds
from kerp.trial.design import Contrast, Design, Planning
from kerp.trial.power import (
    contrast_n_total,
    contrast_power,
    nested_design_effect,
    residual_sd,
    variance_factor,
)

CONVENTION = "t with N - groups - 1 degrees of freedom; effect in SDs left after adjusting for baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAnswer:
    """The size of a design for one effect.

    `n_fixed` is the closed form without looks or clusters; `n_total` counts them in; `n_to_enrol` allows for dropout.
    """

    design: str
    contrast: str
    effect_sd: float
    effect_points: float
    target: float
    alpha_one_sided: float
    groups: int
    n_fixed: int
    power_at_n_fixed: float
    inflation: float
    design_effect: float
    n_total: int
    n_to_enrol: int
    convention: str = CONVENTION


# one comparison of arms in each of the papers' designs (research: trials, section 3.5)
COMPARISONS: dict[str, tuple[float, ...]] = {
    "two arms": (1, -1),
    "2x2 interaction": (1, -1, -1, 1),
    "one pair of four arms": (1, -1, 0, 0),
    "one pair of five arms": (1, -1, 0, 0, 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Patients in all for one comparison: for 1 residual SD, and for the larger and smaller effect assumed for it."""

    name: str
    per_residual_sd: int
    mechanism_high: int
    mechanism_low: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What must be read first: the interaction, and an effect as small as the mechanism's.

    `interaction_times` is the size of the primary contrast relative to a plain difference of two equal arms;
    `mechanism` is the answer for the effect assumed for planning, smallest first, and last once more for the larger
    where baseline predicts the outcome well; `computed` for the size of what the core model gives over its whole
    prior. `beside` are the four designs of fixed size, whatever this design is.
    """

    per_residual_sd: SizeAnswer
    interaction_times: float
    interaction_n_total: int
    mechanism: tuple[SizeAnswer, ...]
    computed: SizeAnswer
    beside: tuple[Beside, ...]


def alpha_one_sided(design: Design, contrast: Contrast) -> float:
    """One-sided alpha at which a contrast is first tested."""
    alpha = design.errors.alpha / design.errors.sides
    shared = design.errors.multiplicity in {"bonferroni", "holm"}
    if contrast.id not in {item.id for item in design.contrasts}:
        raise KerpError(Fault("the design has no such contrast", found=contrast.id))
    return alpha / len(design.contrasts) if shared else alpha


def design_bounds(design: Design, target: float | None = None) -> Bounds | None:
    """Bounds of a group-sequential design on its primary contrast; None for a design of fixed size."""
    plan = design.interim
    if plan is None:
        return None
    futility = None
    if plan.futility != "none":
        futility = Futility(kind=plan.futility, gamma=plan.futility_gamma, binding=plan.binding)
    power = target or design.size.target_power or 0.8
    alpha = alpha_one_sided(design, design.primary)
    return bounds(plan.kind, plan.information, alpha, power, plan.gamma, futility)


def design_residual_sd(planning: Planning) -> float:
    """Residual SD in points after baseline adjustment."""
    return residual_sd(planning.endpoint_sd.value, planning.baseline_endpoint_correlation.value)


def size_for(design: Design, planning: Planning, effect_sd: float, target: float) -> SizeAnswer:
    """Size at which the primary contrast has the power for an effect of `effect_sd` residual SDs."""
    alpha = alpha_one_sided(design, design.primary)
    weights, shares = design.weights(design.primary), design.shares
    n_fixed = contrast_n_total(effect_sd, target, weights, shares, alpha)
    looks = design_bounds(design, target)
    inflation = looks.inflation if looks else 1.0
    effect_of_clusters = _design_effect(design, planning, n_fixed)
    n_total = _whole(n_fixed * inflation * effect_of_clusters, sum(shares))
    return SizeAnswer(
        design=design.id,
        contrast=design.primary.id,
        effect_sd=effect_sd,
        effect_points=effect_sd * design_residual_sd(planning),
        target=target,
        alpha_one_sided=alpha,
        groups=len(shares),
        n_fixed=n_fixed,
        power_at_n_fixed=contrast_power(n_fixed, effect_sd, weights, shares, alpha),
        inflation=inflation,
        design_effect=effect_of_clusters,
        n_total=n_total,
        n_to_enrol=_whole(n_total / (1.0 - planning.dropout.value), sum(shares)),
    )


def planned_power(design: Design, effect_sd: float, n_total: int | None = None) -> float:
    """Power of the primary contrast at the design's size, by the closed form (looks and clusters not counted)."""
    alpha = alpha_one_sided(design, design.primary)
    size = n_total or design.size.n_total
    return contrast_power(size, effect_sd, design.weights(design.primary), design.shares, alpha)


def costs(design: Design, planning: Planning, target: float = 0.8) -> Costs:
    """The first screen of a design."""
    own = size_for(design, planning, 1.0, target)
    sd = design_residual_sd(planning)
    hopeful = residual_sd(planning.endpoint_sd.value, planning.baseline_endpoint_correlation_high.value)
    low, high = planning.mechanism_effect_low.value, planning.mechanism_effect_high.value
    effects = (low / sd, high / sd, high / hopeful)
    beside = _beside(low / sd, high / sd, target, design.errors.alpha / design.errors.sides)
    return Costs(
        per_residual_sd=own,
        interaction_times=variance_factor(design.weights(design.primary), design.shares) / 4.0,
        interaction_n_total=next(item.per_residual_sd for item in beside if "interaction" in item.name),
        mechanism=tuple(size_for(design, planning, effect, target) for effect in effects),
        computed=size_for(design, planning, abs(planning.mechanism_computed.value) / sd, target),
        beside=beside,
    )


def _beside(low_sd: float, high_sd: float, target: float, alpha: float) -> tuple[Beside, ...]:
    """The closed form of every comparison, with equal arms and without looks or clusters."""

    def n_total(effect_sd: float, weights: tuple[float, ...]) -> int:
        return contrast_n_total(effect_sd, target, weights, (1,) * len(weights), alpha)

    return tuple(
        Beside(
            name=name,
            per_residual_sd=n_total(1.0, weights),
            mechanism_high=n_total(high_sd, weights),
            mechanism_low=n_total(low_sd, weights),
        )
        for name, weights in COMPARISONS.items()
    )


def _design_effect(design: Design, planning: Planning, n: int) -> float:
    """Inflation by therapists who treat in one arm only; crossed therapists cost nothing in a contrast of arms."""
    if design.clustering is None or design.clustering.crossed:
        return 1.0
    return nested_design_effect(n / design.clustering.therapists, planning.therapist_icc.value)


def _whole(size: float, per_round: int) -> int:
    return math.ceil(size / per_round - 1e-9) * per_round
