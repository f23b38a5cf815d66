"""What a design may not say (faults) and what its owner should know before signing it (warnings)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kerp.base.elapsed import clock, ms_from_min
from kerp.base.errors import KerpError
from kerp.base.tomlfile import KeyPath
from kerp.drug.route import allowed_doses, dose_fault, load_route
from kerp.learning.scales import constant
from kerp.trial.bounds import request_faults
from kerp.trial.design import MODELLED, ROUTE_OF, Arm, Design
from kerp.trial.response import criterion


def rating_window_days() -> float:
    """The week a Y-BOCS asks about: no dose may lie in it (DESIGN decision 5, M1)."""
    return constant("ybocs", "window")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A fault of a design, before it has a file and a line."""

    path: KeyPath
    message: str
    found: str = ""
    allowed: str = ""
    ways_out: tuple[str, ...] = ()


def contradictions(design: Design) -> tuple[Contradiction, ...]:
    """Every contradiction of a design, in the order of the file's sections."""
    return tuple(item for rule in _RULES for item in rule(design))


def warnings(design: Design) -> tuple[Contradiction, ...]:
    """What does not stop a design but must be read: crossover, clustering, strata, blinding, contact time."""
    return tuple(item for rule in _WARNINGS for item in rule(design))


def _arms(design: Design) -> Iterator[Contradiction]:
    if len(design.arms) < 2:
        yield Contradiction(("arms",), "a trial compares at least two arms", str(len(design.arms)), "2 or more")
    for name, count in Counter(arm.id for arm in design.arms).items():
        if count > 1:
            yield Contradiction(("arms",), f"the arm {name!r} stands there {count} times")
    for index, arm in enumerate(design.arms):
        yield from _arm(index, arm)


def _arm(index: int, arm: Arm) -> Iterator[Contradiction]:
    if arm.share < 1:
        yield Contradiction(("arms", index, "share"), "a share is a whole number above 0", str(arm.share))
    if (arm.timing == "none") != (not arm.erp_days):
        way = ('give erp_days, or timing = "none"',)
        yield Contradiction(("arms", index, "timing"), "timing and erp_days do not agree", arm.timing, ways_out=way)
    if arm.erp_days and arm.erp_min <= 0:
        yield Contradiction(
            ("arms", index, "erp_min"), "exposure sessions need a length in minutes", str(arm.erp_min)
        )
    if (arm.drug == "none") != (not arm.dose_days):
        way = ('give dose_days, or drug = "none"',)
        yield Contradiction(("arms", index, "drug"), "drug and dose_days do not agree", arm.drug, ways_out=way)
    yield from _dose(index, arm)
    together = sorted(set(arm.erp_days) & set(arm.dose_days))
    if arm.timing == "during" and not together:
        way = ("start one exposure session on a dose day",)
        yield Contradiction(("arms", index, "erp_days"), "no exposure happens during a dose", ways_out=way)
    if arm.timing in {"after", "delayed"} and together:
        found = ", ".join(f"{day:g}" for day in together)
        yield Contradiction(("arms", index, "erp_days"), "exposure starts during a dose of an arm that waits", found)


def _dose(index: int, arm: Arm) -> Iterator[Contradiction]:
    """A dose that the arm's route can deliver, in its unit: a dose left out would be simulated as none."""
    if arm.drug not in MODELLED:
        return
    route, path = load_route(ROUTE_OF[arm.drug]), ("arms", index, "dose")
    if arm.dose is None:
        yield Contradiction(path, f"{arm.drug} is given without a dose", "none", allowed_doses(route))
    elif arm.dose.unit != route.dose_unit:
        message = f"{arm.drug} is dosed in another unit"
        yield Contradiction((*path, "unit"), message, arm.dose.unit, route.dose_unit)
    elif fault := dose_fault(route, arm.dose.value):
        yield Contradiction((*path, "value"), fault.message, fault.found, fault.allowed, fault.ways_out)


def _endpoint(design: Design) -> Iterator[Contradiction]:
    days = design.endpoint.visit_days
    if list(days) != sorted(set(days)) or not days or days[0] <= 0:
        found = ", ".join(f"{day:g}" for day in days)
        yield Contradiction(("endpoint", "visit_days"), "visit days increase and come after day 0", found)
    if design.endpoint.day not in days:
        allowed = ", ".join(f"{day:g}" for day in days)
        yield Contradiction(
            ("endpoint", "day"), "the endpoint is none of the visits", f"{design.endpoint.day:g}", allowed
        )
    if design.endpoint.analysis == "mmrm" and len(days) < 2:
        way = ('analysis = "ancova" is the same with one visit',)
        yield Contradiction(("endpoint", "analysis"), "repeated measures need two visits", ways_out=way)
    for index, name in enumerate(design.endpoint.response_rules):
        try:
            criterion(name)
        except KerpError as error:
            fault = error.faults[0]
            path: KeyPath = ("endpoint", "response_rules", index)
            yield Contradiction(path, fault.message, fault.found, fault.allowed, fault.ways_out)
    last_dose = max((day for arm in design.arms for day in arm.dose_days), default=-math.inf)
    if design.endpoint.day - last_dose < rating_window_days():
        message = f"the Y-BOCS of the endpoint would rate a week that holds a dose (day {last_dose:g})"
        way = (f"move the endpoint to day {last_dose + rating_window_days():g} or later",)
        yield Contradiction(("endpoint", "day"), message, f"{design.endpoint.day:g}", ways_out=way)


