"""Everything a screen or a replay shows of a moment, in one piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kerp.base.digest import plain
from kerp.base.elapsed import clock
from kerp.protocol.model import Protocol
from kerp.session.advice import Advice
from kerp.session.advise import advise
from kerp.session.deviations import Deviation, deviations
from kerp.session.discharge import Blocker, discharge_blockers
from kerp.session.exposure_track import Block
from kerp.session.falls import Fall, falls_of
from kerp.session.fold import as_of
from kerp.session.gate import Missing, missing
from kerp.session.prompts import Slot, slots_of
from kerp.session.state import Flag, State
from kerp.session.view import View, views_of
from kerp.session.visits import VisitStatus, visits_of


@dataclass(frozen=True, slots=True)
class Status:
    """A course at `now_ms`, looking at one session (the newest unless said otherwise)."""

    now_ms: int
    view: View | None
    advice: tuple[Advice, ...]
    slots: tuple[Slot, ...]
    missing: tuple[Missing, ...]
    blockers: tuple[Blocker, ...]
    falls: tuple[Fall, ...]
    visits: tuple[VisitStatus, ...]
    deviations: tuple[Deviation, ...]
    flags: tuple[Flag, ...]

    @property
    def due(self) -> tuple[Slot, ...]:
        """What can be answered now."""
        return tuple(slot for slot in self.slots if slot.open)

    @property
    def open_blocks(self) -> tuple[Block, ...]:
        """Exposure that goes on."""
        return self.view.exposure.open_blocks if self.view else ()

    def as_dict(self, *names: str) -> dict[str, Any]:
        """Plain data for `--json`: phase, clocks, exposure, due, advice, and what is odd. `names`: these alone."""
        return {name: _PLAIN[name](self) for name in names or _PLAIN}


_LISTED = frozenset({"due", "overdue", "missed"})
_PLAIN: dict[str, Callable[[Status], Any]] = {
    "now_ms": lambda now: now.now_ms,
    "session": lambda now: _session_dict(now.view) if now.view else None,
    "due": lambda now: [_slot_dict(slot, now.view) for slot in now.slots if slot.state in _LISTED],
    "advice": lambda now: [plain(advice) | {"key": advice.key} for advice in now.advice],
    "missing": lambda now: plain(now.missing),
    "discharge_blockers": lambda now: plain(now.blockers),
    "falls": lambda now: [plain(fall) | {"is_habituation": fall.is_habituation} for fall in now.falls],
    "visits": lambda now: [{"visit": v.visit.id, "state": str(v.state), "day": v.day} for v in now.visits],
    "deviations": lambda now: plain(now.deviations),
    "flags": lambda now: plain(now.flags),
}


def status(protocol: Protocol, state: State, now_ms: int, session: str = "") -> Status:
    """Everything at `now_ms`, as it was known then."""
    state = as_of(protocol, state, now_ms)
    record = state.session(session) if session else (state.sessions[-1] if state.sessions else None)
    view = next((view for view in views_of(protocol, state, now_ms) if view.record is record), None)
    return Status(
        now_ms=now_ms,
        view=view,
        advice=advise(protocol, state, now_ms),
        slots=slots_of(view) if view else (),
        missing=missing(view) if view and view.t0_ms is None else (),
        blockers=discharge_blockers(view) if view and not view.discharged else (),
        falls=falls_of(view) if view else (),
        visits=visits_of(protocol, state, now_ms),
        deviations=deviations(protocol, state, now_ms),
        flags=tuple(state.flags),
    )


def _session_dict(view: View) -> dict[str, Any]:
    phase = view.phase
    return {
        "id": view.record.id,
        "plan": view.record.plan_id,
        "phase": phase.id if phase else None,
        "t0_ms": view.t0_ms,
        "minute": view.minute,
        "clock": clock(view.now_ms - view.t0_ms) if view.t0_ms is not None else None,
        "drug": {"status": str(view.drug.status), "ended_ms": view.drug.ended_ms, "devices": len(view.drug.devices)},
        "segments": plain(view.drug.segments),
        "exposure": {"open": plain(view.exposure.open_blocks), "stopped_ms": view.exposure.stopped_ms},
        "effect": {
            "baseline": view.effect.baseline,
            "baseline_assumed": view.effect.baseline_assumed,
            "onset_ms": view.effect.onset_ms,
            "peak_ms": view.effect.peak_ms,
            "resolved_ms": view.effect.resolved_ms,
            "last": view.effect.last.event.value if view.effect.last else None,
        },
        "facts": {str(fact): at_ms for fact, at_ms in view.facts.items()},
        "ended_by_participant": view.ended_by_patient or None,
    }


def _slot_dict(slot: Slot, view: View | None) -> dict[str, Any]:
    t0 = view.t0_ms if view else None
    return {
        "prompt": slot.prompt.id,
        "instrument": slot.prompt.instrument,
        "state": str(slot.state),
        "due_ms": slot.due_ms,
        "clock": clock(slot.due_ms - t0) if t0 is not None else None,
        "asked_by": slot.prompt.asked_by,
    }
