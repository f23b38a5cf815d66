"""The one scoring function. Pure: same answers, same score; a missing answer is never a zero (M21)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kerp.base.errors import Fault, KerpError
from kerp.instrument.model import Band, Flag, Instrument, Item, Method, Missing, Subscale

Answers = Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscaleScore:
    """Value of one subscale; None when one of its items has no answer."""

    id: str
    label: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What the answers come to.

    `total` is None when it cannot be computed; then `lowest` and `highest` say between which totals it must lie.
    `missing` are items that should have been answered, `skipped` those rightly not asked. `band` is the first fitting
    band, `other_bands` those of alternative published sets.
    """

    instrument: str
    version: str
    method: str
    total: float | None
    lowest: float | None
    highest: float | None
    complete: bool
    missing: tuple[str, ...]
    skipped: tuple[str, ...]
    subscales: tuple[SubscaleScore, ...]
    band: Band | None
    other_bands: tuple[Band, ...]
    flags: tuple[Flag, ...]
    warnings: tuple[str, ...]

    def subscale(self, identifier: str) -> float | None:
        """Value of a subscale by id. KeyError if there is none."""
        for part in self.subscales:
            if part.id == identifier:
                return part.value
        raise KeyError(identifier)


def score(instrument: Instrument, answers: Answers) -> Score:
    """Score a set of answers (item id -> number, None or absent where there is no answer).

    Raises `KerpError`, naming every fault, for an unknown item, a value outside the item's range or off its grain, or
    one that is not a finite number. An answer to a question that its skip rule rules out is kept and warned about.
    """
    check(instrument, answers)
    given = {item.id: answers.get(item.id) for item in instrument.items}
    skipped = tuple(item.id for item in instrument.items if given[item.id] is None and _is_skipped(item, given))
    missing = tuple(
        item.id
        for item in instrument.items
        if given[item.id] is None and item.id not in skipped and not item.optional
    )
    absent = [item for item in instrument.counted if item.id in missing]
    total, lowest, highest = _totals(instrument, given, absent)
    return Score(
        instrument=instrument.id,
        version=instrument.version,
        method=str(instrument.method),
        total=total,
        lowest=lowest,
        highest=highest,
        complete=not missing,
        missing=missing,
        skipped=skipped,
        subscales=tuple(_subscale(part, given) for part in instrument.subscales),
        band=next(_bands(instrument, total, given, alternative=False), None),
        other_bands=tuple(_bands(instrument, total, given, alternative=True))[:1],
        flags=tuple(flag for flag in instrument.flags if any(c.holds(given[c.item]) for c in flag.any_of)),
        warnings=tuple(_warnings(instrument, given, missing, total)),
    )


def check(instrument: Instrument, answers: Answers) -> None:
    """Refuse answers that cannot be: all faults at once, nothing guessed."""
    known = {item.id: item for item in instrument.items}
    faults: list[Fault] = []
    for name, value in answers.items():
        if name not in known:
            allowed = ", ".join(known)
            faults.append(Fault("this instrument has no such item", instrument.id, None, name, name, allowed))
        elif value is not None and (fault := _fault(instrument, known[name], value)) is not None:
            faults.append(fault)
    if faults:
        raise KerpError(*faults)


def allowed(item: Item) -> str:
    """The allowed answers in words."""
    if item.codes:
        return ", ".join(f"{code.code} = {code.label}" for code in item.codes)
    grain = "" if item.step == 0 else f" in steps of {item.step:g}"
    return f"{item.min:g} to {item.max:g}{grain}"


