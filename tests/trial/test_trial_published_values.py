"""Every published or independently computed power, size and bound that the design room must reproduce."""

from __future__ import annotations

import csv
import math
import re

import pytest
from scipy.special import ndtri

from kerp.base.data import DATA
from kerp.trial.bounds import Bounds, Futility, bounds, efficacy, equal_information, mean_information
from kerp.trial.power import (
    contrast_n_total,
    contrast_power,
    residual_sd,
    t_drift,
    two_sample_n_per_arm,
    two_sample_power,
    variance_factor,
)
from kerp.trial.recursion import exits

WANTED = {*range(1, 54), *range(66, 88)}  # power, sizes and bounds; the rest belongs to the analysis room
TABLE = list(csv.DictReader((DATA / "evidence" / "stat_references.csv").open(encoding="utf-8")))
ROWS = [
    {"id": row["reference_value"], "design": row["setting"]} | row
    for row in TABLE
    if int(row["reference_value"][2:]) in WANTED
]
NO_FUTILITY = -math.inf
DESIGNS = {
    "two-arm difference": ((1, -1), (1, 1)),
    "2x2 interaction (diff-in-diff)": ((1, -1, -1, 1), (1, 1, 1, 1)),
    "4-arm one pair": ((1, -1, 0, 0), (1, 1, 1, 1)),
    "5-arm one pair": ((1, -1, 0, 0, 0), (1, 1, 1, 1, 1)),
}
KIND_OF = {
    "O'Brien-Fleming": "obf",
    "Pocock": "pocock",
    "Lan-DeMets OF": "ldof",
    "Lan-DeMets Pocock": "ldpocock",
    "Hwang-Shih-DeCani": "hsd",
}


def rows(*wanted: str) -> list[object]:
    return [pytest.param(row, id=row["id"]) for row in ROWS if row["id"] in wanted or not wanted]


def between(first: int, last: int) -> list[object]:
    return rows(*(f"SR{number:03d}" for number in range(first, last + 1)))


def close(row: dict[str, str], value: float) -> None:
    assert value == pytest.approx(float(row["expected"]), abs=float(row["tolerance"]))


@pytest.mark.parametrize("row", between(1, 5))
def test_two_sample_power_is_that_of_r(row: dict[str, str]) -> None:
    n = int(re.search(r"n=(\d+)/arm", row["quantity"]).group(1))
    close(row, two_sample_power(n, 0.5))


@pytest.mark.parametrize("row", between(6, 7))
def test_two_sample_size_is_that_of_r(row: dict[str, str]) -> None:
    target = int(re.search(r"(\d+) %", row["quantity"]).group(1)) / 100
    close(row, two_sample_n_per_arm(0.5, target))


@pytest.mark.parametrize("row", between(8, 10))
def test_one_sided_total_is_that_of_rpact(row: dict[str, str]) -> None:
    effect = float(re.search(r"d=([\d.]+)", row["quantity"]).group(1))
    close(row, 2 * two_sample_n_per_arm(effect, 0.8, alpha=0.025, sides=1))


@pytest.mark.parametrize("row", rows("SR011"))
def test_ancova_power_by_the_noncentral_t(row: dict[str, str]) -> None:
    close(row, contrast_power(100, 3.5 / residual_sd(6, 0.8**5), (1, -1), (1, 1), 0.025))


@pytest.mark.parametrize("row", rows("SR012"))
def test_adjusting_for_baseline_leaves_one_minus_rho_squared(row: dict[str, str]) -> None:
    assert row["expected"] == "1-rho^2"
    assert residual_sd(6, 0.6) ** 2 / 36 == pytest.approx(1 - 0.6**2, abs=1e-15)


@pytest.mark.parametrize("row", rows("SR013"))
def test_an_interaction_has_four_times_the_variance_of_a_main_effect(row: dict[str, str]) -> None:
    interaction = variance_factor((1, -1, -1, 1), (1, 1, 1, 1))
    main_effect = variance_factor((0.5, 0.5, -0.5, -0.5), (1, 1, 1, 1))
    assert interaction / main_effect == float(row["expected"])


