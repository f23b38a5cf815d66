"""The hash chain of a log: each record is bound to everything before it, so that no one can change the past unseen.

One definition for the database, the log file and the stand-alone verifier: SHA-256 over the previous hash, a newline,
and the canonical JSON of the record (`kerp.base.digest.canonical`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from kerp.base.digest import canonical

GENESIS = "0" * 64  # what the first record of every chain follows


def chain_hash(previous_hash: str, record: Any) -> str:
    """64 hexadecimal digits that bind `record` (without its own hash) to everything that was before it."""
    return hashlib.sha256(f"{previous_hash}\n{canonical(record)}".encode()).hexdigest()


def first_break(links: Iterable[tuple[Any, str]], previous_hash: str = GENESIS) -> int | None:
    """Index of the first (record, hash) pair that does not follow from what is before it; None when all do."""
    for index, (record, written) in enumerate(links):
        if chain_hash(previous_hash, record) != written:
            return index
        previous_hash = written
    return None


def chain(records: Sequence[Any], previous_hash: str = GENESIS) -> list[str]:
    """The hash of every record in order."""
    hashes: list[str] = []
    for record in records:
        previous_hash = chain_hash(previous_hash, record)
        hashes.append(previous_hash)
    return hashes
