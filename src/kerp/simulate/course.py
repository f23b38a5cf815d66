"""A whole course of one simulated participant, as a log: planned, dosed, exposed, assessed, followed up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from kerp import __version__
from kerp.base.elapsed import MS_PER_DAY, MS_PER_MIN
from kerp.base.seeds import Stream, generator
from kerp.protocol.blind import masked
from kerp.protocol.digest import protocol_digest
from kerp.protocol.dose import DosePlan
from kerp.protocol.load import Digests, Resolved
from kerp.protocol.model import Agent, DoseRule, Protocol, SessionPlan, Visit
from kerp.session.events import (
    AdministrationStarted,
    DeviceGiven,
    Entry,
    HierarchyItem,
    LogOpened,
    MetacognitiveSession,
    Origin,
    SessionOpened,
    Withdrawal,
)
from kerp.simulate.desk import Desk
from kerp.simulate.guesses import INSTRUMENT as GUESS
from kerp.simulate.guesses import Guesses
from kerp.simulate.person import Person, SimplePerson, drawn_cadss_factor
from kerp.simulate.preparation import Preparation, chosen
from kerp.simulate.rater import Rater
from kerp.simulate.sitting import Infusion, Sitting
from kerp.simulate.traits import Traits, assumptions_digest, draw_traits, guess_numbers

# A Monday by the site's own clock: simulated logs have a calendar of their own.
OPENED = dt.datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001
_PREPARATION_MIN = 40
_DRIVES = {"iv_infusion": "kamp2020", "nasal_spray": "perezruixo2021"}


@dataclass(frozen=True)
class Simulated:
    """A simulated course: its log, the protocol the log was kept under (masked in a blinded trial), the traits."""

    protocol: Protocol
    entries: tuple[Entry, ...]
    traits: Traits


@dataclass(frozen=True)
class Plan:
    """What happens on a study day: a visit or call, or a session."""

    day: float
    hour: float
    what: Visit | SessionPlan
    number: int = 0


def simulate_course(
    resolved: Resolved,
    seed: int,
    traits: Traits | None = None,
    *,
    opened: dt.datetime = OPENED,
    origin: Origin = Origin.SIMULATED,
    listener: Callable[[Entry], None] | None = None,
    made: Callable[[Traits, str, np.random.Generator], Person] = SimplePerson,
) -> Simulated:
    """One participant's course under a protocol. The same seed and traits give the same log, byte for byte.

    `made` makes the person of traits, a kinetic model and a stream of chance: the simple one, or that of
    `mechanism.maker`.
    """
    kind = route_of(resolved.protocol)
    model = _DRIVES[kind]
    chance = generator(seed, Stream.PATIENT)
    person_traits = traits or drawn_traits(seed, kind)
    person = made(person_traits, model, generator(seed, Stream.MEASUREMENT))
    shown = blinded_view(resolved)
    desk = Desk(shown.protocol, opened, generator(seed, Stream.PROCESS), listener=listener)
    rater = Rater(person, chance, beliefs_about(seed, resolved.protocol.dose))
    _Course(shown, desk, person, rater, origin, given=resolved.protocol.dose).run()
    return Simulated(shown.protocol, tuple(desk.entries), person.traits)


def hold_session(
    resolved: Resolved,
    seed: int,
    desk: Desk,
    plan: SessionPlan,
    session: str,
    *,
    items: tuple[HierarchyItem, ...] = (),
    preparation_min: int = _PREPARATION_MIN,
) -> None:
    """One session that was opened on any desk, to its end. `items`: the hierarchy agreed in the record."""
    kind = route_of(resolved.protocol)
    person = SimplePerson(drawn_traits(seed, kind), _DRIVES[kind], generator(seed, Stream.MEASUREMENT))
    rater = Rater(person, generator(seed, Stream.PATIENT), beliefs_about(seed, resolved.protocol.dose))
    course = _Course(resolved, desk, person, rater, Origin.DEMONSTRATION, given=resolved.protocol.dose)
    course.preparation.items = items or course.preparation.items
    course.preparation_min = preparation_min
    course.hold(plan, session)


def blinded_view(resolved: Resolved) -> Resolved:
    """What the log of a blinded trial may know: the shared study protocol, and no digest that tells the arm (M8)."""
    if not resolved.protocol.blinded:
        return resolved
    study = "blinded-concurrent"
    protocol = masked(resolved.protocol, study_id=study, title="Blinded study", version=resolved.protocol.version)
    return replace(resolved, protocol=protocol, digests=Digests(resolved=protocol_digest(protocol), base=""))


def route_of(protocol: Protocol) -> str:
    """The route a person's drug response is drawn for; a drug-free protocol takes the paper's."""
    return protocol.dose.route if protocol.dose else "iv_infusion"


def drawn_traits(seed: int, kind: str) -> Traits:
    """The traits a seed stands for; `kind` is a route id."""
    drawn = draw_traits(generator(seed, Stream.PATIENT, 0, 1), kind, f"SIM{seed:05d}")
    return replace(drawn, cadss_factor=drawn_cadss_factor(kind, seed, 0))


def beliefs_about(seed: int, given: DoseRule | None) -> Guesses:
    """What is believed about the drug of this seed's person, by chance of its own."""
    return Guesses(
        guess_numbers(), generator(seed, Stream.MEASUREMENT, 0, 1), active=given is not None and _acts(given.agent)
    )


