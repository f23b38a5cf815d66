"""One simulated session: a team that reads the engine's prompts and advice minute by minute, and acts on them.

The team does nothing by the clock alone that the protocol moves by facts: it starts exposure when the engine proposes
it, tapers when the peak is declared, stops when the effect is gone, and answers holds and stops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from kerp.base.elapsed import MS_PER_DAY, MS_PER_MIN, ms_from_min
from kerp.drug.events import Doses, NasalDevice, RateSegment
from kerp.protocol.model import Fact, Proposal, SessionPlan
from kerp.session.advise import advise
from kerp.session.drug_track import DrugStatus
from kerp.session.events import (
    AdministrationEnded,
    AdverseEvent,
    ArmGuess,
    Coached,
    Debrief,
    DeviceGiven,
    Discharged,
    DischargeObserved,
    DrugResumed,
    EndingRule,
    EscortCheck,
    ExposureEnded,
    ExposureStarted,
    ExposureStopped,
    Guesser,
    HierarchyItem,
    Modality,
    PatientStop,
    RatingMissed,
    Relation,
    RitualSeen,
    Signature,
)
from kerp.session.pressure import Verdict, before_dose
from kerp.session.prompts import slots_of
from kerp.session.proposals import habituated
from kerp.session.view import View, view_of
from kerp.simulate.desk import Desk
from kerp.simulate.guesses import INSTRUMENT as GUESS
from kerp.simulate.person import Person, Situation
from kerp.simulate.rater import Rater
from kerp.simulate.reactions import act

MOST_READINGS = 5  # of the blood pressure before the dose, before the day is given up
LONGEST_MIN = 420


@dataclass
class Infusion:
    """What is really in the syringe, which a blinded log does not say."""

    mg_per_ml: float
    ml_per_h: float
    volume_ml: float
    device_mg: float = 0.0
    devices: int = 0
    gap_min: float = 5.0
    inert: bool = False  # another agent than the one whose effect is simulated


@dataclass
class Sitting:
    """A session that is going on. `advance` plays one minute; `over` says when the participant has left."""

    desk: Desk
    person: Person
    rater: Rater
    plan: SessionPlan
    session: str
    items: tuple[HierarchyItem, ...]
    chance: np.random.Generator
    infusion: Infusion | None = None
    dosing: bool = False
    answered: set[str] = field(default_factory=set)
    acted: set[str] = field(default_factory=set)
    blocks: int = 0
    last_t0_min: float = 0.0
    nausea_at_min: float | None = None
    handed_over: bool = False

    # --- looking ---

    def view(self) -> View:
        """The session as it stands."""
        record = self.desk.state.session(self.session)
        assert record is not None
        return view_of(self.desk.protocol, self.desk.state, record, self.desk.now_ms)

    def doses(self, view: View) -> Doses:
        """What was really given, in minutes since T0."""
        if self.infusion is None or view.t0_ms is None or self.infusion.inert:
            return Doses()
        t0 = view.t0_ms
        segments = [
            RateSegment(
                (s.from_ms - t0) / MS_PER_MIN,
                ((s.to_ms if s.to_ms is not None else self.desk.now_ms) - t0) / MS_PER_MIN,
                (s.ml_per_h or 0.0) * self.infusion.mg_per_ml / 60,
            )
            for s in view.drug.segments
        ]
        sprays = [
            NasalDevice((d.at_ms - t0) / MS_PER_MIN, d.count * self.infusion.device_mg) for d in view.drug.devices
        ]
        return Doses(tuple(segments), tuple(sprays))

    # --- one minute ---

    def advance(self) -> None:
        """The next minute, or the end of the infusion if that is sooner: live, ask, act, answer advice."""
        end_ms = self._infusion_end_ms(self.view())
        self.desk.now_ms = min(self.desk.now_ms + MS_PER_MIN, max(self.desk.now_ms + 1, end_ms))
        self.now()

    def now(self) -> None:
        """Everything that is to be done at this moment."""
        view = self.view()
        self._live(view)
        self._ask(view)
        self._drug(view)
        self._exposure(self.view())
        for advice in advise(self.desk.protocol, self.desk.state, self.desk.now_ms):
            if advice.session == self.session:
                act(self, advice)
        self._leave(self.view())

    def ask_now(self) -> None:
        """Ask what is due at the opening, before a minute has passed."""
        self._live(self.view())
        self._ask(self.view())

    def measure_again(self) -> None:
        """Another reading where those before the dose came too close together, of a team behind a fast clock."""
        rule = next((one for one in self.desk.protocol.rules if one.kind == "do_not_start_bp" and one.active), None)
        if rule is None or not self.dosing:
            return
        for _ in range(MOST_READINGS):
            view = self.view()
            if before_dose(rule, view.record, view.t0_ms).verdict is not Verdict.REPEAT:
                return
            self.desk.now_ms += ms_from_min(rule.thresholds["apart_min"].value)
            self._answer("vitals", "nurse", self.view())

    def close_quietly(self) -> None:
        """End a session that has neither drug nor exposure."""
        self.desk.request(Discharged(), "therapist", self.session)

    @property
    def over(self) -> bool:
        """Whether the participant has left, or the day is over."""
        view = self.view()
        return view.discharged or (view.minute or 0) > LONGEST_MIN

    def live_on(self) -> None:
        """The person lives on to this moment."""
        self._live(self.view())

    def _live(self, view: View) -> None:
        block = view.exposure.open_blocks[-1] if view.exposure.open_blocks else None
        going = block is not None and not block.held
        item = next((i for i in self.items if block and i.item == block.item), None)
        situation = Situation(
            self.doses(view),
            block.now.intensity if block and going else 0.0,
            item.item if item else "",
            float(item.suds or 50) if item else 0.0,
            self.desk.now_ms / MS_PER_DAY,
        )
        minute = view.minute if view.minute is not None else -60.0
        self.person.live(minute, situation)
        ritual = self.person.ritual(1.0)
        if ritual is not None and block is not None:
            self.desk.record(
                RitualSeen(kind=ritual, judged_by="therapist", block=block.name), "therapist", self.session
            )
            self.desk.record(Coached(what="re-expose, no reassurance", block=block.name), "therapist", self.session)

    def _ask(self, view: View) -> None:
        """Everything that is due and can be answered now; a few ratings are missed."""
        for slot in slots_of(view):
            key = f"{slot.prompt.id}@{slot.due_ms}"
            if not slot.open or key in self.answered:
                continue
            self.answered.add(key)
            who = slot.prompt.asked_by
            if slot.prompt.instrument == "discharge":
                continue
            if slot.prompt.every_min and self.chance.random() < self.person.traits.missed_rating_chance:
                if self.chance.random() < 0.5:
                    missed = RatingMissed(instrument=slot.prompt.instrument, reason="too_dissociated")
                    self.desk.record(missed, self._writer(who), self.session)
                continue
            self._answer(slot.prompt.instrument, who, view)

    def _answer(self, instrument: str, who: str, view: View) -> None:
        open_blocks = view.exposure.open_blocks
        after = bool(view.exposure.blocks) and not open_blocks
        block = open_blocks[-1].name if open_blocks else (view.exposure.blocks[-1].name if after else "")
        named = block if open_blocks or instrument == "expectancy" else ""
        event = self.rater.prompt(instrument, who, named, after=after)
        writer = who if instrument == GUESS else self._writer(who)  # nobody writes another's guess
        self.desk.record(event, writer, self.session)

    def _writer(self, who: str) -> str:
        """The participant answers; the therapist writes."""
        return "therapist" if who == "participant" else who

    def later_forms(self) -> None:
        """What the participant fills in at home on the same day."""
        view = self.view()
        if view.drug.last_given_ms is None:
            return
        for prompt in self.plan.prompts:
            if prompt.asked_by == "participant" and prompt.anchor is Fact.ADMINISTRATION_END:
                for minute in prompt.at_min:
                    due_ms = (view.facts.get(prompt.anchor) or 0) + ms_from_min(minute)
                    if due_ms > self.desk.now_ms:
                        self.desk.now_ms = due_ms + MS_PER_MIN
                        self._live(self.view())
                        self._ask(self.view())

    # --- drug ---

    def _infusion_end_ms(self, view: View) -> int:
        """When the syringe will be empty at the present rate; far away where nothing runs."""
        running = self.infusion and view.drug.status is DrugStatus.RUNNING and not self.infusion.devices
        rate = view.drug.segments[-1].ml_per_h if running and view.drug.segments else None
        if not rate or self.infusion is None:
            return self.desk.now_ms + 10 * MS_PER_MIN
        left_ml = self.infusion.volume_ml - self.given_ml(view)
        return self.desk.now_ms + math.ceil(left_ml / rate * 60 * MS_PER_MIN)

    def given_ml(self, view: View) -> float:
        return sum(
            (s.ml_per_h or 0.0)
            * ((s.to_ms if s.to_ms is not None else self.desk.now_ms) - s.from_ms)
            / (60 * MS_PER_MIN)
            for s in view.drug.segments
        )

    def _drug(self, view: View) -> None:
        if self.infusion is None or not view.drug.given or view.drug.over:
            return
        if self.infusion.devices:
            self._next_device(view)
            return
        given_ml = self.given_ml(view)
        if view.drug.status is DrugStatus.RUNNING and given_ml >= self.infusion.volume_ml - 1e-6:
            self.desk.request(self.ended(min(given_ml, self.infusion.volume_ml)), "nurse", self.session)
        elif view.drug.status is DrugStatus.HELD:
            self.desk.request(DrugResumed(reason="readings below the limit again"), "nurse", self.session)

    def ended(self, given_ml: float) -> AdministrationEnded:
        assert self.infusion is not None
        secret = self.desk.protocol.blinded
        given_mg = None if secret else round(given_ml * self.infusion.mg_per_ml, 3)
        return AdministrationEnded(volume_given_ml=round(given_ml, 3), dose_given_mg=given_mg)

    def _next_device(self, view: View) -> None:
        assert self.infusion is not None
        number = len(view.drug.devices) + 1
        since = self.desk.now_ms - view.drug.devices[-1].at_ms if view.drug.devices else 0
        if number <= self.infusion.devices and since >= ms_from_min(self.infusion.gap_min):
            secret = self.desk.protocol.blinded
            device = DeviceGiven(number=number, dose_mg=None if secret else self.infusion.device_mg)
            self.desk.request(device, "nurse", self.session)

    # --- exposure ---

    def _exposure(self, view: View) -> None:
        """Blocks run their time, or end by habituation; the next one is opened when the engine proposes it."""
        plan = self.plan.exposure
        if plan is None:
            return
        for block in view.exposure.open_blocks:
            ran = (self.desk.now_ms - block.started_ms) / MS_PER_MIN
            ending = view.phase is not None and view.phase.proposes in {Proposal.TAPER, Proposal.STOP_EXPOSURE}
            if ran >= plan.block_min.value and not ending and not block.held:
                fell = habituated(view, block.name, plan.habituation_fraction)
                rule = EndingRule.HABITUATION if fell else EndingRule.FIXED_TIME
                self.desk.request(ExposureEnded(block=block.name, ending_rule=rule), "therapist", self.session)
        if self._nothing_felt(view):
            self.stop_exposure(view, EndingRule.CLINICIAN)
        duration = plan.duration_min
        if duration is not None and view.minute is not None and view.minute >= duration.value:
            self.stop_exposure(view, EndingRule.FIXED_TIME)

    def _nothing_felt(self, view: View) -> bool:
        """No onset in time, and two blocks more: this team's therapist then ends exposure."""
        rule, plan = view.protocol.effect_rule, self.plan.exposure
        if not self.dosing or rule is None or plan is None or view.effect.onset_ms is not None:
            return False
        return (view.minute or 0) >= rule.no_onset_by_min.value + 2 * plan.block_min.value

    def start_block(self) -> None:
        item = self.items[0 if self.blocks < 2 else min(1, len(self.items) - 1)]
        name = f"b{self.blocks + 1}"
        stimulus = item.props[0] if item.props else ""
        repeat = self.plan.exposure.same_items_as if self.plan.exposure else ""
        modality = Modality(item.modality) if item.modality in set(Modality) else Modality.OBJECT
        started = ExposureStarted(
            block=name, item=item.item, modality=modality, stimulus=stimulus, off_drug_repeat_of=repeat
        )
        if not self.desk.request(started, "therapist", self.session):
            self.blocks += 1

    def stop_exposure(self, view: View, rule: EndingRule) -> None:
        if view.exposure.stopped_ms is None and view.exposure.blocks:
            self.desk.request(ExposureStopped(ending_rule=rule), "therapist", self.session)

    @property
    def infusion_by_device(self) -> bool:
        """Whether the drug comes in devices, which cannot be paused."""
        return bool(self.infusion and self.infusion.devices)

    # --- what befalls ---

    def befall(self) -> None:
        """What this person does or suffers by itself: says stop, feels sick."""
        view, traits = self.view(), self.person.traits
        if view.minute is None:
            return
        if (
            traits.says_stop_at_min is not None
            and view.minute >= traits.says_stop_at_min
            and not view.ended_by_patient
        ):
            self.desk.record(PatientStop(), "therapist", self.session)
        if traits.nausea and self.dosing and self.nausea_at_min is None and view.minute >= 35:
            self.nausea_at_min = view.minute
            sick = AdverseEvent(code="nausea", grade=1, relation=Relation.DRUG)
            self.desk.record(sick, "nurse", self.session)

    # --- leaving ---

    def _leave(self, view: View) -> None:
        if view.t0_ms is None or view.exposure.open_blocks or (view.drug.given and not view.drug.over):
            return
        if self.plan.exposure is not None and view.exposure.blocks and view.exposure.stopped_ms is None:
            return
        if self.dosing:
            self._leave_after_dose(view)
        elif view.exposure.stopped_ms is None or self.desk.now_ms >= view.exposure.stopped_ms + 7 * MS_PER_MIN:
            self._close(view)

    def _leave_after_dose(self, view: View) -> None:
        since = (self.desk.now_ms - (view.drug.last_given_ms or self.desk.now_ms)) / MS_PER_MIN
        if since >= 118 and not self.handed_over:
            self.handed_over = True
            self._ready_to_go(view)
        if self.handed_over and since >= 121 and int(since) % 3 == 0:
            self._therapists_guess(view)
            self._close(view)

    def _ready_to_go(self, view: View) -> None:
        for item in view.protocol.discharge:
            if item.kind in {"orientation", "gait", "nausea", "advice"} and item.active:
                self.desk.record(DischargeObserved(criterion=item.id, met=True), "nurse", self.session)
        self.desk.record(EscortCheck(arranged=True, present=True), "nurse", self.session)
        if self.nausea_at_min is not None:
            self._end_nausea(view)
        for kind in ("vitals", "moaas", "felt_effect"):
            self._answer(kind, "nurse" if kind != "felt_effect" else "participant", view)

    def _therapists_guess(self, view: View) -> None:
        """Where the session asks for a guess, the therapist gives one once the drug is over; the rater sees none."""
        if any(p.instrument == GUESS for p in self.plan.prompts) and view.record.last(ArmGuess) is None:
            self.desk.record(self.rater.guesses.asked(Guesser.THERAPIST), "therapist", self.session)

    def _end_nausea(self, view: View) -> None:
        from kerp.session.events import AdverseEventFollowed

        sick = view.record.of(AdverseEvent)
        if sick:
            ended = AdverseEventFollowed(adverse_event=sick[-1].id, ended=True, outcome="recovered")
            self.desk.record(ended, "nurse", self.session)

    def _close(self, view: View) -> None:
        if self.plan.exposure is not None and view.record.last(Debrief) is None:
            self.desk.record(Debrief(learned="what was feared did not happen"), "therapist", self.session)
        who = "prescriber" if self.dosing else "therapist"
        left = Discharged(escort="escort" if self.dosing else "", leaflet=self.dosing)
        against = self.desk.request(left, who, self.session)
        if not against:
            signed = Signature(
                name=f"{who}-1", meaning="responsible for this session", through_seq=self.desk.state.last_seq
            )
            self.desk.request(signed, who, self.session)
        elif any(reason.id == "discharge.suicidality" for reason in against):
            self._answer("cssrs_screener", "nurse", view)