def _contrasts(design: Design) -> Iterator[Contradiction]:
    primaries = sum(contrast.primary for contrast in design.contrasts)
    if primaries != 1:
        way = ("set primary = true on the contrast the size is planned for",)
        yield Contradiction(("contrasts",), "exactly one contrast is primary", str(primaries), "1", way)
    known = [arm.id for arm in design.arms]
    for index, contrast in enumerate(design.contrasts):
        path: KeyPath = ("contrasts", index, "weights")
        if unknown := sorted(set(contrast.weights) - set(known)):
            yield Contradiction(path, "weights name arms that do not exist", ", ".join(unknown), ", ".join(known))
        if abs(math.fsum(contrast.weights.values())) > 1e-9 or not any(contrast.weights.values()):
            found = ", ".join(f"{arm} {weight:g}" for arm, weight in contrast.weights.items())
            yield Contradiction(path, "the weights of a comparison sum to zero and are not all zero", found)
    if len(design.contrasts) > 1 and design.errors.multiplicity == "single":
        allowed = "fixed-sequence, bonferroni, holm"
        message = "several contrasts are tested but nothing shares alpha between them"
        yield Contradiction(("errors", "multiplicity"), message, "single", allowed)


def _errors(design: Design) -> Iterator[Contradiction]:
    if not 0 < design.errors.alpha < 0.5:
        yield Contradiction(("errors", "alpha"), "alpha is out of range", f"{design.errors.alpha:g}", "0 to 0.5")
    size, per_round = design.size, sum(design.shares)
    if size.n_total < 2 * per_round or size.n_total % per_round:
        message = "the size is not a whole number of allocation rounds"
        yield Contradiction(
            ("size", "n_total"), message, str(size.n_total), f"a multiple of {per_round}, at least twice"
        )
    if size.by == "power" and (size.target_power is None or size.effect_sd is None):
        way = ("add target_power and effect_sd",)
        yield Contradiction(("size",), "a size by power needs the power and the effect", ways_out=way)
    if size.by == "precision" and size.half_width_sd is None:
        yield Contradiction(("size",), "a size by precision needs half_width_sd", ways_out=("add half_width_sd",))
    if size.target_power is not None and not design.errors.alpha < size.target_power < 1:
        yield Contradiction(
            ("size", "target_power"), "the power is out of range", f"{size.target_power:g}", "alpha to 1"
        )


def _interim(design: Design) -> Iterator[Contradiction]:
    if design.interim is None:
        return
    plan = design.interim
    power = design.size.target_power or 0.8
    for fault in request_faults(
        plan.kind, plan.information, design.errors.alpha / design.errors.sides, power, plan.gamma
    ):
        yield Contradiction(("interim", fault.field), fault.message, fault.found, fault.allowed, fault.ways_out)
    if plan.futility == "hsd" and plan.futility_gamma is None:
        yield Contradiction(("interim", "futility_gamma"), "the futility spending needs its gamma")
    if plan.binding and plan.futility == "none":
        yield Contradiction(("interim", "binding"), "there is no futility bound to be binding")


def _reestimation(design: Design) -> Iterator[Contradiction]:
    plan = design.reestimation
    if plan is None:
        return
    if not 0.2 <= plan.at_fraction < 1:
        yield Contradiction(
            ("reestimation", "at_fraction"), "looked at too early or too late", f"{plan.at_fraction:g}", "0.2 to 1"
        )
    if not 1 < plan.max_factor <= 4:
        yield Contradiction(
            ("reestimation", "max_factor"), "the largest size is out of range", f"{plan.max_factor:g}", "1 to 4"
        )
    if design.interim is not None:
        way = ("keep one of the two",)
        yield Contradiction(("reestimation",), "re-estimation and interim looks are not combined yet", ways_out=way)
    if design.size.by != "power":
        yield Contradiction(("reestimation",), "only a size by power can be re-estimated")


