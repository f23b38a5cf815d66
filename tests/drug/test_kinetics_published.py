"""Concentrations against published figures: rows 2 to 10 of the acceptance table (research/pkpd.md section 6)."""

import numpy as np
import pytest

from kerp.drug.events import devices, infusion
from kerp.drug.kinetics import concentration, course_of, exposure, network_of
from kerp.drug.linear import generator_of
from kerp.drug.model import load_model
from kerp.drug.population import draw, people, typical

GROUPS = [
    (ancestry, age, dose)
    for ancestry in ("caucasian", "asian", "japanese")
    for age in (45, 70)
    for dose in (28, 56, 84)
]


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: f"{g[0]}-{g[1]}-{g[2]}mg")
def test_nasal_esketamine_reproduces_every_published_stratum_within_one_percent(group, nasal, published):
    ancestry, age, dose = group
    cmax, auc, noresketamine_cmax = published.PEREZRUIXO_TABLE_4[group]
    parameters = typical(nasal, people(70.0, age, ancestry))
    found = exposure(nasal, parameters, devices(dose // 28, 5, 28), 24.0)
    assert found.cmax_ng_per_ml[0] == pytest.approx(cmax, rel=0.01)
    assert found.auc_ng_h_per_ml[0] == pytest.approx(auc, rel=0.01)
    metabolite = exposure(nasal, parameters, devices(dose // 28, 5, 28), 24.0, "noresketamine")
    assert metabolite.cmax_ng_per_ml[0] == pytest.approx(noresketamine_cmax, rel=0.02)


def test_devices_given_at_once_would_overshoot_the_published_peak(nasal, published, adult):
    at_once = exposure(nasal, typical(nasal, adult), devices(3, 0, 28), 24.0).cmax_ng_per_ml[0]
    assert at_once > published.PEREZRUIXO_TABLE_4[("caucasian", 45, 84)][0] * 1.01


def test_noresketamine_is_for_display_only(nasal):
    assert nasal.display_only == ("noresketamine",)
    assert any("display" in caveat for caveat in nasal.caveats)


@pytest.mark.parametrize(("dose_mg", "published_percent"), [(56, 54.0), (84, 51.0)])
def test_nasal_bioavailability_is_the_published_one_within_a_point(dose_mg, published_percent, nasal, adult):
    parameters = typical(nasal, adult)
    areas = []
    for doses in (devices(dose_mg // 28, 5, 28), infusion(float(dose_mg), 40)):
        network = network_of(nasal, nasal.moieties[0], parameters, ("esketamine",))
        course = course_of(doses, nasal)
        spans = np.append(np.diff(course.edges), 0.0)
        entered = network.inputs[0] @ (course.jumps.sum(axis=0) + (course.rates * spans[:, None]).sum(axis=0))
        areas.append(network.outputs[0, 0] @ np.linalg.solve(-generator_of(network)[0], entered))
    assert 100 * areas[0] / areas[1] == pytest.approx(published_percent, abs=1.0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_nasal_peak_comes_20_to_40_minutes_after_the_last_spray(count, nasal, adult):
    tmax = exposure(nasal, typical(nasal, adult), devices(count, 5, 28), 8.0).tmax_min[0]
    assert 20 <= tmax - 5 * (count - 1) <= 40


def test_nasal_peaks_differ_between_people_as_much_as_the_label_says(nasal):
    parameters = draw(nasal, people(70.0, 40.0, count=4096), seed=11)
    values = concentration(nasal, parameters, devices(3, 5, 28), np.arange(0.0, 181.0, 3.0)).ng_per_ml
    peaks = values.max(axis=1)
    assert 0.27 <= peaks.std() / peaks.mean() <= 0.66
    assert np.percentile(peaks, [5, 95]) == pytest.approx([53, 165], rel=0.1)  # an earlier code, 10,000 people


def test_simons_arterial_peak_after_20_mg_in_20_minutes_is_the_measured_one():
    simons = load_model("simons2022")
    peak = concentration(simons, typical(simons, people(73.0, 25.0)), infusion(20, 20), [20.0]).ng_per_ml[0, 0]
    assert 260 * 0.9 <= peak <= 273 * 1.1


def test_end_of_the_papers_infusion_differs_between_artery_and_vein(kamp, adult):
    otto = load_model("otto2021")
    arterial = concentration(kamp, typical(kamp, adult), infusion(35, 40), [40.0])
    venous = concentration(otto, typical(otto, adult), infusion(35, 40), [40.0])
    assert 200 <= arterial.ng_per_ml[0, 0] <= 300
    assert 130 <= venous.ng_per_ml[0, 0] <= 240  # published venous figure 185
    assert (arterial.sampling_site, venous.sampling_site) == ("arterial plasma", "venous plasma")


def test_arterial_default_lies_inside_the_meta_analysis(kamp, adult):
    parameters = typical(kamp, adult)
    assert 69 <= parameters["CL"][0] * 60 <= 90
    assert 200 <= sum(parameters[name][0] for name in ("V1", "V2", "V3")) <= 304


@pytest.mark.parametrize("model_id", ["kamp2020", "otto2021", "clements1981", "domino1984"])
def test_typical_curves_agree_with_the_earlier_codes_table(model_id, published, adult):
    model = load_model(model_id)
    found = concentration(model, typical(model, adult), infusion(35, 40), published.MINUTES).ng_per_ml[0]
    for value, expected in zip(found, published.TYPICAL_35_MG[model_id], strict=True):
        assert expected is None or value == pytest.approx(expected, abs=0.6)


def test_venous_model_is_the_sum_of_two_enantiomers_and_r_leaves_more_slowly(adult):
    otto = load_model("otto2021")
    parameters, times = typical(otto, adult), [20.0, 40.0, 230.0]
    whole, s, r = (
        concentration(otto, parameters, infusion(35, 40), times, analyte).ng_per_ml[0]
        for analyte in ("ketamine", "S-ketamine", "R-ketamine")
    )
    assert whole == pytest.approx(s + r)
    assert (r > s).all()
    assert whole[-1] == pytest.approx(29, abs=1)  # research/pkpd.md: about 29 at 230 min


def test_every_shipped_model_gives_what_it_says_and_names_its_site(adult):
    from kerp.drug.model import model_ids

    for model_id in model_ids():
        model = load_model(model_id)
        for analyte in model.analytes:
            curve = concentration(model, typical(model, adult), infusion(35, 40), [5.0, 40.0, 300.0], analyte)
            assert curve.sampling_site
            assert (curve.ng_per_ml > 0).all()


def test_every_shipped_model_is_held_against_something_published(published):
    from kerp.drug.model import model_ids

    assert set(published.HELD_AGAINST) == set(model_ids())


@pytest.mark.parametrize("model_id", ["domino1984", "clements1981", "hijazi2003"])
def test_rate_constants_stand_for_the_published_volumes_and_clearances(model_id, published, adult):
    model = load_model(model_id)
    stage = network_of(model, model.moieties[0], typical(model, adult), model.analytes).stages[0]
    volumes, generator = stage.volumes[0], stage.generator[0]
    expected = published.DERIVED_70_KG[model_id]
    assert 60 * -generator.sum(axis=0)[0] * volumes[0] == pytest.approx(expected["CL"], rel=0.01)
    assert volumes[0] == pytest.approx(expected["V1"], rel=0.01)
    for side in range(1, len(volumes)):
        assert volumes[side] == pytest.approx(expected[f"V{side + 1}"], rel=0.01)
        assert 60 * generator[side, 0] * volumes[0] == pytest.approx(expected[f"Q{side + 1}"], rel=0.01)
