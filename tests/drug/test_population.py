"""People: scaling, covariates, spread, and draws that do not depend on how they are batched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.errors import KerpError
from kerp.drug.effect import drawn_c50, load_link
from kerp.drug.events import infusion
from kerp.drug.kinetics import checked_times, concentration
from kerp.drug.model import load_model, model_ids, read_model
from kerp.drug.population import BLOCK, draw, people, typical, with_residual


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 700), st.integers(1, 300), st.sampled_from(model_ids()))
def test_a_person_is_the_same_in_any_batch(first, count, model_id):
    model = load_model(model_id)
    whole = draw(model, people(70.0, 40.0, count=1000), seed=9)
    part = draw(model, people(70.0, 40.0, count=count), seed=9, first=first)
    for name, values in part.items():
        assert np.array_equal(values, whole[name][first : first + count])


def test_curves_do_not_depend_on_the_chunk_in_which_people_are_solved(kamp):
    parameters = draw(kamp, people(70.0, 40.0, count=1200), seed=4)
    times = np.arange(0.0, 241.0, 30.0)
    whole = concentration(kamp, parameters, infusion(35, 40), times).ng_per_ml
    for start, count in ((0, 7), (500, 30), (1100, 100)):
        part = {name: value[start : start + count] for name, value in parameters.items()}
        alone = concentration(kamp, part, infusion(35, 40), times).ng_per_ml
        assert alone == pytest.approx(whole[start : start + count], rel=1e-12)


def test_other_seeds_and_other_blocks_are_other_people(kamp):
    one = draw(kamp, people(70.0, 40.0, count=2 * BLOCK), seed=1)["CL"]
    other = draw(kamp, people(70.0, 40.0, count=2 * BLOCK), seed=2)["CL"]
    assert not np.isin(one, other).any()
    assert not np.isin(one[:BLOCK], one[BLOCK:]).any()


def test_volumes_scale_with_weight_and_flows_with_its_three_quarter_power(kamp):
    light, heavy = typical(kamp, people(50.0, 40.0)), typical(kamp, people(100.0, 40.0))
    for name in ("V1", "V2", "V3"):
        assert heavy[name] / light[name] == pytest.approx(2.0)
    for name in ("CL", "Q2", "Q3"):
        assert heavy[name] / light[name] == pytest.approx(2.0**0.75)


def test_weight_does_not_change_the_nasal_model(nasal):
    light, heavy = typical(nasal, people(50.0, 40.0)), typical(nasal, people(100.0, 40.0))
    assert all(light[name] == heavy[name] for name in light if name != "weight_kg")


def test_japanese_people_take_the_asian_effects_as_well_as_their_own(nasal):
    caucasian, asian, japanese = (typical(nasal, people(70.0, 40.0, a)) for a in ("caucasian", "asian", "japanese"))
    assert asian["kel"] == japanese["kel"] == pytest.approx(0.36 * caucasian["kel"])
    assert asian["CLn"] == japanese["CLn"] == pytest.approx(0.81 * caucasian["CLn"])
    assert asian["FRn"] == caucasian["FRn"]
    assert japanese["FRn"] == pytest.approx(1.34 * caucasian["FRn"])


def test_liver_flow_falls_with_each_year_above_60(nasal):
    flow = {age: typical(nasal, people(70.0, age))["Qh"][0] * 60 for age in (30.0, 60.0, 80.0)}
    assert flow[30.0] == flow[60.0] == pytest.approx(151.0)
    assert flow[80.0] == pytest.approx(151.0 - 20 * 2.19)


@pytest.mark.parametrize(("model_id", "name", "cv"), [("kamp2020", "CL", 0.172), ("otto2021", "V1", 0.296)])
def test_drawn_parameters_have_the_published_spread_and_median(model_id, name, cv):
    values = draw(load_model(model_id), people(70.0, 40.0, count=20_000), seed=3)[name]
    assert values.std() / values.mean() == pytest.approx(cv, rel=0.04)
    assert np.median(values) == pytest.approx(typical(load_model(model_id), people(70.0, 40.0))[name][0], rel=0.01)


def test_drawn_clearance_and_volume_are_correlated_as_published():
    parameters = draw(load_model("otto2021"), people(70.0, 40.0, count=20_000), seed=3)
    logs = {name: np.log(parameters[name]) for name in ("CL", "V1", "CLM", "VM1")}
    assert np.corrcoef(logs["CL"], logs["V1"])[0, 1] == pytest.approx(0.48, abs=0.02)
    assert np.corrcoef(logs["CLM"], logs["VM1"])[0, 1] == pytest.approx(0.69, abs=0.02)
    assert np.corrcoef(logs["CL"], logs["CLM"])[0, 1] == pytest.approx(0.0, abs=0.02)


def test_no_nasal_fraction_leaves_zero_to_one_whatever_the_ancestry(nasal):
    fractions = draw(nasal, people(70.0, 40.0, "japanese", 5000), seed=3)["FRn"]
    assert ((fractions > 0) & (fractions < 1)).all()
    assert np.median(fractions) == pytest.approx(0.54 * 1.34, rel=0.03)


def test_laboratory_error_has_the_published_size(kamp):
    parameters = {name: np.repeat(value, 4000) for name, value in typical(kamp, people(70.0, 40.0)).items()}
    curve = concentration(kamp, parameters, infusion(35, 40), [20.0, 40.0])
    noisy = with_residual(curve, kamp, seed=1).ng_per_ml
    assert (noisy.std(axis=0) / noisy.mean(axis=0)) == pytest.approx([0.11, 0.11], rel=0.05)
    assert noisy.mean(axis=0) == pytest.approx(curve.ng_per_ml[0], rel=0.01)


def test_a_model_published_without_error_does_not_pretend_to_have_one(adult):
    domino = load_model("domino1984")
    curve = concentration(domino, typical(domino, adult), infusion(35, 40), [40.0])
    with pytest.raises(KerpError, match="without a residual error"):
        with_residual(curve, domino, seed=1)


def test_kinetic_and_effect_draws_of_a_person_are_independent(kamp):
    clearance = np.log(draw(kamp, people(70.0, 40.0, count=8000), seed=5)["CL"])
    c50 = np.log(drawn_c50(load_link(), 8000, seed=5))
    assert abs(np.corrcoef(clearance, c50)[0, 1]) < 0.05


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: people(0.07, 40.0),
        lambda: people(70_000.0, 40.0),
        lambda: people(float("nan"), 40.0),
        lambda: people(70.0, -1.0),
        lambda: people(70.0, 200.0),
        lambda: people(70.0, 40.0, "martian"),
        lambda: people(70.0, 40.0, count=0),
        lambda: typical(load_model("kamp2021"), people(70.0, 40.0)),
        lambda: checked_times([]),
        lambda: checked_times([10, 10]),
        lambda: checked_times([10, 5]),
        lambda: checked_times([float("nan")]),
        lambda: checked_times([1e12]),
        lambda: draw(load_model("kamp2020"), people(70.0, 40.0), seed=-1),
        lambda: draw(load_model("kamp2020"), people(70.0, 40.0), seed=1, first=-1),
    ],
)
def test_people_and_times_that_cannot_be_are_refused(wrong):
    with pytest.raises(KerpError):
        wrong()


def test_an_unknown_unit_in_a_model_file_is_refused_with_its_line(tmp_path):
    from kerp.base.data import path_of

    file = tmp_path / "kamp2020.toml"
    file.write_text(path_of("drug", "kamp2020").read_text().replace('"L/h"', '"gal/h"', 1))
    with pytest.raises(KerpError, match="unknown unit") as refused:
        read_model(file)
    assert refused.value.faults[0].line is not None
