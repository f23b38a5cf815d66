"""Blood pressure by the two-reading logic: one reading alone neither holds nor lets go (M5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from kerp.base.elapsed import ms_from_min
from kerp.protocol.model import Rule
from kerp.session.events import Observed, VitalsTaken
from kerp.session.state import SessionRecord

Reading = Observed[VitalsTaken]


class Verdict(StrEnum):
    """What the readings before the dose say together."""

    GO = "go"
    HOLD = "hold"
    REPEAT = "repeat"  # too few, too close together, or one above and one not


@dataclass(frozen=True, slots=True)
class BeforeDose:
    """Verdict and the readings it rests on."""

    verdict: Verdict
    readings: tuple[Reading, ...]
    why: str


def readings_of(record: SessionRecord) -> tuple[Reading, ...]:
    """Entries that hold both pressures."""
    return tuple(item for item in record.of(VitalsTaken) if _both(item))


def alarming(record: SessionRecord, holds: Callable[[Reading], bool]) -> tuple[Reading, ...]:
    """What an alarm is read off: one pressure alone, at its limit, counts; below it, it clears nothing."""
    return tuple(item for item in record.of(VitalsTaken) if _both(item) or holds(item))


def _both(item: Reading) -> bool:
    return item.event.systolic_mmhg is not None and item.event.diastolic_mmhg is not None


def pressures(item: Reading) -> tuple[int, int]:
    """Systolic and diastolic pressure of a reading that has both."""
    assert item.event.systolic_mmhg is not None
    assert item.event.diastolic_mmhg is not None
    return item.event.systolic_mmhg, item.event.diastolic_mmhg


def shown(item: Reading) -> str:
    """A reading as people say it."""
    parts = (item.event.systolic_mmhg, item.event.diastolic_mmhg)
    return "/".join("?" if part is None else str(part) for part in parts) + " mm Hg"


def above(item: Reading, rule: Rule) -> bool:
    """Whether a pressure that was measured is above its limit."""
    systolic, diastolic = item.event.systolic_mmhg, item.event.diastolic_mmhg
    high = systolic is not None and systolic > rule.thresholds["sbp_mmhg"].value
    return high or (diastolic is not None and diastolic > rule.thresholds["dbp_mmhg"].value)


def reaches(item: Reading, rule: Rule) -> bool:
    """Whether a pressure that was measured is at or above its limit."""
    systolic, diastolic = item.event.systolic_mmhg, item.event.diastolic_mmhg
    high = systolic is not None and systolic >= rule.thresholds["sbp_mmhg"].value
    return high or (diastolic is not None and diastolic >= rule.thresholds["dbp_mmhg"].value)


def before_dose(rule: Rule, record: SessionRecord, t0_ms: int | None) -> BeforeDose:
    """The last readings before T0: all above holds, all below lets go, anything else asks for another."""
    taken = alarming(record, lambda item: above(item, rule))
    return _verdict(rule, tuple(item for item in taken if t0_ms is None or item.at_ms <= t0_ms))


def held_by(rule: Rule, record: SessionRecord) -> tuple[Reading, ...]:
    """The readings that hold a dose back, oldest first; empty once readings that let go came after them.

    One reading below the limit after them lets nothing go: it is among them, and another is needed.
    """
    taken = alarming(record, lambda item: above(item, rule))
    held: tuple[Reading, ...] = ()
    for count in range(1, len(taken) + 1):
        result = _verdict(rule, taken[:count])
        if result.verdict is Verdict.GO:
            held = ()
        elif held:
            held = (*held, taken[count - 1])
        elif result.verdict is Verdict.HOLD:
            held = result.readings
    return held


def _verdict(rule: Rule, readings: tuple[Reading, ...]) -> BeforeDose:
    """Every reading since the older of the two counts: one in between that is above asks for another too."""
    needed, apart_ms = int(rule.thresholds["readings"].value), ms_from_min(rule.thresholds["apart_min"].value)
    last = _spaced(tuple(item for item in readings if _both(item)), needed, apart_ms)
    if len(last) < needed:
        minutes = rule.thresholds["apart_min"].value
        return BeforeDose(Verdict.REPEAT, last, f"needs {needed} readings at least {minutes:g} min apart")
    since = tuple(item for item in readings if item.at_ms >= last[0].at_ms)
    high = [above(item, rule) for item in since]
    if all(high):
        return BeforeDose(Verdict.HOLD, since, f"{needed} readings above the limit")
    if any(high):
        return BeforeDose(Verdict.REPEAT, since, "one reading above the limit and one not: take another")
    return BeforeDose(Verdict.GO, since, "")


def _spaced(readings: tuple[Reading, ...], needed: int, apart_ms: int) -> tuple[Reading, ...]:
    """The newest readings that are far enough apart, oldest first."""
    chosen: list[Reading] = []
    for item in reversed(readings):
        if len(chosen) < needed and (not chosen or chosen[-1].at_ms - item.at_ms >= apart_ms):
            chosen.append(item)
    return tuple(reversed(chosen))


def baseline(record: SessionRecord, t0_ms: int | None) -> tuple[float, float] | None:
    """Mean systolic and diastolic pressure of the readings before T0; None where there is none."""
    before = [pressures(item) for item in readings_of(record) if t0_ms is None or item.at_ms <= t0_ms]
    if not before:
        return None
    return sum(s for s, _ in before) / len(before), sum(d for _, d in before) / len(before)
