"""Crossover trials: the first period is always analysed alone; a test of carry-over is not offered (M17).

The two-stage procedure (test carry-over, then choose the analysis) has a type I error of 7 to 9.5 % at a nominal 5 %
(Freeman 1989), since the two steps use the same data. Ketamine's carry-over beyond a week is published (Rodriguez
2013), and what exposure teaches is meant to last, so no wash-out makes a crossover of exposure arms valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerp.analysis.ancova import ancova, least_squares
from kerp.analysis.degrees import Estimate
from kerp.base.errors import Fault, KerpError

Array = Any
TWO_STAGE_REFUSED = (
    "the two-stage procedure is not offered: its type I error is 7 to 9.5 % at a nominal 5 %, because the test of "
    "carry-over and the analysis it chooses use the same data; decide before data, and read the first period"
)
EXPOSURE_REFUSED = (
    "an arm with exposure cannot be crossed over: what it teaches is meant to last, so no wash-out exists; "
    "use parallel arms"
)


@dataclass(frozen=True)
class CrossoverResult:
    """First-period difference (the one to read), and the within-patient one with what it assumes."""

    first_period: Estimate
    within_patient: Estimate
    assumption: str = (
        "the within-patient difference assumes no carry-over; carry-over L from active into control moves it by -L/2"
    )


def two_stage(*_: object) -> None:
    """Refused, with the reason."""
    raise KerpError(Fault(TWO_STAGE_REFUSED, ways_out=("the first-period analysis is reported always",)))


def analyse_crossover(
    first: Array, second: Array, active_first: Array, baseline: Array, *, contains_exposure: bool
) -> CrossoverResult:
    """AB/BA trial: outcomes of the two periods (n,), who had active first (n,), baseline before period one (n,)."""
    if contains_exposure:
        raise KerpError(Fault(EXPOSURE_REFUSED))
    sequence = np.asarray(active_first, dtype=float)
    return CrossoverResult(
        first_period=ancova(np.asarray(first, float), sequence, np.asarray(baseline, float)),
        within_patient=within_patient(np.asarray(first, float), np.asarray(second, float), sequence),
    )


def within_patient(first: Array, second: Array, active_first: Array) -> Estimate:
    """Half the difference between sequences of the period differences: active minus control."""
    x = np.column_stack([np.ones(len(first)), active_first])
    fitted = least_squares(x, first - second, ("(Intercept)", "sequence"))
    return fitted.contrast(np.array([0.0, 0.5]))
