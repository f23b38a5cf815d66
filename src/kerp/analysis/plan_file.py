"""Reads, checks and locks analysis plans: every fault at once with its line; a lock names each later change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from kerp.analysis.estimand import Strategy
from kerp.analysis.plan import Plan
from kerp.base.data import ids, path_of
from kerp.base.digest import digest, plain
from kerp.base.errors import Fault, KerpError
from kerp.base.textfile import read_text
from kerp.base.tomlfile import TomlDocument, dotted, read_toml
from kerp.instrument.outcome_load import load_outcome, outcome_ids

FOLDER = "plans"


def plan_ids() -> list[str]:
    """Ids of the shipped plans."""
    return ids(FOLDER)


def plan_path(id_or_file: str) -> Path:
    """The file of a shipped plan by id, or any file by path."""
    looks_like_file = id_or_file.endswith(".toml") or "/" in id_or_file or Path(id_or_file).is_file()
    return Path(id_or_file) if looks_like_file else path_of(FOLDER, id_or_file)


def read_plan(path: Path | str) -> Plan:
    """A plan from a TOML file; `KerpError` lists every fault."""
    from pydantic import ValidationError

    document = read_toml(path)
    try:
        plan: Plan = _adapter().validate_json(json.dumps(document.data, default=str))
    except ValidationError as error:
        raise KerpError(*(_form_fault(document, item) for item in error.errors())) from None
    faults = [
        Fault(c.message, document.where, document.line_of(c.place), dotted(c.place), c.found, c.allowed, (c.way_out,))
        for c in _contradictions(plan)
    ]
    if faults:
        raise KerpError(*faults)
    return plan


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Plan)


def _form_fault(document: TomlDocument, item: Any) -> Fault:
    place = tuple(item["loc"])
    missing = item["type"].startswith("missing")
    extra = item["type"] in ("extra_forbidden", "unexpected_keyword_argument")
    found = "" if missing else str(item.get("input", ""))[:80]
    name = place[-1] if place else "plan"
    way = f"add {name}" if missing else f"remove {name}, or correct its spelling" if extra else f"correct {name}"
    ways = (way, "compare with a shipped plan (timing-two-arm)")
    message = (
        "this is needed and missing" if missing else "a plan has no such entry" if extra else item["msg"].lower()
    )
    return Fault(message, document.where, document.line_of(place), dotted(place), found, ways_out=ways)


@dataclass(frozen=True, slots=True)
class _Contradiction:
    """A fault of a plan before it has a line, with a way out."""

    place: tuple[str | int, ...]
    message: str
    found: str
    allowed: str
    way_out: str


def _contradictions(plan: Plan) -> Iterator[_Contradiction]:
    days = [visit.day for visit in plan.outcome.visits]
    if plan.arms.compared == plan.arms.reference:
        way = "name the two arms as the allocation does"
        yield _Contradiction(("arms",), "an arm is compared with itself", plan.arms.compared, "two arms", way)
    if plan.outcome.primary_day not in days:
        found, way = f"{plan.outcome.primary_day:g}", "choose one of the visits, or add a visit of that day"
        yield _Contradiction(("outcome", "primary_day"), "the primary day is no visit", found, str(days), way)
    if days != sorted(set(days)):
        allowed, way = str(sorted(set(days))), "list each visit once, earliest first"
        yield _Contradiction(("outcome", "visits"), "visits are not in order of their days", str(days), allowed, way)
    yield from _windows(plan)
    yield from _content(plan)


def _windows(plan: Plan) -> Iterator[_Contradiction]:
    for number, visit in enumerate(plan.outcome.visits):
        place, span = ("outcome", "visits", number), f"{visit.from_day:g} to {visit.to_day:g}"
        if not visit.from_day <= visit.day <= visit.to_day:
            way = "widen from_day and to_day until they hold the day"
            yield _Contradiction(place, "a visit lies outside its own window", f"{visit.day:g}", span, way)
        if number and visit.from_day <= plan.outcome.visits[number - 1].to_day:
            before = plan.outcome.visits[number - 1].to_day
            way = "begin the window later, or end the one before earlier"
            message = "windows cross: a rating could count twice"
            yield _Contradiction(
                place, message, f"day {visit.day:g}, from {visit.from_day:g}", f"after {before:g}", way
            )


def _content(plan: Plan) -> Iterator[_Contradiction]:
    composite = any(event.strategy is Strategy.COMPOSITE for event in plan.estimand.events)
    if composite and plan.estimand.failure_points is None:
        message = "a composite strategy needs the value that a failure is given"
        way = "add failure_points, such as 40, the worst score of the Y-BOCS"
        yield _Contradiction(("estimand", "failure_points"), message, "none", "a number", way)
    if plan.sensitivity.draws < 2:
        message, found = "pooling needs at least two imputations", str(plan.sensitivity.draws)
        yield _Contradiction(("sensitivity", "draws"), message, found, "2 or more", "take 100")
    if plan.contact and not 0.0 <= plan.contact.tolerance_fraction < 1.0:
        message, found = "this is no share of the contact time", f"{plan.contact.tolerance_fraction:g}"
        way = "take 0.05: half of one session of ten"
        yield _Contradiction(("contact", "tolerance_fraction"), message, found, "0 up to, not including, 1", way)
    known = [f"{name}.{criterion.id}" for name in outcome_ids() for criterion in load_outcome(name).criteria]
    for number, criterion in enumerate(plan.response.criteria):
        if criterion not in known:
            near = get_close_matches(criterion, known, 1)
            way = f"did you mean {near[0]}?" if near else "choose one of these"
            place = ("response", "criteria", number)
            yield _Contradiction(place, "there is no such outcome rule", criterion, ", ".join(known), way)


def plan_digest(plan: Plan) -> str:
    """Digest of what is locked: everything but the declared deviations."""
    return digest(replace(plan, deviations=()))


def lock(plan: Plan) -> dict[str, Any]:
    """What a lock file holds: the digest and the content it stands for."""
    return {"kerp_plan_lock": 1, "digest": plan_digest(plan), "plan": plain(replace(plan, deviations=()))}


def changes_since(plan: Plan, lock_file: Path) -> list[str]:
    """Every field that differs from the locked plan, as `field: locked -> now`. A damaged lock is refused."""
    try:
        locked = json.loads(read_text(lock_file))
        content, expected = locked["plan"], locked["digest"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise KerpError(Fault("this is not a plan lock", where=str(lock_file))) from None
    if digest(content) != expected:
        message = "the lock was edited: its content does not have its digest"
        raise KerpError(Fault(message, where=str(lock_file), found=digest(content), allowed=expected))
    return list(_differences("", content, plain(replace(plan, deviations=()))))


def _differences(place: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(set(before) | set(now)):
            yield from _differences(f"{place}.{key}" if place else key, before.get(key), now.get(key))
    elif before != now:
        yield f"{place}: {json.dumps(before)} -> {json.dumps(now)}"
