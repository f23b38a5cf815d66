"""A trial design as frozen data: who gets what when, what is compared, how errors are held, when it stops.

Files of `data/designs` are read into these classes; the JSON Schema of the format is made from them. Percentages are
fractions, days count from the first dose or first exposure (day 0), effects are residual SDs unless a name says
points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from kerp.evidence.sourced import Mark, Sourced

Layout = Literal["parallel", "factorial", "crossover"]
LATER = ("response-adaptive", "unblinded-reestimation", "smart", "n-of-1")
Drug = Literal["ketamine", "esketamine", "ketamine-low-dose", "midazolam", "saline", "none"]
# control drugs are given as the drug they stand for
ROUTE_OF: dict[str, str] = {
    "ketamine": "iv_infusion",
    "ketamine-low-dose": "iv_infusion",
    "esketamine": "nasal_spray",
    "midazolam": "iv_infusion",
    "saline": "iv_infusion",
}
MODELLED = frozenset({"ketamine", "ketamine-low-dose", "esketamine"})  # drugs with an effect: they need a dose
Timing = Literal["during", "after", "delayed", "none"]
Multiplicity = Literal["single", "fixed-sequence", "bonferroni", "holm"]
Strategy = Literal["treatment policy", "hypothetical", "composite", "while on treatment", "principal stratum"]
_CLOSED = {"extra": "forbid"}  # an unknown key in a file is a fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm: drug and dose days, exposure sessions (start days, minutes each), allocation share."""

    __pydantic_config__: ClassVar = _CLOSED

    id: str
    title: str
    drug: Drug
    timing: Timing
    dose_days: tuple[float, ...] = ()
    dose: Sourced | None = None
    erp_days: tuple[float, ...] = ()
    erp_min: float = 0.0
    other_contact_min: float = 0.0
    share: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What is measured, when, and the analysis that turns it into an estimate."""

    __pydantic_config__: ClassVar = _CLOSED

    instrument: Literal["ybocs"]
    day: float
    visit_days: tuple[float, ...]
    analysis: Literal["ancova", "mmrm"]
    covariance: Literal["us", "ar1", "arh1", "toep", "cs"] = "us"
    df: Literal["satterthwaite", "kr", "kr-linear"] = "satterthwaite"
    adjust_for_strata: bool = True
    response_rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A comparison of arms: weights by arm id that sum to zero. Negative estimates favour the positive weights."""

    __pydantic_config__: ClassVar = _CLOSED

    id: str
    title: str
    weights: dict[str, float]
    primary: bool = False
    interaction: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorControl:
    """Type I error: total alpha, sides, and how it is shared between contrasts (in their order in the file)."""

    __pydantic_config__: ClassVar = _CLOSED

    alpha: float
    sides: Literal[1, 2]
    multiplicity: Multiplicity


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large: by power for an effect, or, for a pilot, by the half-width of an interval. Both in residual SDs."""

    __pydantic_config__: ClassVar = _CLOSED

    n_total: int
    by: Literal["power", "precision"]
    target_power: float | None = None
    effect_sd: float | None = None
    half_width_sd: float | None = None
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interim:
    """Group-sequential looks on the primary contrast. `information` are fractions, the last is 1."""

    __pydantic_config__: ClassVar = _CLOSED

    kind: Literal["obf", "pocock", "ldof", "ldpocock", "hsd"]
    information: tuple[float, ...]
    gamma: float | None = None
    futility: Literal["none", "ldof", "ldpocock", "hsd"] = "none"
    futility_gamma: float | None = None
    binding: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reestimation:
    """Blinded sample-size re-estimation: the pooled variance is looked at once, never the arms."""

    __pydantic_config__: ClassVar = _CLOSED

    kind: Literal["blinded-variance"]
    at_fraction: float
    max_factor: float
    may_shrink: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """A stratification factor known before allocation; simulated participants fall into its levels evenly."""

    __pydantic_config__: ClassVar = _CLOSED

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationPlan:
    """Permuted blocks: sizes as numbers of rounds (a round gives every arm its share)."""

    __pydantic_config__: ClassVar = _CLOSED

    block_rounds: tuple[int, ...]
    stratified_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """Therapists. `crossed`: each treats in every arm; otherwise each treats in one arm only and costs patients."""

    __pydantic_config__: ClassVar = _CLOSED

    therapists: int
    crossed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyRule:
    """Stop for harm: the posterior probability that the event rate of any arm passes `rate` exceeds `certainty`.

    Beta(1, 1) prior, looked at after every `every_people` participants from `from_people` on, arm by arm.
    """

    __pydantic_config__: ClassVar = _CLOSED

    id: str
    event: str
    rate: float
    certainty: float
    from_people: int
    every_people: int
    unit: str
    source: str
    mark: Mark
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntercurrentEvent:
    """An event after allocation and what the estimand does with it (ICH E9(R1))."""

    __pydantic_config__: ClassVar = _CLOSED

    event: str
    strategy: Strategy
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimand:
    """The five attributes of ICH E9(R1); the arms are the treatments."""

    __pydantic_config__: ClassVar = _CLOSED

    population: str
    variable: str
    summary: str
    events: tuple[IntercurrentEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A retention probe: a brief repeat, off drug, of the exposure of a dosed session, the same in every arm."""

    __pydantic_config__: ClassVar = _CLOSED

    after_dose_day: float
    day: float
    length_min: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossoverOverride:
    """The explicit override a crossover needs (M17): who decided, why, and the washout."""

    __pydantic_config__: ClassVar = _CLOSED

    decided_by: str
    reason: str
    washout_days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A whole trial design. `planning` names the table of assumptions about patients (`data/planning`)."""

    __pydantic_config__: ClassVar = _CLOSED

    id: str
    title: str
    question: str
    shows: str
    cannot_show: str
    layout: Layout
    blinding: str
    planning: str
    arms: tuple[Arm, ...]
    endpoint: Endpoint
    contrasts: tuple[Contrast, ...]
    errors: ErrorControl
    size: Size
    allocation: AllocationPlan
    estimand: Estimand
    strata: tuple[Stratum, ...] = ()
    clustering: Clustering | None = None
    interim: Interim | None = None
    reestimation: Reestimation | None = None
    safety: tuple[SafetyRule, ...] = ()
    probes: tuple[Probe, ...] = ()
    crossover_override: CrossoverOverride | None = None

    @property
    def primary(self) -> Contrast:
        """The contrast the size is planned for."""
        return next(contrast for contrast in self.contrasts if contrast.primary)

    @property
    def shares(self) -> tuple[int, ...]:
        """Allocation shares in the order of the arms."""
        return tuple(arm.share for arm in self.arms)

    def weights(self, contrast: Contrast) -> tuple[float, ...]:
        """The weights of a contrast in the order of the arms."""
        return tuple(contrast.weights.get(arm.id, 0.0) for arm in self.arms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What is assumed about patients when a trial is planned; every value with its source."""

    __pydantic_config__: ClassVar = _CLOSED

    id: str
    title: str
    baseline_mean: Sourced
    baseline_sd: Sourced
    entry_threshold: Sourced
    endpoint_sd: Sourced
    baseline_endpoint_correlation: Sourced
    baseline_endpoint_correlation_high: Sourced
    visit_correlation_per_week: Sourced
    placebo_change: Sourced
    erp_change: Sourced
    change_half_time: Sourced
    dropout: Sourced
    therapist_icc: Sourced
    site_sd: Sourced
    sites: Sourced
    enrolment_per_site: Sourced
    eligible_share: Sourced
    screening_noise: Sourced
    expectancy_effect: Sourced
    believes_active_given_active: Sourced
    believes_active_given_control: Sourced
    severe_event_rate: Sourced
    psychotic_rate: Sourced
    rescue_rate: Sourced
    mechanism_effect_low: Sourced
    mechanism_effect_high: Sourced
    mechanism_computed: Sourced
    mechanism_computed_favours: Sourced
    mechanism_computed_opposes: Sourced
    mechanism_computed_se: Sourced
    assurance_mean: Sourced
    assurance_sd: Sourced
