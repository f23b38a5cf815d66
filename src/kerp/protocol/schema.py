"""The JSON Schema of protocol files, for editors (`#:schema` line). Written from the model by `tools/schemas.py`.

A file with `inherits` may leave out whatever it takes over; any other file is complete.
"""

from __future__ import annotations

import copy
from typing import Any

from kerp.protocol.load import adapter
from kerp.protocol.vocabulary import CHOICES, MUST_BE_POSITIVE

SCHEMA_ID = "protocol.schema.json"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DATE = {"anyOf": [{"type": "string"}, {"type": "object"}]}  # a TOML date reaches a validator as either
_REMOVAL = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "reason": {"type": "string", "minLength": 1}},
    "required": ["path", "reason"],
    "additionalProperties": False,
}


def protocol_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a protocol file."""
    whole = adapter().json_schema()
    definitions = {name: _closed(name, body) for name, body in whole.pop("$defs").items()}
    definitions["Protocol"] = _closed("Protocol", whole)
    partial = {f"Partial{name}": _partial(body) for name, body in definitions.items() if "properties" in body}
    _variant(partial)
    return {
        "$schema": _DRAFT,
        "$id": SCHEMA_ID,
        "title": "A kerp protocol",
        "description": "docs/protocols.md",
        "type": "object",
        "if": {"required": ["inherits"]},
        "then": {"$ref": "#/$defs/PartialProtocol"},
        "else": {"$ref": "#/$defs/Protocol"},
        "$defs": dict(sorted((definitions | partial).items())),
    }


def _closed(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """An object that allows no other keys, with its words and limits."""
    if "properties" not in body:
        return body
    for key, field in body["properties"].items():
        for schema in (field, field.get("items", {})):
            if (name, key) in CHOICES and schema.get("type") == "string":
                schema["enum"] = list(CHOICES[name, key])
            if schema.get("type") in {"number", "integer"} and key not in {"day", "days", "value"}:
                schema["exclusiveMinimum" if key in MUST_BE_POSITIVE else "minimum"] = 0
    if name == "StoppingRuleSignature":
        body["properties"]["signed_on"] = {**_DATE, "title": "Signed On"}
    return body | {"additionalProperties": False}


def _partial(body: dict[str, Any]) -> dict[str, Any]:
    """The same object in a variant: nothing but its name is required; a sourced value stays whole."""
    part: dict[str, Any] = _to_partial(copy.deepcopy(body))
    part["required"] = [key for key in ("id",) if key in body["properties"]]
    part["title"] = f"Part of {body.get('title', 'a record')}"
    if "id" in body["properties"]:
        part["properties"]["after"] = {
            "type": "string",
            "description": "place a new record after this one; empty: first",
        }
    return part


def _to_partial(node: Any) -> Any:
    if isinstance(node, list):
        return [_to_partial(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _to_partial(item) for key, item in node.items()}
    reference = str(changed.get("$ref", ""))
    name = reference.removeprefix("#/$defs/")
    if reference and name not in {"Sourced"} and not _is_word(name):
        changed["$ref"] = f"#/$defs/Partial{name}"
    return changed


def _is_word(name: str) -> bool:
    """Enumerations have no parts."""
    return name in {"Mark", "Track", "Level", "Fact", "Proposal", "Agent"}


def _variant(partial: dict[str, Any]) -> None:
    """What only a variant says: what it inherits, what it removes and why, which rules it signs."""
    protocol = partial["PartialProtocol"]["properties"]
    del partial["PartialProtocol"]["properties"]["after"]
    protocol["inherits"] = {"type": "string", "description": "a shipped protocol, or a file beside this one"}
    protocol["remove"] = {"type": "array", "items": _REMOVAL}
    rules = {"type": "array", "items": {"$ref": "#/$defs/PartialRule"}}
    partial["PartialStoppingRuleSignature"]["properties"]["rules"] = rules