def _fault(instrument: Instrument, item: Item, value: object) -> Fault | None:
    def fault(message: str) -> Fault:
        ways = ("leave it out if there is no answer; it is then counted as missing, not as zero",)
        return Fault(message, instrument.id, None, item.id, repr(value), allowed(item), ways)

    if isinstance(value, bool):
        value = int(value)
    if not isinstance(value, int | float) or (isinstance(value, float) and not math.isfinite(value)):
        return fault("the answer is not a number")
    if not item.min <= value <= item.max:
        return fault(f"the answer is outside the range of '{item.label}'")
    if item.step and not math.isclose((value - item.min) / item.step, round((value - item.min) / item.step)):
        return fault(f"the answer lies between two allowed answers of '{item.label}'")
    if item.codes and value not in {code.code for code in item.codes}:
        return fault(f"the answer is not one of the codes of '{item.label}'")
    return None


def _is_skipped(item: Item, given: Answers) -> bool:
    return item.skip_if is not None and item.skip_if.holds(given[item.skip_if.item])


def _totals(
    instrument: Instrument, given: Answers, absent: list[Item]
) -> tuple[float | None, float | None, float | None]:
    if instrument.method is Method.NONE:
        return None, None, None
    lowest = _total(instrument, dict(given) | {item.id: item.min for item in absent})
    highest = _total(instrument, dict(given) | {item.id: item.max for item in absent})
    if not absent:
        return lowest, lowest, lowest
    return _prorated(instrument, given, len(absent)), lowest, highest


def _total(instrument: Instrument, given: Answers) -> float:
    values = [given[item.id] for item in instrument.counted]
    present = [value for value in values if value is not None]
    match instrument.method:
        case Method.MEAN:
            return math.fsum(present) / len(present) if present else 0.0
        case Method.HIGHEST:
            return max((number for number, value in enumerate(values, start=1) if value), default=0)
        case Method.ALL_TRUE:
            return sum(1 for value in present if value)
        case _:
            return math.fsum(present)


def _prorated(instrument: Instrument, given: Answers, absent: int) -> float | None:
    policy = instrument.missing
    if policy.rule is not Missing.PRORATE or absent > policy.max_missing_items:
        return None
    present = [value for item in instrument.counted if (value := given[item.id]) is not None]
    mean = math.fsum(present) / len(present)
    return mean if instrument.method is Method.MEAN else mean * (len(present) + absent)


def _subscale(part: Subscale, given: Answers) -> SubscaleScore:
    values = [given[name] for name in part.items]
    present = [value for value in values if value is not None]
    if len(present) < len(values):
        return SubscaleScore(id=part.id, label=part.label, value=None)
    if part.method == "difference":
        value = present[0] - present[1]
    else:
        value = math.fsum(present) / (len(present) if part.method == "mean" else 1)
    return SubscaleScore(id=part.id, label=part.label, value=value)


def _bands(instrument: Instrument, total: float | None, given: Answers, *, alternative: bool) -> Iterator[Band]:
    for band in instrument.bands:
        if band.alternative is alternative and _fits(band, total, given):
            yield band


def _fits(band: Band, total: float | None, given: Answers) -> bool:
    if any(condition.holds(given[condition.item]) for condition in band.any_of):
        return True
    if total is None or (band.low is None and band.high is None):
        return False
    inside = (band.low is None or total >= band.low) and (band.high is None or total <= band.high)
    return inside and all(condition.holds(given[condition.item]) for condition in band.all_of)


def _warnings(instrument: Instrument, given: Answers, missing: tuple[str, ...], total: float | None) -> Iterator[str]:
    if missing:
        names = ", ".join(missing)
        yield f"no answer to {names}: {len(missing)} of {len(instrument.items)} items are missing, not zero"
    counted_missing = [item.id for item in instrument.counted if item.id in missing]
    if counted_missing and instrument.method is not Method.NONE:
        yield "the total is withheld" if total is None else "the total is prorated from the answered items"
    for item in instrument.items:
        if given[item.id] is not None and _is_skipped(item, given):
            yield f"'{item.label}' was answered although the answer to {_asker(item)} rules it out; it counts"


def _asker(item: Item) -> str:
    return item.skip_if.item if item.skip_if else ""
