"""The drug track, read off its entries: is it running, in which segments, which devices, since when, until when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from kerp.session.events import (
    AdministrationEnded,
    AdministrationStarted,
    DeviceGiven,
    DeviceWithheld,
    DoseComputed,
    DrugHeld,
    DrugResumed,
    DrugStopped,
    Observed,
    RateChanged,
    Strand,
)
from kerp.session.state import SessionRecord


class DrugStatus(StrEnum):
    """Where the administration stands."""

    NOT_STARTED = "not_started"
    RUNNING = "running"
    HELD = "held"
    STOPPED = "stopped"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of constant rate. Open while `to_ms` is None. In a blinded log `mg_per_min` is None."""

    from_ms: int
    to_ms: int | None
    ml_per_h: float | None
    mg_per_min: float | None


@dataclass(frozen=True, slots=True)
class Device:
    """One nasal device as it was recorded; `count` above 1 is several written as one."""

    at_ms: int
    number: int
    count: int
    entry: str
    dose_mg: float | None = None  # as written down; empty in a blinded log

    def each_mg(self, usual: float | None) -> float | None:
        """What one device held. Of several written as one nobody knows which amount is meant: the usual strength."""
        if self.dose_mg is None or (self.count > 1 and usual is not None):
            return usual
        return self.dose_mg / self.count


@dataclass(frozen=True, slots=True)
class DrugTrack:
    """The administration of one session. `t0_ms` is its recorded start: the infusion, or the first spray."""

    status: DrugStatus = DrugStatus.NOT_STARTED
    t0_ms: int | None = None
    t0_entry: str = ""
    ended_ms: int | None = None  # stopped or ended
    segments: tuple[Segment, ...] = ()
    devices: tuple[Device, ...] = ()
    planned_devices: int | None = None
    withheld: tuple[int, ...] = ()
    volume_given_ml: float | None = None
    dose_given_mg: float | None = None
    starts: tuple[str, ...] = ()  # more than one is odd

    @property
    def given(self) -> bool:
        """Whether any drug was given."""
        return self.t0_ms is not None

    @property
    def over(self) -> bool:
        """Whether the administration has ended or was stopped."""
        return self.status in {DrugStatus.STOPPED, DrugStatus.ENDED}

    @property
    def last_given_ms(self) -> int | None:
        """The last device, or the actual end of the infusion (for the time until discharge)."""
        return self.devices[-1].at_ms if self.devices else self.ended_ms


def drug_track(record: SessionRecord, planned_devices: int | None = None) -> DrugTrack:
    """Read the drug track of a session. `planned_devices` is the protocol's number where none was computed."""
    return record.once(_drug_track, planned_devices)


def _drug_track(record: SessionRecord, planned_devices: int | None) -> DrugTrack:
    computed = record.last(DoseComputed)
    planned = computed.event.devices if computed and computed.event.devices else planned_devices
    track = DrugTrack(planned_devices=planned)
    for item in record.strand(Strand.DRUG):
        track = _after(track, item)
    return track


def _after(track: DrugTrack, item: Observed[Any]) -> DrugTrack:
    match item.event:
        case AdministrationStarted() as event:
            started = replace(_begun(track, item), starts=(*track.starts, item.id))
            return _running(started, item.at_ms, event.rate_ml_per_h, event.rate_mg_per_min)
        case RateChanged() as event:
            return _running(track, item.at_ms, event.rate_ml_per_h, event.rate_mg_per_min)
        case DrugResumed() as event:
            ml, mg = _rate_before(track)
            ml = event.rate_ml_per_h if event.rate_ml_per_h is not None else ml
            mg = event.rate_mg_per_min if event.rate_mg_per_min is not None else mg
            return _running(track, item.at_ms, ml, mg)
        case DrugHeld():
            return replace(_cut(track, item.at_ms), status=DrugStatus.HELD) if not track.over else track
        case DrugStopped():
            return replace(_cut(track, item.at_ms), status=DrugStatus.STOPPED, ended_ms=item.at_ms)
        case AdministrationEnded() as event:
            return _ended(track, item.at_ms, event)
        case DeviceGiven() as event:
            return _device(_begun(track, item), item, event)
        case DeviceWithheld() as event:
            return _complete(replace(track, withheld=(*track.withheld, event.number)), item.at_ms)
        case _:
            return track


def _begun(track: DrugTrack, item: Observed[Any]) -> DrugTrack:
    """T0 is the earliest recorded start: of the infusion, or the first spray."""
    if track.t0_ms is None:
        return replace(track, t0_ms=item.at_ms, t0_entry=item.id)
    return track


def _running(track: DrugTrack, at_ms: int, ml_per_h: float | None, mg_per_min: float | None) -> DrugTrack:
    cut = _cut(track, at_ms)
    segments = cut.segments
    if ml_per_h is not None or mg_per_min is not None or not track.devices:
        segments = (*segments, Segment(at_ms, None, ml_per_h, mg_per_min))
    return replace(cut, status=DrugStatus.RUNNING, ended_ms=None, segments=segments)


def _cut(track: DrugTrack, at_ms: int) -> DrugTrack:
    """The open segment, if any, closed at this time."""
    if not track.segments or track.segments[-1].to_ms is not None:
        return track
    return replace(track, segments=(*track.segments[:-1], replace(track.segments[-1], to_ms=at_ms)))


def _rate_before(track: DrugTrack) -> tuple[float | None, float | None]:
    last = track.segments[-1] if track.segments else None
    return (last.ml_per_h, last.mg_per_min) if last else (None, None)


def _ended(track: DrugTrack, at_ms: int, event: AdministrationEnded) -> DrugTrack:
    """An end after a stop adds what was given; the drug had stopped before."""
    stopped = track.status is DrugStatus.STOPPED
    return replace(
        _cut(track, at_ms),
        status=DrugStatus.STOPPED if stopped else DrugStatus.ENDED,
        ended_ms=track.ended_ms if stopped else at_ms,
        volume_given_ml=event.volume_given_ml,
        dose_given_mg=event.dose_given_mg,
    )


def _device(track: DrugTrack, item: Observed[Any], event: DeviceGiven) -> DrugTrack:
    device = Device(item.at_ms, event.number, event.count, item.id, event.dose_mg)
    status = track.status if track.over else DrugStatus.RUNNING
    return _complete(replace(track, devices=(*track.devices, device), status=status), item.at_ms)


def _complete(track: DrugTrack, at_ms: int) -> DrugTrack:
    """Nasal administration ends with the last planned device given or withheld."""
    done = sum(device.count for device in track.devices) + len(track.withheld)
    if track.over or not track.devices or track.planned_devices is None or done < track.planned_devices:
        return track
    return replace(track, status=DrugStatus.ENDED, ended_ms=track.devices[-1].at_ms if track.devices else at_ms)
