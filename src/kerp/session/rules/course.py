"""Rules of the course: the day 1 call (M13) and scales that look back over a dose (M1)."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.elapsed import MS_PER_DAY
from kerp.protocol.model import Level, Protocol, Rule
from kerp.session.advice import Action, Finding
from kerp.session.calendar import study_days_between
from kerp.session.events import Entry, Observed, ScaleAnswered
from kerp.session.state import State
from kerp.session.visits import VisitState, anchor_of, dose_entries, visit_status

_CALLS_NOW = {VisitState.DUE, VisitState.ESCALATED, VisitState.MISSED}


def day1_call(protocol: Protocol, state: State, now_ms: int, _rule: Rule) -> Iterator[Finding]:
    """A mandatory call is due; past its hour it is escalated. Clears when somebody was reached."""
    for visit in protocol.visits:
        if visit.kind != "call" or not visit.mandatory:
            continue
        status = visit_status(state, visit, now_ms)
        if status.state not in _CALLS_NOW or status.due_ms is None:
            continue
        anchor = anchor_of(state, visit)
        late = status.state is not VisitState.DUE
        tries = f" {status.tries} tries reached nobody." if status.tries else ""
        agreed = (
            f" Agreed for {_spoken(status.booked.event.at)}, by {status.booked.event.by}." if status.booked else ""
        )
        yield Finding(
            entries=(anchor.id,) if anchor else (),
            since_ms=status.due_ms,
            detail=f"{visit.title}: {'not done in time' if late else 'due'}.{agreed}{tries}",
            proposes=Action.CALL,
            level=None if late else Level.INFO,
        )


def _spoken(local: str) -> str:
    return local.replace("T", " ")


def reference_period(protocol: Protocol, state: State, _now_ms: int, _rule: Rule) -> Iterator[Finding]:
    """A scale whose period reaches back over a dose: kept, and not valid for analysis."""
    for answered, dose, days in straddling(protocol, state):
        detail = f"{answered.event.instrument}: {days} study days after a dose."
        yield Finding(
            entries=(answered.id, dose.id), since_ms=answered.at_ms, detail=detail, session=answered.entry.session
        )


def straddling(protocol: Protocol, state: State) -> Iterator[tuple[Observed[ScaleAnswered], Entry, int]]:
    """(answers, dose, study days between) for each scale answered too soon after a dose. On the day of the dose, but
    before it, is valid (DESIGN decision 5).
    """
    periods = {use.id: use.period_days for use in protocol.instruments if use.must_not_straddle_dose}
    doses = dose_entries(state)
    for answered in state.everywhere(ScaleAnswered):
        earlier = [dose for dose in doses if dose.occurred_ms <= answered.at_ms]
        if answered.event.instrument in periods and earlier:
            days = study_days_between(earlier[-1], answered.entry)
            if _looks_back(periods[answered.event.instrument], days, answered.at_ms - earlier[-1].occurred_ms):
                yield answered, earlier[-1], days


def _looks_back(period_days: float, days: int, since_ms: int) -> bool:
    """Whether a period reaches back to the dose: whole study days for long ones, the clock for those under a day."""
    return days < period_days if period_days >= 1 else since_ms < period_days * MS_PER_DAY
