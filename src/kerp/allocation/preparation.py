"""Equal syringes: every arm of a blinded trial gets the same volume at the same rate, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from kerp.base.errors import Fault, KerpError

GRAIN_ML = Decimal("0.01")
MIN_PER_H = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What an arm's syringe holds: dose per kg and stock concentration; both zero for a plain diluent."""

    arm: str
    agent: str
    dose_mg_per_kg: Decimal
    stock_mg_per_ml: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """For the unblinded dispenser: how one syringe is made."""

    arm: str
    agent: str
    dose_mg: Decimal
    drug_ml: Decimal
    diluent_ml: Decimal
    total_ml: Decimal
    rate_ml_per_h: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """For the blinded bedside: kit, volume, rate. The same for every arm; weight changes neither."""

    kit: str
    total_ml: Decimal
    rate_ml_per_h: Decimal


def recipes(
    contents: Sequence[Contents], weight_kg: Decimal, total_ml: Decimal, duration_min: Decimal
) -> tuple[Recipe, ...]:
    """A recipe for every arm, all of the same volume and rate.

    Drug volumes are rounded to 0.01 mL. Raises `KerpError` where a dose does not fit the volume, in any arm: an arm
    that needed another volume would show.
    """
    if faults := tuple(_faults(contents, weight_kg, total_ml, duration_min)):
        raise KerpError(*faults)
    return tuple(_recipe(item, weight_kg, total_ml, duration_min) for item in contents)


def label(kit: str, recipe: Recipe) -> Label:
    """What the bedside sees of a recipe."""
    return Label(kit=kit, total_ml=recipe.total_ml, rate_ml_per_h=recipe.rate_ml_per_h)


def _recipe(item: Contents, weight_kg: Decimal, total_ml: Decimal, duration_min: Decimal) -> Recipe:
    drug_ml = _drug_ml(item, weight_kg)
    return Recipe(
        arm=item.arm,
        agent=item.agent,
        dose_mg=(drug_ml * item.stock_mg_per_ml).normalize(),
        drug_ml=drug_ml,
        diluent_ml=total_ml - drug_ml,
        total_ml=total_ml,
        rate_ml_per_h=(total_ml * MIN_PER_H / duration_min).quantize(GRAIN_ML, ROUND_HALF_UP),
    )


def _drug_ml(item: Contents, weight_kg: Decimal) -> Decimal:
    if not item.dose_mg_per_kg:
        return Decimal("0.00")
    return (item.dose_mg_per_kg * weight_kg / item.stock_mg_per_ml).quantize(GRAIN_ML, ROUND_HALF_UP)


def _faults(
    contents: Sequence[Contents], weight_kg: Decimal, total_ml: Decimal, duration_min: Decimal
) -> Iterator[Fault]:
    for name, value in (("weight_kg", weight_kg), ("total_ml", total_ml), ("duration_min", duration_min)):
        if not value.is_finite() or value <= 0:
            yield Fault("this must be a number above 0", field=name, found=str(value))
            return
    if total_ml != total_ml.quantize(GRAIN_ML):
        yield Fault("the total volume is finer than 0.01 mL", field="total_ml", found=str(total_ml))
    for item in contents:
        if item.dose_mg_per_kg < 0 or (item.dose_mg_per_kg > 0 and item.stock_mg_per_ml <= 0):
            yield Fault("a dose needs a stock concentration above 0", field="contents", found=item.agent)
        elif _drug_ml(item, weight_kg) > total_ml:
            ways = ("raise the total volume of every arm", "use a stronger stock")
            found = f"{_drug_ml(item, weight_kg)} mL of {item.agent} for {weight_kg} kg"
            message = "a dose does not fit the common volume"
            yield Fault(message, field="contents", found=found, allowed=f"up to {total_ml} mL", ways_out=ways)
