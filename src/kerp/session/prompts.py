"""What is asked when: due, overdue, answered, or missed. A slot that was missed stays missed (M9).

A slot falls due so many minutes after its anchor became a fact, while the session was in one of the prompt's phases.
It is answered by an entry that happened from shortly before it was due until it counts as missed, and was written
down at the time. What is written later from memory is kept as a late entry; it does not fill the slot.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kerp.base.elapsed import ms_from_min
from kerp.protocol.model import Fact, Phase, Prompt
from kerp.session.asked import answers_to
from kerp.session.events import Observed, RatingMissed
from kerp.session.limits import LATE_AFTER_MS
from kerp.session.view import View


class SlotState(StrEnum):
    """How a slot stands."""

    DUE = "due"
    OVERDUE = "overdue"
    MISSED = "missed"
    ANSWERED = "answered"
    DECLINED = "declined"  # asked, and not answered for a recorded reason: missing, not zero (M21)


@dataclass(frozen=True, slots=True)
class Slot:
    """One moment at which something is asked."""

    prompt: Prompt
    session: str
    due_ms: int
    state: SlotState
    answer: str = ""  # id of the entry

    @property
    def open(self) -> bool:
        """Whether it can still be answered."""
        return self.state in {SlotState.DUE, SlotState.OVERDUE}


def slots_of(view: View) -> tuple[Slot, ...]:
    """Every slot of the session that has fallen due by now, in order of time."""
    return view.once(_all_slots)


def _all_slots(view: View) -> tuple[Slot, ...]:
    if view.plan is None:
        return ()
    answers = {name: answers_to(view.record, name) for name in {prompt.instrument for prompt in view.plan.prompts}}
    phases = _phases(view)
    facts = view.facts
    found: list[Slot] = []
    for prompt in view.plan.prompts:
        if prompt.anchor in facts:
            found += _slots(view, prompt, facts[prompt.anchor], answers[prompt.instrument], phases)
    return tuple(sorted(found, key=lambda slot: (slot.due_ms, slot.prompt.id)))


def next_due_ms(view: View, prompt: Prompt) -> int | None:
    """When a prompt falls due next, as far as the facts known now tell."""
    return next(iter(later_due_ms(view, prompt)), None)


def later_due_ms(view: View, prompt: Prompt) -> list[int]:
    """Every time at which a prompt falls due after now, as far as the facts known now tell."""
    anchor = view.facts.get(prompt.anchor)
    if anchor is None or view.discharged:
        return []
    return [due for due in _times(prompt, anchor) if due > view.now_ms]


_Phases = tuple[list[int], list[Phase | None]]


def _phases(view: View) -> _Phases:
    """When the session's phase may have changed, and which it then was: read once for all prompts."""
    times = sorted({change.known_ms for change in view.changes})
    return times, [None, *(view.phase_at(ms) for ms in times)]


def _slots(
    view: View, prompt: Prompt, anchor_ms: int, given: Sequence[Observed[Any]], phases: _Phases
) -> Iterator[Slot]:
    times = [at for at in _times(prompt, anchor_ms) if at <= view.now_ms and _asked_at(phases, prompt, at)]
    answers = _in_time(given) if times else []
    for index, due_ms in enumerate(times):
        until = due_ms + ms_from_min(prompt.missed_after_min)
        if index + 1 < len(times):
            until = min(until, times[index + 1])
        open_start = index == 0 and _open_start(prompt)
        answers, answer = _taken(answers, None if open_start else due_ms - _early_ms(prompt), until)
        yield _slot(view, prompt, due_ms, until, answer)


def _times(prompt: Prompt, anchor_ms: int) -> list[int]:
    minutes = list(prompt.at_min)
    if prompt.every_min:
        minutes += _repeated(prompt.from_min or 0.0, prompt.to_min, prompt.every_min)
    return sorted({anchor_ms + ms_from_min(minute) for minute in minutes})


def _repeated(first: float, last: float | None, every: float) -> list[float]:
    count = int(((last if last is not None else first) - first) / every + 1e-9) + 1
    return [first + every * index for index in range(count)]


def _asked_at(phases: _Phases, prompt: Prompt, at_ms: int) -> bool:
    """Whether the session was then in one of the phases of the prompt; nobody is asked after discharge, unless the
    prompt names the phase.
    """
    phase = phases[1][bisect_right(phases[0], at_ms)]
    if prompt.phases:
        return phase is not None and phase.id in prompt.phases
    return phase is None or phase.enters_on is not Fact.DISCHARGED or prompt.asked_by == "participant"


def _early_ms(prompt: Prompt) -> int:
    """How long before its time an answer counts: as long as it would count as punctual after it."""
    return ms_from_min(min(prompt.late_after_min, (prompt.every_min or prompt.late_after_min * 2) / 2))


def _open_start(prompt: Prompt) -> bool:
    """A baseline asked well before its time is still the baseline."""
    return prompt.anchor in {Fact.SESSION_OPENED, Fact.READY_CONFIRMED}


def _in_time(answers: Sequence[Observed[Any]]) -> list[Observed[Any]]:
    """Answers that were written down when they were given, newest first."""
    timely = [a for a in answers if a.entry.recorded_ms - a.at_ms <= LATE_AFTER_MS or a.entry.queued]
    return timely[::-1]


def _taken(
    answers: list[Observed[Any]], since: int | None, until: int
) -> tuple[list[Observed[Any]], Observed[Any] | None]:
    """The first answer of a window, taken off the rest: each answers one slot only."""
    while answers and answers[-1].at_ms < until:
        item = answers.pop()
        if since is None or item.at_ms >= since:
            return answers, item
    return answers, None


def _slot(view: View, prompt: Prompt, due_ms: int, until: int, answer: Observed[Any] | None) -> Slot:
    if answer is not None:
        declined = isinstance(answer.event, RatingMissed)
        state = SlotState.DECLINED if declined else SlotState.ANSWERED
        return Slot(prompt, view.record.id, due_ms, state, answer.id)
    if view.now_ms >= until:
        return Slot(prompt, view.record.id, due_ms, SlotState.MISSED)
    late = view.now_ms >= due_ms + ms_from_min(prompt.late_after_min)
    return Slot(prompt, view.record.id, due_ms, SlotState.OVERDUE if late else SlotState.DUE)
