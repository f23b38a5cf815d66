"""An example course, told entry by entry: an intravenous session with a little of everything, and what came after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kerp import __version__
from kerp.base.digest import digest
from kerp.base.elapsed import MS_PER_DAY, ms_from_min
from kerp.evidence.sourced import Mark, Sourced
from kerp.instrument.load import load_instrument
from kerp.protocol.blind import masked
from kerp.protocol.load import load_protocol
from kerp.protocol.model import Blinding, Protocol
from kerp.records.logfile import Log, opening_record, read_log, write_log
from kerp.session import events as e

START_MIN = 9 * 60  # sessions open at nine
T0_MIN = 45.0  # minutes after the session was opened


class Scribe:
    """Writes a log: who, when (minutes from midnight of a study day, day 0 being the tenth of March), what."""

    def __init__(self, protocol: Protocol, participant: str, origin: e.Origin = e.Origin.SIMULATED) -> None:
        self.protocol = protocol
        self.found: list[e.Entry] = []
        resolved = digest(opening_record(protocol)["protocol"])
        self.first_ms = ms_from_min(-14 * 24 * 60)
        self.write(
            -14,
            0,
            "system",
            e.LogOpened(
                participant=participant,
                protocol_id=protocol.id,
                protocol_digest=resolved,
                base_digest=resolved,
                engine_version=__version__,
                site="site A",
                origin=origin,
            ),
        )

    def write(
        self,
        day: int,
        minute: float,
        actor: str,
        event: e.Event,
        *,
        session: str = "",
        role: str = "",
        lag: float = 0.0,
    ) -> str:
        """Add an entry; `lag` is how many minutes later it was written down. Returns its id."""
        at_ms = day * MS_PER_DAY + ms_from_min(minute) - self.first_ms
        name = f"e{len(self.found) + 1:04d}"
        hours, minutes = divmod(int(minute), 60)
        date = f"2026-03-{10 + day:02d}" if -9 <= day <= 21 else f"2026-02-{28 + 10 + day:02d}"
        self.found.append(
            e.Entry(
                seq=0,
                id=name,
                occurred_ms=at_ms,
                recorded_ms=at_ms + ms_from_min(lag) + 3_000,
                actor=actor,
                event=event,
                session=session,
                role=role,
                device="tablet-1",
                wall_clock=f"{date}T{hours % 24:02d}:{minutes:02d}:00+01:00",
                local_date=date,
            )
        )
        return name

    @property
    def entries(self) -> tuple[e.Entry, ...]:
        """In the order in which they were written down."""
        ordered = sorted(self.found, key=lambda entry: (entry.recorded_ms, entry.id))
        return tuple(replace(entry, seq=seq) for seq, entry in enumerate(ordered, start=1))


class Room:
    """One session: minutes count from T0."""

    def __init__(self, scribe: Scribe, day: int, name: str, t0_min: float = T0_MIN) -> None:
        self.scribe, self.day, self.name, self.t0 = scribe, day, name, START_MIN + t0_min

    def __call__(self, minute: float, actor: str, event: e.Event, *, role: str = "", lag: float = 0.0) -> str:
        roles = {"Nora": "nurse", "Theo": "therapist", "Dr Pia": "prescriber", "Ria": "session_rater"}
        roles |= {"Phil": "pharmacist", "Cora": "coordinator", "Bea": "blind_rater", "P-017": "participant"}
        held = role or roles.get(actor, "")
        return self.scribe.write(self.day, self.t0 + minute, actor, event, session=self.name, role=held, lag=lag)


def scale(instrument: str, total: float, by: str) -> e.ScaleAnswered:
    """Answers that come to about `total`, spread over the items."""
    found = load_instrument(instrument)
    counted = found.counted
    rest, answers = total - sum(item.min for item in counted), {}
    for left, item in zip(range(len(counted), 0, -1), counted, strict=True):
        share = min(item.max - item.min, -(-rest // left) if item.step == 1 else rest / left)
        answers[item.id] = item.min + share
        rest -= share
    for item in found.items:
        answers.setdefault(item.id, item.min)
    return e.ScaleAnswered(instrument=instrument, version=found.version, answers=answers, rated_by=by)


def cssrs() -> e.ScaleAnswered:
    """Nothing."""
    return scale("cssrs_screener", 0, "Nora")


SUDS = {0: 78, 5: 84, 10: 80, 15: 71, 20: 74, 25: 66, 30: 58, 35: 50, 40: 44, 45: 40, 50: 33, 55: 30, 60: 26, 65: 22}
URGE = {0: 82, 5: 85, 10: 78, 15: 66, 20: 70, 25: 58, 30: 49, 40: 35, 45: 30, 50: 26, 55: 22, 60: 18, 65: 15}
FELT = {5: 1, 10: 2, 15: 4, 20: 5, 25: 7, 30: 8, 35: 8, 40: 7, 45: 6, 50: 5, 55: 4, 60: 3, 65: 2, 70: 1, 80: 1}
FELT |= {90: 0, 100: 0, 120: 0, 140: 0, 160: 0}
PRESSURE = {-40: (124, 78, 72), -34: (122, 76, 70), 10: (138, 86, 82), 20: (152, 94, 90), 30: (164, 101, 97)}
PRESSURE |= {34: (158, 97, 95), 40: (151, 92, 92), 55: (142, 88, 86), 70: (136, 84, 80), 85: (130, 81, 76)}
PRESSURE |= {100: (128, 80, 74), 130: (126, 79, 72), 160: (124, 78, 71)}


def before_the_day(scribe: Scribe) -> None:
    """Screening, planning, baseline."""
    for criterion in scribe.protocol.criteria:
        if criterion.active:
            scribe.write(-12, 600, "Dr Pia", e.EligibilityItem(criterion=criterion.id, met=True), role="prescriber")
    scribe.write(-12, 605, "Bea", scale("ybocs", 30, "Bea"), role="blind_rater")
    scribe.write(-12, 640, "Cora", e.VisitHeld(visit="screening"), role="coordinator")
    for number, (trigger, suds) in enumerate([("door handle of the clinic", 55), ("sink of the ward toilet", 75)]):
        item = e.HierarchyItem(item=f"item-{number + 1}", trigger=trigger, theme="contamination", suds=suds)
        scribe.write(-2, 600 + number, "Theo", item, role="therapist")
    scribe.write(-2, 610, "Theo", e.ItemsChosen(plan="dosing", items=("item-1", "item-2")), role="therapist")
    contract = e.ResponsePreventionAgreed(agreed=True, overt_rituals=("washing",), mental_rituals=("counting",))
    scribe.write(-2, 612, "Theo", contract, role="therapist")
    scribe.write(-2, 613, "Theo", e.StopWordAgreed(word="harbour"), role="therapist")
    rehearsed = e.ScalesRehearsed(instruments=("suds", "urge", "felt_effect"))
    scribe.write(-2, 614, "Theo", rehearsed, role="therapist")
    scribe.write(-2, 615, "Theo", e.HazardsChecked(items=("item-1", "item-2"), safe=True), role="therapist")
    scribe.write(-2, 640, "Theo", e.VisitHeld(visit="planning"), role="therapist")
    for instrument, total in (("ybocs", 29), ("cgi_s", 5), ("madrs", 14), ("ocd_vas", 7.2)):
        scribe.write(-1, 600, "Bea", scale(instrument, total, "Bea"), role="blind_rater")
    scribe.write(-1, 640, "Cora", e.VisitHeld(visit="baseline"), role="coordinator")


def preparation(room: Room) -> None:
    """From the opening of the session to minute 0."""
    protocol = room.scribe.protocol
    room(-45, "Cora", e.SessionOpened(plan="dosing"))
    room(-44.5, "Cora", e.ConsentChecked(version="2.1", confirmed=True))
    room(-44, "Nora", e.Weighed(weight_kg=70.0))
    room(-43, "Nora", e.PregnancyTest(result=e.TestResult.NEGATIVE))
    room(-42.5, "Nora", e.ToxicologyTest(result=e.TestResult.NEGATIVE))
    room(-42, "Nora", e.FastingCheck(kept=True, food_h=10, fluids_h=3))
    room(-41.5, "Cora", e.EscortCheck(arranged=True))
    for item in protocol.preconditions:
        if item.kind == "checklist":
            room(-41, "Dr Pia", e.ChecklistItem(item=item.id, done=True))
    room(-39, "Nora", cssrs())
    room(-38.8, "Nora", e.SedationRated(moaas=5))
    room(-38, "Ria", scale("cadss6", 0, "Ria"))
    room(-37.5, "Ria", scale("bprs_plus4", 4, "Ria"))
    room(-37, "Ria", scale("ymrs1", 0, "Ria"))
    room(-33, "P-017", e.SudsRated(value=35))
    room(-32, "P-017", scale("ocd_vas", 7.0, "participant"))
    room(-31.5, "P-017", scale("yboccs", 24, "participant"))
    room(-32.5, "P-017", e.FeltEffectRated(value=0))
    room(-28, "P-017", e.FeltEffectRated(value=0))
    room(-5, "Dr Pia", e.TimeOut(people=("Dr Pia", "Nora", "Theo"), confirmed=True))
    room(-4, "Dr Pia", e.ReadyConfirmed())
    expected = e.ExpectancyRated(block="b1", after=False, probability_pct=70, worst_distress=85)
    room(-2, "P-017", expected)


def dose_of(room: Room, *, blinded: bool) -> None:
    """35 mg over 40 min with a pause of four minutes for blood pressure; in a blinded log mL only."""

    def mg(value: float) -> float | None:
        return None if blinded else value

    computed = e.DoseComputed(
        weight_kg=70.0,
        dose_mg=mg(35.0),
        concentration_mg_per_ml=mg(1.0),
        volume_ml=35.0,
        rate_ml_per_h=52.5,
        duration_min=40,
        kit="K-204" if blinded else "",
    )
    verified = e.DoseVerified(agrees=True, computed=room(-30, "Phil", computed))
    room(-20, "Phil", verified)
    room(-18, "Nora", verified)
    room(0, "Nora", e.AdministrationStarted(route="iv_infusion", rate_ml_per_h=52.5, rate_mg_per_min=mg(0.875)))
    room(31, "Dr Pia", e.DrugHeld(reason="blood pressure 164/101"))
    room(35, "Dr Pia", e.DrugResumed(reason="158/97 on repeat"))
    ended = e.AdministrationEnded(volume_given_ml=35.0, dose_given_mg=mg(35.0), interruptions="31 to 35 min")
    room(44, "Nora", ended)


def exposure(room: Room) -> None:
    """Six blocks, a taper, rituals, and SUDS that fall for more than one reason."""
    start, end = e.ExposureStarted, e.ExposureEnded
    situation, obj, imaginal = e.Modality.SITUATION, e.Modality.OBJECT, e.Modality.IMAGINAL
    room(0.5, "Theo", start(block="b1", item="item-1", modality=obj))
    room(10.5, "Theo", end(block="b1", ending_rule=e.EndingRule.CLINICIAN))
    room(11, "Theo", start(block="b2", item="item-1", modality=obj))
    room(21, "Theo", end(block="b2", ending_rule=e.EndingRule.CLINICIAN))
    room(21.5, "Theo", start(block="b3", item="item-2", modality=situation))
    room(26.5, "Theo", e.ExposureStepped(block="b3", intensity=1.0, demand=e.Demand.LOW, reason="strong effect"))
    room(34, "Theo", end(block="b3", ending_rule=e.EndingRule.CLINICIAN))
    room(34.5, "Theo", start(block="b4", item="item-2", modality=situation, demand=e.Demand.LOW))
    room(47, "Theo", e.TaperStepped(block="b4", step="reduced", intensity=0.6))
    room(56, "Theo", e.TaperStepped(block="b4", step="imaginal", intensity=0.3))
    room(62, "Theo", end(block="b4", ending_rule=e.EndingRule.PROTOCOL_TAPER))
    room(62.5, "Theo", start(block="b5", item="item-1", modality=imaginal, intensity=0.3, demand=e.Demand.LOW))
    room(76, "Theo", e.ExposureStopped(ending_rule=e.EndingRule.PROTOCOL_TAPER))
    seen = e.RitualSeen
    room(7.5, "Theo", seen(kind=e.Ritual.OVERT, judged_by="therapist", block="b1", duration_s=40))
    room(8.5, "Theo", e.Coached(what="hands on the knees", block="b1"))
    room(17, "Theo", seen(kind=e.Ritual.MENTAL, judged_by="participant", block="b2", duration_s=90))
    room(19, "Theo", e.Coached(what="name it, stay with it", block="b2"))
    room(28, "Theo", seen(kind=e.Ritual.REASSURANCE, judged_by="therapist", block="b3"))
    room(52, "Theo", seen(kind=e.Ritual.DISTRACTION, judged_by="therapist", block="b4", duration_s=60))


def ratings(room: Room) -> None:
    """Every five minutes, two of them not in time and one not at all."""
    for minute, suds in SUDS.items():
        room(minute + 0.6, "P-017", e.SudsRated(value=suds))
    for minute, urge in URGE.items():
        room(minute + 0.8, "P-017", e.UrgeRated(value=urge))
    for minute, felt in FELT.items():
        room(minute + 0.3, "P-017", e.FeltEffectRated(value=felt))
    room(35.8, "Theo", e.RatingMissed(instrument="urge", reason="too_dissociated"))
    late = room(70.6, "Theo", e.SudsRated(value=20), lag=14)
    room(85, "Theo", e.LateEntryNoted(entry=late, reason="busy with the debrief", from_memory=True))
    for minute, suds in {86: 18, 96: 15, 106: 12, 120: 12, 140: 10, 160: 10}.items():
        room(minute, "P-017", e.SudsRated(value=suds))
    for minute, total in {20: 5, 40: 9, 80: 2, 120: 0}.items():
        room(minute + 1.5, "Ria", scale("cadss6", total, "Ria"))
    for minute, total in {20: 5.5, 46: 3.0, 66: 2.4, 136: 2.0}.items():
        room(minute + 2, "P-017", scale("ocd_vas", total, "participant"))


def monitoring(room: Room) -> None:
    """Vital signs, sedation, harms, advice answered, discharge."""
    for minute, (systolic, diastolic, rate) in PRESSURE.items():
        vitals = e.VitalsTaken(
            systolic_mmhg=systolic,
            diastolic_mmhg=diastolic,
            heart_rate_per_min=rate,
            spo2_pct=98 if minute < 20 or minute > 45 else 95,
        )
        room(minute + 0.1, "Nora", vitals)
    for minute, level in {10: 5, 20: 5, 30: 4, 40: 4, 55: 5, 70: 5, 85: 5, 100: 5, 130: 5, 160: 5}.items():
        room(minute + 0.2, "Nora", e.SedationRated(moaas=level))
    nausea = room(38, "Nora", e.AdverseEvent(code="nausea", grade=2, relation=e.Relation.DRUG))
    room(
        39, "Nora", e.MedicationGiven(kind=e.MedicationKind.ANTIEMETIC, name="ondansetron", amount="4 mg", route="iv")
    )
    room(75, "Nora", e.AdverseEventFollowed(adverse_event=nausea, ended=True))
    room(46, "Ria", scale("bprs_plus4", 5, "Ria"))
    room(46.5, "Ria", scale("ymrs1", 1, "Ria"))
    room(80, "Theo", e.Debrief(learned="the fear went up and came down by itself"))
    room(81, "P-017", e.ExpectancyRated(block="b1", after=True, probability_pct=20))
    room(152, "Ria", scale("bprs_plus4", 4, "Ria"))
    room(153, "Nora", cssrs())
    for criterion in ("orientation", "gait", "advice"):
        room(164, "Nora", e.DischargeObserved(criterion=criterion, met=True))
    room(165, "Cora", e.EscortCheck(arranged=True, present=True))
    room(170, "Dr Pia", e.Discharged(escort="sister", leaflet=True))


def answers_to_advice(scribe: Scribe, room: Room) -> None:
    """The pressure warning was seen; low demand was overridden once."""
    pressure = next(i.id for i in scribe.found if isinstance(i.event, e.VitalsTaken) and i.event.systolic_mmhg == 164)
    felt = next(i.id for i in scribe.found if isinstance(i.event, e.FeltEffectRated) and i.event.value == 7)
    key = f"bp_warn|{room.name}|{pressure}"
    room(31.2, "Dr Pia", e.AdviceAcknowledged(advice=key, rule="bp_warn", note="pause, repeat in 4 min"))
    key = f"low_demand_at_peak|{room.name}|{felt}"
    reason = "participant wants to go on with the sink"
    room(25.9, "Theo", e.AdviceOverridden(advice=key, rule="low_demand_at_peak", reason=reason))


def afterwards(scribe: Scribe) -> None:
    """Call, off-drug repetition, metacognitive session, visits; a correction on the next day."""
    wrong = next(i.id for i in scribe.found if isinstance(i.event, e.UrgeRated) and i.event.value == 70)
    right = e.Corrected(entry=wrong, reason="typed 70, said 60", replacement=e.UrgeRated(value=60))
    scribe.write(1, 560, "Theo", right, role="therapist")
    scribe.write(1, 600, "Nora", e.CallMade(visit="day1_call", reached=True), role="nurse")
    scribe.write(1, 602, "P-017", scale("ocd_vas", 3.0, "participant"))
    talk = Room(scribe, 1, "mct-1")
    talk(0, "Theo", e.SessionOpened(plan="metacognitive"))
    talk(50, "Theo", e.MetacognitiveSession(module="beliefs about thoughts", duration_min=50))
    talk(51, "Theo", e.Discharged())
    again = Room(scribe, 2, "repeat-1", 20)
    again(-20, "Theo", e.SessionOpened(plan="repeat_off_drug"))
    again(-2, "Theo", e.ReadyConfirmed())
    for number in range(4):
        name, at = f"r{number + 1}", number * 12.0
        started = e.ExposureStarted(block=name, item="item-2", modality=e.Modality.SITUATION)
        again(at, "Theo", replace(started, off_drug_repeat_of="dosing-1"))
        for minute in (0.5, 5, 9.5):
            again(at + minute, "P-017", e.SudsRated(value=round(62 - at - minute)))
            again(at + minute + 0.2, "P-017", e.UrgeRated(value=round(55 - at - minute)))
        again(at + 10, "Theo", e.ExposureEnded(block=name, ending_rule=e.EndingRule.FIXED_TIME))
    again(50, "Theo", e.ExposureStopped(ending_rule=e.EndingRule.CLINICIAN))
    again(60, "Theo", e.Discharged())
    scribe.write(3, 600, "Bea", scale("ybocs", 20, "Bea"), role="blind_rater")
    for day, visit, ybocs, improved in ((7, "day7", 18, 2), (14, "day14", 17, 2)):
        for instrument, total in (("ybocs", ybocs), ("cgi_s", 3), ("cgi_i", improved), ("madrs", 9)):
            scribe.write(day, 600, "Bea", scale(instrument, total, "Bea"), role="blind_rater")
        scribe.write(day, 640, "Cora", e.VisitHeld(visit=visit), role="coordinator")
    scribe.write(
        14, 660, "Dr Pia", e.Signature(name="Dr Pia", meaning="reviewed", through_seq=100), role="prescriber"
    )


def blinded_protocol() -> Protocol:
    """The intravenous protocol as the shared protocol of a blinded trial."""
    shipped = load_protocol("bottemanne2021-iv").protocol
    assert shipped.dose is not None
    equal = Blinding(volume_ml=Sourced(value=35, unit="mL", source="kerp", mark=Mark.ASSUMED))
    prepared = replace(shipped, blinded=True, dose=replace(shipped.dose, blinding=equal))
    return masked(prepared, study_id="study-x", title="A blinded study", version="1")


def told(protocol: Protocol, participant: str) -> Scribe:
    """The whole example course."""
    scribe = Scribe(protocol, participant)
    before_the_day(scribe)
    room = Room(scribe, 0, "dosing-1")
    for part in (preparation, exposure, ratings, monitoring):
        part(room)
    dose_of(room, blinded=protocol.blinded)
    answers_to_advice(scribe, room)
    afterwards(scribe)
    return scribe


def course_written(folder: Path, name: str, scribe: Scribe) -> Log:
    """The course as a log file, read back."""
    path = folder / f"{name}.jsonl"
    write_log(path, scribe.entries, scribe.protocol)
    return read_log(path)


@pytest.fixture(scope="session")
def example_log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """An open-label intravenous course."""
    scribe = told(load_protocol("bottemanne2021-iv").protocol, "P-017")
    return course_written(tmp_path_factory.mktemp("logs"), "open", scribe)


@pytest.fixture(scope="session")
def blinded_log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """The same course in a blinded trial."""
    return course_written(tmp_path_factory.mktemp("logs"), "blinded", told(blinded_protocol(), "P-018"))


@pytest.fixture
def tell(tmp_path: Path) -> Callable[..., Log]:
    """Writes any entries as a log: `tell(protocol, [(day, minute, actor, event, session), ...])`."""

    def written(protocol: Protocol, lines: Iterable[tuple[Any, ...]]) -> Log:
        scribe = Scribe(protocol, "P-099")
        for day, minute, actor, event, session in lines:
            scribe.write(day, minute, actor, event, session=session)
        return course_written(tmp_path, "told", scribe)

    return written
