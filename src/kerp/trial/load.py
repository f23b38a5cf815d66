"""Reads design and planning files: all faults at once, each with its line, the values allowed and a way out."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kerp.base.data import DATA, ids, path_of
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import TomlDocument, dotted, read_toml
from kerp.trial.check import contradictions
from kerp.trial.design import LATER, Design, Planning

FOLDER = "designs"
PLANNING = "planning"
DESIGN_SCHEMA_ID = "design.schema.json"  # under data/schemas; written by tools/schemas.py
_DESIGN = TypeAdapter(Design)
_PLANNING = TypeAdapter(Planning)


def design_ids() -> list[str]:
    """Ids of the shipped designs."""
    return ids(FOLDER)


def find_design(id_or_file: str) -> Design:
    """A shipped design by id, or any design file by path."""
    looks_like_file = id_or_file.endswith(".toml") or "/" in id_or_file or Path(id_or_file).is_file()
    return read_design(id_or_file) if looks_like_file else load_design(id_or_file)


@cache
def load_design(identifier: str) -> Design:
    """A shipped design; an unknown id is refused with the nearest ones."""
    return read_design(path_of(FOLDER, identifier))


@cache
def load_planning(identifier: str) -> Planning:
    """A shipped table of assumptions about patients."""
    document = read_toml(path_of(PLANNING, identifier))
    return _validated(_PLANNING, document, document.data)  # type: ignore[no-any-return]


def read_design(path: Path | str) -> Design:
    """A design from any file of the format; `KerpError` lists every fault with its line."""
    document = read_toml(path)
    _refuse_later_layouts(document)
    design: Design = _validated(_DESIGN, document, _extended(document))
    faults = [
        Fault(c.message, document.where, document.line_of(c.path), dotted(c.path), c.found, c.allowed, c.ways_out)
        for c in contradictions(design)
    ]
    if Path(path).parent == DATA / FOLDER and design.id != Path(path).stem:
        faults.append(Fault("the id is not the file's name", document.where, 1, "id", design.id, Path(path).stem))
    if design.planning not in ids(PLANNING):
        allowed = ", ".join(ids(PLANNING))
        line = document.line_of(("planning",))
        faults.append(
            Fault("there is no such planning table", document.where, line, "planning", design.planning, allowed)
        )
    if faults:
        raise KerpError(*faults)
    return design


def design_schema() -> dict[str, Any]:
    """JSON Schema of a design file. A variant that `extends` a shipped design may leave out what it takes from it."""
    schema = _DESIGN.json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "kerp trial design"
    schema["properties"]["extends"] = {"type": "string", "enum": design_ids()}
    required = schema.pop("required")
    schema["anyOf"] = [{"required": required}, {"required": ["extends", "id"]}]
    return schema


def _extended(document: TomlDocument) -> dict[str, Any]:
    """A variant names the shipped design it `extends`; its own tables lie over that one, lists replaced whole."""
    own = dict(document.data)
    base = own.pop("extends", None)
    if base is None:
        return own
    try:
        below = _extended(read_toml(path_of(FOLDER, str(base))))
    except KerpError as error:
        line = document.line_of(("extends",))
        first = error.faults[0]
        raise KerpError(Fault(first.message, document.where, line, "extends", str(base), first.allowed)) from None
    return _laid_over(below, own)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged


def _refuse_later_layouts(document: TomlDocument) -> None:
    layout = document.data.get("layout")
    if layout in LATER:
        message = f"{layout} designs are not built yet"
        ways = (
            "a fixed or group-sequential design, or blinded sample-size re-estimation, answers the same question",
        )
        allowed = "parallel, factorial, crossover"
        line = document.line_of(("layout",))
        raise KerpError(Fault(message, document.where, line, "layout", str(layout), allowed, ways))


def _validated(adapter: TypeAdapter[Any], document: TomlDocument, data: dict[str, Any]) -> Any:
    try:
        return adapter.validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise KerpError(*(_fault(document, entry) for entry in error.errors())) from None


def _fault(document: TomlDocument, entry: Any) -> Fault:
    path = tuple(entry["loc"])
    shown = "" if isinstance(entry["input"], dict | list) else repr(entry["input"])
    allowed = str(entry.get("ctx", {}).get("expected", ""))
    ways = {
        "missing": (f"add {path[-1]} = ...",),
        "extra_forbidden": ("take the line out, or correct its spelling: `kerp trial schema` prints every key",),
    }.get(entry["type"], ())
    line = document.line_of(path)
    return Fault(entry["msg"].lower(), document.where, line, dotted(path), shown, allowed, ways)
