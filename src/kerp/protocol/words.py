"""Turns the complaints of the validator into a clinician's words."""

from __future__ import annotations

from typing import Any

from kerp.protocol.shape import Finding

_KINDS = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": 'text in quotes "..."',
    "tuple_type": "a list [...]",
    "mapping_type": "a table",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "dataclass_exact_type": "a table",
}
_SOURCED = {"value", "unit", "source", "mark"}


def finding_of(entry: Any) -> Finding:
    """The finding of one pydantic error."""
    path = tuple(entry["loc"])
    kind, found = str(entry["type"]), entry.get("input")
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "this")
    if kind == "missing":
        return _missing(path, name)
    if kind == "enum":
        expected = str(entry.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ")
        return Finding(path, f"{name} cannot be this", _shown(found), expected)
    if kind in {"dataclass_type", "dataclass_exact_type"} and isinstance(found, int | float | str):
        return _bare(path, name, found)
    if kind in _KINDS:
        return Finding(path, f"{name} should be {_KINDS[kind]}", _shown(found), _KINDS[kind])
    return Finding(path, str(entry["msg"]).lower(), _shown(found))


def _missing(path: tuple[str | int, ...], name: str) -> Finding:
    ways: tuple[str, ...] = (f"write the {name.replace('_', ' ')}",)
    if name in _SOURCED:
        ways = ('a number is { value = ..., unit = "...", source = "...", mark = "read|recalled|assumed" }',)
    return Finding(path, f"{name} is missing", ways_out=ways)


def _bare(path: tuple[str | int, ...], name: str, found: float | str) -> Finding:
    ways = (f'write {name} = {{ value = {found}, unit = "...", source = "...", mark = "read|recalled|assumed" }}',)
    return Finding(path, f"{name} says neither unit nor source", _shown(found), "a sourced value", ways)


def _shown(found: Any) -> str:
    text = "a table" if isinstance(found, dict) else repr(found)
    return text if len(text) <= 60 else text[:57] + "..."
