"""The exposure track, read off its entries: blocks, what is open, how intense, whether exposure was stopped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kerp.session.events import (
    Demand,
    EndingRule,
    ExposureEnded,
    ExposureHeld,
    ExposureResumed,
    ExposureStarted,
    ExposureStepped,
    ExposureStopped,
    Modality,
    Observed,
    Strand,
    TaperStepped,
)
from kerp.session.state import SessionRecord


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_ms` on, this intensity and demand. `taper` names the step of the protocol's taper, if it was one."""

    at_ms: int
    intensity: float
    demand: Demand
    taper: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """One exposure block. Open while `ended_ms` is None."""

    name: str
    item: str
    modality: Modality
    started_ms: int
    entry: str
    steps: tuple[Step, ...]
    ended_ms: int | None = None
    ending_rule: EndingRule | None = None
    held: bool = False

    @property
    def open(self) -> bool:
        """Whether the block goes on."""
        return self.ended_ms is None

    @property
    def now(self) -> Step:
        """Intensity and demand as they stand."""
        return self.steps[-1]

    def covers(self, at_ms: int) -> bool:
        """Whether a moment lies in the block (its end included)."""
        return self.started_ms <= at_ms and (self.ended_ms is None or at_ms <= self.ended_ms)


@dataclass(frozen=True, slots=True)
class ExposureTrack:
    """The exposure of one session. `orphans` are entries that name a block nobody opened."""

    blocks: tuple[Block, ...] = ()
    stopped_ms: int | None = None  # exposure was stopped for this session, and not opened again since
    orphans: tuple[str, ...] = ()

    @property
    def open_blocks(self) -> tuple[Block, ...]:
        """Blocks that go on; more than one is odd."""
        return tuple(block for block in self.blocks if block.open)

    @property
    def first_ms(self) -> int | None:
        """Start of the first block: T0 of a drug-free session."""
        return min((block.started_ms for block in self.blocks), default=None)

    @property
    def taper_steps(self) -> tuple[str, ...]:
        """Steps of the taper taken so far."""
        return tuple(step.taper for block in self.blocks for step in block.steps if step.taper)

    def at(self, at_ms: int) -> Block | None:
        """The newest block that covers a moment."""
        return next((block for block in reversed(self.blocks) if block.covers(at_ms)), None)


def exposure_track(record: SessionRecord) -> ExposureTrack:
    """Read the exposure track of a session."""
    return record.once(_exposure_track)


def _exposure_track(record: SessionRecord) -> ExposureTrack:
    track = ExposureTrack()
    for item in record.strand(Strand.EXPOSURE):
        track = _after(track, item)
    return track


def _after(track: ExposureTrack, item: Observed[Any]) -> ExposureTrack:
    at_ms = item.at_ms
    match item.event:
        case ExposureStarted() as event:
            step = Step(at_ms, event.intensity, event.demand)
            block = Block(event.block, event.item, event.modality, at_ms, item.id, (step,))
            return replace(track, blocks=(*track.blocks, block), stopped_ms=None)
        case ExposureStepped() as event:
            return _step(track, item, Step(at_ms, event.intensity, event.demand))
        case TaperStepped() as event:
            return _step(track, item, Step(at_ms, event.intensity, Demand.LOW, event.step))
        case ExposureHeld():
            return _change(track, item, held=True)
        case ExposureResumed():
            return _change(track, item, held=False)
        case ExposureEnded() as event:
            return _change(track, item, ended_ms=at_ms, ending_rule=event.ending_rule)
        case ExposureStopped() as event:
            closed = tuple(_closed(block, at_ms, event.ending_rule) for block in track.blocks)
            return replace(track, blocks=closed, stopped_ms=at_ms)
        case _:
            return track


def _closed(block: Block, at_ms: int, rule: EndingRule) -> Block:
    return replace(block, ended_ms=at_ms, ending_rule=rule) if block.open else block


def _step(track: ExposureTrack, item: Observed[Any], step: Step) -> ExposureTrack:
    block = _named(track, item.event.block)
    return _change(track, item, steps=(*block.steps, step) if block else ())


def _change(track: ExposureTrack, item: Observed[Any], **changes: Any) -> ExposureTrack:
    """The newest open block of that name changed; an entry without one is an orphan."""
    block = _named(track, item.event.block)
    if block is None:
        return replace(track, orphans=(*track.orphans, item.id))
    changed = tuple(replace(b, **changes) if b is block else b for b in track.blocks)
    return replace(track, blocks=changed)


def _named(track: ExposureTrack, name: str) -> Block | None:
    return next((block for block in reversed(track.blocks) if block.name == name and block.open), None)
