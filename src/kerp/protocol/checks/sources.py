"""Sources: every number in a protocol says who said it, and that source exists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from kerp.base.errors import Fault
from kerp.evidence.references import reference_ids
from kerp.evidence.sourced import Mark
from kerp.evidence.sourcing import OURS, resolves
from kerp.protocol.checks.course import objection
from kerp.protocol.layers import RECORD_KEYS
from kerp.protocol.model import Protocol

SITE = "site: "  # a document of the site, named: "site: SOP 12, safety committee of 2026-10-01"
_WAYS = (
    "name a reference id (kerp evidence list references)",
    'cite "PAPER P1" to "PAPER P40"',
    f'name a document of the site: "{SITE}SOP 12"',
    'write "kerp" with mark = "assumed"',
)


def unsourced_numbers(protocol: Protocol) -> Iterator[Fault]:
    """A source that is empty or unknown, or our own choice marked as if somebody had published it."""
    known = reference_ids()
    for path, source, mark in _sources(protocol, ""):
        names = [name.strip() for name in source.split(";")]
        unknown = [name for name in names if not (resolves(name, known) or _of_site(name))]
        if unknown:
            message = "this number has no source" if not source.strip() else "this source names nothing"
            yield objection(f"{path}.source", message, *_WAYS, found="; ".join(unknown))
        elif mark is Mark.READ and set(names) == {OURS}:
            message = "our own choice is marked as if it had been read somewhere"
            yield objection(f"{path}.mark", message, 'write mark = "assumed"', found="read")


def _of_site(name: str) -> bool:
    return name.startswith(SITE) and len(name) > len(SITE)


def _sources(node: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Every record with a source, and every record below it, by dotted path."""
    if isinstance(node, tuple):
        for index, item in enumerate(node):
            yield from _sources(item, _join(path, _name(item, index)))
    elif isinstance(node, dict):
        for key, item in node.items():
            yield from _sources(item, _join(path, key))
    elif is_dataclass(node) and not isinstance(node, type):
        if hasattr(node, "source") and (node.source or not path.startswith("dose")):
            yield path, node.source, getattr(node, "mark", None)
        for item in fields(node):
            yield from _sources(getattr(node, item.name), _join(path, item.name))


def _name(item: Any, index: int) -> str:
    return next((str(getattr(item, key)) for key in RECORD_KEYS if hasattr(item, key)), str(index))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


CHECKS = (unsourced_numbers,)
