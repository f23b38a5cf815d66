"""From score rows to one baseline and one outcome per visit, and to the responses by every definition.

A score that is invalid for analysis (a dose within its reference period, M1) is never used; a score outside
every window is not moved into one. Of several in a window the nearest to the visit's day counts, the earlier on a
tie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kerp.analysis.columns import Columns
from kerp.analysis.estimand import Applied, Happened, Observation, apply
from kerp.analysis.plan import Plan
from kerp.analysis.responders import Arm
from kerp.analysis.tables import Row, Tables
from kerp.instrument.outcome import Course, Reading, evaluate
from kerp.instrument.outcome_load import load_outcome

WEEK_DAYS = 7.0


@dataclass(frozen=True)
class Outcomes:
    """Baseline by participant, outcomes by participant and visit day before and after the estimand's strategies."""

    baseline: Mapping[str, Row]
    observed: Mapping[tuple[str, float], Row]
    applied: Applied
    not_valid: int
    outside_windows: int


def outcomes_of(tables: Tables, plan: Plan) -> Outcomes:
    """Assign scores to baseline and visits, then carry out the strategies of the estimand."""
    rows = [
        row for row in _totals(tables.rows["scores"], plan.outcome.instrument) if row["participant"] in tables.arm_of
    ]
    valid = [row for row in rows if row["valid_for_analysis"] and row["value"] is not None]
    baseline = {
        row["participant"]: row
        for row in sorted(valid, key=lambda r: r["study_day"])
        if plan.outcome.baseline_from_day <= row["study_day"] <= plan.outcome.baseline_to_day
    }
    observed, outside = _assign(valid, plan)
    people = [who for who, arm in tables.arm_of.items() if arm in (plan.arms.compared, plan.arms.reference)]
    listed = [
        Observation(who, visit.day, found["value"] if (found := observed.get((who, visit.day))) else None)
        for who in people
        for visit in plan.outcome.visits
    ]
    happened = [
        Happened(row["participant"], row["study_day"], row["kind"])
        for row in tables.rows["intercurrent_events"]
        if row["study_day"] is not None
    ]
    applied = apply(plan.as_estimand(), listed, happened)
    return Outcomes(baseline, observed, applied, sum(not row["valid_for_analysis"] for row in rows), outside)


def _totals(rows: Iterable[Row], instrument: str) -> list[Row]:
    return [
        row
        for row in rows
        if row["instrument"] == instrument and row["subscale"] == "total" and row["study_day"] is not None
    ]


def _assign(valid: list[Row], plan: Plan) -> tuple[dict[tuple[str, float], Row], int]:
    found: dict[tuple[str, float], Row] = {}
    outside = 0
    for row in sorted(valid, key=lambda r: r["study_day"]):
        day = row["study_day"]
        visit = next((v for v in plan.outcome.visits if v.from_day <= day <= v.to_day), None)
        if visit is None:
            outside += not plan.outcome.baseline_from_day <= day <= plan.outcome.baseline_to_day
            continue
        now = found.get((row["participant"], visit.day))
        if now is None or abs(day - visit.day) < abs(now["study_day"] - visit.day):
            found[row["participant"], visit.day] = row
    return found, outside


def long_columns(tables: Tables, plan: Plan, outcomes: Outcomes) -> Columns:
    """The long table of the repeated-measures model: one row per participant of the two arms and visit."""
    facts = {row["participant"]: row for row in tables.rows["participants"]}
    names = ("participant", "arm", "visit", "baseline", "outcome", *plan.model.covariates)
    cells: dict[str, list[str | None]] = {name: [] for name in names}
    for item in outcomes.applied.observations:
        base = outcomes.baseline.get(item.participant)
        row: dict[str, Any] = {
            "participant": item.participant,
            "arm": tables.arm_of[item.participant],
            "visit": f"{item.day:g}",
            "baseline": None if base is None else repr(float(base["value"])),
            "outcome": None if item.value is None else repr(float(item.value)),
        }
        row |= {name: facts.get(item.participant, {}).get(name) for name in plan.model.covariates}
        for name in names:
            value = row[name]
            cells[name].append(None if value is None else str(value))
    return Columns("outcomes by visit", {name: tuple(column) for name, column in cells.items()})


@dataclass(frozen=True)
class ResponseCount:
    """Responders of each arm by one definition at the primary day."""

    criterion: str
    label: str
    definition: str
    source: str
    mark: str
    arms: tuple[Arm, Arm]  # compared, reference


def response_counts(tables: Tables, plan: Plan, outcomes: Outcomes) -> tuple[ResponseCount, ...]:
    """Count responses by every definition of the plan. Missing answers are unknown, never non-response (M14, M21)."""
    return tuple(_count(tables, plan, outcomes, criterion) for criterion in plan.response.criteria)


def _count(tables: Tables, plan: Plan, outcomes: Outcomes, criterion: str) -> ResponseCount:
    rules_id, _, wanted = criterion.partition(".")
    rules = load_outcome(rules_id)
    about = next(c for c in rules.criteria if c.id == wanted)
    tally = {arm: [0, 0, 0] for arm in (plan.arms.compared, plan.arms.reference)}
    for who, arm in tables.arm_of.items():
        if arm in tally:
            met = _met(tables, outcomes, who, rules, wanted, plan.outcome.primary_day)
            tally[arm][2 if met is None else 1 - met] += 1
    arms = [Arm(name, yes, yes + no, unknown) for name, (yes, no, unknown) in tally.items()]
    return ResponseCount(
        criterion,
        f"{rules.title}: {about.label}",
        about.definition,
        about.source,
        about.mark.value,
        (arms[0], arms[1]),
    )


@dataclass(frozen=True)
class FirstResponse:
    """Day of the first visit at which a participant responds, or of the last at which they are known not to."""

    participant: str
    day: float
    responded: bool


def first_responses(tables: Tables, plan: Plan, outcomes: Outcomes, criterion: str) -> tuple[FirstResponse, ...]:
    """One row per participant of the two arms whose response is known at any visit."""
    rules_id, _, wanted = criterion.partition(".")
    rules = load_outcome(rules_id)
    found = []
    for who, arm in tables.arm_of.items():
        if arm not in (plan.arms.compared, plan.arms.reference):
            continue
        known = [(v.day, _met(tables, outcomes, who, rules, wanted, v.day)) for v in plan.outcome.visits]
        yes = [day for day, met in known if met]
        no = [day for day, met in known if met is False]
        if yes or no:
            found.append(FirstResponse(who, min(yes) if yes else max(no), bool(yes)))
    return tuple(found)


def _met(tables: Tables, outcomes: Outcomes, who: str, rules: Any, wanted: str, day: float) -> bool | None:
    before, now = outcomes.baseline.get(who), outcomes.observed.get((who, day))
    if before is None or now is None:
        return None
    course = Course(
        baseline=_reading(before),
        now=_reading(now),
        cgi_i=_near(tables, who, "cgi_i", now["study_day"]),
        cgi_s=_near(tables, who, "cgi_s", now["study_day"]),
        held_days=WEEK_DAYS,  # the instrument speaks of the past seven days
    )
    return next(v.met for v in evaluate(rules, course) if v.criterion == wanted)


def _reading(row: Row) -> Reading:
    return Reading(instrument=row["instrument"], version=row["version"] or "", total=row["value"])


def _near(tables: Tables, who: str, instrument: str, day: float) -> int | None:
    """The global rating of the same day, else None: an omitted one is unknown, never assumed."""
    same = [
        r for r in _totals(tables.of("scores", who), instrument) if r["study_day"] == day and r["value"] is not None
    ]
    return int(same[-1]["value"]) if same else None
