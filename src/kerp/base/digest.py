"""Digests of plain data: the same content gives the same digest, whatever the key order or spacing."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from kerp.base.errors import KerpError

_AS_IT_IS = frozenset({str, int, bool, type(None)})


def plain(value: Any) -> Any:
    """Reduce dataclasses, tuples, enums and decimals to what JSON can say. NaN and infinity are refused."""
    if type(value) in _AS_IT_IS:  # most are
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise KerpError(f"{value} is not a number that can be recorded")
    return value


def canonical(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces, UTF-8 text, whole floats written as integers."""
    return json.dumps(_whole(plain(value)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _whole(value: Any) -> Any:
    """Write 5.0 and 5 alike, so that a digest does not hang on how a number was typed."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def digest(value: Any) -> str:
    """`sha256:` and 64 hexadecimal digits of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()
