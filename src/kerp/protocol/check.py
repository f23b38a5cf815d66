"""Reads a protocol as a clinician would: every objection at once, with its place in the files and the ways out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kerp.base.errors import Fault, KerpError
from kerp.protocol.checks import dose, exposure, instruments, people, phases, rules, sources, visits
from kerp.protocol.layers import Origin
from kerp.protocol.load import Resolved, read_protocol
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
    """The same with file and line of each field: what the file itself says first, then what it inherits."""
    return _ordered((_place(resolved, fault) for fault in objections(resolved.protocol)), resolved.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Every fault of a file. `complete` is False where what stands there keeps a clinician's reading waiting."""

    faults: tuple[Fault, ...]
    complete: bool = True


def check_file(id_or_path: str | Path) -> tuple[Fault, ...]:
    """Every fault of a protocol, of form and of content; empty when it can be used."""
    return examine(id_or_path).faults


def examine(id_or_path: str | Path) -> Examined:
    """Faults of form and of content together.

    A number without source hides nothing else. A number that cannot be used, or a file that is no protocol, does:
    then what a clinician would say has to wait.
    """
    try:
        read = read_protocol(id_or_path)
    except KerpError as error:
        return Examined(faults=error.faults, complete=False)
    if read.resolved is None:
        return Examined(faults=_ordered(read.faults, str(id_or_path)), complete=False)
    known = {fault.field for fault in read.faults}
    further = [fault for fault in check(read.resolved) if fault.field not in known]
    return Examined(faults=_ordered((*read.faults, *further), read.resolved.where))


def _ordered(faults: Iterable[Fault], own: str) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: (fault.where != own, fault.where, fault.line or 0, fault.field)))


def _place(resolved: Resolved, fault: Fault) -> Fault:
    origin = _own(resolved, tuple(fault.field.split("."))) or resolved.origin(fault.field)
    if origin is None:
        return replace(fault, where=resolved.where, line=1)
    return replace(fault, where=origin.where, line=origin.line)


def _own(resolved: Resolved, path: tuple[str, ...]) -> Origin | None:
    """Where the file that is checked touches the record at fault: a site mends its own lines, not inherited ones."""
    written = [
        (known, item) for known, item in resolved.origins.items() if item.where == resolved.where and item.line
    ]
    for length in range(len(path), 1, -1):
        within = [item for known, item in written if known[:length] == path[:length]]
        if within:
            return min(within, key=lambda item: item.line or 0)
    return None
