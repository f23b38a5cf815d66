"""A design in words, for the terminal and for reports: costs first, then what it is."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.trial.design import Arm, Design, Planning
from kerp.trial.power import half_width
from kerp.trial.sizing import Costs, SizeAnswer, design_residual_sd

_HUNDRED = 100.0
# the run whose truths stand in the planning table as computed
COMPUTED_BY = "kerp trial simulate timing-two-arm --model core --model opposite --seed 1 --replicates 2 --out DIR"


def first_screen(design: Design, planning: Planning, cost: Costs) -> list[str]:
    """What must be read before anything else: the interaction, and an effect as small as the mechanism's."""
    pilot = [precision_line(design, planning)] if design.size.by == "precision" else []
    return pilot + _cost_lines(planning, cost)


def _cost_lines(planning: Planning, cost: Costs) -> list[str]:
    own, sd = cost.per_residual_sd, design_residual_sd(planning)
    found = f"{own.n_total} patients find an effect of 1 residual SD ({sd:.1f} Y-BOCS points)"
    return [
        f"{found} with {_percent(own.target)} power.",
        _interaction_line(cost),
        _assumed_line(planning, cost),
        _computed_line(planning, cost),
        _beside_line(cost),
    ]


def _interaction_line(cost: Costs) -> str:
    times = f"{cost.interaction_times:g}"
    if cost.interaction_times > 1.01:
        head = (
            f"This contrast has {times} times the variance of a plain two-arm difference: {times} times the patients."
        )
        return f"{head} An interaction half the size of a main effect needs 16 times."
    head = "It is a plain difference. The paper's claim is an interaction, which costs four times as much:"
    tail = "and 16 times as much where the interaction is half the size."
    return f"{head} {cost.interaction_n_total} patients for 1 SD in a 2x2, {tail}"


def _assumed_line(planning: Planning, cost: Costs) -> str:
    sd = design_residual_sd(planning)
    low, high = planning.mechanism_effect_low.value, planning.mechanism_effect_high.value
    most, few, hopeful = (f"{answer.n_total:,}" for answer in cost.mechanism)
    correlation = planning.baseline_endpoint_correlation_high.value
    effect = f"{low:g} to {high:g} points ({low / sd:.2f} to {high / sd:.2f} SD), in either direction,"
    head = f"Assumed: concurrent and sequential differ by {effect} with one session of ten under the drug: {few} to"
    tail = f"{most} patients ({hopeful} at best, if baseline and outcome correlate {correlation:g})."
    return f"{head} {tail} That is one reference person with couplings set, not what their priors say."


def _computed_line(planning: Planning, cost: Costs) -> str:
    whole, helps, opposes = (
        f"{item.value:+.2f}"
        for item in (
            planning.mechanism_computed,
            planning.mechanism_computed_favours,
            planning.mechanism_computed_opposes,
        )
    )
    head = f"Computed over the whole prior of the core model: concurrent minus sequential {whole} points at day 14 of"
    signs = f"{helps} where both acute couplings help and {opposes} where both oppose"
    error = f"(Monte-Carlo SE {planning.mechanism_computed_se.value:g}; above 0 concurrent is worse)"
    cost_line = (
        f"An effect of {abs(planning.mechanism_computed.value):g} points costs {cost.computed.n_total:,} patients."
    )
    return f"{head} timing-two-arm, {signs} {error}. {cost_line} Again by: {COMPUTED_BY}"


def _beside_line(cost: Costs) -> str:
    parts = [
        f"{item.name} {item.per_residual_sd} and {item.mechanism_high:,} to {item.mechanism_low:,}"
        for item in cost.beside
    ]
    return "Design by design, for 1 residual SD and for the effect assumed above: " + "; ".join(parts) + "."


def size_lines(answer: SizeAnswer) -> list[str]:
    """One size answer in words."""
    effect = f"{answer.effect_sd:.4g} residual SD ({answer.effect_points:.1f} points)"
    error = f"power {_percent(answer.target)}, one-sided alpha {answer.alpha_one_sided:g}"
    closed = f"closed form without looks or clusters: {answer.n_fixed:,} (power {answer.power_at_n_fixed:.4f})"
    lines = [
        f"{answer.n_total:,} patients in total for {effect}, {error}",
        f"{answer.n_to_enrol:,} to enrol, so that as many are left after dropout",
        f"{closed}; {answer.convention}",
    ]
    if answer.inflation != 1:
        lines.append(f"interim looks multiply the size by {answer.inflation:.4f} (normal theory)")
    if answer.design_effect != 1:
        lines.append(f"therapists who treat in one arm only multiply it by {answer.design_effect:.2f}")
    return lines


