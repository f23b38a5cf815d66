"""JSON Schema (draft 2020-12) of an entry and of each event type, from the same annotations the codec reads."""

from __future__ import annotations

from typing import Any

from kerp.session.events import EVENT_TYPES, Entry
from kerp.session.kinds import Choice, FieldKind, Flag, Kind, Many, Maybe, Nested, Number, Table, Text, fields_of


def entry_schema() -> dict[str, Any]:
    """Schema of one line of a log; every event type stands under `$defs`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Entry of a kerp log",
        **_object(fields_of(Entry), {}),
        "$defs": {name: event_schema(name) for name in EVENT_TYPES} | {"event": _any_event()},
    }


def event_schema(name: str) -> dict[str, Any]:
    """Schema of one event type."""
    cls = EVENT_TYPES[name]
    title = (cls.__doc__ or name).splitlines()[0]
    return {"title": title, **_object(fields_of(cls), {"type": {"const": name}})}


def _any_event() -> dict[str, Any]:
    """A known event as its type wants it, or one of an unknown type, which is kept as it comes."""
    known = [{"$ref": f"#/$defs/{name}"} for name in EVENT_TYPES]
    unknown = {"properties": {"type": {"type": "string", "not": {"enum": list(EVENT_TYPES)}}}, "required": ["type"]}
    return {"type": "object", "anyOf": [*known, unknown]}


def _object(fields: Any, first: dict[str, Any]) -> dict[str, Any]:
    properties = first | {name: _property(spec) for name, spec in fields.items()}
    required = [*first, *(name for name, spec in fields.items() if spec.required)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(spec: FieldKind) -> dict[str, Any]:
    return _of(spec.kind) | ({"x-unblinding": True} if spec.secret else {})


def _of(kind: Kind) -> dict[str, Any]:
    match kind:
        case Number(whole, limit):
            sort = "integer" if whole else "number"
            return {"type": sort, "minimum": limit.low, "maximum": limit.high, "x-unit": limit.unit}
        case Text(length, shape):
            pattern = (
                {"pattern": f"^({shape.pattern})?$" if shape.optional else f"^{shape.pattern}$"} if shape else {}
            )
            return {"type": "string", "minLength": length.least, "maxLength": length.most} | pattern
        case Choice(of):
            return {"type": "string", "enum": [str(code) for code in of]}
        case Many(item, length):
            return {"type": "array", "items": _of(item), "minItems": length.least, "maxItems": length.most}
        case Table(value):
            return {"type": "object", "additionalProperties": _of(value)}
        case Maybe(inner):
            return {"anyOf": [_of(inner), {"type": "null"}]}
        case Nested():
            return {"$ref": "#/$defs/event"}
        case Flag():
            return {"type": "boolean"}
        case _:
            return {"type": "object"}
