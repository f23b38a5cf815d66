"""Preparations: what one person made and another checked. The record holds no arm in the open; recipes are sealed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kerp.allocation.preparation import Label, Recipe, drawn, label, plain, recipes
from kerp.base.digest import canonical
from kerp.base.errors import Fault, KerpError
from kerp.protocol.dose import DoseRequest, kit_settings
from kerp.protocol.model import DoseRule
from kerp.web.vault import doses, sealing, store

PREPARED, CHECKED = "prepared", "checked"


@dataclass(frozen=True, slots=True)
class Order:
    """Whose dose, from which rule (that of the participant's own log), with which kit ("" in an open study)."""

    study_code: str
    subject: str
    kit: str
    rule: DoseRule


def recipe_for(order: Order, request: DoseRequest, stock_mg_per_ml: Decimal | None) -> Recipe:
    """How this kit is made. Every arm is computed: what is refused in one is refused in all (M8)."""
    if not order.kit:
        (made,) = recipes({"": order.rule}, request)
        return made
    rules = doses.dose_rules(order.study_code)
    arm = store.arm_for_dispenser(order.study_code, order.kit)
    made = next(one for one in recipes(rules, request) if one.arm == arm)
    if label("", made) != label("", Recipe(arm="", agent="", plan=kit_settings(order.rule))):
        ways = ("seal the doses again after an amendment: kerp web seal-doses",)
        message = "volume, rate or duration are not those of the protocol that this participant is under"
        raise KerpError(Fault(message, field="dose", ways_out=ways))
    if stock_mg_per_ml is None and made.plan.dose_mg:
        return made
    return drawn(made, rules[arm], stock_mg_per_ml or Decimal(0))


def label_of(order: Order, recipe: Recipe) -> Label:
    """The label of this kit."""
    return label(order.kit, recipe)


def prepare(order: Order, recipe: Recipe, request: DoseRequest, vial: dict[str, str], by: str) -> None:
    """Record that this person made it, from this vial."""
    if order.kit and recipe.drug_ml is None:
        raise KerpError(Fault("say the strength of the vial", field="stock_mg_per_ml"))
    written = canonical(written_down(recipe, request) | vial)
    record = {"subject": order.subject, "kit": order.kit, "sealed": sealing.sealed(written).decode()}
    store.note(order.study_code, PREPARED, record, by)


def check(study_code: str, seq: str, *, agrees: bool, by: str) -> None:
    """Record that a second person checked it, or found it wrong."""
    found = next((one for one in made_for(study_code) if one["seq"] == seq), None)
    if found is None or found["checks"]:
        raise KerpError(Fault("there is nothing to check: it was checked already, or made anew", field="seq"))
    if found["by"] == by:
        ways = ("another pharmacist signs in and checks it",)
        raise KerpError(Fault("whoever prepared it does not check it", field="by", found=by, ways_out=ways))
    verdict = "agrees" if agrees else "differs"
    store.note(study_code, CHECKED, {"prepared": seq, "subject": found["subject"], "verdict": verdict}, by)


def made_for(study_code: str, subject: str = "") -> list[dict[str, Any]]:
    """Preparations, newest first, each with what was `made` and its `checks`."""
    checks = store.notes(study_code, CHECKED)
    rows = [one for one in store.notes(study_code, PREPARED) if not subject or one["subject"] == subject]
    return [
        row
        | {"made": json.loads(sealing.opened(row["sealed"].encode(), "the preparation"))}
        | {"checks": [one for one in checks if one["prepared"] == row["seq"]]}
        for row in reversed(rows)
    ]


def written_down(recipe: Recipe, request: DoseRequest) -> dict[str, str]:
    """A recipe as it is kept: every number as it was shown."""
    plan = recipe.plan
    numbers = {
        "weight_kg": request.weight_kg,
        "dose_mg": plan.dose_mg,
        "stock_mg_per_ml": recipe.stock_mg_per_ml,
        "drug_ml": recipe.drug_ml,
        "drawn_mg": recipe.drawn_mg,
        "diluent_ml": recipe.diluent_ml,
        "volume_ml": plan.volume_ml,
        "concentration_mg_per_ml": recipe.concentration_mg_per_ml,
        "rate_ml_per_h": plan.rate_ml_per_h,
        "duration_min": plan.duration_min,
    }
    written = {name: plain(value) for name, value in numbers.items() if value is not None}
    devices = {"devices": str(len(plan.devices))} if plan.devices else {}
    return {"arm": recipe.arm, "agent": recipe.agent} | written | devices
