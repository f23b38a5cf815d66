"""One line of a speed table: ours against a peer, measured in the same run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """Seconds of ours and of the peer for the same work; `ratio` is peer over ours; `target` the least wanted."""

    name: str
    ours_s: float
    peer: str
    peer_s: float
    ratio: float
    target: float | None
    note: str = ""
