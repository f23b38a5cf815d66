"""The facts that move phases, when each became known, and the phase that follows from them (PAPER P28-P31).

Never the clock: a phase is entered because something was recorded. `Change.known_ms` is when it could be known, so
that the phase at an earlier minute is the one the team saw.
"""

from __future__ import annotations

from collections.abc import Iterator

from kerp.protocol.model import Fact, Phase, SessionPlan
from kerp.session.drug_track import DrugTrack
from kerp.session.effect import Change, Effect
from kerp.session.events import Discharged, ExposureStarted, ExposureStopped, ReadyConfirmed, SessionOpened, Strand
from kerp.session.exposure_track import ExposureTrack
from kerp.session.state import SessionRecord


def changes_of(record: SessionRecord, drug: DrugTrack, exposure: ExposureTrack, effect: Effect) -> tuple[Change, ...]:
    """Every fact of a session that became true or ceased to hold, in the order in which it was known."""
    found = [*_simple(record, drug, exposure), *_stops(record), *effect.changes]
    return tuple(sorted(found, key=lambda change: change.known_ms))


def _simple(record: SessionRecord, drug: DrugTrack, exposure: ExposureTrack) -> Iterator[Change]:
    for fact, kind in (
        (Fact.SESSION_OPENED, SessionOpened),
        (Fact.READY_CONFIRMED, ReadyConfirmed),
        (Fact.DISCHARGED, Discharged),
    ):
        first = record.first(kind)
        if first is not None:
            yield Change(first.at_ms, fact, first.at_ms)
    for fact, at_ms in (
        (Fact.ADMINISTRATION_START, drug.t0_ms),
        (Fact.ADMINISTRATION_END, drug.ended_ms if drug.over else None),
        (Fact.FIRST_EXPOSURE, exposure.first_ms),
    ):
        if at_ms is not None:
            yield Change(at_ms, fact, at_ms)


def _stops(record: SessionRecord) -> Iterator[Change]:
    """Exposure is stopped until a block opens again."""
    stopped = False
    for item in record.strand(Strand.EXPOSURE):
        if isinstance(item.event, ExposureStopped) and not stopped:
            stopped = True
            yield Change(item.at_ms, Fact.EXPOSURE_STOPPED, item.at_ms)
        elif isinstance(item.event, ExposureStarted) and stopped:
            stopped = False
            yield Change(item.at_ms, Fact.EXPOSURE_STOPPED, None)


def holding(changes: tuple[Change, ...], now_ms: int) -> dict[Fact, int]:
    """Facts that hold at a moment -> since when, as they were known then."""
    facts: dict[Fact, int] = {}
    for change in changes:
        if change.known_ms > now_ms:
            break
        if change.at_ms is None:
            facts.pop(change.fact, None)
        else:
            facts[change.fact] = change.at_ms
    return facts


def phase_at(plan: SessionPlan | None, changes: tuple[Change, ...], now_ms: int) -> Phase | None:
    """The furthest phase of the plan whose fact holds."""
    if plan is None:
        return None
    facts = holding(changes, now_ms)
    return next((phase for phase in reversed(plan.phases) if phase.enters_on in facts), None)
