"""Hold, stop and warning rules: one small function per kind, thresholds from the protocol.

A new rule is a function here and its data in a protocol. A function yields a `Finding` while it fires and nothing
once it has cleared; it never changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kerp.protocol.model import Protocol, Rule
from kerp.session.advice import Finding
from kerp.session.rules.anxiety import paradoxical_anxiety, suds_ceiling
from kerp.session.rules.course import day1_call, reference_period
from kerp.session.rules.dose import device_gap, weight_changed, weight_stale
from kerp.session.rules.effect import low_demand_at_peak, no_onset, patient_stop
from kerp.session.rules.mind import chest_pain_or_neurological, psychosis, suicidality
from kerp.session.rules.vitals import (
    bp_stop,
    bp_warn,
    do_not_start_bp,
    heart_rate,
    heart_rate_stop,
    sedation_pause,
    sedation_stop,
    spo2,
    spo2_stop,
)
from kerp.session.state import State
from kerp.session.view import View

SESSION_RULES: Mapping[str, Callable[[View, Rule], Iterator[Finding]]] = {
    "do_not_start_bp": do_not_start_bp,
    "bp_warn": bp_warn,
    "bp_stop": bp_stop,
    "heart_rate_warn": heart_rate,
    "heart_rate_stop": heart_rate_stop,
    "spo2_warn": spo2,
    "spo2_stop": spo2_stop,
    "sedation_pause": sedation_pause,
    "sedation_stop": sedation_stop,
    "psychosis": psychosis,
    "paradoxical_anxiety": paradoxical_anxiety,
    "suds_ceiling": suds_ceiling,
    "low_demand_at_peak": low_demand_at_peak,
    "no_onset": no_onset,
    "patient_stop": patient_stop,
    "chest_pain_or_neurological": chest_pain_or_neurological,
    "weight_stale": weight_stale,
    "weight_changed": weight_changed,
    "device_gap": device_gap,
}


def _suicidality(_protocol: Protocol, state: State, _now_ms: int, rule: Rule) -> Iterator[Finding]:
    return suicidality(state, rule)


COURSE_RULES: Mapping[str, Callable[[Protocol, State, int, Rule], Iterator[Finding]]] = {
    "suicidality": _suicidality,
    "day1_call": day1_call,
    "reference_period": reference_period,
}
RULE_KINDS: tuple[str, ...] = (*SESSION_RULES, *COURSE_RULES)
