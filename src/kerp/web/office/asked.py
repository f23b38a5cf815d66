"""Which instruments a visit asks for, and which of them were answered for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from kerp.instrument.score import Score
from kerp.protocol.model import Assessment, Protocol, Visit
from kerp.session.asked import scale_everywhere
from kerp.session.calendar import study_days_between
from kerp.session.events import ArmGuess, Entry, Guesser, Observed, ScaleAnswered, SessionOpened, VisitHeld
from kerp.session.state import State
from kerp.session.visits import anchor_of
from kerp.web.actions.record import elapsed_ms, site_time
from kerp.web.models import Log
from kerp.web.office import answers, beliefs


@dataclass(frozen=True, slots=True)
class Asked:
    """One instrument of a visit."""

    assessment: Assessment
    name: str
    answered: Observed[ScaleAnswered] | Observed[ArmGuess] | None
    score: Score | None  # None where it may not be shown, or there is none


def assessments(protocol: Protocol, state: State, visit: Visit, *, show_scores: bool) -> list[Asked]:
    """Every instrument of the visit, with its answer if there is one."""
    return [_asked(protocol, state, visit, item, show_scores=show_scores) for item in visit.assessments]


def _asked(protocol: Protocol, state: State, visit: Visit, item: Assessment, *, show_scores: bool) -> Asked:
    if item.instrument == beliefs.INSTRUMENT:
        return Asked(item, answers.instrument(item.instrument).name, _participants_guess(state, visit), None)
    answered = answered_for(protocol, state, visit, item.instrument)
    score = answers.scored(answered.event) if answered and show_scores else None
    return Asked(item, answers.instrument(item.instrument).name, answered, score)


def _participants_guess(state: State, visit: Visit) -> Observed[ArmGuess] | None:
    """The participant's guess of the arm for this visit."""
    guesses = (item for item in state.everywhere(ArmGuess) if item.event.visit == visit.id)
    return next((item for item in guesses if item.event.by is Guesser.PARTICIPANT), None)


def answered_for(protocol: Protocol, state: State, visit: Visit, instrument: str) -> Observed[ScaleAnswered] | None:
    """The answer that belongs to a visit.

    After the anchor: the newest within the window. Before it, where no day can be counted yet, the visits that ask
    for the instrument take its answers in turn, and a later answer never moves a visit that was held (M15).
    """
    found = [item for item in scale_everywhere(state, instrument) if not item.entry.session]
    anchor = anchor_of(state, visit)
    if visit.day > 0:
        return _in_window(found, visit, anchor)
    before = [item for item in found if anchor is None or item.at_ms <= anchor.occurred_ms]
    return _in_turn(protocol, state, visit, instrument, before)


def _in_window(
    found: list[Observed[ScaleAnswered]], visit: Visit, anchor: Entry | None
) -> Observed[ScaleAnswered] | None:
    if anchor is None:
        return None
    first, last = visit.day - visit.window_before_days, visit.day + visit.window_after_days
    inside = [item for item in found if first <= study_days_between(anchor, item.entry) <= last]
    return inside[-1] if inside else None


def _in_turn(
    protocol: Protocol, state: State, visit: Visit, instrument: str, found: list[Observed[ScaleAnswered]]
) -> Observed[ScaleAnswered] | None:
    asking = [
        one for one in protocol.visits if one.day <= 0 and any(a.instrument == instrument for a in one.assessments)
    ]
    held = {item.event.visit: item.at_ms for item in reversed(state.everywhere(VisitHeld))}
    since = -1
    for one in asking:
        until = held.get(one.id)
        own = [item for item in found if item.at_ms > since and (until is None or item.at_ms <= until)]
        taken = (own[-1] if until is not None else own[0]) if own else None
        if one.id == visit.id:
            return taken
        since = until if until is not None else taken.at_ms if taken else since
    return None


def is_locked(state: State, visit: Visit) -> bool:
    """Whether nobody may answer for this visit any more: a locked one that was held (M15)."""
    held = any(item.event.visit == visit.id for item in state.everywhere(VisitHeld))
    return visit.locked and held


def form_context(log: Log, state: State, form: answers.AnswersForm) -> dict[str, Any]:
    """What the page of an instrument shows beside its items."""
    now = timezone.now()
    at_ms = elapsed_ms(log, now)
    day = site_time(log, at_ms).date().isoformat()
    marker = Entry(
        seq=0,
        id="now",
        occurred_ms=at_ms,
        recorded_ms=at_ms,
        actor="now",
        event=SessionOpened(plan="now"),
        local_date=day,
    )
    return {
        "form": form,
        "instrument": form.instrument,
        "pack": form.pack,
        "labels_only": answers.needs_pack(form.instrument, form.pack),
        "looks_back": answers.looks_back_over_dose(form.instrument, state, marker),
    }
