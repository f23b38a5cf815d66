"""Descriptions of a trial: flow of participants, baseline, trajectories, safety, falls of distress, model checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy import stats

from kerp.analysis.habituation import (
    BlockRating,
    Fall,
    falls_by_cause,
    habituation_per_participant,
    retention,
    summary,
)
from kerp.analysis.mmrm import MmrmResult, arrange
from kerp.analysis.outcomes import Outcomes
from kerp.analysis.plan import Plan
from kerp.analysis.tables import Tables

Data = dict[str, Any]


def arms_of(tables: Tables, plan: Plan) -> list[str]:
    """The compared arm, the reference, then any others in order."""
    first = [plan.arms.compared, plan.arms.reference]
    return first + sorted(set(tables.arm_of.values()) - set(first))


def members(tables: Tables, arm: str) -> list[str]:
    """Participants of an arm."""
    return [who for who, own in tables.arm_of.items() if own == arm]


def flow(tables: Tables, plan: Plan, outcomes: Outcomes) -> list[Data]:
    """Participant flow by arm, in the stages of CONSORT 2010: allocation, follow-up, analysis.

    Who is in the primary analysis is decided after the strategies of the estimand have been carried out.
    """
    facts = {row["participant"]: row for row in tables.rows["participants"]}
    dosed = {row["participant"] for row in tables.rows["sessions"] if row["drug_given"]}
    exposed = {row["participant"] for row in tables.rows["sessions"] if row["exposure_given"]}
    seen = {who for who, _ in outcomes.observed}
    at_end = {who for who, day in outcomes.observed if day == plan.outcome.primary_day}
    steps: list[tuple[str, str, Callable[[str], bool]]] = [
        ("allocation", "randomised", lambda _: True),
        ("allocation", "has records", lambda who: who in facts),
        ("allocation", "was given drug", lambda who: who in dosed),
        ("allocation", "was given exposure", lambda who: who in exposed),
        ("follow-up", "withdrew at any time", lambda who: bool(facts.get(who, {}).get("withdrawn"))),
        ("follow-up", "has any valid outcome", lambda who: who in seen),
        ("follow-up", f"has the outcome of day {plan.outcome.primary_day:g}", lambda who: who in at_end),
    ]
    steps += [("analysis", name, holds) for name, holds in _analysed(tables, plan, outcomes)]
    arms = arms_of(tables, plan)
    return [
        {"stage": stage, "step": name, "by_arm": {arm: sum(map(holds, members(tables, arm))) for arm in arms}}
        for stage, name, holds in steps
    ]


def _analysed(tables: Tables, plan: Plan, outcomes: Outcomes) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """In the primary analysis or not, and why not."""
    used = {item.participant for item in outcomes.applied.observations if item.value is not None}
    compared = {plan.arms.compared, plan.arms.reference}
    in_arms = {who for who, arm in tables.arm_of.items() if arm in compared}
    yield "in the primary analysis", lambda who: who in used and who in outcomes.baseline
    yield "left out: no valid baseline", lambda who: who in in_arms and who not in outcomes.baseline
    yield "left out: no usable outcome", lambda who: who in in_arms & outcomes.baseline.keys() - used
    if set(tables.arm_of.values()) - compared:
        yield "left out: arm not compared", lambda who: who not in in_arms


def screening(tables: Tables) -> Data:
    """Everybody assessed and why some were not randomised (CONSORT 2010), as far as they have a log."""
    left_out = tables.not_randomised
    reasons = Counter(reason for row in left_out for reason in _why_not_randomised(row))
    return {
        "assessed": len(set(tables.arm_of) | {row["participant"] for row in tables.rows["participants"]}),
        "not_randomised": len(left_out),
        "reasons": dict(sorted(reasons.items())),
        "randomised": len(tables.arm_of),
    }


def _why_not_randomised(row: Data) -> list[str]:
    unmet = [part for part in (row["criteria_not_met"] or "").split("; ") if part]
    if unmet:
        return [f"not met: {part}" for part in unmet]
    return ["withdrew" if row["withdrawn"] else "no reason recorded"]


def _described(values: Iterable[float | None]) -> Data:
    return asdict(summary(value for value in values if value is not None))


def baseline_table(tables: Tables, plan: Plan, outcomes: Outcomes) -> Data:
    """Baseline by arm. No tests: differences at baseline are chance by design, and p values there mislead."""
    strata = tables.stratum_of
    facts = {r["participant"]: r | {"stratum": strata.get(r["participant"])} for r in tables.rows["participants"]}
    expected: dict[str, float] = {}
    for row in tables.rows["guesses"]:
        if row["by"] == "participant" and row["expected_improvement"] is not None:
            expected.setdefault(row["participant"], row["expected_improvement"])
    measures: dict[str, Callable[[str], float | None]] = {
        f"{plan.outcome.label} at baseline": lambda w: (
            outcomes.baseline[w]["value"] if w in outcomes.baseline else None
        ),
        "weight, kg": lambda w: facts.get(w, {}).get("weight_kg"),
        "improvement expected, %": expected.get,
    }
    arms = arms_of(tables, plan)
    return {
        "measures": [
            {"name": name, "by_arm": {arm: _described(map(read, members(tables, arm))) for arm in arms}}
            for name, read in measures.items()
        ],
        "counts": [
            {"name": name, "by_arm": {a: _counts(facts, members(tables, a), name) for a in arms}}
            for name in ("site", "theme", "stratum")
        ],
    }


def _counts(facts: dict[str, Data], people: list[str], name: str) -> dict[str, int]:
    return dict(Counter(str(facts[who][name] or "not recorded") for who in people if who in facts))


def trajectories(tables: Tables, plan: Plan, outcomes: Outcomes) -> list[Data]:
    """Observed mean, SD and count by arm and visit, baseline first, and each participant's own line."""
    rows = []
    for arm in arms_of(tables, plan):
        people = members(tables, arm)
        start = [outcomes.baseline[w]["value"] for w in people if w in outcomes.baseline]
        points = [{"day": 0.0, "visit": "baseline"} | _described(start)]
        for visit in plan.outcome.visits:
            here = [outcomes.observed[w, visit.day]["value"] for w in people if (w, visit.day) in outcomes.observed]
            points.append({"day": visit.day, "visit": f"day {visit.day:g}"} | _described(here))
        rows.append({"arm": arm, "points": points, "lines": [_line(w, plan, outcomes) for w in people]})
    return rows


