"""Stand-ins for an origin that a file leaves out, so that the rest of it can be read in the same go.

What is mended here is a fault already and is reported as one; nothing mended is ever used but to find further faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

from kerp.evidence.sourced import Sourced
from kerp.evidence.sourcing import OURS
from kerp.protocol.model import Protocol
from kerp.protocol.shape import hints, unit_of, without_none

_ORIGIN = {"source": OURS, "mark": "assumed"}


def mended(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a merged protocol in which each number and record that must have a source, a mark, a unit has one."""
    return _record(Protocol, data)


def _record(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    known = hints(cls)
    copy = {key: _value(known[key], value, key) if key in known else value for key, value in data.items()}
    return {key: stand_in for key, stand_in in _ORIGIN.items() if key in known} | copy


def _value(hint: Any, value: Any, name: str) -> Any:
    hint = without_none(hint)
    if hint is Sourced:
        return _number(value, name)
    if isinstance(value, list) and get_origin(hint) is tuple:
        return [_value(get_args(hint)[0], item, name) for item in value]
    if isinstance(value, Mapping) and is_dataclass(hint) and isinstance(hint, type):
        return _record(hint, value)
    if isinstance(value, Mapping) and get_origin(hint) is Mapping:
        return {key: _value(get_args(hint)[1], item, key) for key, item in value.items()}
    return value


def _number(value: Any, name: str) -> Any:
    """A bare number, or one that lacks its origin, as a sourced value."""
    bare = isinstance(value, int | float) and not isinstance(value, bool)
    found = {"value": value} if bare else value
    return {"unit": unit_of(name) or "", **_ORIGIN, **found} if isinstance(found, Mapping) else found
