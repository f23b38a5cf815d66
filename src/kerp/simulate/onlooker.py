"""A bedside page that somebody has open: its stream of entries, and how the session stands after each and every 5 s.

It writes nothing. A page asks this much of a server all the time, whoever records.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kerp.simulate.device import Device

REFRESH_S = 5.0  # what static/bedside/main.js waits between two looks
AGAIN_S = 1.0  # the `retry` of the stream


@dataclass
class Onlooker:
    """One open page of a session. `looks` collects seconds from asking how the session stands to the answer."""

    device: Device
    base: str
    over: Callable[[], bool]
    seconds: Callable[[], float] = time.perf_counter
    looks: list[tuple[float, float]] = field(default_factory=list)
    entries: int = 0
    broken: int = 0
    _looked: float = 0.0

    def look_on(self) -> None:
        """Follow the session until it is over; a stream that ends is opened again."""
        self._look()
        while not self.over():
            try:
                self._follow()
            except (OSError, http.client.HTTPException):
                self.broken += not self.over()
                self.device.pause(AGAIN_S)

    def _follow(self) -> None:
        with self.device.stream(f"{self.base}stream?since={self.entries}") as lines:
            for line in lines:
                if self.over():
                    return
                if line.startswith(b"id:"):
                    self.entries = int(line[3:])
                if line.startswith(b"event: entries") or self.seconds() - self._looked > REFRESH_S:
                    self._look()

    def _look(self) -> None:
        self._looked = self.seconds()
        self.device.get(f"{self.base}status")
        self.looks.append((self._looked, self.seconds() - self._looked))
