"""Estimands as objects, and multiple imputation under and beyond missing at random."""

from __future__ import annotations

import numpy as np
import pytest

from kerp.analysis.columns import Columns
from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method
from kerp.analysis.estimand import Estimand, Happened, IntercurrentEvent, Observation, Strategy, apply
from kerp.analysis.imputation import Assumption, impute, rubin, tipping_point
from kerp.analysis.mmrm import fit_mmrm
from kerp.analysis.spec import MmrmSpec
from kerp.base.errors import KerpError

SPEC = MmrmSpec(
    *("y", "id", "visit", "arm"),
    baseline="base",
    baseline_by_visit=True,
    covariance=Structure.US,
    method=Method.SATTERTHWAITE,
)


def trial(n: int, effect: float, leave: float, seed: int = 3) -> Columns:
    """Two arms, three visits; `leave` is the chance of leaving the active arm per visit, a tenth in control."""
    rng = np.random.default_rng(seed)
    cells: dict[str, list[str | None]] = {name: [] for name in ("id", "visit", "arm", "base", "y")}
    root = np.linalg.cholesky(25 * 0.7 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4))))
    for i in range(2 * n):
        arm, path = i % 2, 24 + root @ rng.normal(size=4)
        chance = leave if arm else leave / 10
        gone = np.cumsum(rng.uniform(size=3) < np.array([0, chance, chance])) > 0
        for v in range(3):
            y = None if gone[v] else f"{path[v + 1] - effect * arm * (v + 1) / 3:.4f}"
            row = (f"P{i}", f"V{v}", ("ref", "active")[arm], f"{path[0]:.4f}", y)
            for name, cell in zip(cells, row, strict=True):
                cells[name].append(cell)
    return Columns("trial", {name: tuple(column) for name, column in cells.items()})


def fitted(columns: Columns):
    return fit_mmrm(columns, MmrmSpec(**{**SPEC.__dict__, "references": {"arm": "ref"}}))


def at_end(columns: Columns, assumption: Assumption, delta: float = 0.0, draws: int = 60):
    return impute(columns, fitted(columns), "active", assumption, np.random.default_rng(1), draws, delta)


def test_imputation_at_random_agrees_with_the_repeated_measures_model() -> None:
    columns = trial(80, 4.0, 0.2)
    model = fitted(columns).contrasts[-1].result
    found = at_end(columns, Assumption.MAR, draws=200)
    assert found.result.estimate == pytest.approx(model.estimate, abs=0.15)
    assert found.result.se == pytest.approx(model.se, rel=0.08)


def test_complete_data_are_not_changed_by_any_assumption() -> None:
    columns = trial(20, 4.0, 0.0)
    model = fitted(columns).contrasts[-1].result
    for assumption in Assumption:
        found = at_end(columns, assumption, draws=5)
        assert (found.result.estimate, found.result.se) == pytest.approx((model.estimate, model.se), rel=1e-6)
        assert found.lost_information == 0.0


def test_jump_to_reference_shrinks_the_effect_by_about_the_share_who_left() -> None:
    columns = trial(400, 6.0, 0.25)
    plain, jumped = at_end(columns, Assumption.MAR), at_end(columns, Assumption.J2R)
    left = plain.missing_at_end[1] / 400
    # someone who leaves late keeps, through the correlation, part of the gain seen before: so at least this far
    assert jumped.result.estimate == pytest.approx(plain.result.estimate * (1 - left), abs=0.35)
    assert abs(jumped.result.estimate) < abs(plain.result.estimate)


def test_copying_increments_keeps_more_of_the_effect_than_jumping() -> None:
    columns = trial(300, 6.0, 0.25)
    effects = {a: abs(at_end(columns, a).result.estimate) for a in Assumption}
    assert effects[Assumption.MAR] > effects[Assumption.CIR] > effects[Assumption.J2R]


def test_copy_reference_lies_between_because_past_benefit_carries_forward() -> None:
    columns = trial(300, 6.0, 0.25)
    copied, jumped = (abs(at_end(columns, a).result.estimate) for a in (Assumption.CR, Assumption.J2R))
    assert copied > jumped


