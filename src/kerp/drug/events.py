"""What was given, as plain frozen facts: rate segments of a pump and nasal devices, each at its own minute.

Minutes count from administration onset (T0). An interrupted infusion, a changed rate, a withheld or missed device are
exact: what was not given is absent. Nothing here is planned; a plan is a dose like any other until it is changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from kerp.base.errors import Fault, KerpError

LONGEST_MIN = 100_000.0  # about ten weeks: beyond it a minute is a slip of units
LARGEST_MG = 10_000.0  # ten grams in one item: a slip of units, far above any dose


@dataclass(frozen=True, slots=True)
class RateSegment:
    """A pump ran at `mg_per_min` from `from_min` to `to_min`."""

    from_min: float
    to_min: float
    mg_per_min: float

    def __post_init__(self) -> None:
        _checked("from_min", self.from_min, -LONGEST_MIN, LONGEST_MIN)
        _checked("to_min", self.to_min, self.from_min, LONGEST_MIN, "not before from_min")
        _checked("mg_per_min", self.mg_per_min, 0.0, LARGEST_MG)

    @property
    def dose_mg(self) -> float:
        return (self.to_min - self.from_min) * self.mg_per_min


@dataclass(frozen=True, slots=True)
class NasalDevice:
    """A device of `dose_mg` was sprayed at `at_min`."""

    at_min: float
    dose_mg: float

    def __post_init__(self) -> None:
        _checked("at_min", self.at_min, -LONGEST_MIN, LONGEST_MIN)
        _checked("dose_mg", self.dose_mg, 0.0, LARGEST_MG)


@dataclass(frozen=True, slots=True)
class Doses:
    """Everything given: segments that do not overlap, and devices, both in order of time."""

    segments: tuple[RateSegment, ...] = ()
    devices: tuple[NasalDevice, ...] = ()

    def __post_init__(self) -> None:
        segments = tuple(sorted(self.segments, key=lambda segment: segment.from_min))
        for before, after in pairwise(segments):
            if after.from_min < before.to_min - 1e-9:
                found = f"{before.to_min:g} and {after.from_min:g} min"
                raise KerpError(
                    Fault("two rate segments overlap: one pump has one rate", field="segments", found=found)
                )
        object.__setattr__(self, "segments", segments)
        object.__setattr__(self, "devices", tuple(sorted(self.devices, key=lambda device: device.at_min)))

    @property
    def dose_mg(self) -> float:
        return sum(s.dose_mg for s in self.segments) + sum(d.dose_mg for d in self.devices)

    @property
    def end_min(self) -> float:
        """End of administration: the last segment's end or the last device."""
        ends = [segment.to_min for segment in self.segments] + [device.at_min for device in self.devices]
        return max(ends, default=0.0)


class PumpAction(StrEnum):
    """What a pump was told to do."""

    RATE = "rate"  # start, or change of rate
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class PumpEvent:
    """A pump event at `at_min`; `mg_per_min` only with `RATE`."""

    at_min: float
    action: PumpAction
    mg_per_min: float = 0.0


def infusion(dose_mg: float, duration_min: float, start_min: float = 0.0) -> Doses:
    """A constant-rate infusion of `dose_mg` over `duration_min`."""
    _checked("dose_mg", dose_mg, 0.0, LARGEST_MG)
    _checked("duration_min", duration_min, 0.0, LONGEST_MIN)
    if duration_min == 0:
        raise KerpError(Fault("an infusion lasts longer than zero minutes", field="duration_min", found="0"))
    return Doses((RateSegment(start_min, start_min + duration_min, dose_mg / duration_min),))


def devices(count: int, gap_min: float, device_mg: float, start_min: float = 0.0) -> Doses:
    """`count` devices of `device_mg`, the first at `start_min`, then every `gap_min`."""
    _checked("gap_min", gap_min, 0.0, LONGEST_MIN)
    return Doses(devices=tuple(NasalDevice(start_min + i * gap_min, device_mg) for i in range(count)))


def pause(doses: Doses, at_min: float, until_min: float) -> Doses:
    """The pump stood still from `at_min` to `until_min` and then gave the rest at the same rate, later."""
    _checked("until_min", until_min, at_min, LONGEST_MIN, "not before the pause began")
    shift = until_min - at_min
    kept = [piece for segment in doses.segments if (piece := _before(segment, at_min))]
    later = [_moved(piece, shift) for segment in doses.segments if (piece := _after(segment, at_min))]
    return replace(doses, segments=(*kept, *later))


def stop(doses: Doses, at_min: float) -> Doses:
    """Administration ended at `at_min`: the rest of the infusion and the devices after it were not given."""
    kept = tuple(piece for segment in doses.segments if (piece := _before(segment, at_min)))
    return Doses(kept, tuple(device for device in doses.devices if device.at_min <= at_min))


def change_rate(doses: Doses, at_min: float, mg_per_min: float) -> Doses:
    """From `at_min` the pump ran at another rate until the planned end."""
    kept = [piece for segment in doses.segments if (piece := _before(segment, at_min))]
    later = [replace(p, mg_per_min=mg_per_min) for s in doses.segments if (p := _after(s, at_min))]
    return replace(doses, segments=(*kept, *later))


def without_device(doses: Doses, index: int) -> Doses:
    """The device of that number (from 0) was missed."""
    if not 0 <= index < len(doses.devices):
        raise KerpError(Fault("there is no such device", field="device", found=str(index)))
    return replace(doses, devices=doses.devices[:index] + doses.devices[index + 1 :])


def from_pump(events: Iterable[PumpEvent], until_min: float) -> Doses:
    """Rate segments from what a pump was told, as it stands at `until_min` (a running pump runs on to there)."""
    segments: list[RateSegment] = []
    since, rate, held = 0.0, 0.0, 0.0
    for event in sorted(events, key=lambda event: event.at_min):
        if event.at_min > until_min:
            break
        if rate > 0 and event.at_min > since:
            segments.append(RateSegment(since, event.at_min, rate))
        since = event.at_min
        rate, held = _next_rate(event, rate, held)
    if rate > 0 and until_min > since:
        segments.append(RateSegment(since, until_min, rate))
    return Doses(tuple(segments))


def _next_rate(event: PumpEvent, rate: float, held: float) -> tuple[float, float]:
    """The rate that runs after an event, and the one a resume would return to."""
    match event.action:
        case PumpAction.RATE:
            return event.mg_per_min, 0.0
        case PumpAction.PAUSE:
            return 0.0, rate or held
        case PumpAction.RESUME:
            return held or rate, 0.0
        case PumpAction.STOP:
            return 0.0, 0.0


def _before(segment: RateSegment, at_min: float) -> RateSegment | None:
    if segment.from_min >= at_min:
        return None
    return replace(segment, to_min=min(segment.to_min, at_min))


def _after(segment: RateSegment, at_min: float) -> RateSegment | None:
    if segment.to_min <= at_min:
        return None
    return replace(segment, from_min=max(segment.from_min, at_min))


def _moved(segment: RateSegment, by_min: float) -> RateSegment:
    return replace(segment, from_min=segment.from_min + by_min, to_min=segment.to_min + by_min)


def _checked(field: str, value: float, low: float, high: float, words: str = "") -> None:
    if not math.isfinite(value) or not low <= value <= high:
        allowed = f"{low:g} to {high:g}" + (f" ({words})" if words else "")
        raise KerpError(
            Fault("this is not a value a dose can have", field=field, found=f"{value:g}", allowed=allowed)
        )
