"""Equal syringes: every arm of a blinded trial gets the same volume at the same rate, whatever is in it.

The arithmetic of the dose is that of `kerp.protocol.dose` (decimals, rounded down); here a dose becomes millilitres
of a vial and of diluent, and the arms are held against each other. docs/dose.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from kerp.base.errors import Fault, KerpError
from kerp.protocol.dose import DosePlan, DoseRequest, DoseWarning, down, plan_dose
from kerp.protocol.model import DoseRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """For the unblinded dispenser: how one syringe or bag is made, or which devices are handed out."""

    arm: str
    agent: str
    plan: DosePlan  # dose, volume, rate, duration, strength of the prepared syringe, warnings
    stock_mg_per_ml: Decimal | None = None  # of the vial
    drug_ml: Decimal | None = None  # out of the vial; None where no vial was named yet
    diluent_ml: Decimal | None = None

    @property
    def drawn_mg(self) -> Decimal | None:
        """What `drug_ml` of the vial holds: at most the dose, because volumes are rounded down."""
        if self.drug_ml is None or self.stock_mg_per_ml is None:
            return None
        return self.drug_ml * self.stock_mg_per_ml

    @property
    def concentration_mg_per_ml(self) -> Decimal | None:
        """Strength of the finished syringe, from what was really drawn."""
        if self.drawn_mg is None or not self.plan.volume_ml:
            return self.plan.concentration_mg_per_ml
        return down(self.drawn_mg / self.plan.volume_ml, None)

    @property
    def warnings(self) -> tuple[DoseWarning, ...]:
        """Everything to look at before the dose is made."""
        return self.plan.warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """For the blinded bedside: kit, volume, rate, duration. The same for every arm; weight changes none of them."""

    kit: str
    volume_ml: Decimal | None
    rate_ml_per_h: Decimal | None
    duration_min: Decimal


def recipes(doses: Mapping[str, DoseRule], request: DoseRequest) -> tuple[Recipe, ...]:
    """The dose of every arm for one participant: all of the same volume, rate and duration.

    Raises `KerpError` where a dose is refused in any arm (a refusal in one arm only would tell the arm), or where the
    arms would look different at the bedside.
    """
    made = tuple(Recipe(arm=arm, agent=str(rule.agent), plan=plan_dose(rule, request)) for arm, rule in doses.items())
    if len({label("", one) for one in made}) > 1:
        ways = ("give every arm the same volume, duration and pump step",)
        message = "the arms would be told apart by volume, rate or duration (M8)"
        raise KerpError(Fault(message, field="dose", ways_out=ways))
    return made


def drawn(recipe: Recipe, rule: DoseRule, stock_mg_per_ml: Decimal) -> Recipe:
    """The recipe with millilitres of a vial of this strength, rounded down to the protocol's volume step.

    Raises `KerpError` where the strength is no number above 0, or the dose does not fit the volume.
    """
    if recipe.plan.dose_mg == 0 and recipe.plan.volume_ml is not None:  # plain diluent
        return replace(recipe, stock_mg_per_ml=None, drug_ml=Decimal(0), diluent_ml=recipe.plan.volume_ml)
    if not stock_mg_per_ml.is_finite() or stock_mg_per_ml <= 0:
        ways = ("read it from the vial: milligrams in one millilitre",)
        fault = Fault(
            "a number above 0 is expected", field="stock_mg_per_ml", found=str(stock_mg_per_ml), ways_out=ways
        )
        raise KerpError(fault)
    total, dose = recipe.plan.volume_ml, recipe.plan.dose_mg
    if total is None or dose is None:
        raise KerpError(Fault("this dose is not drawn from a vial", field="stock_mg_per_ml"))
    drug_ml = down(dose / stock_mg_per_ml, rule.volume_step_ml)
    if faults := tuple(_faults(drug_ml, total, stock_mg_per_ml)):
        raise KerpError(*faults)
    return replace(recipe, stock_mg_per_ml=stock_mg_per_ml, drug_ml=drug_ml, diluent_ml=total - drug_ml)


def label(kit: str, recipe: Recipe) -> Label:
    """What the bedside sees of a recipe."""
    plan = recipe.plan
    return Label(kit=kit, volume_ml=plan.volume_ml, rate_ml_per_h=plan.rate_ml_per_h, duration_min=plan.duration_min)


def label_lines(label: Label, participant: str, route: str) -> Sequence[str]:
    """The text of the label, line by line: nothing on it differs between arms."""
    way = route.replace("_", " ")
    lines = [f"KIT {label.kit}" if label.kit else "STUDY DRUG", f"Participant {participant}"]
    if label.volume_ml is not None and label.rate_ml_per_h is not None:
        lines.append(f"{plain(label.volume_ml)} mL at {plain(label.rate_ml_per_h)} mL/h")
        lines.append(f"over {plain(label.duration_min)} min, {way}")
    lines.append("Study drug. For this participant only. Discard what is left.")
    return lines


def plain(value: Decimal) -> str:
    """A number as people write it: no exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _faults(drug_ml: Decimal, total_ml: Decimal, stock: Decimal) -> Iterator[Fault]:
    found = f"{plain(drug_ml)} mL of {plain(stock)} mg/mL"
    if drug_ml > total_ml:
        ways = ("use a stronger vial", "raise the volume of every arm in the protocol")
        allowed = f"up to {plain(total_ml)} mL"
        message = "the dose does not fit the volume that every arm gets"
        yield Fault(message, field="stock_mg_per_ml", found=found, allowed=allowed, ways_out=ways)
    if drug_ml <= 0:
        way = ("use a weaker vial, or dilute it first",)
        yield Fault("this vial is too strong to measure the dose", field="stock_mg_per_ml", found=found, ways_out=way)
