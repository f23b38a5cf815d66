"""The 'ready' gate: every precondition that is missing, by name, and what the readings before the dose say.

Shown, and asked for before minute 0; somebody may override it with a reason, and the log keeps both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import Precondition
from kerp.session.asked import scale_everywhere
from kerp.session.drug_track import drug_track
from kerp.session.events import (
    ChecklistItem,
    ConsentChecked,
    DoseComputed,
    EligibilityItem,
    EscortCheck,
    Event,
    FastingCheck,
    Observed,
    PregnancyTest,
    TestResult,
    TimeOut,
    ToxicologyTest,
    Weighed,
)
from kerp.session.pressure import Verdict, before_dose
from kerp.session.verification import verifiers
from kerp.session.view import View

E = TypeVar("E", bound=Event)
_MS_PER_H = 60 * MS_PER_MIN


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is not there yet: which, in words, why, and whose it is."""

    id: str
    title: str
    why: str
    role: str = ""


def missing(view: View) -> tuple[Missing, ...]:
    """What stands between this session and its start, by name."""
    return view.once(_missing)


def _missing(view: View) -> tuple[Missing, ...]:
    wanted = [item for item in view.protocol.preconditions if _applies(view, item)]
    found = [Missing(item.id, item.title, why, item.role) for item in wanted if (why := _why(view, item))]
    return (*found, *_pressure(view))


def _applies(view: View, item: Precondition) -> bool:
    """Off-drug sessions of a drug protocol need consent only; a protocol without drug asks its whole list."""
    if view.plan is None or view.plan.kind == "metacognitive":
        return item.kind == "consent"
    return view.dosing or view.protocol.dose is None or item.kind == "consent"


def _why(view: View, item: Precondition) -> str:
    return _CHECKS[item.kind](view, item) if item.kind in _CHECKS else f"nobody knows how to check {item.kind!r}"


def _newest(view: View, item: Precondition, kind: type[Event]) -> Observed[Any] | None:
    """The newest entry that counts: since the last dose where each dose asks anew, and not too old."""
    since = _last_dose_ms(view) if item.every_dose else None
    start = _start_ms(view)
    oldest = start - item.max_age_h * _MS_PER_H if item.max_age_h is not None else None
    for entry in reversed(view.state.everywhere(kind)):
        fresh = (since is None or entry.at_ms > since) and (oldest is None or entry.at_ms >= oldest)
        if fresh and entry.at_ms <= start:
            return entry
    return None


def _start_ms(view: View) -> int:
    """The moment that counts: minute 0, or now while it has not come. What is ticked later was missing then."""
    return view.t0_ms if view.t0_ms is not None else view.now_ms


def _in_session(view: View, kind: type[E]) -> Iterator[Observed[E]]:
    """Entries of this session up to its start, newest first."""
    return (item for item in view.record.latest(kind) if item.at_ms <= _start_ms(view))


def _last_dose_ms(view: View) -> int | None:
    others = (drug_track(record).t0_ms for record in view.state.sessions if record.id != view.record.id)
    return max((t0 for t0 in others if t0 is not None and t0 < _start_ms(view)), default=None)


def _consent(view: View, item: Precondition) -> str:
    newest = _newest(view, item, ConsentChecked)
    if newest is None:
        return "not checked for this dose"
    return "" if newest.event.confirmed else "consent was not confirmed"


def _eligibility(view: View, _item: Precondition) -> str:
    seen = [item for item in view.state.everywhere(EligibilityItem) if item.at_ms <= _start_ms(view)]
    looked_at = {item.event.criterion: item.event.met for item in seen}
    active = [criterion for criterion in view.protocol.criteria if criterion.active]
    failed = [c.id for c in active if looked_at.get(c.id) is False]
    if failed:
        return f"not met: {', '.join(failed)}"
    unseen = [c.id for c in active if c.id not in looked_at]
    return f"not looked at: {', '.join(unseen)}" if unseen else ""


def _test(view: View, item: Precondition, kind: type[PregnancyTest] | type[ToxicologyTest]) -> str:
    newest = _newest(view, item, kind)
    if newest is None:
        return "not done for this dose"
    good = newest.event.result in {TestResult.NEGATIVE, TestResult.NOT_APPLICABLE}
    return "" if good else f"result: {newest.event.result}"


def _pregnancy(view: View, item: Precondition) -> str:
    return _test(view, item, PregnancyTest)


def _toxicology(view: View, item: Precondition) -> str:
    return _test(view, item, ToxicologyTest)


def _fasting(view: View, _item: Precondition) -> str:
    last = next(_in_session(view, FastingCheck), None)
    return "not asked" if last is None else "" if last.event.kept else "fasting was not kept"


def _escort(view: View, _item: Precondition) -> str:
    last = next(_in_session(view, EscortCheck), None)
    return "not asked" if last is None else "" if last.event.arranged else "no escort is arranged"


def _checklist(view: View, item: Precondition) -> str:
    if item.id == "weight":
        return "" if _newest(view, item, Weighed) else "not weighed, or too long ago"
    if item.id == "time_out":
        last_time_out = next(_in_session(view, TimeOut), None)
        return "" if last_time_out and last_time_out.event.confirmed else "not done"
    done = next((c for c in _in_session(view, ChecklistItem) if c.event.item == item.id), None)
    return "" if done and done.event.done else "not ticked"


def _baseline(view: View, _item: Precondition) -> str:
    primary = [use.id for use in view.protocol.instruments if use.role == "primary"]
    start = _start_ms(view)
    unrated = [n for n in primary if not any(a.at_ms <= start for a in scale_everywhere(view.state, n))]
    return f"not rated: {', '.join(unrated)}" if unrated else ""


def _verification(view: View, _item: Precondition) -> str:
    if next(_in_session(view, DoseComputed), None) is None:
        return "no dose was computed"
    people = verifiers(view.record, _start_ms(view))
    return "" if len(people) >= 2 else f"verified by {len(people)} of two different people"


_CHECKS: Mapping[str, Callable[[View, Precondition], str]] = {
    "consent": _consent,
    "eligibility": _eligibility,
    "pregnancy": _pregnancy,
    "toxicology": _toxicology,
    "fasting": _fasting,
    "escort": _escort,
    "checklist": _checklist,
    "baseline": _baseline,
    "verification": _verification,
}


def _pressure(view: View) -> Iterator[Missing]:
    """Blood pressure before the dose: go needs the readings that the rule asks for (M5)."""
    for rule in view.protocol.rules:
        if rule.kind != "do_not_start_bp" or not rule.active or not view.dosing:
            continue
        result = before_dose(rule, view.record, view.t0_ms)
        if result.verdict is not Verdict.GO:
            yield Missing(rule.id, rule.title, result.why, rule.who_decides)
