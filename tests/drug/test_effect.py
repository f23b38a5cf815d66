"""Felt effect, learning drive, CADSS and blood pressure: rows 11 and 12, and what each link may not claim."""

import numpy as np
import pytest

from kerp.base.errors import UnknownIdError
from kerp.drug.cadss import drawn_person, drawn_total, load_cadss, mean_total
from kerp.drug.effect import (
    drawn_c50,
    drawn_gain,
    drawn_pressure,
    drives,
    felt_effect,
    link_ids,
    load_link,
    pressure_rise,
)
from kerp.drug.events import Doses, devices, infusion, pause
from kerp.drug.kinetics import concentration
from kerp.drug.model import load_model
from kerp.drug.population import draw, people, typical

MINUTE = np.arange(0.0, 241.0)


def felt(model, doses, adult, link="pd_default_exploratory"):
    return felt_effect(load_link(link), model, typical(model, adult), doses, MINUTE).felt[0]


def test_after_an_infusion_the_effect_peaks_at_20_to_40_minutes_and_is_gone_by_80(kamp, adult):
    effect = felt(kamp, infusion(35, 40), adult)
    assert 20 <= effect.argmax() <= 40
    assert effect[60] / effect.max() <= 0.35
    assert effect[80] / effect.max() <= 0.15


def test_after_84_mg_nasal_the_effect_peaks_at_30_to_45_minutes_and_is_gone_by_two_hours(nasal, adult):
    effect = felt(nasal, devices(3, 5, 28), adult)
    assert 30 <= effect.argmax() <= 45
    assert effect[90] / effect.max() <= 0.25
    assert effect[120] / effect.max() <= 0.10


def test_without_tolerance_the_nasal_effect_would_last_too_long(nasal, adult):
    effect = felt(nasal, devices(3, 5, 28), adult, "emax_no_tolerance")
    assert effect[90] / effect.max() > 0.6


def test_effect_site_and_tolerance_agree_with_step_by_step_integration(kamp, adult):
    """An independent solution: the states integrated by Euler steps of a hundredth of a minute."""
    doses, step = pause(infusion(35, 40), 12, 20), 0.01
    grid = np.arange(0.0, 240.0 + step / 2, step)
    plasma = 0.625 * concentration(kamp, typical(kamp, adult), doses, grid).ng_per_ml[0]
    site = tolerance = 0.0
    expected = []
    for index, value in enumerate(plasma):
        if index % 100 == 0:
            power = (site / (71 * (1 + tolerance / 24))) ** 3.8
            expected.append(power / (1 + power))
        site, tolerance = (
            site + step * np.log(2) * (value - site),
            tolerance + step * np.log(2) / 240 * (site - tolerance),
        )
    assert felt(kamp, doses, adult) == pytest.approx(np.array(expected), abs=1e-3)


def test_the_effect_of_enantiomers_adds_up_in_s_equivalents(adult):
    otto = load_model("otto2021")
    parameters = typical(otto, adult)
    s, r = (
        concentration(otto, parameters, infusion(35, 40), MINUTE, a).ng_per_ml[0]
        for a in ("S-ketamine", "R-ketamine")
    )
    found = drives(otto, parameters, infusion(35, 40), MINUTE).concentration_ng_per_ml[0]
    assert found == pytest.approx((s + r / 4) / 0.625)


def test_learning_drive_is_the_plain_emax_of_the_mechanism_model_and_outlasts_what_is_felt(kamp, adult):
    found = drives(kamp, typical(kamp, adult), infusion(35, 40), MINUTE)
    plasma = concentration(kamp, typical(kamp, adult), infusion(35, 40), MINUTE).ng_per_ml[0]
    assert found.concentration_ng_per_ml[0] == pytest.approx(plasma)
    assert found.learning[0] == pytest.approx(plasma / (100 + plasma))
    assert found.learning[0, 120] > 0.3 > 0.05 > found.felt[0, 120]


def test_no_dose_no_effect(kamp, adult):
    assert not felt(kamp, Doses(), adult).any()


def test_effects_stay_between_zero_and_one_for_any_drawn_person(nasal):
    who = people(70.0, 75.0, "japanese", 1500)
    effect = felt_effect(
        load_link(), nasal, draw(nasal, who, 3), devices(3, 5, 28), MINUTE, drawn_c50(load_link(), 1500, 3)
    )
    assert ((effect.felt >= 0) & (effect.felt < 1)).all()