def test_delta_moves_the_estimate_by_delta_times_the_share_missing() -> None:
    columns = trial(100, 4.0, 0.2)
    none, worse = at_end(columns, Assumption.MAR), at_end(columns, Assumption.MAR, delta=5.0)
    share = none.missing_at_end[1] / 100
    assert worse.result.estimate - none.result.estimate == pytest.approx(5.0 * share, rel=0.05)


def test_the_tipping_point_is_where_significance_is_lost() -> None:
    columns = trial(60, 3.5, 0.3)
    found = tipping_point(
        columns, fitted(columns), "active", np.arange(0.0, 41.0, 8.0), lambda: np.random.default_rng(2), draws=20
    )
    assert found.delta is not None
    before = [row for row in found.results if row.delta < found.delta]
    assert before
    assert all(row.result.p <= 0.05 for row in before)


def test_people_without_any_outcome_are_imputed_too() -> None:
    columns = trial(40, 4.0, 0.1)
    cells = {
        name: (*column, *extra)
        for (name, column), extra in zip(
            columns.cells.items(),
            (("P99",) * 3, ("V0", "V1", "V2"), ("active",) * 3, ("25.0",) * 3, (None,) * 3),
            strict=True,
        )
    }
    more = Columns("trial", cells)
    assert (
        at_end(more, Assumption.J2R, draws=5).missing_at_end[1]
        == at_end(columns, Assumption.J2R, draws=5).missing_at_end[1] + 1
    )


def test_rubin_rules_on_a_worked_example() -> None:
    """Three imputations 1, 2, 3 with SE 1: total variance 1 + 4/3; lost share (4/3)/(7/3)."""
    found, lost = rubin(np.array([1.0, 2.0, 3.0]), np.ones(3), complete_df=50.0)
    assert (found.estimate, found.se) == pytest.approx((2.0, np.sqrt(7 / 3)))
    assert lost == pytest.approx(4 / 7)
    old, observed = 2 / (4 / 7) ** 2, 51 / 53 * 50 * (3 / 7)
    assert found.df == pytest.approx(1 / (1 / old + 1 / observed))


ESTIMAND = Estimand(
    *("e1", "all randomised", "during", "after", "Y-BOCS", 14, "difference in means"),
    (
        IntercurrentEvent("rescue_benzodiazepine", Strategy.HYPOTHETICAL),
        IntercurrentEvent("psychotic_reaction", Strategy.COMPOSITE),
        IntercurrentEvent("patient_stop", Strategy.TREATMENT_POLICY),
        IntercurrentEvent("new_medication", Strategy.WHILE_ON_TREATMENT),
    ),
    failure_value=40.0,
)
SEEN = [Observation("P1", day, value) for day, value in ((0, 28.0), (7, 20.0), (14, 15.0))]


def values(*events: Happened) -> list[float | None]:
    return [o.value for o in apply(ESTIMAND, SEEN, events).observations]


def test_each_strategy_does_what_the_guideline_says() -> None:
    assert values() == [28, 20, 15]
    assert values(Happened("P1", 3, "patient_stop")) == [28, 20, 15]
    assert values(Happened("P1", 10, "rescue_benzodiazepine")) == [28, 20, None]
    assert values(Happened("P1", 10, "psychotic_reaction")) == [28, 20, 40]
    assert values(Happened("P1", 10, "new_medication")) == [28, 20, 20]


def test_a_failure_rules_over_an_earlier_milder_event() -> None:
    assert values(Happened("P1", 3, "rescue_benzodiazepine"), Happened("P1", 10, "psychotic_reaction")) == [
        28,
        20,
        40,
    ]


def test_an_event_without_a_stated_strategy_is_listed_not_passed_over() -> None:
    applied = apply(ESTIMAND, SEEN, [Happened("P1", 3, "dose_not_completed")])
    assert applied.unplanned == ("dose_not_completed",)
    assert applied.changed["rescue_benzodiazepine"] == 0


def test_a_composite_strategy_without_a_failure_value_is_refused() -> None:
    bare = Estimand(**{**{f: getattr(ESTIMAND, f) for f in Estimand.__slots__}, "failure_value": None})
    with pytest.raises(KerpError, match="needs the value"):
        apply(bare, SEEN, [])


def test_an_estimand_reads_as_a_sentence() -> None:
    text = ESTIMAND.sentence()
    assert "In all randomised, the difference in means of Y-BOCS at day 14" in text
    assert "rescue benzodiazepine: hypothetical" in text
