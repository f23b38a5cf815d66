"""Reads, checks and locks analysis plans: every fault at once with its line; a lock names each later change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
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
        Fault(message, document.where, document.line_of(place), dotted(place), found, allowed)
        for place, message, found, allowed in _contradictions(plan)
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
    found = "" if item["type"] == "missing" else str(item.get("input", ""))[:80]
    return Fault(item["msg"].lower(), document.where, document.line_of(place), dotted(place), found)


def _contradictions(plan: Plan) -> Iterator[tuple[tuple[str | int, ...], str, str, str]]:
    days = [visit.day for visit in plan.outcome.visits]
    if plan.arms.compared == plan.arms.reference:
        yield ("arms",), "an arm is compared with itself", plan.arms.compared, "two arms"
    if plan.outcome.primary_day not in days:
        yield ("outcome", "primary_day"), "the primary day is no visit", f"{plan.outcome.primary_day:g}", str(days)
    if days != sorted(set(days)):
        yield ("outcome", "visits"), "visits are not in order of their days", str(days), str(sorted(set(days)))
    for number, visit in enumerate(plan.outcome.visits):
        if not visit.from_day <= visit.day <= visit.to_day:
            yield ("outcome", "visits", number), "a visit lies outside its own window", f"{visit.day:g}", ""
        if number and visit.from_day <= plan.outcome.visits[number - 1].to_day:
            yield ("outcome", "visits", number), "windows cross: a rating could count twice", f"day {visit.day:g}", ""
    yield from _content(plan)


def _content(plan: Plan) -> Iterator[tuple[tuple[str | int, ...], str, str, str]]:
    composite = any(event.strategy is Strategy.COMPOSITE for event in plan.estimand.events)
    if composite and plan.estimand.failure_points is None:
        yield ("estimand", "failure_points"), "a composite strategy needs the value that a failure is given", "", ""
    if plan.sensitivity.draws < 2:
        yield (
            ("sensitivity", "draws"),
            "pooling needs at least two imputations",
            str(plan.sensitivity.draws),
            "2 or more",
        )
    known = [f"{name}.{criterion.id}" for name in outcome_ids() for criterion in load_outcome(name).criteria]
    for number, criterion in enumerate(plan.response.criteria):
        if criterion not in known:
            yield ("response", "criteria", number), "there is no such outcome rule", criterion, ", ".join(known)


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
    except (json.JSONDecodeError, KeyError, TypeError):
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
