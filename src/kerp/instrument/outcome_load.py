"""Reads the outcome rules under `data/outcomes`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from kerp.base.data import ids, path_of
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import read_toml
from kerp.instrument.load import instrument_ids, validated
from kerp.instrument.outcome import MEASURES, OutcomeRules, Rule

FOLDER = "outcomes"
_ADAPTER = TypeAdapter(OutcomeRules)


def outcome_ids() -> list[str]:
    """Ids of the shipped sets, the consensus first (DESIGN decision 14)."""
    return sorted(ids(FOLDER), key=lambda identifier: (load_outcome(identifier).order, identifier))


@cache
def load_outcome(identifier: str) -> OutcomeRules:
    """A shipped set; an unknown id is refused with the nearest ones."""
    return read_outcome(path_of(FOLDER, identifier))


def read_outcome(path: Path | str) -> OutcomeRules:
    """A set from any file of the format; every fault at once."""
    document = read_toml(path)
    rules: OutcomeRules = validated(_ADAPTER, document)
    faults = [Fault(message, document.where, None, field) for field, message in _contradictions(rules)]
    if faults:
        raise KerpError(*faults)
    return rules


def _contradictions(rules: OutcomeRules) -> Iterator[tuple[str, str]]:
    if rules.instrument not in instrument_ids():
        yield "instrument", f"there is no instrument called {rules.instrument!r}"
    for criterion in rules.criteria:
        for rule in _leaves(criterion.rule):
            if rule.measure not in MEASURES:
                yield f"criteria.{criterion.id}", f"unknown measure {rule.measure!r}; known: {', '.join(MEASURES)}"
            elif rule.at_least is rule.at_most is rule.below is None:
                yield f"criteria.{criterion.id}", f"the rule on {rule.measure} has no bound"


def _leaves(rule: Rule) -> Iterator[Rule]:
    if rule.all_of or rule.any_of:
        for part in rule.all_of + rule.any_of:
            yield from _leaves(part)
    else:
        yield rule
