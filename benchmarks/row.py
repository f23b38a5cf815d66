"""One line of the benchmark table: ours against a peer, measured in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """`ratio` is peer time over ours (how many times faster).

    `target` of a row with a peer: least ratio. Of a row without: most seconds. None: shown only.
    """

    name: str
    ours_s: float
    peer: str = ""
    peer_s: float | None = None
    target: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.peer_s is None else self.peer_s / self.ours_s

    @property
    def reached(self) -> bool | None:
        if self.target is None:
            return None
        return self.ours_s <= self.target if self.ratio is None else self.ratio >= self.target

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "reached": self.reached}


def median_s(job: Callable[[], Any], repeats: int = 5) -> float:
    """Median wall time of `job` in seconds after one call to warm up."""
    job()
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        took.append(time.perf_counter() - start)
    return statistics.median(took)
