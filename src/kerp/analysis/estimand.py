"""Estimands of ICH E9(R1) as objects: what is asked, and what each intercurrent event does to the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kerp.base.errors import Fault, KerpError


class Strategy(StrEnum):
    """What is made of an outcome after an intercurrent event."""

    TREATMENT_POLICY = "treatment_policy"  # used as observed
    HYPOTHETICAL = "hypothetical"  # as if it had not happened: later outcomes are missing and modelled
    COMPOSITE = "composite"  # the event is itself a bad outcome
    WHILE_ON_TREATMENT = "while_on_treatment"  # the last outcome before it


WORDS = {
    Strategy.TREATMENT_POLICY: "treatment policy: outcomes are used whether or not it happened",
    Strategy.HYPOTHETICAL: "hypothetical: later outcomes are set missing, as if it had not happened",
    Strategy.COMPOSITE: "composite: it counts as failure from then on",
    Strategy.WHILE_ON_TREATMENT: "while on treatment: the last outcome before it is carried",
}


@dataclass(frozen=True, slots=True)
class IntercurrentEvent:
    """A kind of event (of the table `intercurrent_events`) and its strategy."""

    kind: str
    strategy: Strategy
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Estimand:
    """The five attributes. `failure_value` is the outcome that composite events are given."""

    id: str
    population: str
    treatment: str
    reference: str
    variable: str
    day: float
    summary: str
    events: tuple[IntercurrentEvent, ...]
    failure_value: float | None = None

    def sentence(self) -> str:
        """The estimand in one sentence."""
        return (
            f"In {self.population}, the {self.summary} of {self.variable} at day {self.day:g} between "
            f"{self.treatment} and {self.reference}; "
            + "; ".join(
                f"{event.kind.replace('_', ' ')}: {event.strategy.replace('_', ' ')}" for event in self.events
            )
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """One outcome. None is missing."""

    participant: str
    day: float
    value: float | None


@dataclass(frozen=True, slots=True)
class Happened:
    """An intercurrent event on a study day."""

    participant: str
    day: float
    kind: str


@dataclass(frozen=True)
class Applied:
    """Outcomes after the strategies, how many each event changed, and the kinds for which no strategy was stated."""

    observations: tuple[Observation, ...]
    changed: Mapping[str, int]
    unplanned: tuple[str, ...]


def apply(estimand: Estimand, observations: Iterable[Observation], happened: Sequence[Happened]) -> Applied:
    """Carry out each event's strategy; the first event of a participant that changes outcomes rules from its day on.

    An event on the day of a visit comes before the visit. Kinds without a stated strategy are treated as treatment
    policy and listed, never passed over silently.
    """
    plan = {event.kind: event.strategy for event in estimand.events}
    if Strategy.COMPOSITE in plan.values() and estimand.failure_value is None:
        raise KerpError(Fault("a composite strategy needs the value that a failure is given", field="failure_value"))
    ruling = _ruling(plan, happened)
    listed = sorted(observations, key=lambda o: (o.participant, o.day))
    out, changed, last = [], dict.fromkeys(plan, 0), dict[str, float | None]()
    for item in listed:
        event = ruling.get(item.participant)
        if event is None or item.day < event.day:
            last[item.participant] = item.value if item.value is not None else last.get(item.participant)
            out.append(item)
            continue
        value = _value(plan[event.kind], estimand, last.get(item.participant))
        changed[event.kind] += value != item.value
        out.append(Observation(item.participant, item.day, value))
    unplanned = tuple(sorted({event.kind for event in happened} - set(plan)))
    return Applied(tuple(out), changed, unplanned)


def _ruling(plan: Mapping[str, Strategy], happened: Sequence[Happened]) -> dict[str, Happened]:
    """The event that rules each participant: composite before all, otherwise the earliest that changes outcomes."""
    ruling: dict[str, Happened] = {}
    order = sorted(happened, key=lambda e: (plan.get(e.kind) is not Strategy.COMPOSITE, e.day))
    for event in order:
        if plan.get(event.kind, Strategy.TREATMENT_POLICY) is not Strategy.TREATMENT_POLICY:
            ruling.setdefault(event.participant, event)
    return ruling


def _value(strategy: Strategy, estimand: Estimand, last: float | None) -> float | None:
    if strategy is Strategy.COMPOSITE:
        return estimand.failure_value
    return last if strategy is Strategy.WHILE_ON_TREATMENT else None
