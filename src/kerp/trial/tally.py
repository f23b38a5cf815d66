"""Sums over trials. Adding tallies in the order of their blocks gives the same digits whoever computed them."""

from __future__ import annotations

import math
from collections.abc import Sequence

Tally = dict[str, float | list[float]]


def total(tallies: Sequence[Tally]) -> Tally:
    """The sum of tallies of one shape, each figure added exactly and rounded once."""
    first = tallies[0]
    return {name: _add([tally[name] for tally in tallies]) for name in first}


def _add(values: Sequence[float | list[float]]) -> float | list[float]:
    if isinstance(values[0], list):
        columns = [value for value in values if isinstance(value, list)]
        return [math.fsum(column) for column in zip(*columns, strict=True)]
    return math.fsum(value for value in values if not isinstance(value, list))


def number(tally: Tally, name: str) -> float:
    """A single figure of a tally."""
    value = tally[name]
    assert not isinstance(value, list)
    return value


def row(tally: Tally, name: str) -> list[float]:
    """A list of figures of a tally."""
    value = tally[name]
    assert isinstance(value, list)
    return value
