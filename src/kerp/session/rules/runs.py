"""Runs: the newest unbroken stretch of observations for which something holds.

A rule that fires on a run keeps the same first entry while it goes on, so that its advice keeps its identity, and
clears with the first observation for which it no longer holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from kerp.base.elapsed import clock, ms_from_min
from kerp.protocol.model import Rule
from kerp.session.events import Event, Observed
from kerp.session.limits import SAME_MOMENT_MS
from kerp.session.view import View

E = TypeVar("E", bound=Event)


def newest_run(items: Iterable[Observed[E]], holds: Callable[[Observed[E]], bool]) -> tuple[Observed[E], ...]:
    """The newest run, oldest first. Observations of one moment count together: the worst one decides."""
    run: list[Observed[E]] = []
    for moment in _moments(items):
        bad = [item for item in moment if holds(item)]
        if not bad:
            break
        run += bad
    return tuple(reversed(run))


def _moments(items: Iterable[Observed[E]]) -> Iterator[list[Observed[E]]]:
    """Observations grouped by moment, newest first."""
    group: list[Observed[E]] = []
    for item in reversed(tuple(items)):
        if group and group[0].at_ms - item.at_ms > SAME_MOMENT_MS:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def consecutive(items: Sequence[Observed[E]], max_gap_min: float | None) -> tuple[Observed[E], ...]:
    """The newest part of a run whose members are not too far apart."""
    kept: list[Observed[E]] = []
    for item in reversed(items):
        if kept and max_gap_min is not None and kept[-1].at_ms - item.at_ms > ms_from_min(max_gap_min):
            break
        kept.append(item)
    return tuple(reversed(kept))


def ids(items: Iterable[Observed[E]]) -> tuple[str, ...]:
    """Ids of the entries."""
    return tuple(item.id for item in items)


def at(view: View, ms: int) -> str:
    """A time as people read it: hours and minutes from T0, or from the opening of the log."""
    return clock(ms - view.t0_ms) if view.t0_ms is not None else clock(ms)


def limit(rule: Rule, name: str) -> float:
    """A threshold of a rule."""
    return rule.thresholds[name].value


def since_start(view: View, items: Iterable[Observed[E]]) -> tuple[Observed[E], ...]:
    """Those since minute 0; none before it."""
    return tuple(item for item in items if view.t0_ms is not None and item.at_ms >= view.t0_ms)
