"""The plan of an allocation list, from a TOML file. Knows no Django."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerp.allocation.blocks import ArmShare, Factor, Plan
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import TomlDocument, read_toml

_ASKED = {"study": str, "active": list, "block_rounds": list, "per_stratum": int, "arms": dict}


def read_plan(path: Path) -> tuple[Plan, tuple[str, ...]]:
    """The plan and its active arms; every fault at once."""
    document = read_toml(path)
    data = document.data
    faults = [*_form_faults(document), *_content_faults(document)]
    if faults:
        raise KerpError(*faults)
    plan = Plan(
        study=data["study"],
        arms=tuple(ArmShare(name, share) for name, share in data["arms"].items()),
        block_rounds=tuple(data["block_rounds"]),
        factors=tuple(Factor(name, tuple(levels)) for name, levels in data.get("factors", {}).items()),
        per_stratum=data["per_stratum"],
    )
    return plan, tuple(data["active"])


def _form_faults(document: TomlDocument) -> list[Fault]:
    found = [
        _fault(document, name, "this is missing, or of another kind", kind.__name__)
        for name, kind in _ASKED.items()
        if not isinstance(document.data.get(name), kind)
    ]
    unknown = set(document.data) - {*_ASKED, "factors"}
    return found + [_fault(document, name, "there is no such field", ", ".join(_ASKED)) for name in sorted(unknown)]


def _content_faults(document: TomlDocument) -> list[Fault]:
    data = document.data
    checks: dict[str, bool] = {
        "arms": _all_whole(list(data["arms"].values())) if isinstance(data.get("arms"), dict) else True,
        "block_rounds": _all_whole(data["block_rounds"]) if isinstance(data.get("block_rounds"), list) else True,
        "factors": all(_all_text(levels) for levels in data.get("factors", {}).values()),
        "active": _all_text(data["active"]) if isinstance(data.get("active"), list) else True,
    }
    return [_fault(document, name, "the values are of another kind", "") for name, good in checks.items() if not good]


def _all_whole(values: list[Any]) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _all_text(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _fault(document: TomlDocument, name: str, message: str, allowed: str) -> Fault:
    return Fault(message, document.where, document.line_of((name,)), name, allowed=allowed)
