"""What a simulated participant or rater answers to an instrument, from its items alone: severity in, answers out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kerp.instrument.model import Instrument, Item

Answers = dict[str, float | None]


def answers_for_total(instrument: Instrument, total: float, chance: np.random.Generator) -> Answers:
    """Answers to the counted items that add up to `total` as nearly as items allow; other items at their least."""
    answers = {item.id: item.min for item in instrument.items if not item.optional}
    counted = list(instrument.counted)
    left = min(max(total, sum(i.min for i in counted)), sum(i.max for i in counted)) - sum(i.min for i in counted)
    while left >= (grain := _grain(counted)) and grain > 0:
        open_items = [item for item in counted if answers[item.id] + _step(item) <= item.max]
        if not open_items:
            break
        item = _even(open_items, answers, chance)
        answers[item.id] += _step(item)
        left -= _step(item)
    return _without_skipped(instrument, answers)


def answers_for_share(instrument: Instrument, share: float, chance: np.random.Generator) -> Answers:
    """Answers at `share` (0-1) of each counted item's range, to the item's grain."""
    answers: dict[str, float] = {}
    for item in instrument.items:
        if item.optional:
            continue
        value = item.min + (item.max - item.min) * (share if item.counted else 0.0)
        answers[item.id] = min(item.max, max(item.min, _rounded(item, value, chance)))
    return _without_skipped(instrument, answers)


def answers_all_true(instrument: Instrument) -> Answers:
    """Every item at its most: a checklist that is met."""
    return {item.id: item.max for item in instrument.items if not item.optional}


def answers_least(instrument: Instrument) -> Answers:
    """Every item at its least: nothing present."""
    return _without_skipped(instrument, {item.id: item.min for item in instrument.items if not item.optional})


def _step(item: Item) -> float:
    return item.step or (item.max - item.min) / 100


def _grain(items: Sequence[Item]) -> float:
    return min((_step(item) for item in items), default=0.0)


def _even(items: list[Item], answers: dict[str, float], chance: np.random.Generator) -> Item:
    """One of the items that are lowest in their range so far."""
    lowest = min((answers[item.id] - item.min) / (item.max - item.min) for item in items)
    low = [item for item in items if (answers[item.id] - item.min) / (item.max - item.min) <= lowest + 0.26]
    return low[int(chance.integers(len(low)))]


def _rounded(item: Item, value: float, chance: np.random.Generator) -> float:
    grain = _step(item)
    steps = (value - item.min) / grain
    whole = math.floor(steps + chance.random())
    return round(item.min + whole * grain, 6)


def _without_skipped(instrument: Instrument, answers: dict[str, float]) -> Answers:
    """Items that the form would not ask are left out."""
    kept: Answers = {}
    for item in instrument.items:
        asked = item.id in answers and not (item.skip_if and item.skip_if.holds(answers.get(item.skip_if.item)))
        if asked:
            kept[item.id] = answers[item.id]
    return kept
