"""The digest of a protocol: what is said, not how it is written.

Key order, comments, spacing and fields that state their own default do not change it, so a log opened today still
matches when the model gains a field tomorrow.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from kerp.base.digest import digest
from kerp.protocol.model import Protocol, StoppingRuleSignature


def protocol_digest(protocol: Protocol) -> str:
    """`sha256:...` of the resolved protocol; this is what a log opens with."""
    return digest(said(protocol))


def rules_digest(protocol: Protocol, signature: StoppingRuleSignature) -> str:
    """`sha256:...` of every rule in force together with who signed which version and when (M16)."""
    signed = {"version": signature.version, "signed_by": signature.signed_by, "signed_on": signature.signed_on}
    return digest(signed | {"statement": signature.statement, "rules": said(protocol.rules)})


def said(value: Any) -> Any:
    """Plain data of a frozen record without the fields that hold their default."""
    if is_dataclass(value) and not isinstance(value, type):
        spoken = [f for f in fields(value) if not _is_default(f, getattr(value, f.name))]
        return {f.name: said(getattr(value, f.name)) for f in spoken}
    if isinstance(value, dict):
        return {key: said(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [said(item) for item in value]
    return value


def _is_default(item: Field[Any], value: Any) -> bool:
    if item.default is not MISSING:
        return bool(value == item.default)
    return item.default_factory is not MISSING and bool(value == item.default_factory())
