"""What the table of attempts is keyed by: hashes, so that it holds no network address and no name."""

from __future__ import annotations

import hashlib


def hashed_key(key: str, prefix: str, version: int) -> str:
    """Django's cache key, hashed."""
    return hashlib.sha256(f"{prefix}:{version}:{key}".encode()).hexdigest()
