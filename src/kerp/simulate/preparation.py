"""Everything before minute 0: screening, planning, baseline, and the checks of the day."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from kerp.base.elapsed import ms_from_min
from kerp.protocol.dose import DosePlan, DoseRequest, plan_dose
from kerp.protocol.model import Assessment, DoseRule, Precondition, SessionPlan
from kerp.session.events import (
    CallMade,
    ChecklistItem,
    ConsentChecked,
    Dispensed,
    DoseComputed,
    DoseVerified,
    EligibilityItem,
    EscortCheck,
    Event,
    FastingCheck,
    Guesser,
    HazardsChecked,
    HierarchyItem,
    ItemsChosen,
    PregnancyTest,
    ReadyConfirmed,
    ResponsePreventionAgreed,
    ScalesRehearsed,
    StopWordAgreed,
    TestResult,
    TimeOut,
    ToxicologyTest,
    VisitHeld,
    Weighed,
)
from kerp.simulate.desk import Desk, actor_of
from kerp.simulate.guesses import AT_A_VISIT, INSTRUMENT
from kerp.simulate.rater import Rater
from kerp.simulate.traits import Traits

# One hierarchy for each theme: item, trigger, feared outcome, SUDS. Written for kerp; nobody's.
_HIERARCHIES: dict[str, tuple[tuple[str, str, str, int], ...]] = {
    "contamination": (
        ("tap", "touch the tap of the ward's basin", "fall ill", 35),
        ("door", "hold the door handle of the corridor", "fall ill", 50),
        ("coin", "hold coins from a till", "carry germs home", 45),
        ("bin", "touch the lid of the waste bin", "make the family ill", 80),
        ("floor", "put the bag on the floor, then on the lap", "carry germs home", 60),
        ("towel", "use a shared towel", "fall ill", 55),
        ("shoe", "touch the sole of a shoe", "make the family ill", 75),
        ("seat", "sit on the seat in the waiting room", "carry germs home", 30),
    ),
    "doubt": (
        ("form", "sign a form and hand it in unread", "have agreed to something terrible", 70),
        ("mail", "send a letter without reading it again", "have written an insult", 60),
        ("lock", "lock once and walk on", "the house is robbed", 80),
        ("stove", "look at a picture of a stove and not check", "the house burns", 55),
        ("bag", "close the bag without looking", "have lost the key", 40),
        ("count", "count change once", "have cheated somebody", 45),
        ("switch", "leave a switch half seen", "a fire", 50),
        ("list", "throw a list away", "forget what matters", 35),
    ),
    "symmetry": (
        ("picture", "leave a picture hanging askew", "the feeling never ends", 60),
        ("pens", "leave pens in disorder", "be unable to work", 45),
        ("steps", "end a walk on the wrong foot", "the feeling never ends", 50),
        ("page", "leave a page creased", "the feeling never ends", 40),
        ("shoelace", "tie the laces unequally", "the day is spoilt", 55),
        ("shelf", "mix the order of a shelf", "be unable to stop", 75),
        ("word", "leave a word unfinished", "something bad happens", 70),
        ("cup", "leave a cup with its handle turned", "the feeling never ends", 35),
    ),
    "taboo": (
        ("script1", "read the script of the feared thought aloud", "wanting it", 70),
        ("script2", "listen to the recorded script", "losing control", 80),
        ("word", "write the feared word", "it means something", 55),
        ("picture", "look at a family picture with the thought", "being a bad person", 75),
        ("knife", "see a plastic knife on the table", "doing harm", 60),
        ("prayer", "leave a prayer unfinished", "being damned", 65),
        ("name", "say the name with the thought", "it comes true", 50),
        ("cup", "hand somebody a cup with the thought", "poisoning somebody", 45),
    ),
}


def hierarchy(traits: Traits) -> tuple[HierarchyItem, ...]:
    """The hierarchy of a theme."""
    modality = "imaginal" if traits.covert else "object"
    return tuple(
        HierarchyItem(
            item=item,
            trigger=trigger,
            feared_outcome=feared,
            theme=traits.theme,
            suds=suds,
            props=(item,),
            modality=modality,
        )
        for item, trigger, feared, suds in _HIERARCHIES.get(traits.theme, _HIERARCHIES["contamination"])
    )


def chosen(items: Sequence[HierarchyItem]) -> tuple[HierarchyItem, ...]:
    """One item in the middle and one high."""
    ordered = sorted(items, key=lambda item: item.suds or 0)
    middle = next((item for item in reversed(ordered) if 40 <= (item.suds or 0) <= 60), ordered[0])
    return middle, ordered[-1]


class Preparation:
    """The work of coordinator, rater and therapist before the day, and of everybody on the day."""

    def __init__(self, desk: Desk, rater: Rater, given: DoseRule | None) -> None:
        self.desk = desk
        self.given = given  # what the pharmacist prepares; a blinded log does not know it
        self.rater = rater
        self.traits = rater.person.traits
        self.protocol = desk.protocol
        self.items = hierarchy(self.traits)

    def screen(self) -> None:
        """Consent and eligibility, item by item."""
        self.desk.record(ConsentChecked(version="1.0", confirmed=True), "coordinator")
        for criterion in self.protocol.criteria:
            if criterion.active:
                self._pass_on(0.3)
                self.desk.record(EligibilityItem(criterion=criterion.id, met=True), "prescriber")

    def plan(self) -> None:
        """Hierarchy, contract, stop word, rehearsal, hazards."""
        events: list[Event] = [*self.items]
        picked = tuple(item.item for item in chosen(self.items))
        events += [ItemsChosen(plan=plan.id, items=picked) for plan in self.protocol.sessions if plan.exposure]
        overt = () if self.traits.covert else ("washing", "checking")
        mental = ("neutralising", "praying") if self.traits.covert else ("reviewing",)
        events += [
            ResponsePreventionAgreed(agreed=True, overt_rituals=overt, mental_rituals=mental),
            StopWordAgreed(word="harbour"),
            ScalesRehearsed(instruments=("suds", "urge", "felt_effect")),
            HazardsChecked(items=picked, safe=True),
        ]
        for event in events:
            self._pass_on(1.0)
            self.desk.record(event, "therapist")

    def assess(self, assessments: Sequence[Assessment]) -> None:
        """The instruments of a visit or call."""
        for assessment in assessments:
            if assessment.instrument in {"discharge", INSTRUMENT} or not assessment.required:
                continue
            self._pass_on(3.0)
            who = assessment.rater if assessment.rater != "participant" else "coordinator"
            event = self.rater.scale(assessment.instrument, assessment.rater)
            self.desk.record(event, who)

    def guess(self, visit: str) -> None:
        """Participant, therapist and blinded rater say what they believe was given, each by themselves."""
        for by in AT_A_VISIT:
            self._pass_on(1.0)
            self.desk.record(self.rater.guesses.asked(by, visit), "blind_rater" if by is Guesser.RATER else str(by))

    def hold(self, visit: str, *, call: bool) -> None:
        """The visit took place, or the call reached the participant."""
        self.desk.record(CallMade(visit=visit, reached=True) if call else VisitHeld(visit=visit), "coordinator")

    # --- the day ---

    def checks(self, session: str, plan: SessionPlan) -> None:
        """Every precondition of the day, the dose, its verification."""
        dosing = plan.kind.startswith("dosing")
        for item in self.protocol.preconditions:
            if item.kind == "consent" or dosing or self.protocol.dose is None:
                self._satisfy(item, session)

    def _satisfy(self, item: Precondition, session: str) -> None:
        events: dict[str, Event] = {
            "consent": ConsentChecked(version="1.0", confirmed=True),
            "pregnancy": self._pregnancy(),
            "toxicology": ToxicologyTest(result=TestResult.NEGATIVE),
            "fasting": FastingCheck(kept=True, food_h=8, fluids_h=2.5),
            "escort": EscortCheck(arranged=True),
        }
        if item.kind == "checklist":
            self._tick(item, session)
        elif item.kind in events:
            self._pass_on(1.0)
            self.desk.record(events[item.kind], item.role, session)

    def _tick(self, item: Precondition, session: str) -> None:
        if item.id == "weight":
            self.desk.record(Weighed(weight_kg=self.traits.weight_kg), "nurse", session)
        elif item.id != "time_out":
            self.desk.record(ChecklistItem(item=item.id, done=True), item.role, session)

    def _pregnancy(self) -> PregnancyTest:
        if self.traits.sex == "male":
            return PregnancyTest(result=TestResult.NOT_APPLICABLE, reason="male")
        return PregnancyTest(result=TestResult.NEGATIVE)

    def dose(self, session: str) -> DosePlan | None:
        """Compute, dispense, verify by two people. A blinded log keeps kit, mL and mL/h only (M8)."""
        rule = self.given
        if rule is None:
            return None
        weight = Decimal(str(self.traits.weight_kg))
        plan = plan_dose(rule, DoseRequest(weight_kg=weight, weight_age_days=Decimal(0)))
        shown = plan.masked() if self.protocol.blinded else plan
        computed = DoseComputed(
            weight_kg=self.traits.weight_kg,
            dose_mg=_number(shown.dose_mg),
            concentration_mg_per_ml=_number(shown.concentration_mg_per_ml),
            volume_ml=_number(shown.volume_ml),
            rate_ml_per_h=_number(shown.rate_ml_per_h),
            duration_min=_number(plan.duration_min),
            devices=len(plan.devices) or None,
            kit="K-7F3Q" if self.protocol.blinded else "",
        )
        looked_at = self.desk.record(computed, "pharmacist", session).id
        volume = _number(shown.volume_ml)
        self.desk.record(Dispensed(kit="K-7F3Q", volume_ml=volume), "pharmacist", session)
        what = "kit and volume" if self.protocol.blinded else "dose"
        for who in ("nurse", "prescriber"):
            self._pass_on(0.5)
            self.desk.record(DoseVerified(agrees=True, computed=looked_at, what=what), who, session)
        return plan

    def time_out(self, session: str) -> None:
        """All look up; then ready."""
        people = tuple(actor_of(role) for role in ("prescriber", "nurse", "therapist"))
        self.desk.record(TimeOut(people=people, confirmed=True), "prescriber", session)
        self._pass_on(0.5)
        self.desk.must(ReadyConfirmed(), "prescriber", session)

    def _pass_on(self, minutes: float) -> None:
        self.desk.now_ms += ms_from_min(minutes)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