def empty_visits(plan: Plan, outcomes: Outcomes) -> list[str]:
    """Visits of the plan at which nobody has an outcome, in words: not held, or in no protocol of these logs."""
    seen = {day for _, day in outcomes.observed}
    return [
        f"Day {visit.day:g} is a visit of the plan and nobody has a valid {plan.outcome.label} between days "
        f"{visit.from_day:g} and {visit.to_day:g}: it was not held, or the protocol of these logs does not plan it. "
        "Nothing is estimated there."
        for visit in plan.outcome.visits
        if visit.day not in seen
    ]


def _line(who: str, plan: Plan, outcomes: Outcomes) -> list[tuple[float, float]]:
    start = [(0.0, float(outcomes.baseline[who]["value"]))] if who in outcomes.baseline else []
    return start + [
        (visit.day, float(outcomes.observed[who, visit.day]["value"]))
        for visit in plan.outcome.visits
        if (who, visit.day) in outcomes.observed
    ]


def conduct(tables: Tables, plan: Plan) -> Data:
    """What was given by arm: exposure minutes per participant, therapists, and the lowest oxygen saturation.

    Arms of a timing contrast must not differ in contact time, nor each have therapists of their own.
    """
    minutes: dict[str, float] = {}
    therapists: dict[str, set[str]] = {}
    lowest: dict[str, float] = {}
    for row in tables.rows["sessions"]:
        who = row["participant"]
        minutes[who] = minutes.get(who, 0.0) + (row["contact_min"] or 0.0)
        therapists.setdefault(who, set()).update(name for name in (row["therapist"] or "").split("; ") if name)
    for row in tables.rows["vitals"]:
        if row["spo2_pct"] is not None:
            lowest[row["participant"]] = min(lowest.get(row["participant"], 100.0), row["spo2_pct"])
    arms = arms_of(tables, plan)
    people = {arm: members(tables, arm) for arm in arms}
    return {
        "contact_min": {arm: _described(map(minutes.get, people[arm])) for arm in arms},
        "lowest_spo2_pct": {arm: _described(map(lowest.get, people[arm])) for arm in arms},
        "therapists": {
            arm: dict(sorted(Counter(name for who in people[arm] for name in therapists.get(who, ())).items()))
            for arm in arms
        },
    }


