"""A protocol as frozen data: what should happen, each number with its source, no behaviour.

The file format is `data/protocols/*.toml`; `kerp.protocol.load` checks a file against these classes and
`kerp.protocol.check` reads it as a clinician would. Times are minutes from a named anchor, days are study days
(day 0 = first dose, or first exposure where no drug is given). Records that hold plain minutes or days carry `source`
and `mark` themselves; single numbers that a site may argue about are `Sourced`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kerp.evidence.sourced import Mark, Sourced


class Track(StrEnum):
    """Drug and exposure are separate tracks: stopping one never silently stops the other (M11)."""

    DRUG = "drug"
    EXPOSURE = "exposure"
    BOTH = "both"
    NONE = "none"


class Level(StrEnum):
    """How loudly advice speaks. Always advice: the text says who decides (M19)."""

    INFO = "info"
    WARN = "warn"
    HOLD = "hold"  # proposes a pause
    STOP = "stop"  # proposes a stop


class Fact(StrEnum):
    """What can move a phase. Facts come from recorded events and the effect rule, never from the clock alone."""

    SESSION_OPENED = "session_opened"
    READY_CONFIRMED = "ready_confirmed"
    ADMINISTRATION_START = "administration_start"  # T0 of a drug session
    FIRST_EXPOSURE = "first_exposure"  # T0 of a drug-free session
    EFFECT_ONSET = "effect_onset"
    EFFECT_PEAK = "effect_peak"
    EFFECT_RESOLVED = "effect_resolved"
    ADMINISTRATION_END = "administration_end"
    EXPOSURE_STOPPED = "exposure_stopped"
    DISCHARGED = "discharged"


class Proposal(StrEnum):
    """What entering a phase proposes to the team."""

    NOTHING = "nothing"
    OPEN_EXPOSURE = "open_exposure"
    CONTINUE_EXPOSURE = "continue_exposure"
    LOW_DEMAND = "low_demand"
    TAPER = "taper"
    STOP_EXPOSURE = "stop_exposure"
    DISCHARGE = "discharge"


class Agent(StrEnum):
    """What is given."""

    KETAMINE = "ketamine"  # racemic
    ESKETAMINE = "esketamine"
    MIDAZOLAM = "midazolam"  # active placebo
    SALINE = "saline"
    MASKED = "masked"  # of a blinded study protocol: what is in the syringe stays in the allocation store (M8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One eligibility criterion. `kind` is `include` or `exclude`; a site may switch it, giving `reason`."""

    id: str
    kind: str
    text: str
    source: str
    mark: Mark
    active: bool = True
    reason: str = ""
    threshold: Sourced | None = None
    instrument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What is agreed before the day of the dose (clinical.md section 7)."""

    hierarchy_min_items: Sourced
    hierarchy_max_items: Sourced
    session_items_min: Sourced
    session_items_max: Sourced
    suds_middle_low: Sourced
    suds_middle_high: Sourced
    response_prevention_contract: bool
    stop_word: bool
    rehearse_scales: bool
    hazards_checked: bool
    forbidden_hazards: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Who must be there. `never_also` names roles the same person may not hold for the same participant (M7)."""

    id: str
    title: str
    duties: str
    required: bool
    never_also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """One item of the 'ready' gate: missing ones are shown by name. `every_dose` repeats it before each dose (M6)."""

    id: str
    title: str
    kind: (
        str  # consent | eligibility | pregnancy | toxicology | fasting | escort | checklist | baseline | verification
    )
    role: str
    source: str
    mark: Mark
    every_dose: bool = True
    max_age_h: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blinding:
    """Equalised preparation of a blinded trial: the log holds kit code, mL and mL/h; nothing tells the arm (M8)."""

    volume_ml: Sourced
    hides_forecast: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseRule:
    """How much of what, over how long. mg per kg over minutes (IV), or devices of a fixed strength (nasal)."""

    agent: Agent
    route: str  # an id of data/routes
    max_dose_mg: Sourced  # of the site: above it refused, never clamped
    weight_min_kg: Sourced
    weight_max_kg: Sourced
    weight_max_age_days: Sourced
    weight_change_pct: Sourced
    expected_peak_from_min: Sourced
    expected_peak_to_min: Sourced
    dose_mg_per_kg: Sourced | None = None
    duration_min: Sourced | None = None
    concentration_mg_per_ml: Sourced | None = None
    volume_warn_below_ml: Sourced | None = None
    pump_step_ml_per_h: Sourced | None = None
    device_mg: Sourced | None = None
    devices_allowed: tuple[int, ...] = ()
    devices_default: int | None = None
    device_gap_min: Sourced | None = None
    doses_total: int = 1
    blinding: Blinding | None = None
    erratum: str = ""
    container_ml: Sourced | None = None  # of the syringe or bag: a larger volume is warned about
    volume_step_ml: Sourced | None = None
    dose_step_mg: Sourced | None = None
    source: str = ""  # of the counts above (devices, doses), in `unit`
    mark: Mark = Mark.ASSUMED
    unit: str = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRule:
    """How onset, peak and resolution are read off felt-effect ratings (0-10). Assumed; DESIGN section 3."""

    instrument: str
    baseline_window_min: Sourced
    onset_rise: Sourced
    onset_ratings: Sourced
    peak_fall: Sourced
    peak_ratings: Sourced
    resolution_within: Sourced
    resolution_ratings: Sourced
    max_gap_min: Sourced  # ratings farther apart than this are not consecutive
    no_onset_by_min: Sourced
    expose_until_peak: bool  # P29 asks until effects are felt; going on to the peak is our reading, switchable
    expose_until_peak_note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaperStep:
    """One step down after the peak: intensity as a fraction of full, demand as text."""

    id: str
    title: str
    intensity: float
    source: str
    mark: Mark
    text: str = ""
    unit: str = "fraction"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposurePlan:
    """How exposure is run within a session."""

    block_min: Sourced
    gap_min: Sourced
    repeat_rule: str  # repeat_same | next_item | therapist_choice
    max_blocks: Sourced
    ending_rules: tuple[str, ...]  # habituation | expectancy_tested | fixed_time | protocol_taper | clinician
    habituation_fraction: Sourced  # block may end when SUDS is at or below this share of its peak
    taper: tuple[TaperStep, ...] = ()
    duration_min: Sourced | None = None  # drug-free sessions
    same_items_as: str = ""  # off-drug repetition: id of the session whose items are repeated identically


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of a session, entered when a fact is true."""

    id: str
    title: str
    enters_on: Fact
    proposes: Proposal
    text: str
    claims: tuple[str, ...] = ()
    expected_from_min: float | None = None  # shown as an expectation (P30), never a trigger
    expected_to_min: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is asked when. Falls due at `at_min`, or every `every_min` from `from_min` to `to_min`, after `anchor`.

    Only while the session is in one of `phases` (empty: any). It is due from its time, overdue after
    `late_after_min`, missed after `missed_after_min`, and never back-dated (M9).
    """

    id: str
    instrument: str
    title: str
    asked_by: str  # role, or `participant`
    anchor: Fact
    source: str
    mark: Mark
    at_min: tuple[float, ...] = ()
    every_min: float | None = None
    from_min: float | None = None
    to_min: float | None = None
    phases: tuple[str, ...] = ()
    late_after_min: float = 2.0
    missed_after_min: float = 5.0
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """One kind of session of the course, and the study days it is meant for."""

    id: str
    title: str
    kind: str  # dosing_with_exposure | dosing_only | exposure_only | metacognitive
    days: tuple[float, ...]
    source: str
    mark: Mark
    window_before_days: float = 0.0
    window_after_days: float = 0.0
    day_anchor: str = "first_dose"  # first_dose | first_exposure | previous_session
    claims: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    exposure: ExposurePlan | None = None
    duration_min: Sourced | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A hold, stop or warning rule: `kind` names a function of `kerp.session.rules`, data gives thresholds."""

    id: str
    kind: str
    title: str
    level: Level
    track: Track
    who_decides: str
    text: str
    source: str
    mark: Mark
    active: bool = True
    sessions: tuple[str, ...] = ()  # empty: all
    thresholds: Mapping[str, Sourced] = field(default_factory=dict)
    steps: tuple[str, ...] = ()  # graded responses, in order (paradoxical anxiety)


@dataclass(frozen=True, slots=True, kw_only=True)
class DischargeCriterion:
    """One reason a participant may not leave yet."""

    id: str
    # elapsed | moaas | orientation | gait | blood_pressure | felt_effect | suicidality | nausea | escort | advice
    kind: str
    title: str
    source: str
    mark: Mark
    active: bool = True
    threshold: Sourced | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentUse:
    """An instrument of the protocol, in which role, and by whom."""

    id: str
    role: str  # primary | secondary | safety | process | baseline
    rater: str
    must_not_straddle_dose: bool = False
    period_days: float = 0.0  # reference period in study days: filled by the loader from the instrument (M1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One instrument asked at a visit or call."""

    instrument: str
    rater: str
    blinded: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit or call. Windows are study days before and after `day`; `anchor` is what day counts from."""

    id: str
    title: str
    kind: str  # screening | baseline | visit | call
    day: float
    source: str
    mark: Mark
    window_before_days: float = 0.0
    window_after_days: float = 0.0
    anchor: str = "first_dose"  # first_dose | last_dose | first_exposure
    assessments: tuple[Assessment, ...] = ()
    mandatory: bool = True
    escalate_after_h: float | None = None
    locked: bool = False  # baseline is locked (M15)
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRuleSignature:
    """Signed stopping rules of a site: who signed which version (M16)."""

    version: str
    signed_by: str
    signed_on: str
    statement: str = ""
    digest: str = ""  # of the rules as they were signed: a rule changed afterwards no longer matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Everything a site needs to run one arm: resolved (shipped base + site overlay + signed rules)."""

    schema_version: int
    id: str
    title: str
    version: str
    summary: str
    intended_use: str
    claims: tuple[str, ...]
    roles: tuple[Role, ...]
    criteria: tuple[Criterion, ...]
    preconditions: tuple[Precondition, ...]
    planning: Planning
    sessions: tuple[SessionPlan, ...]
    visits: tuple[Visit, ...]
    instruments: tuple[InstrumentUse, ...]
    rules: tuple[Rule, ...]
    discharge: tuple[DischargeCriterion, ...]
    dose: DoseRule | None = None
    effect_rule: EffectRule | None = None
    stopping_rules: StoppingRuleSignature | None = None
    blinded: bool = False
    notes: tuple[str, ...] = ()

    def session(self, identifier: str) -> SessionPlan:
        """The plan of a kind of session; `KeyError` when the protocol has none of that name."""
        for plan in self.sessions:
            if plan.id == identifier:
                return plan
        raise KeyError(identifier)
