"""Who is asked for a guess of the arm, when, and who has answered. Each guess is given once for each planned time.

The protocol plans the times: prompts of a session and visits that ask for `arm_guess`. At each of them participant
and therapist are asked, at visits the blinded rater too: a rater sees no session. Nothing here knows an arm (M8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils import timezone

from kerp.base.errors import Fault, KerpError
from kerp.protocol.model import Fact, Protocol
from kerp.session.events import ArmGuess, Guesser, Observed
from kerp.session.prompts import next_due_ms, slots_of
from kerp.session.state import State
from kerp.session.view import view_of
from kerp.session.visits import VisitState, visit_status
from kerp.web.actions import record
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log, Person

INSTRUMENT = "arm_guess"
ACTIVE, COMPARISON, UNKNOWN = "active", "comparison", "unknown"
WORDS = {ACTIVE: "The active treatment", COMPARISON: "The comparison", UNKNOWN: "I cannot say"}
BECAUSE = {
    "effects": "What was felt or seen in the session",
    "side_effects": "Side effects",
    "change": "How the symptoms changed, or did not",
    "told": "Somebody said something",
    "chance": "Just a guess",
    "other": "Something else",
}
_AT_A_SESSION = (Guesser.PARTICIPANT, Guesser.THERAPIST)
_AT_A_VISIT = (Guesser.PARTICIPANT, Guesser.THERAPIST, Guesser.RATER)


@dataclass(frozen=True, slots=True)
class Occasion:
    """One planned time. `due_ms` None: it cannot be said yet. `open_for`: who may answer now."""

    key: str
    title: str
    session: str
    visit: str
    due_ms: int | None
    asked: tuple[Guesser, ...]
    open_for: frozenset[Guesser]

    def holds(self, item: Observed[ArmGuess]) -> bool:
        """Whether a recorded guess belongs to this time."""
        return item.event.visit == self.visit if self.visit else item.entry.session == self.session


def occasions(protocol: Protocol, state: State, now_ms: int) -> tuple[Occasion, ...]:
    """Every planned time that can be named now: sessions that were opened, and all visits."""
    return (*_sessions(protocol, state, now_ms), *_visits(protocol, state, now_ms))


def _sessions(protocol: Protocol, state: State, now_ms: int) -> Iterator[Occasion]:
    for held in state.sessions:
        view = view_of(protocol, state, held, now_ms)
        prompt = next((p for p in view.plan.prompts if p.instrument == INSTRUMENT), None) if view.plan else None
        if prompt is None or view.plan is None:
            continue
        fallen = [slot.due_ms for slot in slots_of(view) if slot.prompt.id == prompt.id]
        due_ms = fallen[0] if fallen else next_due_ms(view, prompt)
        ended = Fact.ADMINISTRATION_END in view.facts  # a therapist answers once it is over
        may = {Guesser.PARTICIPANT: bool(fallen), Guesser.THERAPIST: ended}
        yield Occasion(
            key=held.id,
            title=f"{view.plan.title}: {held.id}",
            session=held.id,
            visit="",
            due_ms=due_ms,
            asked=_AT_A_SESSION,
            open_for=frozenset(who for who in _AT_A_SESSION if may[who]),
        )


def _visits(protocol: Protocol, state: State, now_ms: int) -> Iterator[Occasion]:
    for visit in protocol.visits:
        if not any(item.instrument == INSTRUMENT for item in visit.assessments):
            continue
        status = visit_status(state, visit, now_ms)
        reached = status.state is not VisitState.PLANNED
        yield Occasion(
            key=visit.id,
            title=visit.title,
            session="",
            visit=visit.id,
            due_ms=status.due_ms,
            asked=_AT_A_VISIT,
            open_for=frozenset(_AT_A_VISIT if reached else ()),
        )


def given(state: State, occasion: Occasion, by: Guesser) -> Observed[ArmGuess] | None:
    """The guess that counts: the first one, corrections applied. A later one was not blind to the first."""
    own = [item for item in state.everywhere(ArmGuess) if item.event.by == by and occasion.holds(item)]
    return own[0] if own else None


def found(log: Log, key: str) -> Occasion | None:
    """The planned time of that key."""
    planned = occasions(protocol_of(log), state_of(log), record.elapsed_ms(log, timezone.now()))
    return next((one for one in planned if one.key == key), None)


def keep(*, log: Log, occasion: Occasion, event: ArmGuess, actor: Person, submitted: record.Submitted) -> None:
    """Write a guess once. Raises `KerpError` when it is not time, or one is recorded for this time already."""
    with record.opened(log.id) as held:
        stands = given(state_of(held.log), occasion, event.by)
        if stands is not None and stands.id != str(submitted.id):
            ways = ("a mistake is put right by a correction of that entry, with its reason",)
            message = "a guess is recorded for this time already; it is given once"
            raise KerpError(Fault(message, field="guess", ways_out=ways))
        if event.by not in occasion.open_for:
            raise KerpError(Fault("it is not time for this guess", field="guess"))
        held.append(submitted, actor=actor.username)