def safety(tables: Tables, plan: Plan) -> Data:
    """Adverse events by arm (participants and events), severe and serious ones, other events, blood pressure."""
    arms = arms_of(tables, plan)
    events, others = tables.rows["adverse_events"], tables.rows["intercurrent_events"]
    pressure: dict[str, float] = {}
    for row in tables.rows["vitals"]:
        if row["systolic_mmhg"] is not None:
            pressure[row["participant"]] = max(pressure.get(row["participant"], 0.0), row["systolic_mmhg"])
    graded = [row for row in events if (row["grade_highest"] or 0) >= 3]
    groups = {"any adverse event": events, "serious": [r for r in events if r["serious"]], "grade 3 or more": graded}
    groups |= {code: [r for r in events if r["code"] == code] for code in sorted({r["code"] for r in events})}
    return {
        "people": {arm: len(members(tables, arm)) for arm in arms},
        "adverse_events": [_counted(tables, arms, name, rows) for name, rows in groups.items()],
        "intercurrent": [
            _counted(tables, arms, kind, [r for r in others if r["kind"] == kind])
            for kind in sorted({r["kind"] for r in others})
        ],
        "highest_systolic_mmhg": {arm: _described(map(pressure.get, members(tables, arm))) for arm in arms},
        "major_deviations": {
            arm: sum(
                bool(r["major"]) for r in tables.rows["deviations"] if tables.arm_of.get(r["participant"]) == arm
            )
            for arm in arms
        },
    }


def _counted(tables: Tables, arms: list[str], name: str, rows: Iterable[Data]) -> Data:
    by_arm = {arm: [r["participant"] for r in rows if tables.arm_of.get(r["participant"]) == arm] for arm in arms}
    return {
        "name": name,
        "by_arm": {arm: {"participants": len(set(who)), "events": len(who)} for arm, who in by_arm.items()},
    }


def habituation(tables: Tables, plan: Plan) -> Data:
    """Falls of SUDS by cause (M10), habituation per participant, and retention between sessions."""
    arms = arms_of(tables, plan)
    falls = [_fall(row) for row in tables.rows["suds_falls"] if row["participant"] in tables.arm_of]
    own = habituation_per_participant(falls)
    pairs = retention(_blocks(tables))
    return {
        "by_cause": [asdict(row) for row in falls_by_cause(falls, tables.arm_of)],
        "points_per_participant": {arm: _described(map(own.get, members(tables, arm))) for arm in arms},
        "return_of_fear_points": {
            arm: _described(p.returned for p in pairs if tables.arm_of[p.participant] == arm) for arm in arms
        },
        "fall_of_peak_points": {
            arm: _described(p.between for p in pairs if tables.arm_of[p.participant] == arm) for arm in arms
        },
    }


def _fall(row: Data) -> Fall:
    causes = tuple(part.strip() for part in (row["possible_causes"] or "").split(";") if part.strip())
    return Fall(
        row["participant"], row["session"], (row["suds_from"] or 0) - (row["suds_to"] or 0), row["minutes"], causes
    )


def _blocks(tables: Tables) -> list[BlockRating]:
    order: dict[str, list[str]] = {}
    found = []
    for row in sorted(tables.rows["exposure_blocks"], key=lambda r: (r["study_day"] or 0, r["start_min"] or 0)):
        if row["participant"] not in tables.arm_of or None in (row["suds_first"], row["suds_peak"], row["suds_last"]):
            continue
        sessions = order.setdefault(row["participant"], [])
        if row["session"] not in sessions:
            sessions.append(row["session"])
        ratings = (row["suds_first"], row["suds_peak"], row["suds_last"])
        found.append(BlockRating(row["participant"], sessions.index(row["session"]), row["item"], *ratings))
    return found


def model_checks(fitted: MmrmResult) -> list[Data]:
    """Residuals of each visit in units of their modelled SD, with skewness, excess kurtosis and the farthest one."""
    cube, y, seen = arrange(fitted.table, fitted.model.x)
    residual = (y - cube @ fitted.fit.pieces.beta) / np.sqrt(np.diag(fitted.covariance))
    rows = []
    for v, visit in enumerate(fitted.visits):
        z = np.sort(residual[seen[:, v], v])
        enough = len(z) > 3
        rows.append(
            {
                "visit": visit,
                "n": len(z),
                "skewness": float(stats.skew(z)) if enough else None,
                "excess_kurtosis": float(stats.kurtosis(z)) if enough else None,
                "farthest": float(np.abs(z).max()),
                "residuals": [float(x) for x in z],
                "normal_quantiles": [float(x) for x in stats.norm.ppf((np.arange(len(z)) + 0.5) / len(z))],
            }
        )
    return rows
