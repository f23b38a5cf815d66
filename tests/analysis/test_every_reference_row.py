"""Every row of `stat_references` is tested, or named here with the reason why not; nothing is on both lists.

A row counts as tested when the named test exists and either reads the row from the table (a fixture or parameter
called acceptance, row or rows) or holds its printed digits in its own source.
"""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path

import pytest

from kerp.base.data import DATA

HERE = Path(__file__).parent
TRIAL = HERE.parent / "trial" / "test_trial_published_values.py"
FEV = HERE / "test_mmrm_published.py"
SMALL = HERE / "test_small_trial_methods.py"
SLEEP = HERE / "test_sleepstudy_published.py"
COEFFICIENTS = range(89, 122, 3)  # estimate and error; SAS's; Satterthwaite: three rows for each coefficient

TESTED: list[tuple[range, Path, str]] = [
    (range(1, 6), TRIAL, "test_two_sample_power_is_that_of_r"),
    (range(6, 8), TRIAL, "test_two_sample_size_is_that_of_r"),
    (range(8, 11), TRIAL, "test_one_sided_total_is_that_of_rpact"),
    (range(11, 12), TRIAL, "test_ancova_power_by_the_noncentral_t"),
    (range(12, 13), TRIAL, "test_adjusting_for_baseline_leaves_one_minus_rho_squared"),
    (range(13, 14), TRIAL, "test_an_interaction_has_four_times_the_variance_of_a_main_effect"),
    (range(14, 30), TRIAL, "test_total_sizes_of_the_papers_designs"),
    (range(30, 79), TRIAL, "test_group_sequential_designs_are_those_of_rpact"),
    (range(79, 81), TRIAL, "test_non_binding_futility_is_that_of_rpact"),
    (range(81, 83), TRIAL, "test_power_and_expected_size_of_a_two_look_trial_by_the_t_convention"),
    (range(83, 84), TRIAL, "test_maximum_information_of_the_sas_example"),
    (range(84, 88), TRIAL, "test_constants_of_jennison_and_turnbull"),
    (range(88, 89), FEV, "test_the_restricted_likelihood_of_the_fev_trial_agrees_to_five_decimals"),
    (COEFFICIENTS, FEV, "test_every_coefficient_and_standard_error_agrees_with_an_independent_reml"),
    (range(90, 122, 3), FEV, "test_every_coefficient_agrees_with_sas_at_its_printed_digits"),
    (range(91, 122, 3), FEV, "test_satterthwaite_degrees_of_freedom_agree_with_r_mmrm"),
    (range(122, 123), FEV, "test_the_covariance_of_the_visits_agrees"),
    (range(123, 128), FEV, "test_treatment_differences_by_visit_agree_with_sas_least_squares_means"),
    (range(128, 132), FEV, "test_kenward_roger_standard_errors_agree_with_r_mmrm"),
    (range(135, 137), SLEEP, "test_fixed_effects_and_their_errors_are_those_of_lme4"),
    (range(137, 139), SLEEP, "test_variances_and_criterion_are_those_of_lme4"),
    (range(139, 141), SLEEP, "test_degrees_of_freedom_are_those_of_lmertest_and_pbkrtest"),
    (range(141, 145), FEV, "test_orthodont_compound_symmetry_is_the_random_intercept_model_of_nlme"),
    (range(145, 148), FEV, "test_orthodont_unstructured_growth_agrees_with_nlme"),
    (range(152, 156), FEV, "test_dietox_random_intercept_agrees_with_lme4"),
    (range(156, 159), FEV, "test_dietox_random_slopes_maximise_our_restricted_likelihood_where_lme4_says"),
    (range(159, 160), SMALL, "test_longley_regression_keeps_the_certified_digits"),
    (range(160, 164), HERE / "test_mmrm_batch.py", "test_type_one_error_in_small_trials_is_the_one_published"),
    (range(165, 166), SMALL, "test_carry_over_biases_the_within_patient_difference_by_half_of_it"),
    (range(166, 167), SMALL, "test_the_two_stage_procedure_would_have_the_published_error_rate"),
    (range(167, 168), SMALL, "test_rodriguez_2013_responders_have_the_printed_fisher_p"),
    (range(168, 169), SMALL, "test_four_of_eight_has_the_exact_interval_of_r_binom_test"),
]
NOT_REACHED = {
    "SR164": "20 trials against R mmrm: the trials were not kept and R is no part of this environment",
    "SR169": "response-adaptive randomisation comes later: such a design is refused by name",
    "SR170": "response-adaptive randomisation comes later: such a design is refused by name",
}
IN_WORDS = {"SR165": "carry_over / 2", "SR166": "0.07 - 0.008 <= rate <= 0.095"}  # no digits of their own


def table() -> dict[str, dict[str, str]]:
    with (DATA / "evidence" / "stat_references.csv").open(encoding="utf-8") as stream:
        return {row["reference_value"]: row for row in csv.DictReader(stream)}


def source(path: Path, name: str) -> str:
    """The text of one test with its decorators."""
    text = path.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    pytest.fail(f"there is no test {path.name}::{name}")


def ids(numbers: range) -> list[str]:
    return [f"SR{number:03d}" for number in numbers]


def uncovered(rows: set[str]) -> tuple[set[str], list[str]]:
    """Rows that nobody names, and names that stand twice."""
    named = [row for numbers, _, _ in TESTED for row in ids(numbers) if row in rows] + list(NOT_REACHED)
    return rows - set(named), sorted({row for row in named if named.count(row) > 1})


def test_every_row_is_tested_or_named_with_its_reason_and_none_twice() -> None:
    rows = set(table())
    assert len(rows) == 151
    assert uncovered(rows) == (set(), [])
    assert set(NOT_REACHED) <= rows
    assert uncovered(rows | {"SR999"})[0] == {"SR999"}


@pytest.mark.parametrize(("numbers", "path", "name"), TESTED, ids=[name[5:] for _, _, name in TESTED])
def test_the_named_test_reads_the_row_or_holds_its_digits(numbers: range, path: Path, name: str) -> None:
    text, rows = source(path, name), table()
    assert "pytest.mark.skip" not in text
    if re.search(r"def \w+\([^)]*\b(acceptance|rows?)\b", text):
        return
    for row in (row for row in ids(numbers) if row in rows):
        if row in IN_WORDS:
            assert IN_WORDS[row] in text
            continue
        digits = re.findall(r"-?\d+\.\d+", rows[row]["expected"])
        assert digits, row
        missing = [value for value in digits if value.rstrip("0") not in text.replace("_", "")]
        assert not missing, f"{row}: {name} does not hold {missing}"


def test_the_validation_page_gives_the_same_reasons() -> None:
    page = (HERE.parents[1] / "docs" / "validation" / "analysis.md").read_text(encoding="utf-8")
    for row in NOT_REACHED:
        assert row in page or row == "SR170"
    assert "SR135-140" in page