def test_jax_gives_the_same_effect(kamp):
    from kerp.drug.kinetics import jax_namespace

    _, xp = jax_namespace()
    parameters = draw(kamp, people(70.0, 40.0, count=8), seed=2)
    ours = felt_effect(load_link(), kamp, parameters, infusion(35, 40), MINUTE[::10]).felt
    theirs = felt_effect(load_link(), kamp, parameters, infusion(35, 40), MINUTE[::10], xp=xp).felt
    assert np.asarray(theirs) == pytest.approx(ours, rel=1e-9, abs=1e-12)


def totals_at_40(model, doses, route, count=8000, seed=7):
    c50 = drawn_c50(load_link(), count, seed)
    effect = felt_effect(load_link(), model, draw(model, people(70.0, 40.0, count=count), seed), doses, [40.0], c50)
    return drawn_total(mean_total(effect.felt, route, drawn_person(route, count, seed)), seed)[:, 0]


@pytest.mark.parametrize("count", [2, 3])
def test_cadss_exceeds_4_in_61_to_84_percent_after_56_and_84_mg(count, nasal):
    assert 0.61 <= (totals_at_40(nasal, devices(count, 5, 28), "nasal_spray") > 4).mean() <= 0.84


def test_cadss_at_the_end_of_the_infusion_has_the_published_mean_and_spread_and_is_skewed(kamp):
    totals = totals_at_40(kamp, infusion(35, 40), "iv_infusion")
    assert totals.mean() == pytest.approx(7.7, rel=0.07)
    assert totals.std() == pytest.approx(9.2, rel=0.07)
    assert np.median(totals) < totals.mean()
    assert 0 <= totals.min() <= totals.max() <= 92
    assert (totals == 0).mean() > 0.1  # zeros are many: never a Gaussian


def test_cadss_totals_follow_their_mean():
    mean = np.full((20_000, 3), [0.0, 3.0, 40.0])
    totals = drawn_total(mean, seed=1)
    assert not totals[:, 0].any()
    assert totals[:, 1:].mean(axis=0) == pytest.approx([3.0, 40.0], rel=0.02)
    assert totals[:, 1:].var(axis=0) == pytest.approx([3.0, 40.0], rel=0.04)


def test_cadss_totals_do_not_depend_on_the_batch():
    mean = np.full((600, 2), 6.0)
    whole, part = drawn_total(mean, seed=1), drawn_total(mean[:50], seed=1, first=400)
    assert np.array_equal(part, whole[400:450])
    assert np.array_equal(drawn_person("nasal_spray", 50, 1, 400), drawn_person("nasal_spray", 600, 1)[400:450])


@pytest.mark.parametrize(("route", "model_id"), [("iv_infusion", "kamp2020"), ("nasal_spray", "perezruixo2021")])
def test_blood_pressure_peaks_near_40_minutes_and_is_mostly_back_in_four_hours(route, model_id, adult):
    model = load_model(model_id)
    doses = infusion(35, 40) if route == "iv_infusion" else devices(3, 5, 28)
    rise = pressure_rise(model, typical(model, adult), doses, MINUTE)
    assert 30 <= rise.systolic_mmhg[0].argmax() <= 50
    assert rise.systolic_mmhg[0, 240] <= 0.3 * rise.systolic_mmhg[0].max()
    assert (rise.diastolic_mmhg <= rise.systolic_mmhg).all()


def test_blood_pressure_rise_of_the_infusion_is_the_one_it_was_calibrated_to(kamp, adult):
    rise = pressure_rise(kamp, typical(kamp, adult), infusion(35, 40), [40.0])
    assert rise.systolic_mmhg[0, 0] == pytest.approx(7.4, abs=0.3)
    assert rise.diastolic_mmhg[0, 0] == pytest.approx(6.0, abs=0.3)


def test_people_differ_in_pressure_around_the_typical_rise():
    assert drawn_pressure(30_000, 1).mean() == pytest.approx(1.0, abs=0.03)


def test_people_differ_in_how_they_use_the_rating_scale():
    gain = drawn_gain(load_link("felt_rating", "felt_rating"), 20_000, 1)
    assert np.median(gain) == pytest.approx(0.9, rel=0.02)


@pytest.mark.parametrize("link_id", link_ids())
def test_nothing_claims_to_be_fitted(link_id):
    link = load_link(link_id)
    assert link.caveats
    assert link.status in {"calibrated, not fitted", "published C50, slope assumed"}


def test_every_link_carries_its_caveats_into_the_result(kamp, adult):
    found = drives(kamp, typical(kamp, adult), infusion(35, 40), [10.0])
    for said in (*load_link().caveats, *load_link("learning_drive", "learning_drive").caveats, *kamp.caveats):
        assert said in found.caveats
    assert load_cadss().status == "calibrated, not fitted"


def test_an_unknown_link_offers_the_nearest():
    with pytest.raises(UnknownIdError, match="did you mean emax_no_tolerance"):
        load_link("emax_tolerance")
