"""Beliefs about the arm, and falls of distress with their causes kept apart."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerp.analysis.blinding import Guess, bang_by_arm, bang_index, belief_bias, tipping_belief
from kerp.analysis.habituation import (
    BlockRating,
    Fall,
    falls_by_cause,
    habituation_per_participant,
    retention,
    summary,
)
from kerp.base.errors import KerpError


def test_bang_index_is_one_when_everybody_knows_and_minus_one_when_everybody_is_wrong() -> None:
    assert bang_index("a", 10, 0, 0).index == 1.0
    assert bang_index("a", 0, 10, 0).index == -1.0
    assert bang_index("a", 0, 0, 10).index == 0.0


def test_bang_index_of_a_worked_example() -> None:
    """40 right, 20 wrong, 40 unsure: index 0.2, SE sqrt((0.24 + 0.16 + 0.16) / 100) = 0.0748."""
    found = bang_index("active", 40, 20, 40)
    assert found.index == pytest.approx(0.2)
    assert found.se == pytest.approx(0.0748331, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((0.05333, 0.34667), abs=1e-4)
    assert "not kept" in found.reading


def test_bang_variance_is_that_of_scores_of_plus_one_minus_one_and_nought() -> None:
    scores = [1] * 7 + [-1] * 3 + [0] * 5
    mean = sum(scores) / 15
    variance = sum((s - mean) ** 2 for s in scores) / 15 / 15
    assert bang_index("a", 7, 3, 5).se == pytest.approx(variance**0.5)


def test_a_wish_for_the_active_arm_shows_as_opposite_signs_in_the_two_arms() -> None:
    guesses = [Guess(arm, "ketamine") for arm in ("ketamine", "midazolam") for _ in range(20)]
    active, control = bang_by_arm(guesses)
    assert (active.index, control.index) == (1.0, -1.0)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40))
def test_bang_index_stays_within_its_interval_and_its_range(correct: int, wrong: int, unsure: int) -> None:
    found = bang_index("a", correct, wrong, unsure)
    assert -1 <= found.low <= found.index <= found.high <= 1


def test_an_arm_nobody_asked_has_no_index() -> None:
    with pytest.raises(KerpError, match="nobody in this arm was asked"):
        bang_index("a", 0, 0, 0)


def test_functional_unblinding_shifts_the_difference_as_the_arithmetic_says() -> None:
    """Research: an effect of belief of 0.3 SD with beliefs 0.90/0.10 gives 0.24, with 0.75/0.40 gives 0.105."""
    assert belief_bias(0.3, 0.9, 0.1).bias == pytest.approx(0.24)
    assert belief_bias(0.3, 0.75, 0.4, estimate=0.5).remaining == pytest.approx(0.395)
    assert tipping_belief(0.24, 0.9, 0.1) == pytest.approx(0.3)
    assert tipping_belief(0.24, 0.5, 0.5) is None


def test_the_web_room_can_use_blinding_without_loading_numpy() -> None:
    code = "import sys, kerp.analysis.blinding; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ARMS = {"P1": "during", "P2": "after"}


def fall(who: str, points: float, *causes: str) -> Fall:
    return Fall(who, "S1", points, 10.0, causes)


def test_a_fall_after_a_ritual_or_under_the_drug_is_not_counted_as_habituation() -> None:
    falls = [fall("P1", 40, "habituation", "ritual"), fall("P1", 30, "drug"), fall("P1", 20, "habituation")]
    assert habituation_per_participant(falls) == {"P1": 20}
    rows = {row.cause: row for row in falls_by_cause(falls, ARMS)}
    assert [row.cause for row in rows.values() if row.counts_as_habituation] == ["habituation"]
    assert rows["mixed"].mean_points == 40


def test_a_participant_without_habituation_is_absent_not_zero() -> None:
    assert habituation_per_participant([fall("P2", 50, "avoidance")]) == {}


def test_a_fall_whose_cause_nobody_looked_for_is_not_stated() -> None:
    (row,) = falls_by_cause([fall("P1", 25)], ARMS)
    assert (row.cause, row.counts_as_habituation) == ("not stated", False)


def test_retention_compares_the_end_of_one_session_with_the_start_of_the_next() -> None:
    blocks = [
        BlockRating("P1", 1, "door handle", 70, 80, 30),
        BlockRating("P1", 2, "door handle", 45, 60, 20),
        BlockRating("P1", 2, "knife", 90, 90, 60),
    ]
    (found,) = retention(blocks)
    assert (found.gained, found.returned, found.between) == (50, 15, 20)
    assert found.kept == pytest.approx(0.7)


def test_retention_without_a_gain_has_no_share_kept() -> None:
    blocks = [BlockRating("P1", 1, "knife", 50, 50, 50), BlockRating("P1", 2, "knife", 60, 60, 60)]
    assert retention(blocks)[0].kept is None


def test_a_summary_of_nothing_invents_nothing() -> None:
    assert (summary([]).mean, summary([3.0]).sd) == (None, None)
