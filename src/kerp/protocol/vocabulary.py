"""The words a protocol may use: kinds, roles, anchors, rule kinds with their thresholds, units by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleKind:
    """What a rule of this kind reads from its thresholds. Which function acts on it: `kerp.session.rules`."""

    thresholds: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


RULE_KINDS: Mapping[str, RuleKind] = {
    # fires above the limits, on `readings` readings at least `apart_min` apart (M5)
    "do_not_start_bp": RuleKind(("sbp_mmhg", "dbp_mmhg", "readings", "apart_min")),
    # fires at or above a limit, or at a rise of at least so much over baseline
    "bp_warn": RuleKind(("sbp_mmhg", "dbp_mmhg", "sbp_rise_mmhg", "dbp_rise_mmhg")),
    # fires at or above at once; a repeat is due within `confirm_within_min`, the prescriber need not wait for it
    "bp_stop": RuleKind(("sbp_mmhg", "dbp_mmhg", "confirm_within_min")),
    # fire above `hr_high_per_min` or below `hr_low_per_min`
    "heart_rate_warn": RuleKind(("hr_high_per_min",), ("hr_low_per_min",)),
    "heart_rate_stop": RuleKind(("hr_high_per_min", "hr_low_per_min")),
    # fire below
    "spo2_warn": RuleKind(("spo2_pct",)),
    "spo2_stop": RuleKind(("spo2_pct",)),
    # fire at or below
    "sedation_pause": RuleKind(("moaas",)),
    "sedation_stop": RuleKind(("moaas",), ("airway_moaas",)),
    # fires at a rise of at least so much in any positive item over baseline, or at a persecutory idea
    "psychosis": RuleKind(("item_rise",)),
    # fires at this level of the C-SSRS screener or above, and at any behaviour
    "suicidality": RuleKind(("cssrs_level",)),
    # PAPER P37, clinical rule with its ceiling case (DESIGN decision 8)
    "paradoxical_anxiety": RuleKind(("suds_rise", "consecutive", "ceiling_from_suds", "ceiling_suds")),
    "suds_ceiling": RuleKind(("suds", "consecutive")),
    "low_demand_at_peak": RuleKind(("felt_effect",)),
    "no_onset": RuleKind(),  # by `effect_rule.no_onset_by_min`
    "patient_stop": RuleKind(),
    "chest_pain_or_neurological": RuleKind(),
    "reference_period": RuleKind(),  # by the instrument's own period (M1)
    "weight_stale": RuleKind(),  # by `dose.weight_max_age_days` (M2)
    "weight_changed": RuleKind(),  # by `dose.weight_change_pct`
    "day1_call": RuleKind(),  # by the visit's `escalate_after_h` (M13)
    "device_gap": RuleKind(),  # by `dose.device_gap_min` (M3)
}

ENDING_RULES = ("habituation", "expectancy_tested", "fixed_time", "protocol_taper", "clinician")
SESSION_KINDS = ("dosing_with_exposure", "dosing_only", "exposure_only", "metacognitive")
PRECONDITION_KINDS = (
    "consent", "eligibility", "pregnancy", "toxicology", "fasting", "escort", "checklist", "baseline", "verification",
)  # fmt: skip
DISCHARGE_KINDS = (
    "elapsed", "moaas", "orientation", "gait", "blood_pressure", "felt_effect", "suicidality", "nausea", "escort",
    "advice",
)  # fmt: skip

# (record, field) -> allowed words
CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Criterion", "kind"): ("include", "exclude"),
    ("Precondition", "kind"): PRECONDITION_KINDS,
    ("SessionPlan", "kind"): SESSION_KINDS,
    ("SessionPlan", "day_anchor"): ("first_dose", "first_exposure", "previous_session"),
    ("ExposurePlan", "repeat_rule"): ("repeat_same", "next_item", "therapist_choice"),
    ("ExposurePlan", "ending_rules"): ENDING_RULES,
    ("Rule", "kind"): tuple(RULE_KINDS),
    ("DischargeCriterion", "kind"): DISCHARGE_KINDS,
    ("InstrumentUse", "role"): ("primary", "secondary", "safety", "process", "baseline"),
    ("Visit", "kind"): ("screening", "baseline", "visit", "call"),
    ("Visit", "anchor"): ("first_dose", "last_dose", "first_exposure"),
}

# a name's ending promises its unit; the longest ending comes first
UNITS: tuple[tuple[str, str], ...] = (
    ("_items_min", "items"),
    ("_mg_per_kg", "mg/kg"),
    ("_mg_per_ml", "mg/mL"),
    ("_ml_per_h", "mL/h"),
    ("_per_min", "/min"),
    ("_mmhg", "mmHg"),
    ("_min", "min"),
    ("_days", "days"),
    ("_pct", "%"),
    ("_mg", "mg"),
    ("_kg", "kg"),
    ("_ml", "mL"),
    ("_fraction", "fraction"),
)

MAY_BE_NEGATIVE = frozenset({"day", "days"})  # study days before the first dose
MUST_BE_POSITIVE = frozenset(
    {
        "dose_mg_per_kg", "duration_min", "concentration_mg_per_ml", "max_dose_mg", "weight_min_kg", "weight_max_kg",
        "pump_step_ml_per_h", "volume_step_ml", "dose_step_mg", "device_mg", "devices_allowed", "devices_default",
        "doses_total", "every_min", "block_min", "max_blocks", "readings", "consecutive", "onset_ratings",
        "peak_ratings", "resolution_ratings", "max_gap_min", "volume_ml", "max_age_h", "container_ml",
    }
)  # fmt: skip
