"""ANCOVA, responders, randomisation test, time to response, crossover: published values and properties."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kerp.analysis.ancova import ancova, ancova_batch, least_squares
from kerp.analysis.crossover import analyse_crossover, two_stage, within_patient
from kerp.analysis.randomisation import randomisation_test
from kerp.analysis.responders import Arm, clopper_pearson, compare_responders, exact_interval
from kerp.analysis.time_to_response import kaplan_meier, log_rank
from kerp.base.errors import KerpError
from kerp.base.seeds import Stream, generator


def test_rodriguez_2013_responders_have_the_printed_fisher_p() -> None:
    """4 of 8 against 0 of 7: R fisher.test gives 0.0769230769 (acceptance row SR167)."""
    found = compare_responders(Arm("ketamine", 4, 8), Arm("saline", 0, 7), "35 % fall of Y-BOCS")
    assert found.fisher_p == pytest.approx(0.0769230769, abs=1e-8)
    assert found.difference == pytest.approx(0.5)
    assert found.exact.low <= 0.5 <= found.exact.high
    assert "perfect separation" in found.notes[0]


def test_four_of_eight_has_the_exact_interval_of_r_binom_test() -> None:
    found = clopper_pearson(4, 8)
    assert (found.low, found.high) == pytest.approx((0.15701277, 0.84298723), abs=1e-6)


def test_nobody_or_everybody_responding_gives_closed_ends() -> None:
    assert clopper_pearson(0, 10).low == 0.0
    assert clopper_pearson(10, 10).high == 1.0
    assert clopper_pearson(0, 10).high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_the_exact_interval_agrees_with_statsmodels_score_interval_in_large_arms() -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    found = compare_responders(Arm("a", 70, 120), Arm("b", 45, 110), "x")
    low, high = confint_proportions_2indep(70, 120, 45, 110, method="score", correction=False)
    assert (found.exact.low, found.exact.high) == pytest.approx((low, high), abs=0.01)
    assert (found.bayesian.low, found.bayesian.high) == pytest.approx((low, high), abs=0.01)


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.05), (0.8, 0.6)])
def test_the_exact_interval_covers_at_least_95_percent_at_pilot_size(p: float, q: float) -> None:
    n, m = 6, 5
    covered = 0.0
    for x in range(n + 1):
        for y in range(m + 1):
            weight = stats.binom.pmf(x, n, p) * stats.binom.pmf(y, m, q)
            if weight > 1e-6:
                found = exact_interval(Arm("a", x, n), Arm("b", y, m))
                covered += weight * (found.low - 1e-9 <= p - q <= found.high + 1e-9)
    assert covered >= 0.95 - 1e-4


def test_the_bayesian_interval_agrees_with_sampling_from_the_posterior() -> None:
    found = compare_responders(Arm("a", 4, 8), Arm("b", 1, 7), "x")
    rng = np.random.default_rng(1)
    draws = rng.beta(4.5, 4.5, 400_000) - rng.beta(1.5, 6.5, 400_000)
    assert (found.bayesian.low, found.bayesian.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.005)
    assert found.probability_better == pytest.approx(np.mean(draws > 0), abs=0.003)


def test_swapping_the_arms_turns_the_difference_round() -> None:
    one = compare_responders(Arm("a", 5, 9), Arm("b", 2, 8), "x")
    other = compare_responders(Arm("b", 2, 8), Arm("a", 5, 9), "x")
    assert one.difference == -other.difference
    assert one.exact.low == pytest.approx(-other.exact.high, abs=1e-4)
    assert one.bayesian.low == pytest.approx(-other.bayesian.high, abs=1e-3)


def test_an_arm_in_which_no_response_is_known_is_refused() -> None:
    with pytest.raises(KerpError, match="nobody's response is known"):
        compare_responders(Arm("a", 0, 0, unknown=6), Arm("b", 2, 8), "x")


def test_longley_regression_keeps_the_certified_digits() -> None:
    from statsmodels.datasets import longley

    data = longley.load_pandas()
    x = np.column_stack([data.exog.to_numpy(float)])
    x = np.column_stack([np.ones(len(x)), x])
    names = ["(Intercept)", *data.exog.columns]
    beta = least_squares(x, data.endog.to_numpy(float), names).beta
    certified = [-3482258.6346, 15.0618722714, -0.0358191792926, -2.02022980382, -1.03322686717, -0.0511041056535]
    assert beta == pytest.approx([*certified, 1829.15146461], rel=1e-6)


def simulated(trials: int, n: int, seed: int, effect: float = 3.5):
    rng = generator(seed, Stream.ANALYSIS)
    baseline = rng.normal(25, 6, size=(trials, 2 * n))
    arm = np.tile(np.repeat([0.0, 1.0], n), (trials, 1))
    rho = 0.8**5
    outcome = 25 + rho * (baseline - 25) + rng.normal(size=baseline.shape) * 6 * np.sqrt(1 - rho**2) - effect * arm
    return outcome, arm, baseline


def test_ancova_for_thousands_of_trials_equals_one_at_a_time_and_statsmodels() -> None:
    import statsmodels.api as sm

    outcome, arm, baseline = simulated(20, 15, 3)
    found = ancova_batch(outcome, arm, baseline)
    for t in range(20):
        fit = sm.OLS(outcome[t], np.column_stack([np.ones(30), arm[t], baseline[t]])).fit()
        alone = ancova(outcome[t], arm[t], baseline[t])
        assert (alone.estimate, alone.se, alone.p) == pytest.approx(
            (fit.params[1], fit.bse[1], fit.pvalues[1]), rel=1e-9
        )
        assert (found.estimate[t], found.se[t], found.p[t]) == pytest.approx(
            (alone.estimate, alone.se, alone.p), rel=1e-9
        )


def test_ancova_power_agrees_with_the_closed_form_and_the_measured_one() -> None:
    """Noncentral t 0.8636; simulated 0.8583 through chance baseline imbalance (research, T = 10,000)."""
    outcome, arm, baseline = simulated(4000, 50, 8)
    power = np.mean(ancova_batch(outcome, arm, baseline).p < 0.05)
    assert power == pytest.approx(0.8583, abs=3 * np.sqrt(0.86 * 0.14 * (1 / 4000 + 1 / 10_000)))


def test_a_missing_outcome_leaves_only_its_own_participant_out() -> None:
    outcome, arm, baseline = simulated(1, 12, 1)
    seen = np.ones_like(arm, dtype=bool)
    seen[0, 3] = False
    found = ancova_batch(outcome, arm, baseline, seen)
    alone = ancova(outcome[0][seen[0]], arm[0][seen[0]], baseline[0][seen[0]])
    assert (found.estimate[0], found.se[0], found.df[0]) == pytest.approx((alone.estimate, alone.se, 20.0))


def test_ancova_refuses_an_empty_arm_a_constant_outcome_and_too_few_people() -> None:
    with pytest.raises(KerpError, match="arm 1 is empty"):
        ancova(np.arange(5.0), np.zeros(5), np.arange(5.0))
    with pytest.raises(KerpError, match="same value"):
        ancova(np.full(8, 20.0), np.tile([0, 1], 4), np.arange(8.0))
    with pytest.raises(KerpError, match="cannot carry"):
        ancova(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 1]), np.array([1.0, 2.0, 9.0]))


def test_the_randomisation_test_equals_every_allocation_counted_by_hand() -> None:
    outcome = np.array([12.0, 15.0, 11.0, 20.0, 22.0, 19.0, 24.0])
    arm = np.array([1, 1, 1, 0, 0, 0, 0])
    found = randomisation_test(outcome, arm, np.zeros(7), generator(1, Stream.ANALYSIS))
    means = [outcome[list(c)].mean() - np.delete(outcome, list(c)).mean() for c in combinations(range(7), 3)]
    observed = outcome[:3].mean() - outcome[3:].mean()
    assert found.exact
    assert found.p == pytest.approx(np.mean(np.abs(means) >= abs(observed) - 1e-12))


def test_the_randomisation_test_keeps_its_level() -> None:
    rng = generator(4, Stream.ANALYSIS)
    p = [
        randomisation_test(rng.normal(size=10), np.repeat([0, 1], 5), rng.normal(size=10), rng).p for _ in range(400)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert np.mean(p) == pytest.approx(0.5, abs=0.06)


def test_re_randomisation_stays_within_strata() -> None:
    """A stratum with one arm only never moves its labels: here every allocation is the same."""
    outcome, arm = np.arange(8.0), np.array([0, 0, 1, 1, 0, 0, 1, 1])
    strata = np.array(["a", "a", "b", "b", "c", "c", "d", "d"])
    found = randomisation_test(outcome, arm, np.zeros(8), generator(1, Stream.ANALYSIS), strata, draws=99)
    assert found.p == 1.0


def test_product_limit_and_log_rank_agree_with_statsmodels() -> None:
    from statsmodels.duration.survfunc import SurvfuncRight, survdiff

    rng = np.random.default_rng(2)
    day, responded, arm = rng.choice([1.0, 3, 7, 14, 28], 60), rng.uniform(size=60) < 0.6, rng.integers(0, 2, 60)
    curve, peer = kaplan_meier(day, responded), SurvfuncRight(day, responded.astype(int))
    assert curve.not_responding == pytest.approx(peer.surv_prob)
    assert curve.se == pytest.approx(peer.surv_prob_se)
    chi2, p = survdiff(day, responded.astype(int), arm)
    found = log_rank(day, responded, arm)
    assert (found.chi2, found.p) == pytest.approx((chi2, p))


def test_without_any_response_there_is_no_log_rank_test_and_the_reason_is_given() -> None:
    found = log_rank(np.full(8, 14.0), np.zeros(8, bool), np.tile([0, 1], 4))
    assert found.p is None
    assert "no response" in found.reason
    assert "nobody responded" in kaplan_meier(np.full(4, 14.0), np.zeros(4, bool)).note


def crossover(count: int, carry_over: float, seed: int):
    rng = generator(seed, Stream.ANALYSIS)
    active_first = (np.arange(count) % 2).astype(float)
    person = rng.normal(size=count)
    first = person - 1.2 * active_first + 0.6 * rng.normal(size=count)
    second = person - 1.2 * (1 - active_first) - carry_over * active_first + 0.6 * rng.normal(size=count)
    return first, second, active_first, person


@pytest.mark.parametrize("carry_over", [0.0, 0.6, 1.2])
def test_carry_over_biases_the_within_patient_difference_by_half_of_it(carry_over: float) -> None:
    first, second, active_first, _ = crossover(40_000, carry_over, 5)
    # a fall is benefit: effect -1.2, and carry-over of benefit into control shrinks it by half of the carry-over
    assert within_patient(first, second, active_first).estimate == pytest.approx(-1.2 + carry_over / 2, abs=0.02)


def test_the_first_period_is_always_reported_and_free_of_carry_over() -> None:
    first, second, active_first, _ = crossover(20_000, 1.2, 6)
    baseline = np.zeros(len(first))
    baseline[0] = 1.0
    found = analyse_crossover(first, second, active_first, baseline, contains_exposure=False)
    assert found.first_period.estimate == pytest.approx(-1.2, abs=0.05)


def test_the_two_stage_procedure_is_refused_with_its_error_rate() -> None:
    with pytest.raises(KerpError, match=r"7 to 9.5 %"):
        two_stage()


def test_the_two_stage_procedure_would_have_the_published_error_rate() -> None:
    """Why it is refused: done by hand, its type I error lies in 7 to 9.5 % (Freeman 1989; row SR166)."""
    rng = generator(7, Stream.ANALYSIS)
    trials, n = 6000, 16
    active_first = np.repeat([0.0, 1.0], n // 2)
    person = rng.normal(size=(trials, n))
    first, second = (person + 0.6 * rng.normal(size=(trials, n)) for _ in range(2))
    a, b = active_first == 1, active_first == 0
    carry = stats.ttest_ind((first + second)[:, a], (first + second)[:, b], axis=1).pvalue < 0.1
    alone = stats.ttest_ind(first[:, a], first[:, b], axis=1).pvalue < 0.05
    both = stats.ttest_ind((first - second)[:, a], (first - second)[:, b], axis=1).pvalue < 0.05
    rate = np.mean(np.where(carry, alone, both))
    assert 0.07 - 0.008 <= rate <= 0.095 + 0.008


def test_a_crossover_with_exposure_is_refused() -> None:
    first, second, active_first, person = crossover(20, 0, 1)
    with pytest.raises(KerpError, match="no wash-out"):
        analyse_crossover(first, second, active_first, person, contains_exposure=True)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 8), st.integers(0, 7))
def test_every_small_table_gives_ordered_finite_intervals(x: int, y: int) -> None:
    found = compare_responders(Arm("a", x, 8), Arm("b", y, 7), "x")
    for interval in (found.exact, found.bayesian, found.arm_interval):
        assert -1 <= interval.low <= interval.high <= 1
    assert found.exact.low - 1e-6 <= found.difference <= found.exact.high + 1e-6
