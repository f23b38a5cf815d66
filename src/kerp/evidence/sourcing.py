"""Finds numbers nobody said. The rule, for people, is docs/data-files.md."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kerp.base.errors import Fault
from kerp.base.tomlfile import KeyPath, TomlDocument, dotted
from kerp.evidence.sourced import Mark

PAPER = re.compile(r"PAPER P([1-9]|[1-3][0-9]|40)")
OURS = "kerp"
MARKS = frozenset(str(mark) for mark in Mark)

# Not claims about people or drugs: allowed bare in every file.
STRUCTURAL = frozenset({"version", "schema", "schema_version", "order", "index", "year"})
# Allowed bare in the files of one folder only, each for a reason.
STRUCTURAL_IN: Mapping[str, frozenset[str]] = {
    "stimuli": frozenset({"intensity"}),  # neutral test pictures: 0 by what they are, a claim about nobody
    # what a design chooses rather than claims: its calendar, comparisons, error rates, looks and size
    "designs": frozenset(
        {
            "share",
            "dose_days",
            "erp_days",
            "erp_min",
            "other_contact_min",
            "length_min",
            "day",
            "visit_days",
            "after_dose_day",
            "weights",
            "alpha",
            "sides",
            "n_total",
            "target_power",
            "effect_sd",
            "half_width_sd",
            "confidence",
            "information",
            "gamma",
            "futility_gamma",
            "at_fraction",
            "max_factor",
            "block_rounds",
            "therapists",
            "washout_days",
        }
    ),
    # what an analysis plan chooses: windows of visits, primary day, line of deltas, number of imputations, seed
    "plans": frozenset(
        {
            "baseline_from_day",
            "baseline_to_day",
            "primary_day",
            "day",
            "from_day",
            "to_day",
            "deltas",
            "draws",
            "seed",
        }
    ),
    # the shape of a scale: range and grain of an item, codes, which question a "no" rules out, worked examples
    "instruments": frozenset({"min", "max", "step", "code", "skip_if", "answers", "subscale_values", "total"}),
}

# a unit as it ends a key: `at_min`, `dose_mg`, `fall_percent`; a correlation `r` and the like are pure numbers
_UNIT_IN_KEY = re.compile(
    r"(?:^|_)(?:ms|s|sec|min|h|hours|days?|weeks?|months?|years?|kg|g|mg|ug|ng|ml|l|cm|mm|mmhg|bpm|per_min|mg_per_kg"
    r"|mg_per_min|mg_per_ml|mg_per_h|ml_per_h|ng_per_ml|per_h|l_per_h|percent|pct|fraction|ratio|probability|r|n|sd|se"
    r"|points|items|count|sessions|devices|doses|readings|ratings|prompts|levels|times|steps|attempts|digits|people)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Cover:
    """The nearest table around a number that says where it is from."""

    source: Any
    mark: Any
    has_unit: bool


def unsourced(document: TomlDocument, known: Collection[str], folder: str = "") -> tuple[Fault, ...]:
    """Every number of a data file without a value's due: unit, source that resolves, mark.

    `known` are the ids of the references; `folder` names the folder of `data/` the file is in, for its own structural
    keys. The document's top level cannot cover numbers.
    """
    structural = STRUCTURAL | STRUCTURAL_IN.get(folder, frozenset())
    faults = []
    for path, message, ways in _walk(document.data, (), None, structural, known):
        faults.append(Fault(message, document.where, document.line_of(path), dotted(path), ways_out=ways))
    return tuple(faults)


_Finding = tuple[KeyPath, str, tuple[str, ...]]


def _walk(
    node: Any, path: KeyPath, cover: _Cover | None, structural: Collection[str], known: Collection[str]
) -> Iterator[_Finding]:
    if isinstance(node, dict):
        yield from _table(node, path, cover, structural, known)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _walk(item, (*path, index), cover, structural, known)
    elif _is_number(node):
        yield from _number(path, cover)


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)


def _table(
    node: dict[str, Any], path: KeyPath, cover: _Cover | None, structural: Collection[str], known: Collection[str]
) -> Iterator[_Finding]:
    if path and ("source" in node or "mark" in node):
        cover = _Cover(node.get("source"), node.get("mark"), "unit" in node)
        yield from _origin(node, path, known)
    elif cover is not None and "unit" in node:
        cover = _Cover(cover.source, cover.mark, has_unit=True)
    for key, item in node.items():
        if key == "value" and _is_number(item):
            yield from _value(node, path, cover)
        elif key not in structural:
            yield from _walk(item, (*path, key), cover, structural, known)


def _value(node: dict[str, Any], path: KeyPath, cover: _Cover | None) -> Iterator[_Finding]:
    if cover is None:
        ways: tuple[str, ...] = (
            'write { value = ..., unit = "...", source = "<reference id>", mark = "read|recalled|assumed" }',
        )
        yield (*path, "value"), "this value has no source and no mark", ways
    elif "unit" not in node and not cover.has_unit:
        ways = ('add unit = "..." ("1" for a pure number)',)
        yield (*path, "value"), "this value has no unit", ways


def _origin(node: dict[str, Any], path: KeyPath, known: Collection[str]) -> Iterator[_Finding]:
    source, mark = node.get("source"), node.get("mark")
    ways: tuple[str, ...]
    if "source" not in node:
        yield path, "there is a mark but no source", ('name a reference id, "PAPER Pnn" or "kerp"',)
        return
    if mark not in MARKS:
        ways = ('add mark = "read" (seen in the source), "recalled" (from memory) or "assumed" (our choice)',)
        yield path, f"the mark is {mark!r}", ways
    for name in str(source).split("; "):
        if name == OURS and mark != Mark.ASSUMED:
            yield path, "our own choice is marked as if someone had published it", ('write mark = "assumed"',)
        elif not resolves(name, known):
            ways = (
                "add it to data/references/*.toml",
                'or cite "PAPER P1" to "PAPER P40"',
                'or "kerp" with "assumed"',
            )
            yield path, f"the source {name!r} is not a reference", ways


def resolves(source: str, known: Collection[str]) -> bool:
    """Whether one source names something: a reference, a claim of the paper, or us."""
    return source == OURS or source in known or PAPER.fullmatch(source) is not None


def _number(path: KeyPath, cover: _Cover | None) -> Iterator[_Finding]:
    key = next(str(part) for part in reversed(path) if isinstance(part, str))
    if cover is None:
        ways: tuple[str, ...] = (
            f'give {key} as {{ value = ..., unit = "...", source = "...", mark = "..." }}',
            "or put source and mark into the table that holds it (the top of the file does not count)",
            "or, if it is structure and no claim, add the key to kerp/evidence/sourcing.py with its reason",
        )
        yield path, "nobody said this number", ways
    elif not cover.has_unit and not _UNIT_IN_KEY.search(key):
        ways = ('put unit = "..." beside the source', f"or put the unit into the key: {key}_min, {key}_points, ...")
        yield path, "this number has no unit", ways
