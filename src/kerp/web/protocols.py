"""Protocols between file, database and engine."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from kerp.base.chain import GENESIS, chain_hash
from kerp.base.digest import canonical
from kerp.base.errors import Fault, KerpError
from kerp.protocol.check import check
from kerp.protocol.load import Resolved, adapter, load_protocol
from kerp.protocol.model import Protocol
from kerp.records.logfile import opening_record

LARGEST_BYTES = 512 * 1024


def from_upload(name: str, content: bytes) -> Resolved:
    """A protocol file that somebody handed in: checked by content and size, read beside nothing else."""
    if len(content) > LARGEST_BYTES:
        allowed = f"at most {LARGEST_BYTES // 1024} kB"
        raise KerpError(Fault("this file is too large", where=name, found=f"{len(content)} bytes", allowed=allowed))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "protocol.toml"
        path.write_bytes(content)
        try:
            return _without_objection(load_protocol(path))
        except KerpError as error:
            raise KerpError(*(_renamed(fault, str(path), name) for fault in error.faults)) from None


def shipped(identifier: str) -> Resolved:
    """A shipped protocol, checked like any other."""
    return _without_objection(load_protocol(identifier))


def _without_objection(resolved: Resolved) -> Resolved:
    if faults := check(resolved):
        raise KerpError(*faults)
    return resolved


def _renamed(fault: Fault, written: str, name: str) -> Fault:
    """The name the person knows, not that of our temporary copy."""
    return replace(fault, where=fault.where.replace(written, name), message=fault.message.replace(written, name))


def chain_start(protocol: Protocol) -> str:
    """What the first entry of a log follows: the hash of the log file's opening record. Both chains are one."""
    return chain_hash(GENESIS, opening_record(protocol))


def to_text(protocol: Protocol) -> str:
    """The resolved protocol as canonical JSON, for the database."""
    return canonical(protocol)


@lru_cache(maxsize=64)
def from_text(text: str) -> Protocol:
    """The protocol that `to_text` wrote. Cached: versions never change."""
    return adapter().validate_python(json.loads(text))
