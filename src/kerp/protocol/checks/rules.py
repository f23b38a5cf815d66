"""Hold and stop rules: complete, in the right order, triggered by something that is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kerp.base.errors import Fault
from kerp.evidence.sourced import Sourced
from kerp.protocol.checks.course import dosing_sessions, gives_drug, objection
from kerp.protocol.checks.limits import threshold_range
from kerp.protocol.model import Protocol, Rule
from kerp.protocol.vocabulary import RULE_KINDS

# softer rule, firmer rule, threshold, which side the softer one lies on
_COMPANIONS = (
    ("do_not_start_bp", "bp_stop", "sbp_mmhg", "below"),
    ("do_not_start_bp", "bp_stop", "dbp_mmhg", "below"),
    ("bp_warn", "bp_stop", "sbp_mmhg", "below"),
    ("bp_warn", "bp_stop", "dbp_mmhg", "below"),
    ("heart_rate_warn", "heart_rate_stop", "hr_high_per_min", "below"),
    ("heart_rate_warn", "heart_rate_stop", "hr_low_per_min", "above"),
    ("spo2_warn", "spo2_stop", "spo2_pct", "above"),
    ("sedation_pause", "sedation_stop", "moaas", "above"),
)
_MUST_STAND = ("patient_stop", "bp_stop", "heart_rate_stop", "spo2_stop", "sedation_stop", "suicidality", "psychosis")
_MEASURED_BY = {
    "do_not_start_bp": "vitals",
    "bp_warn": "vitals",
    "bp_stop": "vitals",
    "heart_rate_warn": "vitals",
    "heart_rate_stop": "vitals",
    "spo2_warn": "vitals",
    "spo2_stop": "vitals",
    "sedation_pause": "moaas",
    "sedation_stop": "moaas",
    "psychosis": "bprs_plus4",
    "suicidality": "cssrs_screener",
    "paradoxical_anxiety": "suds",
    "suds_ceiling": "suds",
    "low_demand_at_peak": "felt_effect",
    "no_onset": "felt_effect",
}


def thresholds_missing(protocol: Protocol) -> Iterator[Fault]:
    """A rule has the thresholds its kind reads, and no others."""
    for rule in protocol.rules:
        kind = RULE_KINDS.get(rule.kind)
        if kind is None:
            continue
        for name in kind.thresholds:
            if name not in rule.thresholds:
                message = f"{rule.title!r} needs the threshold {name}"
                yield objection(
                    f"rules.{rule.id}.thresholds", message, f"add {name}", found=", ".join(rule.thresholds)
                )
        for name in rule.thresholds:
            if name not in kind.thresholds + kind.optional:
                allowed = ", ".join(kind.thresholds + kind.optional) or "none"
                message = f"{rule.title!r} never reads {name}"
                yield objection(
                    f"rules.{rule.id}.thresholds.{name}", message, "remove it", found=name, allowed=allowed
                )


def impossible_thresholds(protocol: Protocol) -> Iterator[Fault]:
    """Values no monitor shows: a slip of the finger, or mg for mmHg."""
    for rule in protocol.rules:
        for name, value in rule.thresholds.items():
            bounds = threshold_range(name)
            if bounds is None or bounds[0] <= float(value) <= bounds[1]:
                continue
            allowed = f"{bounds[0]:g} to {bounds[1]:g} {value.unit}"
            message = f"{rule.title!r}: no measurement gives this value"
            yield objection(
                f"rules.{rule.id}.thresholds.{name}", message, "correct it", found=float(value), allowed=allowed
            )


def warning_after_stop(protocol: Protocol) -> Iterator[Fault]:
    """The softer rule speaks first: a warning at or beyond its stop comes too late."""
    active = {rule.kind: rule for rule in protocol.rules if rule.active}
    for softer, firmer, name, side in _COMPANIONS:
        soft, firm = _threshold(active, softer, name), _threshold(active, firmer, name)
        if soft is None or firm is None:
            continue
        if (float(soft) >= float(firm)) if side == "below" else (float(soft) <= float(firm)):
            message = f"{active[softer].title!r} does not come before {active[firmer].title!r}"
            field = f"rules.{active[softer].id}.thresholds.{name}"
            allowed = f"{side} {float(firm):g} {firm.unit}"
            yield objection(field, message, "exchange or correct them", found=float(soft), allowed=allowed)


def _threshold(active: Mapping[str, Rule], kind: str, name: str) -> Sourced | None:
    return active[kind].thresholds.get(name) if kind in active else None


def rules_that_must_stand(protocol: Protocol) -> Iterator[Fault]:
    """Where a drug is given these rules exist; switched off they need a signature (M16)."""
    if not gives_drug(protocol):
        return
    for kind in _MUST_STAND:
        rules = [rule for rule in protocol.rules if rule.kind == kind]
        if not rules:
            yield objection("rules", f"there is no rule of kind {kind}", f'add a rule of kind = "{kind}"')
        elif not any(rule.active for rule in rules) and protocol.stopping_rules is None:
            message = f"{rules[0].title!r} is switched off, and nobody signed that"
            yield objection(f"rules.{rules[0].id}.active", message, "sign it under [stopping_rules]", found="false")


def rules_nothing_can_trigger(protocol: Protocol) -> Iterator[Fault]:
    """A rule whose measurement is never asked in a session it is meant for never speaks."""
    for rule in protocol.rules:
        measure = _MEASURED_BY.get(rule.kind)
        if measure is None or not rule.active:
            continue
        asked = {prompt.instrument for plan in protocol.sessions for prompt in plan.prompts}
        asked |= {item.instrument for visit in protocol.visits for item in visit.assessments}
        if measure not in asked:
            message = f"{rule.title!r} can never speak: {measure} is never asked"
            yield objection(f"rules.{rule.id}", message, f"ask {measure}", "switch the rule off")
    yield from _vitals_after_dose(protocol)


def _vitals_after_dose(protocol: Protocol) -> Iterator[Fault]:
    for plan in dosing_sessions(protocol):
        asked = {prompt.instrument for prompt in plan.prompts if prompt.anchor.value.startswith("administration")}
        for measure in ("vitals", "moaas"):
            if measure not in asked:
                message = f"{measure} is not asked after the drug has started"
                yield objection(f"sessions.{plan.id}.prompts", message, f"add a prompt for {measure}")


def rules_of_unknown_sessions(protocol: Protocol) -> Iterator[Fault]:
    """A rule is limited to sessions that exist."""
    known = [plan.id for plan in protocol.sessions]
    for rule in protocol.rules:
        if unknown := [name for name in rule.sessions if name not in known]:
            message = f"{rule.title!r} is limited to a session that does not exist"
            found, allowed = ", ".join(unknown), ", ".join(known)
            yield objection(f"rules.{rule.id}.sessions", message, "correct the name", found=found, allowed=allowed)


def graded_response_missing(protocol: Protocol) -> Iterator[Fault]:
    """Paradoxical anxiety is answered in steps; which step was reached is recorded (PAPER P37)."""
    for rule in protocol.rules:
        if rule.kind == "paradoxical_anxiety" and not rule.steps:
            yield objection(
                f"rules.{rule.id}.steps", "paradoxical anxiety has no steps (PAPER P37)", "list the steps"
            )
        if rule.kind == "paradoxical_anxiety" and protocol.effect_rule is None:
            message = "paradoxical anxiety is defined against the time before onset, and nothing reads onset"
            yield objection(f"rules.{rule.id}", message, "add [effect_rule]")


CHECKS = (
    thresholds_missing,
    impossible_thresholds,
    warning_after_stop,
    rules_that_must_stand,
    rules_nothing_can_trigger,
    rules_of_unknown_sessions,
    graded_response_missing,
)
