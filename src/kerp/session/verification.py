"""Weight and dose before the start: how old the weight is, whether it changed, who verified the dose (M2)."""

from __future__ import annotations

from kerp.session.calendar import study_days_between
from kerp.session.events import Corrected, DoseComputed, DoseVerified, Observed, SessionOpened, Weighed
from kerp.session.state import SessionRecord, State
from kerp.session.view import View


def last_weight(state: State) -> Observed[Weighed] | None:
    """The newest weight of the course."""
    weights = state.everywhere(Weighed)
    return weights[-1] if weights else None


def weight_age_days(view: View) -> int | None:
    """Study days between the newest weight before the dose and the session; None where there is no weight."""
    weights = [w for w in view.state.everywhere(Weighed) if view.t0_ms is None or w.at_ms <= view.t0_ms]
    opened = view.record.first(SessionOpened)
    return study_days_between(weights[-1].entry, opened.entry) if weights and opened else None


def weight_change_pct(computed: Observed[DoseComputed], newest: Observed[Weighed]) -> float | None:
    """By how much a weight differs from the one the dose was computed with, in percent of that one."""
    if computed.event.weight_kg is None:
        return None
    return abs(newest.event.weight_kg - computed.event.weight_kg) / computed.event.weight_kg * 100


def verifiers(record: SessionRecord, until_ms: int) -> tuple[str, ...]:
    """Different people who agreed with the newest dose computed by then, having seen that one."""
    computed = newest_dose(record, until_ms)
    if computed is None:
        return ()
    given = [item for item in record.of(DoseVerified) if item.at_ms <= until_ms]
    checks = sorted((item for item in given if _is_about(record, item, computed)), key=_order)
    verdicts = {item.actor: item.event.agrees for item in checks}  # the newest word of each person
    if not all(verdicts.values()):
        return ()
    return tuple(sorted(verdicts))


def newest_dose(record: SessionRecord, until_ms: int) -> Observed[DoseComputed] | None:
    """What is to be given, as it was computed last by then."""
    return next((item for item in record.latest(DoseComputed) if item.at_ms <= until_ms), None)


def _is_about(record: SessionRecord, check: Observed[DoseVerified], computed: Observed[DoseComputed]) -> bool:
    """Whether somebody looked at this dose, as it reads now. Where a log does not say: whether they came after it."""
    seen = check.event.computed
    if seen and seen != computed.id:
        return False
    if not seen and _order(check) <= _order(computed):
        return False
    rewritten = (one for one in record.of(Corrected) if one.event.entry == computed.id and one.event.replacement)
    return all(one.entry.seq < check.entry.seq for one in rewritten)


def _order(item: Observed[DoseComputed] | Observed[DoseVerified]) -> tuple[int, int]:
    return item.at_ms, item.entry.seq
