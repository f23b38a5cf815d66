"""Scores of the scales in a log, computed when they are read; what was answered is what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kerp.base.errors import KerpError
from kerp.instrument.model import Instrument
from kerp.instrument.score import Score, score
from kerp.session.events import Observed, ScaleAnswered
from kerp.session.state import State


@dataclass(frozen=True, slots=True)
class Scored:
    """One set of answers and its score; `problem` says why there is none."""

    answered: Observed[ScaleAnswered]
    score: Score | None
    problem: str = ""


def scores_of(state: State, instruments: Mapping[str, Instrument]) -> tuple[Scored, ...]:
    """Every scale of the course, in order of time. `instruments` are the loaded ones, by id."""
    return tuple(_scored(item, instruments.get(item.event.instrument)) for item in state.everywhere(ScaleAnswered))


def _scored(item: Observed[ScaleAnswered], instrument: Instrument | None) -> Scored:
    if instrument is None:
        return Scored(item, None, f"no instrument is called {item.event.instrument!r}")
    if item.event.version != instrument.version:
        text = f"answered with version {item.event.version!r}; this is version {instrument.version!r}"
        return Scored(item, None, text)
    try:
        return Scored(item, score(instrument, item.event.answers))
    except KerpError as error:
        return Scored(item, None, str(error))
