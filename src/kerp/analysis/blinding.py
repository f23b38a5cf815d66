"""Was the blind kept? Bang's index by arm, beliefs, and what belief alone could have moved. Standard library only.

The index is (correct - wrong) / all asked, per arm: 1 everybody knew, 0 chance, -1 everybody believed the opposite
(Bang, Ni and Davis 2004). Nothing here adjusts an outcome for belief or dissociation: see `WHY_NOT_ADJUSTED`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from kerp.base.errors import Fault, KerpError

WHY_NOT_ADJUSTED = (
    "No estimate is adjusted for dissociation, CADSS or belief as primary analysis: they come after randomisation "
    "and partly carry the drug's effect, so conditioning on them removes effect and opens confounding. Belief is "
    "reported, and its possible part is shown as a sensitivity analysis with the assumed size stated."
)


@dataclass(frozen=True, slots=True)
class Guess:
    """One guess of the arm. `arm` is the true one; `guessed` None means the person said they do not know."""

    arm: str
    guessed: str | None
    by: str = "participant"
    when: str = ""
    certainty_pct: float | None = None


@dataclass(frozen=True, slots=True)
class BangIndex:
    """Index of one arm with its normal interval. Positive: more people guessed right than wrong."""

    arm: str
    correct: int
    wrong: int
    unsure: int
    index: float
    se: float
    low: float
    high: float
    reading: str


def bang_index(arm: str, correct: int, wrong: int, unsure: int, level: float = 0.95) -> BangIndex:
    """Index, standard error sqrt((p_c(1-p_c) + p_w(1-p_w) + 2 p_c p_w) / n) and interval, kept within -1 to 1."""
    total = correct + wrong + unsure
    if total <= 0 or min(correct, wrong, unsure) < 0:
        raise KerpError(Fault("nobody in this arm was asked to guess: no index can be estimated", field=arm))
    right, off = correct / total, wrong / total
    index = right - off
    se = sqrt(max(0.0, right * (1 - right) + off * (1 - off) + 2 * right * off) / total)
    half = NormalDist().inv_cdf(0.5 + level / 2) * se
    low, high = max(-1.0, index - half), min(1.0, index + half)
    return BangIndex(arm, correct, wrong, unsure, index, se, low, high, _reading(low, high))


def _reading(low: float, high: float) -> str:
    if low > 0:
        return "more right guesses than chance: the blind was not kept in this arm"
    if high < 0:
        return "more wrong guesses than chance: this arm believes it had the other treatment"
    return "compatible with random guessing"


def bang_by_arm(guesses: Iterable[Guess], level: float = 0.95) -> tuple[BangIndex, ...]:
    """One index for each true arm, in sorted order of arms."""
    listed = list(guesses)
    found = []
    for arm in sorted({guess.arm for guess in listed}):
        own = [guess for guess in listed if guess.arm == arm]
        right = sum(guess.guessed == arm for guess in own)
        unsure = sum(guess.guessed is None for guess in own)
        found.append(bang_index(arm, right, len(own) - right - unsure, unsure, level))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class BeliefBias:
    """What belief in active treatment alone would add to the difference between arms, in its units."""

    effect_of_belief: float
    believes_active_in_arm: float
    believes_active_in_reference: float
    bias: float
    remaining: float | None = None


def belief_bias(
    effect_of_belief: float, in_arm: float, in_reference: float, estimate: float | None = None
) -> BeliefBias:
    """The bias pi (P[believes active | arm] - P[... | reference]); `remaining` is the estimate without it."""
    for share in (in_arm, in_reference):
        if not 0.0 <= share <= 1.0:
            raise KerpError(Fault("a share of believers lies between 0 and 1", found=str(share)))
    bias = effect_of_belief * (in_arm - in_reference)
    return BeliefBias(effect_of_belief, in_arm, in_reference, bias, None if estimate is None else estimate - bias)


def tipping_belief(estimate: float, in_arm: float, in_reference: float) -> float | None:
    """How large the effect of belief would have to be to explain the whole estimate; None where beliefs are equal."""
    gap = in_arm - in_reference
    return None if gap == 0 else estimate / gap
