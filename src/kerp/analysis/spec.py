"""What a repeated-measures analysis is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method


@dataclass(frozen=True)
class MmrmSpec:
    """What to fit: column names, reference levels, covariance and small-sample method (None: by sample size)."""

    outcome: str
    subject: str
    visit: str
    arm: str
    covariates: tuple[str, ...] = ()
    baseline: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    time: str | None = None
    baseline_by_visit: bool = False
    covariance: Structure | None = None
    method: Method | None = None
    level: float = 0.95