@pytest.mark.parametrize("row", between(14, 29))
def test_total_sizes_of_the_papers_designs(row: dict[str, str]) -> None:
    weights, shares = DESIGNS[row["design"].split(", t with")[0]]
    effect = float(re.search(r"effect ([\d.]+)", row["quantity"]).group(1))
    assert contrast_n_total(effect, 0.8, weights, shares, 0.025) == int(row["expected"])


def design_of(row: dict[str, str]) -> Bounds:
    kind = next(kind for name, kind in KIND_OF.items() if row["design"].startswith(name))
    looks = int(re.search(r"K=(\d+)", row["design"]).group(1))
    return bounds(kind, equal_information(looks), 0.025, 0.9, -4 if kind == "hsd" else None)


@pytest.mark.parametrize("row", between(30, 78))
def test_group_sequential_designs_are_those_of_rpact(row: dict[str, str]) -> None:
    design = design_of(row)
    if row["quantity"].startswith("critical"):
        expected = [float(part) for part in row["expected"].split("|")]
        assert design.z == pytest.approx(expected, abs=float(row["tolerance"]))
    elif row["quantity"].startswith("inflation"):
        close(row, design.inflation)
    else:
        close(row, design.asn_ratio)


@pytest.mark.parametrize("row", between(79, 80))
def test_non_binding_futility_is_that_of_rpact(row: dict[str, str]) -> None:
    design = bounds("ldof", (0.5, 1), 0.025, 0.8, futility=Futility(kind="ldof"))
    found = design.z if row["quantity"] == "efficacy" else design.futility_z[:1]
    assert found == pytest.approx([float(p) for p in row["expected"].split("|")], abs=float(row["tolerance"]))


@pytest.mark.parametrize("row", between(81, 82))
def test_power_and_expected_size_of_a_two_look_trial_by_the_t_convention(row: dict[str, str]) -> None:
    z = efficacy("obf", (0.5, 1), 0.025)
    under_h1 = exits((0.5, 1), (NO_FUTILITY,) * 2, z, t_drift(0.5 * math.sqrt(120 / 4), 118, 0.025))
    under_h0 = exits((0.5, 1), (NO_FUTILITY,) * 2, z, 0.0)
    if row["quantity"] == "power":
        close(row, under_h1.upper.sum())
        return
    null, effect = (float(part) for part in row["expected"].split("|"))
    assert 120 * mean_information((0.5, 1), under_h0) == pytest.approx(null, abs=1e-2)
    assert 120 * mean_information((0.5, 1), under_h1) == pytest.approx(effect, abs=1e-2)


@pytest.mark.parametrize("row", rows("SR083"))
def test_maximum_information_of_the_sas_example(row: dict[str, str]) -> None:
    design = bounds("pocock", equal_information(4), 0.025, 0.9)
    close(row, design.inflation * (ndtri(0.975) + ndtri(0.9)) ** 2 / 0.4**2)


@pytest.mark.parametrize("row", between(84, 87))
def test_constants_of_jennison_and_turnbull(row: dict[str, str]) -> None:
    looks = int(re.search(r"K=(\d+)", row["design"]).group(1))
    found = [efficacy(kind, equal_information(looks), 0.025)[-1] for kind in ("obf", "pocock")]
    assert found == pytest.approx([float(p) for p in row["expected"].split("|")], abs=float(row["tolerance"]))


# Jennison and Turnbull 2000, tables 2.1 and 2.3, two-sided 0.05 (recalled)
@pytest.mark.parametrize(
    ("looks", "obrien_fleming", "pocock"),
    [
        (1, 1.960, 1.960),
        (6, 2.053, 2.453),
        (8, 2.072, 2.512),
        (10, 2.087, 2.555),
        pytest.param(20, 2.126, 2.672, marks=pytest.mark.slow),
    ],
)
def test_constants_for_more_looks(looks: int, obrien_fleming: float, pocock: float) -> None:
    assert efficacy("obf", equal_information(looks), 0.025)[-1] == pytest.approx(obrien_fleming, abs=6e-4)
    assert efficacy("pocock", equal_information(looks), 0.025)[-1] == pytest.approx(pocock, abs=6e-4)


def test_no_row_on_power_or_bounds_is_left_untested() -> None:
    areas = {row["area"] for row in ROWS}
    assert {row["reference_value"] for row in TABLE if row["area"] in areas} == {row["id"] for row in ROWS}
    assert len(ROWS) == len(WANTED)