def _allocation(design: Design) -> Iterator[Contradiction]:
    plan = design.allocation
    if not plan.block_rounds or min(plan.block_rounds) < 1:
        found = ", ".join(map(str, plan.block_rounds))
        yield Contradiction(
            ("allocation", "block_rounds"), "block sizes are whole numbers of rounds", found, "1 or more"
        )
    known = [stratum.name for stratum in design.strata]
    if unknown := sorted(set(plan.stratified_by) - set(known)):
        path: KeyPath = ("allocation", "stratified_by")
        yield Contradiction(
            path, "stratified by factors that are not described", ", ".join(unknown), ", ".join(known)
        )
    for index, stratum in enumerate(design.strata):
        if len(set(stratum.levels)) < 2 or len(set(stratum.levels)) != len(stratum.levels):
            found = ", ".join(stratum.levels)
            yield Contradiction(("strata", index, "levels"), "a factor has at least two different levels", found)
    if design.clustering is not None and design.clustering.therapists < 1:
        yield Contradiction(
            ("clustering", "therapists"), "at least one therapist treats", str(design.clustering.therapists)
        )


def _safety(design: Design) -> Iterator[Contradiction]:
    for index, rule in enumerate(design.safety):
        for name, value in (("rate", rule.rate), ("certainty", rule.certainty)):
            if not 0 < value < 1:
                yield Contradiction(("safety", index, name), f"a {name} lies between 0 and 1", f"{value:g}", "0 to 1")
        if rule.from_people < 1 or rule.every_people < 1:
            yield Contradiction(("safety", index), "a rule is looked at after at least one participant")


def _crossover(design: Design) -> Iterator[Contradiction]:
    if design.layout != "crossover" or design.crossover_override is not None:
        return
    message = "no crossover: carry-over of ketamine beyond a week is published, and ERP is meant to last (M17)"
    override = "or, on your own responsibility, [crossover_override] with decided_by, reason and washout_days"
    always = "the first-period analysis is then always reported, the two-stage test never"
    ways = ('layout = "parallel" with the same arms', f"{override}; {always}")
    yield Contradiction(("layout",), message, "crossover", "parallel, factorial", ways)


def _warn_crossover(design: Design) -> Iterator[Contradiction]:
    if design.layout != "crossover":
        return
    message = "crossover: a carry-over L biases the estimate by -L/2, and no test for it is reliable"
    way = ("sizes and simulations of kerp are those of the first period, as parallel groups",)
    yield Contradiction(("layout",), message, ways_out=way)
    if any(arm.erp_days for arm in design.arms):
        message = "crossover with ERP: what was learned cannot be washed out; only the first period can be read"
        yield Contradiction(("layout",), message)


def _warn_contact(design: Design) -> Iterator[Contradiction]:
    compared = {arm for contrast in design.contrasts if contrast.primary for arm, w in contrast.weights.items() if w}
    contact = {arm.id: contact_min(arm) for arm in design.arms if arm.id in compared}
    if len(set(contact.values())) > 1:
        found = ", ".join(f"{arm} {clock(ms_from_min(minutes))} h" for arm, minutes in contact.items())
        message = "the arms of the primary contrast differ in contact time: the contrast mixes it with timing"
        way = ("give other_contact_min to the arms that have less",)
        yield Contradiction(("arms",), message, found, "equal contact", way)


def contact_min(arm: Arm) -> float:
    """Minutes of contact with a therapist that an arm plans."""
    return len(arm.erp_days) * arm.erp_min + arm.other_contact_min


def _warn_strata(design: Design) -> Iterator[Contradiction]:
    cells = math.prod(
        len(stratum.levels) for stratum in design.strata if stratum.name in design.allocation.stratified_by
    )
    block = max(design.allocation.block_rounds) * sum(design.shares)
    if cells > 1 and design.size.n_total < 2 * cells * block:
        message = "more strata than the size can fill: most blocks stay open and balance is lost"
        found = f"{cells} strata, blocks of {block}, {design.size.n_total} participants"
        yield Contradiction(("allocation", "stratified_by"), message, found, ways_out=("stratify by fewer factors",))


def _warn_clustering(design: Design) -> Iterator[Contradiction]:
    if design.clustering is not None and not design.clustering.crossed:
        message = "each therapist treats in one arm only: a good therapist cannot be told from a good treatment"
        way = ("let every therapist treat in every arm, or plan with the inflated size shown by `kerp trial power`",)
        yield Contradiction(("clustering", "crossed"), message, ways_out=way)


def _warn_blinding(design: Design) -> Iterator[Contradiction]:
    drugs = {arm.drug for arm in design.arms}
    if len(drugs) > 1 and drugs & {"ketamine", "esketamine"}:
        message = "participants feel which drug they had: belief is part of what the drug contrasts show"
        way = ("record guesses and expectancy, read the Bang index, and look at the timing contrast inside ketamine",)
        yield Contradiction(("blinding",), message, ", ".join(sorted(drugs)), ways_out=way)


_Rule = Callable[[Design], Iterator[Contradiction]]
_RULES: tuple[_Rule, ...] = (
    _arms, _endpoint, _contrasts, _errors, _interim, _reestimation, _allocation, _safety, _crossover,
)  # fmt: skip
_WARNINGS: tuple[_Rule, ...] = (_warn_crossover, _warn_contact, _warn_strata, _warn_clustering, _warn_blinding)
