"""A number with its unit, where it is from, and how sure we are that the source says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How a number reached this product."""

    READ = "read"  # seen in the named source
    RECALLED = "recalled"  # from memory: verify before relying on it
    ASSUMED = "assumed"  # a choice of ours, said to be one


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """A clinical or kinetic number. `source` is an id of `data/references`, or a claim of the paper (`PAPER P27`)."""

    value: float
    unit: str
    source: str
    mark: Mark
    note: str = ""

    def __float__(self) -> float:
        return float(self.value)
