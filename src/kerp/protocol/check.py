"""Reads a protocol as a clinician would: every objection at once, with its place in the files and the ways out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from kerp.base.errors import Fault, KerpError
from kerp.protocol.checks import dose, exposure, instruments, people, phases, rules, sources, visits
from kerp.protocol.load import Resolved, load_protocol
from kerp.protocol.model import Protocol

Check = Callable[[Protocol], Iterator[Fault]]
CHECKS: tuple[Check, ...] = (
    *people.CHECKS,
    *exposure.CHECKS,
    *dose.CHECKS,
    *phases.CHECKS,
    *visits.CHECKS,
    *instruments.CHECKS,
    *rules.CHECKS,
    *sources.CHECKS,
)


def objections(protocol: Protocol) -> tuple[Fault, ...]:
    """What a clinician would object to; `field` is a dotted path of keys and record ids."""
    return tuple(fault for check in CHECKS for fault in check(protocol))


def check(resolved: Resolved) -> tuple[Fault, ...]:
    """The same with file and line of each field, in the order of the files."""
    placed = [_place(resolved, fault) for fault in objections(resolved.protocol)]
    return tuple(sorted(placed, key=lambda fault: (fault.where, fault.line or 0, fault.field)))


def check_file(id_or_path: str | Path) -> tuple[Fault, ...]:
    """Every fault of a protocol, of form or of content; empty when it can be used.

    A file that cannot be read as a protocol gives its faults of form: what a clinician would say has to wait.
    """
    try:
        return check(load_protocol(id_or_path))
    except KerpError as error:
        return error.faults


def _place(resolved: Resolved, fault: Fault) -> Fault:
    origin = resolved.origin(fault.field)
    if origin is None:
        return replace(fault, where=resolved.where, line=1)
    return replace(fault, where=origin.where, line=origin.line)
