"""A schedule's hold on its protocols: the digest of each, written down with it, checked when it is read.

A protocol that changed under a schedule is refused by name; whoever compared the two versions writes the new digests
with `kerp arm pin`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import TomlDocument

TABLE = "protocol_digests"
_BLOCK = re.compile(rf"\n*^\[{TABLE}\][^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)


def digests_of(names: tuple[str, ...]) -> dict[str, str]:
    """Digest of each protocol as it is now: shipped ones by id, others by file."""
    return {name: _of_file(name) if name.endswith(".toml") else _shipped(name) for name in names}


def _of_file(name: str) -> str:
    from kerp.protocol.load import load_protocol

    return load_protocol(name).digests.resolved


@cache
def _shipped(name: str) -> str:
    return _of_file(name)


def checked_pins(names: tuple[str, ...], pins: Any, document: TomlDocument) -> dict[str, str]:
    """The digests of the protocols, once every pin agrees with them; each that does not is a fault of its own."""
    if not isinstance(pins, Mapping):
        line = document.line_of((TABLE,))
        raise KerpError(Fault("a table of protocol ids and digests is expected", document.where, line))
    actual = digests_of(names)
    faults = [fault for name, pin in pins.items() if (fault := _fault(name, pin, actual, document))]
    line = document.line_of((TABLE,))
    faults += [
        Fault("this protocol has no digest, others have", document.where, line, f"{TABLE}.{name}", "", digest)
        for name, digest in actual.items()
        if name not in pins
    ]
    if faults:
        raise KerpError(*faults)
    return actual


def _fault(name: str, pin: Any, actual: Mapping[str, str], document: TomlDocument) -> Fault | None:
    line, field = document.line_of((TABLE, name)), f"{TABLE}.{name}"
    if name not in actual:
        known = ", ".join(actual) or "none"
        return Fault("no dose or session follows this protocol", document.where, line, field, name, known)
    if pin == actual[name]:
        return None
    ways = (
        "put back the protocol as it was",
        f"compare the two versions (kerp protocol diff), then write the new digest: kerp arm pin {document.where}",
    )
    message = "the protocol is not the one this schedule was written for"
    return Fault(message, document.where, line, field, f"{name} is now {actual[name]}", str(pin), ways)


def pinned(text: str, digests: Mapping[str, str]) -> str:
    """The same file with these digests at its end, and no others; comments and order of the rest stay."""
    rest = _BLOCK.sub("\n\n", text).rstrip("\n") + "\n"
    if not digests:
        return rest
    lines = "".join(f'"{name}" = "{digest}"\n' for name, digest in digests.items())
    return f"{rest}\n[{TABLE}]\n{lines}"
