"""Pooling: against a second implementation, shared controls combined, nothing pooled silently (M23)."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from kerp.analysis.comparisons import Comparison, Group, combine, comparisons_of, hedges_g
from kerp.analysis.meta import Method, dersimonian_laird, pool, reml_tau2
from kerp.analysis.meta_output import pooled_table
from kerp.base.errors import KerpError
from kerp.cli.main import cli
from kerp.evidence.tables import load_table


def items(effects, errors, controlled=True):
    return [
        Comparison(f"t{i}", f"S{i}", f"S{i}", "waitlist", e, s, 40, "recomputed", (), controlled)
        for i, (e, s) in enumerate(zip(effects, errors, strict=True))
    ]


EFFECTS, ERRORS = [0.9, 1.4, 0.2, 0.7, 2.1, 1.1], [0.3, 0.25, 0.3, 0.2, 0.5, 0.4]


@pytest.mark.parametrize(("method", "use_t"), [(Method.DL, False), (Method.HKSJ, True)])
def test_pooling_agrees_with_statsmodels(method: Method, use_t: bool) -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    peer = combine_effects(np.array(EFFECTS), np.array(ERRORS) ** 2, method_re="dl", use_t=use_t)
    if method is Method.DL:
        found = pool(items(EFFECTS, ERRORS), Method.DL)
        assert (found.estimate, found.se) == pytest.approx((peer.mean_effect_re, peer.sd_eff_w_re))
        assert found.tau**2 == pytest.approx(peer.tau2)
        assert found.q == pytest.approx(peer.q)
        low, high = peer.conf_int(use_t=False)[1]
    else:
        found = pool(items(EFFECTS, ERRORS), Method.HKSJ)
        tau2 = found.tau**2
        w = 1 / (np.array(ERRORS) ** 2 + tau2)
        peer = combine_effects(np.array(EFFECTS), np.array(ERRORS) ** 2 + tau2, method_re="dl", use_t=True)
        assert found.estimate == pytest.approx(peer.mean_effect_fe)
        assert found.se == pytest.approx(peer.sd_eff_w_fe_hksj)
        assert w.sum() > 0
        low, high = peer.conf_int(use_t=True)[2]
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high))


def test_reml_tau_maximises_the_restricted_likelihood() -> None:
    y, v = np.array(EFFECTS), np.array(ERRORS) ** 2

    def minus2(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = w @ y / w.sum()
        return float(np.log(v + tau2).sum() + np.log(w.sum()) + w @ (y - mean) ** 2)

    best = optimize.minimize_scalar(minus2, bounds=(0, 5), method="bounded", options={"xatol": 1e-10}).x
    assert reml_tau2(y, v) == pytest.approx(best, abs=1e-6)


def test_reml_equals_our_own_mixed_model_when_variances_are_equal() -> None:
    """With equal sampling variances REML tau2 is the sample variance minus the sampling variance."""
    y, v = np.array(EFFECTS), np.full(6, 0.04)
    assert reml_tau2(y, v) == pytest.approx(np.var(y, ddof=1) - 0.04)
    assert dersimonian_laird(y, v) == pytest.approx(np.var(y, ddof=1) - 0.04)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-2, 3), min_size=3, max_size=12), st.floats(0.1, 1.0))
def test_shifting_every_effect_shifts_the_pooled_one_and_nothing_else(effects: list[float], error: float) -> None:
    errors = [error * (1 + i % 3) for i in range(len(effects))]
    for method in Method:
        here, there = pool(items(effects, errors), method), pool(items([e + 1 for e in effects], errors), method)
        assert there.estimate == pytest.approx(here.estimate + 1, abs=1e-6)
        assert there.tau == pytest.approx(here.tau, abs=1e-4)
        assert here.ci_low <= here.estimate <= here.ci_high
        assert 0 <= here.i2 < 1


def test_no_heterogeneity_gives_tau_zero_and_the_fixed_effect() -> None:
    found = pool(items([0.8] * 4, [0.2, 0.3, 0.2, 0.4]), Method.REML)
    assert (found.tau, found.i2) == (0.0, 0.0)
    assert found.estimate == pytest.approx(0.8)


def test_one_comparison_is_not_called_pooled_and_two_have_no_prediction() -> None:
    alone = pool(items([0.8], [0.2]))
    assert (alone.tau, alone.i2) == (None, None)
    assert "nothing is pooled" in alone.notes[-1]
    assert pool(items([0.8, 1.0], [0.2, 0.2])).prediction_low is None


def test_open_and_controlled_studies_are_never_pooled_silently() -> None:
    mixed = items([1.0, 0.8], [0.2, 0.2]) + items([2.0], [0.3], controlled=False)
    with pytest.raises(KerpError, match="1 open and 2 controlled"):
        pool(mixed)
    assert "OPEN AND CONTROLLED" in pool(mixed, mix_open=True).notes[0]


def test_combining_two_groups_is_the_same_as_one_list_of_people() -> None:
    a, b = np.array([3.0, 5, 9, 12]), np.array([1.0, 2, 8])
    found = combine([Group(len(x), x.mean(), x.std(ddof=1)) for x in (a, b)])
    both = np.concatenate([a, b])
    assert (found.n, found.mean, found.sd) == pytest.approx((7, both.mean(), both.std(ddof=1)))


def test_recomputed_effects_reproduce_the_published_ones() -> None:
    checked = 0
    for row in load_table("psychotherapy_ybocs"):
        alone, _ = comparisons_of([row])
        if alone[0].basis == "recomputed":
            assert alone[0].effect == pytest.approx(row["hedges_g"], abs=0.06), row["comparison"]
            checked += abs(alone[0].effect - row["hedges_g"]) < 0.005
    assert checked >= 35


@pytest.mark.validate
def test_the_published_effects_in_the_shipped_table_are_those_of_metapsy(shared_evidence) -> None:
    with (shared_evidence / "metapsy_ybocs.csv").open(encoding="utf-8") as stream:
        published = sorted(float(row[".g"]) for row in csv.DictReader(stream))
    ours = sorted(row["hedges_g"] for row in load_table("psychotherapy_ybocs"))
    assert ours == pytest.approx(published)


def test_arms_that_share_a_control_are_combined_and_the_control_counted_once() -> None:
    rows = [row for row in load_table("psychotherapy_ybocs") if row["trial"] == "greist2002"]
    found, notes = comparisons_of(rows)
    assert (len(rows), len(found)) == (2, 1)
    assert found[0].n == 55 + 55 + 66
    assert any("share one control" in note for note in notes)
    apart, _ = comparisons_of(rows, combine_shared=False)
    assert len(apart) == 2


def test_two_reports_of_one_trial_are_never_both_pooled() -> None:
    found = pooled_table(load_table("psychotherapy_ybocs"), Method.HKSJ)
    trials = {row["trial"] for row in found["comparisons"]}
    assert "russmanblock2023" in trials
    assert "norman2021" not in trials
    rows = [row for row in load_table("psychotherapy_ybocs") if row["trial"] == "norman2021"]
    assert pooled_table(rows, Method.HKSJ)["k"] == 1


def test_the_same_figures_under_two_names_count_once() -> None:
    row = dict(load_table("psychotherapy_ybocs")[2])
    again = row | {"study": "Another name 2013", "trial": "another2013", "comparison": "another-1"}
    found, notes = comparisons_of([row, again])
    assert len(found) == 1
    assert "same figures" in notes[0]


def test_the_outlier_is_shown_with_and_without() -> None:
    outcome = CliRunner().invoke(cli, ["evidence", "meta", "--where", "treatment=erp", "--method", "reml", "--json"])
    assert outcome.exit_code == 0, outcome.output
    found = json.loads(outcome.output)
    assert {"k", "comparisons", "estimate", "ci_low", "ci_high", "tau", "i2"} <= set(found)
    assert found["k"] == len(found["comparisons"]) == found["without_outliers"]["k"] + 1
    assert "khodarahimi2009" in found["outliers"]
    assert found["without_outliers"]["estimate"] < found["estimate"]


def test_a_study_without_means_keeps_its_published_effect() -> None:
    rows = [row for row in load_table("psychotherapy_ybocs") if row["trial"] == "wilhelm2009"]
    (found,), _ = comparisons_of(rows)
    assert (found.basis, found.effect) == ("published", 1.8401)


def test_a_filter_that_leaves_nothing_and_a_table_without_comparisons_are_refused() -> None:
    nothing = CliRunner().invoke(cli, ["evidence", "meta", "--where", "treatment=leeches"])
    assert "no comparison is left" in str(nothing.exception)
    other = CliRunner().invoke(cli, ["evidence", "meta", "--table", "pk_observations"])
    assert "no comparisons that could be pooled" in str(other.exception)


def test_groups_without_spread_have_no_effect_size() -> None:
    with pytest.raises(KerpError, match="no spread"):
        hedges_g(Group(5, 10.0, 0.0), Group(5, 12.0, 0.0))


def test_a_forest_plot_names_every_study_and_can_be_read_without_network(tmp_path) -> None:
    path = tmp_path / "forest.svg"
    outcome = CliRunner().invoke(cli, ["evidence", "meta", "--where", "treatment=erp", "--plot", str(path)])
    assert outcome.exit_code == 0, outcome.output
    text = path.read_text()
    assert all(name in text for name in ("Foa 2005", "Khodarahimi 2009", "prediction"))
    assert 'href="http' not in text


def test_one_study_alone_is_not_called_pooled_and_a_known_outlier_is_named() -> None:
    found = CliRunner().invoke(cli, ["evidence", "meta", "--where", "study=Khodarahimi", "--json"])
    data = json.loads(found.output)
    assert data["k"] == 1
    assert data["method_title"] == "the study's own normal interval"
    assert any("known as an outlier" in note for note in data["notes"])


def test_reml_takes_the_higher_of_two_peaks() -> None:
    """Very unequal studies: a climb from DerSimonian and Laird's value ends on the lower peak."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        k = int(rng.integers(3, 15))
        variance = np.exp(rng.normal(-2, 3, k))
        effect = rng.normal(0, np.sqrt(variance + rng.choice([0, 0.04])))
        found = reml_tau2(effect, variance)

        def cost(tau2, effect=effect, variance=variance):
            w = 1 / (variance + tau2)
            mean = (w * effect).sum() / w.sum()
            return -np.log(w).sum() + np.log(w.sum()) + (w * (effect - mean) ** 2).sum()

        tried = [0.0, *np.exp(np.linspace(-14, 8, 400))]
        assert cost(found) <= min(map(cost, tried)) + 1e-9


def test_small_p_values_are_not_printed_as_zero() -> None:
    printed = CliRunner().invoke(cli, ["evidence", "meta"]).output
    assert "p <0.0001" in printed
    assert "0.0000" not in printed
