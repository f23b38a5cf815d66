"""The interface for devices as OpenAPI 3.1. Events are described by the same annotations the codec reads."""

from __future__ import annotations

from functools import cache
from typing import Any

from kerp import __version__
from kerp.session.events import EVENT_TYPES
from kerp.session.schema import event_schema
from kerp.web.bedside.wire import BatchIn, RequestIn

_FAULTS = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "faults": {"type": "array", "items": {"type": "object"}},
        "ways_out": {"type": "array", "items": {"type": "string"}},
    },
}
_OUTCOME = {
    "type": "object",
    "required": ["id", "result"],
    "properties": {
        "id": {"type": "string"},
        "result": {"enum": ["stored", "known", "conflict", "refused", "later"]},
        "seq": {"type": ["integer", "null"]},
        "faults": {"type": "array"},
        "warnings": {"type": "array"},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["accepted", "reasons"],
    "properties": {
        "accepted": {"type": "boolean"},
        "seq": {"type": ["integer", "null"]},
        "reasons": {"type": "array"},
        "overridden": {"type": "boolean"},
    },
}
_PLACE = [
    {"name": "log", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
    {"name": "session", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 60}},
]
_DOSE = [
    {"name": "weight_kg", "in": "query", "schema": {"type": "number", "exclusiveMinimum": 0}},
    {"name": "concentration_mg_per_ml", "in": "query", "schema": {"type": "number", "exclusiveMinimum": 0}},
    {"name": "devices", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 999}},
    {"name": "weight_confirmed", "in": "query", "schema": {"enum": ["yes"]}},
]
_SINCE = {"name": "since", "in": "query", "schema": {"type": "integer", "minimum": 0}}


@cache
def openapi() -> dict[str, Any]:
    """The whole description."""
    at = "/api/sessions/{log}/{session}/"
    outcomes = {
        "type": "object",
        "required": ["outcomes"],
        "properties": {"outcomes": {"type": "array", "items": _OUTCOME}},
    }
    thing = {"type": "object"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kerp: sessions",
            "version": __version__,
            "description": "The same id is the same entry. The server owns the session clock.",
        },
        "paths": {
            at + "entries": {
                "get": _operation("Entries after `since`", thing, [_SINCE]),
                "post": _operation(
                    "Keep what happened", outcomes, body="Batch", more={"409": "an id came with another content"}
                ),
            },
            at + "requests": {
                "post": _operation(
                    "Ask for a transition", _ANSWER, body="Request", more={"409": "an id came with another content"}
                )
            },
            at + "status": {"get": _operation("How the session stands", thing)},
            at + "plan": {"get": _operation("What does not move while it runs", thing)},
            at + "dose": {"get": _operation("The dose as an event to record", thing, _DOSE)},
            at + "forecast": {"get": _operation("Model output; never in a blinded study", thing)},
            at + "stream": {"get": _stream()},
            "/api/time": {"get": _operation("The server's clock, Unix ms", thing, place=False)},
            "/api/schema": {"get": _operation("This description", thing, place=False)},
        },
        "components": {
            "schemas": _components(),
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "kerp"}},
        },
        "security": [{"session": []}],
    }


def _components() -> dict[str, Any]:
    ref = "#/components/schemas/{model}"
    made: dict[str, Any] = {"Faults": _FAULTS}
    for name, model in (("Batch", BatchIn), ("Request", RequestIn)):
        schema = model.model_json_schema(ref_template=ref)
        made |= schema.pop("$defs", {})
        made[name] = schema
    events = {f"Event_{name}": _local(event_schema(name)) for name in EVENT_TYPES}
    made["Event"] = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in events]}
    made["EntryIn"]["properties"]["event"] = {"$ref": "#/components/schemas/Event"}
    made["Request"]["properties"]["event"] = {"$ref": "#/components/schemas/Event"}
    return made | events


def _local(schema: Any) -> Any:
    """References within a log's schema point here instead."""
    if isinstance(schema, dict):
        if schema.get("$ref") == "#/$defs/event":
            return {"$ref": "#/components/schemas/Event"}
        return {key: _local(value) for key, value in schema.items()}
    return [_local(one) for one in schema] if isinstance(schema, list) else schema


def _operation(
    summary: str,
    schema: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    *,
    body: str = "",
    more: dict[str, str] | None = None,
    place: bool = True,
) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": {"description": "done", "content": {"application/json": {"schema": schema}}}}
    told = {"400": "what is wrong and what is allowed", "401": "sign in", "403": "not open", "404": "not there"}
    for code, text in (told | (more or {})).items():
        described = {"$ref": "#/components/schemas/Faults"} if code != "409" else {"type": "object"}
        answers[code] = {"description": text, "content": {"application/json": {"schema": described}}}
    operation: dict[str, Any] = {"summary": summary, "responses": answers}
    operation["parameters"] = [*(_PLACE if place else []), *(parameters or [])]
    if body:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _stream() -> dict[str, Any]:
    operation = _operation(
        "Entries as server-sent events; `Last-Event-ID` goes on where it ended", {"type": "object"}, [_SINCE]
    )
    operation["responses"]["200"]["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    return operation