def _acts(agent: str) -> bool:
    """Whether an agent is one whose effect is simulated."""
    return agent in {Agent.KETAMINE, Agent.ESKETAMINE}


class _Course:
    """Plays the calendar of a protocol. Study day 0 is `_lead` days after the log was opened."""

    def __init__(
        self,
        resolved: Resolved,
        desk: Desk,
        person: Person,
        rater: Rater,
        origin: Origin,
        *,
        given: DoseRule | None,
    ) -> None:
        self.resolved, self.desk, self.person, self.rater = resolved, desk, person, rater
        self.protocol = resolved.protocol
        self.origin = origin
        self.dose_rule = given
        self.preparation = Preparation(desk, rater, given)
        self.preparation_min = _PREPARATION_MIN
        self.lead = max((round(-visit.day) for visit in self.protocol.visits if visit.day < 0), default=1)
        self.given = False

    def run(self) -> None:
        self._open()
        for planned in sorted(self._calendar(), key=lambda plan: (plan.day, plan.hour)):
            if self.desk.state.course.first(Withdrawal) is not None:
                return
            self.desk.go_to(self.lead + round(planned.day), planned.hour)
            self._set_relief(planned.day)
            if isinstance(planned.what, Visit):
                self._visit(planned.what)
            else:
                self._session(planned.what, planned.number)

    def _open(self) -> None:
        digests = self.resolved.digests
        opened = LogOpened(
            participant=self.person.traits.code,
            protocol_id=self.protocol.id,
            protocol_digest=digests.resolved,
            base_digest=digests.base,
            overlay_digest=digests.overlay,
            stopping_rules_digest=digests.stopping_rules,
            stopping_rules_version=self.protocol.stopping_rules.version if self.protocol.stopping_rules else "",
            engine_version=__version__,
            parameter_digests={"simulated person": assumptions_digest()},
            site="site-1",
            origin=self.origin,
        )
        self.desk.record(opened, "coordinator", late_ms=0)
        self.preparation.screen()

    def _calendar(self) -> Iterator[Plan]:
        for visit in self.protocol.visits:
            hour = {"screening": 10.0, "call": 9.5}.get(visit.kind, 10.5 if visit.day > 0 else 11.0)
            yield Plan(visit.day, hour if visit.id != "planning" else 14.0, visit)
        for plan in self.protocol.sessions:
            for number, day in enumerate(plan.days, start=1):
                hour = {"metacognitive": 15.0, "exposure_only": 13.0}.get(plan.kind, 8.0)
                yield Plan(day, hour, plan, number)

    def _set_relief(self, day: float) -> None:
        """How much of the severity at baseline is gone: fast and large after the dose, then what lasts."""
        own = self.person.relief(self.desk.now_ms / MS_PER_DAY)
        if own is not None:
            self.rater.relief = min(0.95, max(-0.5, own))
            return
        fall = self.person.traits.ybocs_fall
        acute = 1.6 if 0 < day < 4 else 1.0 - 0.004 * max(0.0, day - 7)
        self.rater.relief = min(0.85, max(-0.2, fall * acute)) if self.given and day > 0 else 0.0

    def _visit(self, visit: Visit) -> None:
        if visit.id == "planning":
            self.preparation.plan()
        self.preparation.assess(visit.assessments)
        if any(item.instrument == GUESS for item in visit.assessments):
            self.preparation.guess(visit.id)
        self.preparation.hold(visit.id, call=visit.kind == "call")

    # --- sessions ---

    def _session(self, plan: SessionPlan, number: int) -> None:
        session = plan.id if len(plan.days) == 1 else f"{plan.id}-{number}"
        if not self.desk.request(SessionOpened(plan=plan.id), "coordinator", session):
            self.hold(plan, session)

    def hold(self, plan: SessionPlan, session: str) -> None:
        """A session that was opened, to its end."""
        if plan.kind == "metacognitive":
            self._metacognitive(plan, session)
            return
        self.person.begin_session()
        sitting = self._sitting(plan, session)
        self._until_ready(sitting)
        if not self._begin(sitting):
            return
        sitting.now()
        while not sitting.over:
            sitting.befall()
            sitting.advance()
        self.person.end_session()
        if sitting.dosing:
            sitting.later_forms()
        self.given = True

    def _metacognitive(self, plan: SessionPlan, session: str) -> None:
        sitting = self._sitting(plan, session)
        sitting.advance()
        minutes = plan.duration_min.value if plan.duration_min else 50.0
        self.desk.now_ms += round(minutes * MS_PER_MIN)
        held = MetacognitiveSession(module="thoughts are events", duration_min=minutes)
        self.desk.record(held, "therapist", session)
        sitting.close_quietly()

    def _sitting(self, plan: SessionPlan, session: str) -> Sitting:
        items = chosen(self.preparation.items) if plan.exposure else ()
        chance = self.desk.chance
        return Sitting(
            self.desk, self.person, self.rater, plan, session, items, chance, dosing=plan.kind.startswith("dosing")
        )

    def _until_ready(self, sitting: Sitting) -> None:
        sitting.ask_now()
        self.preparation.checks(sitting.session, sitting.plan)
        dose = self.preparation.dose(sitting.session) if sitting.dosing else None
        if dose is not None:
            sitting.infusion = _infusion(dose, self.dose_rule.agent if self.dose_rule else "")
        for _ in range(self.preparation_min if sitting.dosing else 5):
            sitting.advance()
        sitting.measure_again()
        self.preparation.time_out(sitting.session)
        sitting.advance()

    def _begin(self, sitting: Sitting) -> bool:
        """Minute 0 by an explicit act; a refusal (blood pressure, say) ends the day."""
        infusion = sitting.infusion
        if not sitting.dosing or infusion is None:
            return True
        if infusion.devices:
            secret = self.protocol.blinded
            start = DeviceGiven(number=1, dose_mg=None if secret else infusion.device_mg)
            return not self.desk.request(start, "nurse", sitting.session)
        rate = None if self.protocol.blinded else round(infusion.ml_per_h * infusion.mg_per_ml / 60, 6)
        begun = AdministrationStarted(
            route="iv_infusion", rate_ml_per_h=infusion.ml_per_h, rate_mg_per_min=rate, witness="prescriber-1"
        )
        return not self.desk.request(begun, "nurse", sitting.session)


def _infusion(plan: DosePlan, agent: str) -> Infusion:
    inert = not _acts(agent)
    if plan.devices:
        gap = float(plan.devices[1].at_min - plan.devices[0].at_min) if len(plan.devices) > 1 else 5.0
        return Infusion(0.0, 0.0, 0.0, float(plan.devices[0].dose_mg), len(plan.devices), gap, inert)
    assert plan.rate_ml_per_h is not None
    assert plan.volume_ml is not None
    assert plan.concentration_mg_per_ml is not None
    return Infusion(
        float(plan.concentration_mg_per_ml), float(plan.rate_ml_per_h), float(plan.volume_ml), inert=inert
    )
