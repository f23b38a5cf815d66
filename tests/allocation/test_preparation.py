"""How the pharmacy makes one kit: the dose room's arithmetic, equal volumes and rates, refusals that tell nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.allocation.preparation import drawn, label, label_lines, recipes
from kerp.base.errors import KerpError
from kerp.evidence.sourced import Mark, Sourced
from kerp.protocol.dose import DoseRequest, exact, kit_settings, plan_dose
from kerp.protocol.load import load_protocol
from kerp.protocol.model import Agent

MIDAZOLAM = load_protocol("midazolam-erp").protocol.dose


def sourced(value, unit):
    return Sourced(value=value, unit=unit, source="kerp", mark=Mark.ASSUMED)


KETAMINE = replace(
    MIDAZOLAM, agent=Agent.KETAMINE, dose_mg_per_kg=sourced(0.5, "mg/kg"), max_dose_mg=sourced(60, "mg")
)
SALINE = replace(MIDAZOLAM, agent=Agent.SALINE, dose_mg_per_kg=sourced(0, "mg/kg"))
ARMS = {"k": KETAMINE, "m": MIDAZOLAM, "s": SALINE}
STOCK = {"k": Decimal(10), "m": Decimal(5), "s": Decimal(0)}


@settings(max_examples=60, deadline=None)
@given(weight=st.decimals(35, 119, places=1))
def test_volume_and_rate_tell_neither_arm_nor_weight(weight):
    made = recipes(ARMS, DoseRequest(weight_kg=weight))
    assert {label("X", one) for one in made} == {label("X", made[0])}
    assert label("X", made[0]).volume_ml == Decimal(50)
    assert label("X", made[0]).rate_ml_per_h == Decimal(75)
    for one in made:
        ready = drawn(one, ARMS[one.arm], STOCK[one.arm])
        assert ready.drug_ml + ready.diluent_ml == Decimal(50)
        assert (ready.drawn_mg or 0) <= one.plan.dose_mg <= exact(ARMS[one.arm].dose_mg_per_kg) * weight
        if STOCK[one.arm]:
            assert one.plan.dose_mg - ready.drawn_mg < exact(MIDAZOLAM.volume_step_ml) * STOCK[one.arm]


def test_seventy_kilograms_get_35_mg_as_3_5_ml_of_10_mg_per_ml_in_50_ml():
    ketamine = recipes(ARMS, DoseRequest(weight_kg=Decimal(70)))[0]
    ready = drawn(ketamine, KETAMINE, Decimal(10))
    assert (ready.plan.dose_mg, ready.drug_ml, ready.diluent_ml) == (Decimal(35), Decimal("3.5"), Decimal("46.5"))
    assert ready.concentration_mg_per_ml == Decimal("0.7")


def test_the_dose_is_that_of_the_dose_room_to_the_last_digit():
    request = DoseRequest(weight_kg=Decimal("83.7"))
    assert [one.plan for one in recipes(ARMS, request)] == [plan_dose(rule, request) for rule in ARMS.values()]


def test_the_blinded_bedside_computes_the_same_settings_without_the_dose():
    masked = replace(KETAMINE, agent=Agent.MASKED, dose_mg_per_kg=None)
    kit = kit_settings(masked)
    given = recipes(ARMS, DoseRequest(weight_kg=Decimal(70)))[0].plan
    assert (kit.volume_ml, kit.rate_ml_per_h, kit.duration_min) == (
        given.volume_ml,
        given.rate_ml_per_h,
        given.duration_min,
    )
    assert kit.dose_mg is None


def test_plain_diluent_needs_no_vial():
    saline = recipes({"s": SALINE}, DoseRequest(weight_kg=Decimal(70)))[0]
    ready = drawn(saline, SALINE, Decimal(0))
    assert (ready.drug_ml, ready.diluent_ml) == (Decimal(0), Decimal(50))


def test_a_weight_above_the_cap_of_one_arm_is_refused_for_every_arm():
    low = replace(KETAMINE, max_dose_mg=sourced(40, "mg"))
    with pytest.raises(KerpError, match="refused, not reduced"):
        recipes({"m": MIDAZOLAM, "k": low}, DoseRequest(weight_kg=Decimal(90)))


def test_arms_that_would_look_different_are_refused():
    other = replace(MIDAZOLAM, duration_min=sourced(50, "min"))
    with pytest.raises(KerpError, match="told apart"):
        recipes({"k": KETAMINE, "m": other}, DoseRequest(weight_kg=Decimal(70)))


@pytest.mark.parametrize("stock", ["0", "-1", "NaN", "Infinity", "0.5", "100000"])
def test_a_vial_that_cannot_make_this_dose_is_refused(stock):
    made = recipes(ARMS, DoseRequest(weight_kg=Decimal(70)))[0]
    with pytest.raises(KerpError) as caught:
        drawn(made, KETAMINE, Decimal(stock))
    assert caught.value.faults[0].field == "stock_mg_per_ml"


def test_a_stale_weight_is_said_on_the_recipe():
    request = DoseRequest(weight_kg=Decimal(70), weight_age_days=Decimal(9), previous_weight_kg=Decimal(76))
    codes = {warning.code for warning in recipes(ARMS, request)[0].warnings}
    assert codes == {"weight_stale", "weight_changed"}


def test_the_label_names_kit_volume_and_rate_and_nothing_of_the_arm():
    made = recipes(ARMS, DoseRequest(weight_kg=Decimal(70)))
    texts = {tuple(label_lines(label("K7QXM-2AD9H", one), "B1-001", "iv")) for one in made}
    assert len(texts) == 1
    assert texts.pop()[:3] == ("KIT K7QXM-2AD9H", "Participant B1-001", "50 mL at 75 mL/h")
