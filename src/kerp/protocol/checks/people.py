"""Who does what: roles that exist, hands that must not be the same, gates that open before a dose."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.errors import Fault
from kerp.protocol.checks.course import PARTICIPANT, asked, gives_drug, objection
from kerp.protocol.checks.limits import earliest_discharge_min
from kerp.protocol.model import DischargeCriterion, Protocol, Role

THERAPIST = "therapist"


def _named(protocol: Protocol) -> Iterator[tuple[str, str]]:
    for _, rater, field in asked(protocol):
        yield rater, field
    for use in protocol.instruments:
        yield use.rater, f"instruments.{use.id}.rater"
    for item in protocol.preconditions:
        yield item.role, f"preconditions.{item.id}.role"
    for rule in protocol.rules:
        yield rule.who_decides, f"rules.{rule.id}.who_decides"


def unknown_roles(protocol: Protocol) -> Iterator[Fault]:
    """Every role named anywhere is declared."""
    known = [role.id for role in protocol.roles]
    for name, field in _named(protocol):
        if name not in {*known, PARTICIPANT}:
            allowed = ", ".join([*known, PARTICIPANT])
            yield objection(
                field, f"nobody has the role {name!r}", "add the role, or name another", found=name, allowed=allowed
            )


def therapist_as_rater(protocol: Protocol) -> Iterator[Fault]:
    """Who rates blind is not the therapist, and may not become one for this participant (M7)."""
    roles = {role.id: role for role in protocol.roles}
    for visit in protocol.visits:
        for item in visit.assessments:
            field = f"visits.{visit.id}.assessments.{item.instrument}.rater"
            if item.blinded and item.rater == THERAPIST:
                way = "name a rater who never sees the session"
                yield objection(field, f"the therapist rates {item.instrument} blind (M7)", way, found=item.rater)
    blind = {item.rater for visit in protocol.visits for item in visit.assessments if item.blinded}
    primary = {use.rater for use in protocol.instruments if use.role == "primary"}
    for name in sorted((blind | primary) & roles.keys() - {THERAPIST}):
        if THERAPIST in roles and not _kept_apart(roles[name], roles[THERAPIST]):
            ways = (f'add "{THERAPIST}" to never_also of {name}',)
            yield objection(f"roles.{name}.never_also", f"{name} could also be the therapist (M7)", *ways)
    for use in protocol.instruments:
        if use.role == "primary" and use.rater == THERAPIST:
            message = "the therapist rates the primary outcome (M7)"
            yield objection(f"instruments.{use.id}.rater", message, "name the blind rater", found=use.rater)


def _kept_apart(one: Role, other: Role) -> bool:
    return other.id in one.never_also or one.id in other.never_also


def pregnancy_test_missing(protocol: Protocol) -> Iterator[Fault]:
    """A pregnancy test before every dose, not only before the first (M6)."""
    if not gives_drug(protocol):
        return
    tests = [item for item in protocol.preconditions if item.kind == "pregnancy"]
    if not tests:
        ways = ('add a precondition of kind = "pregnancy" with every_dose = true',)
        yield objection("preconditions", "no pregnancy test before the dose (M6)", *ways)
    for item in tests:
        if not item.every_dose:
            message = "the pregnancy test is not repeated before each dose (M6)"
            yield objection(f"preconditions.{item.id}.every_dose", message, "write every_dose = true", found="false")
        if item.max_age_h is None:
            message = "nobody says how old a pregnancy test may be"
            yield objection(f"preconditions.{item.id}.max_age_h", message, "write max_age_h = 24")


def gates_missing(protocol: Protocol) -> Iterator[Fault]:
    """Consent always; before a dose also eligibility, escort and the check by two people (M2, M12)."""
    kinds = {item.kind for item in protocol.preconditions}
    needed = (
        ("consent", "eligibility", "escort", "verification") if gives_drug(protocol) else ("consent", "eligibility")
    )
    for kind in needed:
        if kind not in kinds:
            message = f"nothing asks for {kind} before the session"
            yield objection("preconditions", message, f'add a precondition of kind = "{kind}"')


def criteria_switched_off_in_silence(protocol: Protocol) -> Iterator[Fault]:
    """A criterion that is switched off says why."""
    for criterion in protocol.criteria:
        if not criterion.active and not criterion.reason.strip():
            message = f"the criterion {criterion.text!r} is switched off without a reason"
            yield objection(f"criteria.{criterion.id}.reason", message, "write the reason")


def discharge_too_early(protocol: Protocol) -> Iterator[Fault]:
    """Nobody who got a drug leaves before 120 min, without escort, or with suicidality open (M12)."""
    if not gives_drug(protocol):
        return
    active = {item.kind: item for item in protocol.discharge if item.active}
    for kind in ("elapsed", "escort", "suicidality"):
        if kind not in active:
            message = f"discharge does not ask for {kind} (M12)"
            yield objection("discharge", message, f'add an active criterion of kind = "{kind}"')
    if "elapsed" in active:
        yield from _long_enough(active["elapsed"])
    for kind in ("moaas", "blood_pressure", "felt_effect"):
        if kind in active and active[kind].threshold is None:
            yield objection(f"discharge.{active[kind].id}.threshold", f"{kind} needs a threshold", "add it")


def _long_enough(elapsed: DischargeCriterion) -> Iterator[Fault]:
    earliest = earliest_discharge_min()
    if elapsed.threshold is not None and float(elapsed.threshold) >= earliest:
        return
    found = "" if elapsed.threshold is None else f"{float(elapsed.threshold):g} min"
    message = f"discharge before {earliest:g} min from the last device or the actual end of infusion (M12)"
    field, allowed = f"discharge.{elapsed.id}.threshold", f"{earliest:g} min or more"
    yield objection(field, message, f"write {allowed}", found=found, allowed=allowed)


CHECKS = (
    unknown_roles,
    therapist_as_rater,
    pregnancy_test_missing,
    gates_missing,
    criteria_switched_off_in_silence,
    discharge_too_early,
)
