"""A statistical analysis plan as frozen data: arms, visits, model, estimand, sensitivity, response, blinding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method
from kerp.analysis.estimand import Estimand, IntercurrentEvent
from kerp.analysis.imputation import Assumption
from kerp.evidence.sourced import Mark

_CLOSED = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """The two arms of the primary contrast, by their names in the allocation."""

    __pydantic_config__: ClassVar = _CLOSED
    compared: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitWindow:
    """A visit: its nominal study day and the days on which a rating counts for it."""

    __pydantic_config__: ClassVar = _CLOSED
    day: float
    from_day: float
    to_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomePlan:
    """What is measured. The baseline is the last valid score in its window, fixed before treatment (M15)."""

    __pydantic_config__: ClassVar = _CLOSED
    instrument: str
    label: str
    baseline_from_day: float
    baseline_to_day: float
    primary_day: float
    visits: tuple[VisitWindow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """The repeated-measures model; covariance and df are left to the sample size where they are not stated."""

    __pydantic_config__: ClassVar = _CLOSED
    covariance: Structure | None = None
    df: Method | None = None
    baseline_by_visit: bool = True
    covariates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimandPlan:
    """Summary and intercurrent events; population, treatment and variable come from the rest of the plan."""

    __pydantic_config__: ClassVar = _CLOSED
    summary: str
    events: tuple[IntercurrentEvent, ...]
    failure_points: float | None = None
    source: str = ""
    mark: Mark = Mark.ASSUMED
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityPlan:
    """Departures from missing at random, number of imputations and their seed."""

    __pydantic_config__: ClassVar = _CLOSED
    assumptions: tuple[Assumption, ...]
    deltas: tuple[float, ...]
    draws: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePlan:
    """Every definition of response that is counted, `set.criterion`; the first is the main one."""

    __pydantic_config__: ClassVar = _CLOSED
    criteria: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindingPlan:
    """Words that mean `I do not know`, and effects of belief tried in the sensitivity analysis."""

    __pydantic_config__: ClassVar = _CLOSED
    unsure: tuple[str, ...]
    belief_points: tuple[float, ...]
    source: str
    mark: Mark
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPlan:
    """How far the arms' mean exposure times may lie apart, as a share of the longer, before the report warns."""

    __pydantic_config__: ClassVar = _CLOSED
    tolerance_fraction: float
    source: str
    mark: Mark
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A departure from the locked plan that the statistician declares."""

    __pydantic_config__: ClassVar = _CLOSED
    what: str
    why: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole plan. `deviations` are not part of what is locked; without `contact` any difference warns."""

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    title: str
    version: int
    population: str
    arms: Arms
    outcome: OutcomePlan
    model: ModelPlan
    estimand: EstimandPlan
    sensitivity: SensitivityPlan
    response: ResponsePlan
    blinding: BlindingPlan
    design: str = ""
    contact: ContactPlan | None = None
    deviations: tuple[Deviation, ...] = ()

    def as_estimand(self) -> Estimand:
        """The primary estimand as an object."""
        return Estimand(
            id=self.id,
            population=self.population,
            treatment=self.arms.compared,
            reference=self.arms.reference,
            variable=self.outcome.label,
            day=self.outcome.primary_day,
            summary=self.estimand.summary,
            events=self.estimand.events,
            failure_value=self.estimand.failure_points,
        )