def precision_line(design: Design, planning: Planning) -> str:
    """What the planned size tells about a two-arm difference, for a design sized by precision."""
    per_arm = design.size.n_total // len(design.arms)
    width = half_width(per_arm, design.size.confidence)
    points = width * design_residual_sd(planning)
    interval = f"+-{width:.2f} residual SD ({points:.1f} points)"
    return f"{design.size.n_total} patients tell the difference to {interval}: a pilot, not a test."


def design_lines(design: Design) -> Iterator[tuple[str, str]]:
    """The design as pairs of a name and a text."""
    yield "question", design.question
    yield "shows", design.shows
    yield "cannot show", design.cannot_show
    for arm in design.arms:
        yield f"arm {arm.id}", arm_text(arm)
    end = design.endpoint
    visits = ", ".join(f"{day:g}" for day in end.visit_days)
    yield "endpoint", f"Y-BOCS at day {end.day:g} by {_analysis(design)}; visits on days {visits}"
    for contrast in design.contrasts:
        weights = " ".join(f"{weight:+g} {arm}" for arm, weight in contrast.weights.items())
        yield "contrast, primary" if contrast.primary else "contrast", f"{contrast.title} ({weights})"
    yield "errors", f"alpha {design.errors.alpha:g}, {design.errors.sides}-sided, {design.errors.multiplicity}"
    yield "size", size_text(design)
    yield from _conduct(design)
    yield "estimand", f"{design.estimand.variable}; {design.estimand.summary}; {design.estimand.population}"
    for event in design.estimand.events:
        yield f"  {event.event}", event.strategy + (f" ({event.note})" if event.note else "")


def _conduct(design: Design) -> Iterator[tuple[str, str]]:
    rounds = ", ".join(str(count * sum(design.shares)) for count in design.allocation.block_rounds)
    strata = " and ".join(design.allocation.stratified_by) or "nothing"
    yield "allocation", f"permuted blocks of {rounds}, stratified by {strata}"
    yield "blinding", design.blinding
    if design.clustering:
        how = "each in every arm" if design.clustering.crossed else "each in one arm only"
        yield "therapists", f"{design.clustering.therapists}, {how}"
    if design.interim:
        looks = ", ".join(f"{fraction:.0%}" for fraction in design.interim.information)
        futility = "" if design.interim.futility == "none" else f", futility {design.interim.futility}"
        binding = " (binding)" if design.interim.binding else " (non-binding)" if futility else ""
        yield "interim", f"{design.interim.kind} at {looks} of the information{futility}{binding}"
    if design.reestimation:
        plan = design.reestimation
        yield (
            "re-estimation",
            f"blinded variance at {plan.at_fraction:.0%}, at most {plan.max_factor:g} times the size",
        )
    for rule in design.safety:
        yield "safety", f"stop an arm for '{rule.event}' when P(rate > {rule.rate:g}) > {rule.certainty:g}"
    for probe in design.probes:
        yield "probe", f"day {probe.day:g}, for the dose of day {probe.after_dose_day:g}, off drug"


def arm_text(arm: Arm) -> str:
    """Drug, dose days and exposure sessions of an arm."""
    drug = "no drug"
    if arm.drug != "none":
        amount = f" {arm.dose.value:g} {arm.dose.unit}" if arm.dose else ""
        drug = f"{arm.drug}{amount} on day {', '.join(f'{day:g}' for day in arm.dose_days)}"
    erp = "no ERP"
    if arm.erp_days:
        erp = f"{len(arm.erp_days)} ERP sessions of {arm.erp_min:g} min from day {arm.erp_days[0]:g} ({arm.timing})"
    return f"{arm.title}: {drug}; {erp}"


def size_text(design: Design) -> str:
    """How the planned size was found."""
    size = design.size
    if size.by == "precision":
        return (
            f"{size.n_total} patients, for a {size.confidence:.0%} interval of +-{size.half_width_sd:g} residual SD"
        )
    return f"{size.n_total} patients, for {size.effect_sd:g} residual SD with power {size.target_power:g}"


def _analysis(design: Design) -> str:
    if design.endpoint.analysis == "ancova":
        return "ANCOVA on baseline"
    return f"MMRM ({design.endpoint.covariance}, {design.endpoint.df})"


def _percent(share: float) -> str:
    return f"{share * _HUNDRED:g} %"


def world_name(scenario: str, model: str) -> str:
    """Name of a simulated world, with its model where that is not said already."""
    return scenario if scenario == model else f"{scenario} ({model})"
