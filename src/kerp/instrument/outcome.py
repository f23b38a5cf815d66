"""Outcome rules as data: response, remission, relapse and their kin, each with the words it was defined in (M14).

Three answers are possible: met, not met, cannot be determined. A missing CGI or an unknown duration is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from kerp.base.errors import Fault, KerpError
from kerp.evidence.sourced import Mark
from kerp.instrument.score import Score

_CLOSED = {"extra": "forbid", "strict": True}
MEASURES = {
    "fall_percent": "fall since baseline, percent of baseline",
    "fall_points": "fall since baseline, points",
    "total": "total now",
    "cgi_i": "CGI-I",
    "cgi_s": "CGI-S",
    "held_days": "days it has held",
    "no_diagnosis": "no diagnosis any more, by structured interview",
    "was_responder": "was a responder before",
    "was_remitter": "was in remission before",
    "withdrawn_worse": "withdrawn for severe worsening",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A total and what it was measured with."""

    instrument: str
    version: str
    total: float | None


def reading(score: Score) -> Reading:
    """The reading of a score; an incomplete score has no total, and stays without one."""
    return Reading(instrument=score.instrument, version=score.version, total=score.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All that an outcome may depend on. None means not known.

    `held_days` is for how long the state has lasted. A Y-BOCS of one visit speaks of the past seven days; whether
    that counts as a week held is for the caller to say.
    """

    baseline: Reading
    now: Reading
    cgi_i: int | None = None
    cgi_s: int | None = None
    held_days: float | None = None
    no_diagnosis: bool | None = None
    was_responder: bool | None = None
    was_remitter: bool | None = None
    withdrawn_worse: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Either a bound on one measure, or all or any of other rules."""

    __pydantic_config__: ClassVar = _CLOSED
    measure: str = ""
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    all_of: tuple[Rule, ...] = ()
    any_of: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One named outcome with its definition in words."""

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    label: str
    definition: str
    source: str
    mark: Mark
    rule: Rule
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRules:
    """A published set of outcome rules, for one instrument only."""

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    title: str
    instrument: str
    order: int
    source: str
    criteria: tuple[Criterion, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Met, not met, or (None) not determinable; `unknown` names what is missing."""

    rules: str
    criterion: str
    label: str
    met: bool | None
    unknown: tuple[str, ...]
    definition: str
    source: str
    mark: Mark

    @property
    def words(self) -> str:
        """The answer in words."""
        return {True: "met", False: "not met", None: "cannot be determined"}[self.met]


def same_scale(baseline: Reading, now: Reading) -> None:
    """Refuse to compare different instruments or versions: Y-BOCS 0-40 and Y-BOCS-II 0-50 are never mixed (M1)."""
    if (baseline.instrument, baseline.version) != (now.instrument, now.version):
        message = "scores of different instruments or versions are never compared"
        before, after = (f"{part.instrument} ({part.version})" for part in (baseline, now))
        ways = ("score both occasions with the same instrument",)
        raise KerpError(Fault(message, field="now", found=after, allowed=before, ways_out=ways))


def evaluate(rules: OutcomeRules, course: Course) -> tuple[Verdict, ...]:
    """Every criterion of a set for one course. `KerpError` when the readings are not of the instrument of the set."""
    same_scale(course.baseline, course.now)
    if course.now.instrument != rules.instrument:
        message = f"the rules of {rules.id} are defined for another instrument"
        raise KerpError(Fault(message, field="instrument", found=course.now.instrument, allowed=rules.instrument))
    known = measures(course)
    return tuple(_verdict(rules.id, criterion, known) for criterion in rules.criteria)


def measures(course: Course) -> dict[str, float | None]:
    """Every measure a rule can name; None where it is not known. The fall is positive when the score went down."""
    before, after = course.baseline.total, course.now.total
    fall = None if before is None or after is None else before - after
    percent = None if fall is None or not before else 100.0 * fall / before
    found: dict[str, float | None] = {"fall_points": fall, "fall_percent": percent, "total": after}
    for field in fields(course):
        if field.name in MEASURES:
            value = getattr(course, field.name)
            found[field.name] = None if value is None else float(value)
    return found


def _verdict(rules: str, criterion: Criterion, known: Mapping[str, float | None]) -> Verdict:
    met = truth(criterion.rule, known)
    unknown = () if met is not None else tuple(dict.fromkeys(_unknown(criterion.rule, known)))
    return Verdict(
        rules=rules,
        criterion=criterion.id,
        label=criterion.label,
        met=met,
        unknown=unknown,
        definition=criterion.definition,
        source=criterion.source,
        mark=criterion.mark,
    )


def truth(rule: Rule, known: Mapping[str, float | None]) -> bool | None:
    """Three-valued: false wins in `all_of`, true wins in `any_of`, otherwise unknown stays unknown."""
    if rule.all_of:
        parts = [truth(part, known) for part in rule.all_of]
        return False if False in parts else None if None in parts else True
    if rule.any_of:
        parts = [truth(part, known) for part in rule.any_of]
        return True if True in parts else None if None in parts else False
    value = known[rule.measure]
    if value is None:
        return None
    high_enough = rule.at_least is None or value >= rule.at_least
    low_enough = (rule.at_most is None or value <= rule.at_most) and (rule.below is None or value < rule.below)
    return high_enough and low_enough


def _unknown(rule: Rule, known: Mapping[str, float | None]) -> list[str]:
    names = [
        name for part in rule.all_of + rule.any_of if truth(part, known) is None for name in _unknown(part, known)
    ]
    return [*names, MEASURES[rule.measure]] if rule.measure and known[rule.measure] is None else names
