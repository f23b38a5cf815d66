"""A log read again under the protocol it was kept under."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from kerp import __version__
from kerp.base.digest import digest
from kerp.base.elapsed import MIN_PER_DAY, ms_from_min
from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.instrument.load import load_instrument
from kerp.instrument.score import score
from kerp.protocol.load import adapter
from kerp.protocol.model import Protocol
from kerp.records.course import Course, course_of
from kerp.records.logfile import Log
from kerp.session.events import ScaleAnswered
from kerp.session.fold import as_of, fold
from kerp.session.state import State
from kerp.session.status import status
from kerp.session.view import View

# Ten years: beyond any course, and still a whole number of milliseconds.
_FURTHEST_MIN = 10 * 366 * MIN_PER_DAY


def protocol_of(log: Log) -> Protocol:
    """The resolved protocol in the opening record of a log (its digest was checked when the log was read)."""
    try:
        return adapter().validate_python(log.protocol)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = f"this version of kerp cannot read the protocol of the log: {first['msg']}"
        ways = (f"read it with kerp {log.opened.engine_version}, which opened it",)
        raise KerpError(Fault(message, log.where, 1, field, ways_out=ways)) from None


def replay(log: Log) -> Course:
    """The course a log tells."""
    return course_of(log, protocol_of(log), load_instrument)


def differences(log: Log) -> tuple[str, ...]:
    """What differs between then and now, named; the state is the same unless a note says otherwise."""
    notes = list(log.warnings)
    if log.opened.engine_version != __version__:
        notes.append(f"opened with engine {log.opened.engine_version}, replayed with {__version__}")
    return tuple(notes)


def snapshot(log: Log, at_min: float | None = None, session: str = "") -> dict[str, Any]:
    """The state at a minute of a session (or at the end of the log), as plain data for people and programs."""
    course = replay(log)
    view = _session_of(course, session)
    now_ms = course.end_ms
    if at_min is not None:
        if view is None or view.t0_ms is None:
            ways = ("leave --at out", "name a session with --session")
            raise KerpError(Fault("this log has no session with a minute 0", log.where, ways_out=ways))
        now_ms = view.t0_ms + ms_from_min(_usable(at_min))
    state = as_of(course.protocol, course.state, now_ms)
    shown = status(course.protocol, state, now_ms, view.record.id if view else "")
    return {
        "participant": course.participant,
        "origin": course.opened.origin,
        "protocol": course.protocol.id,
        "state_digest": state_digest(course.protocol, state, now_ms),
        "status": shown.as_dict(),
        "scores": _scores(course, state, now_ms),
    }


def _usable(at_min: float) -> float:
    if not abs(at_min) <= _FURTHEST_MIN:  # so that "not a number" is refused too
        allowed = f"minutes from -{_FURTHEST_MIN:,} to {_FURTHEST_MIN:,}"
        raise KerpError(Fault("this is no minute of a session", field="--at", found=f"{at_min:g}", allowed=allowed))
    return at_min


def _session_of(course: Course, session: str) -> View | None:
    if session:
        for view in course.views:
            if view.record.id == session:
                return view
        raise UnknownIdError("session", session, [view.record.id for view in course.views], field="--session")
    dosed = [view for view in course.views if view.drug.given]
    return next(iter(dosed or course.views), None)


def _scores(course: Course, state: State, now_ms: int) -> list[dict[str, Any]]:
    found = []
    for item in state.everywhere(ScaleAnswered):
        if item.at_ms > now_ms:
            continue
        result = score(course.instrument(item.event.instrument), item.event.answers)
        found.append(
            {
                "study_day": course.study_day(item.entry),
                "instrument": result.instrument,
                "version": result.version,
                "total": result.total,
                "complete": result.complete,
                "band": result.band.label if result.band else None,
                "subscales": {part.id: part.value for part in result.subscales},
            }
        )
    return found


def state_digest(protocol: Protocol, state: State, now_ms: int) -> str:
    """One digest of everything the engine says at a moment, for every session: equal states have equal digests."""
    sessions = [status(protocol, state, now_ms, record.id).as_dict() for record in state.sessions]
    return digest({"now_ms": now_ms, "sessions": sessions or [status(protocol, state, now_ms).as_dict()]})


def verification(log: Log) -> dict[str, Any]:
    """What was checked on reading (chain, order, digest), and that reading whole and in parts gives one state."""
    protocol = protocol_of(log)
    whole = fold(protocol, log.entries)
    parts = fold(protocol, log.entries[len(log.entries) // 2 :], fold(protocol, log.entries[: len(log.entries) // 2]))
    end = max(entry.recorded_ms for entry in log.entries)
    first, second = (state_digest(protocol, state, end) for state in (whole, parts))
    if first != second:
        raise KerpError(
            Fault("the log does not replay to one state: this is a fault of kerp, please report it", log.where)
        )
    return {
        "entries": len(log.entries),
        "chain_head": log.chain_head,
        "protocol": protocol.id,
        "protocol_digest": log.opened.protocol_digest,
        "state_digest": first,
        "flags": len(whole.flags),
        "result": "chain, order, protocol digest and entries are whole; the log replays to one state",
    }
