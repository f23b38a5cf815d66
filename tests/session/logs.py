"""Logs for tests: a builder that writes entries by the minute, a prepared session, and a generator of random logs.

Minutes count from the planned start of administration, 24 h after the log was opened (study day 0, 09:00).
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import strategies as st

from kerp.base.elapsed import MS_PER_DAY, MS_PER_MIN
from kerp.protocol.load import load_protocol
from kerp.protocol.model import Protocol
from kerp.session import events as ev
from kerp.session.advise import advise
from kerp.session.fold import fold
from kerp.session.kinds import Choice, Flag, Kind, Many, Maybe, Nested, Number, Table, Text, fields_of
from kerp.session.status import status
from kerp.session.view import view_of

START_MS = MS_PER_DAY  # of minute 0
OPENED = dt.datetime(2026, 3, 1, 9, 0)  # noqa: DTZ001  a wall clock at the site


@cache
def protocol(identifier: str = "bottemanne2021-iv") -> Protocol:
    return load_protocol(identifier).protocol


def ms(minute: float) -> int:
    return START_MS + round(minute * MS_PER_MIN)


class Log:
    """Writes a log as it would be written at the bedside: everything recorded when it happened."""

    def __init__(self, identifier: str = "bottemanne2021-iv", **changes: Any) -> None:
        self.protocol = replace(protocol(identifier), **changes) if changes else protocol(identifier)
        self.entries: list[ev.Entry] = []
        opening = ev.LogOpened(
            participant="P-001", protocol_id=self.protocol.id, protocol_digest="sha256:0", engine_version="test"
        )
        self.at(-1440, opening, session="", actor="coordinator-1", role="coordinator")

    def at(self, minute: float, event: ev.Event, **envelope: Any) -> str:
        """Append an event; returns the id of its entry. `recorded` is a minute too."""
        recorded = envelope.pop("recorded", minute)
        seq = len(self.entries) + 1
        wall = OPENED + dt.timedelta(milliseconds=ms(minute))
        values = {
            "seq": seq, "id": f"e{seq}", "occurred_ms": ms(minute), "recorded_ms": ms(recorded), "actor": "nurse-1",
            "session": "s1", "device": "tablet-1", "wall_clock": wall.isoformat(), "local_date": str(wall.date()),
        }  # fmt: skip
        entry = ev.Entry(**{**values, **envelope}, event=event)
        self.entries.append(entry)
        return entry.id

    def every(self, minutes, events, **envelope):
        for minute, event in zip(minutes, events, strict=True):
            self.at(minute, event, **envelope)

    def felt(self, *pairs: tuple[float, float]) -> list[str]:
        return [self.at(minute, ev.FeltEffectRated(value=value)) for minute, value in pairs]

    def suds(self, *pairs: tuple[float, int]) -> list[str]:
        return [self.at(minute, ev.SudsRated(value=value)) for minute, value in pairs]

    def vitals(self, minute: float, systolic=120, diastolic=80, heart=75, spo2=98.0, **envelope: Any) -> str:
        event = ev.VitalsTaken(
            systolic_mmhg=systolic, diastolic_mmhg=diastolic, heart_rate_per_min=heart, spo2_pct=spo2
        )
        return self.at(minute, event, **envelope)

    def scale(self, minute: float, instrument: str, answers: dict[str, float | None], **envelope: Any) -> str:
        event = ev.ScaleAnswered(instrument=instrument, version="test", answers=answers, rated_by="rater")
        return self.at(minute, event, **envelope)

    def cssrs(self, minute: float, *, level: int = 0, behaviour: int = 0, **envelope: Any) -> str:
        answers = {f"ideation_{n}": float(n <= level) for n in range(1, 6)}
        return self.scale(minute, "cssrs_screener", answers | {"behaviour_3_months": float(behaviour)}, **envelope)

    def bprs(self, minute: float, suspiciousness: float = 1, **envelope: Any) -> str:
        answers = {"suspiciousness": suspiciousness, "hallucinations": 1, "thought_content": 1, "disorganisation": 1}
        return self.scale(minute, "bprs_plus4", answers, **envelope)

    def in_order(self) -> Log:
        """As it would have been written down: in the order in which it happened."""
        ordered = sorted(self.entries, key=lambda entry: entry.recorded_ms)
        self.entries = [replace(entry, seq=seq) for seq, entry in enumerate(ordered, start=1)]
        return self

    def correct(self, minute: float, entry: str, **what: Any) -> str:
        return self.at(minute, ev.Corrected(entry=entry, reason="written down wrongly", **what))

    @property
    def state(self):
        return fold(self.protocol, self.entries)

    def view(self, minute: float, session: str = "s1"):
        return view_of(self.protocol, self.state, self.state.session(session), ms(minute))

    def advice(self, minute: float, rule: str | None = None):
        found = advise(self.protocol, self.state, ms(minute))
        return [a for a in found if rule is None or a.rule_id == rule]

    def status(self, minute: float):
        return status(self.protocol, self.state, ms(minute))


def prepared(identifier: str = "bottemanne2021-iv", until: float = 0, **changes: Any) -> Log:
    """Everything of the ready gate is there (as far as it was by minute `until`); nobody has started."""
    log = Log(identifier, **changes)
    for criterion in log.protocol.criteria:
        if criterion.active:
            log.at(-1430, ev.EligibilityItem(criterion=criterion.id, met=True), session="", role="prescriber")
    for item, suds in (("door-handle", 50), ("taboo-thought", 80)):
        log.at(-1400, ev.HierarchyItem(item=item, trigger=item, theme="contamination", suds=suds), session="")
    log.scale(-1300, "ybocs", {f"i{n}": 2.0 for n in range(1, 11)}, session="", actor="rater-1", role="blind_rater")
    log.at(-60, ev.SessionOpened(plan="dosing"))
    log.at(-60, ev.ConsentChecked(version="3", confirmed=True), actor="coordinator-1", role="coordinator")
    log.at(-58, ev.PregnancyTest(result=ev.TestResult.NEGATIVE))
    log.at(-57, ev.ToxicologyTest(result=ev.TestResult.NEGATIVE))
    log.at(-56, ev.FastingCheck(kept=True, food_h=8, fluids_h=3))
    log.at(-55, ev.EscortCheck(arranged=True))
    for item in ("plan_agreed", "props_present", "emergency_equipment"):
        log.at(-54, ev.ChecklistItem(item=item, done=True), actor="therapist-1", role="therapist")
    log.vitals(-50)
    log.vitals(-44)
    log.at(-43, ev.Weighed(weight_kg=70))
    dose = {"volume_ml": 35, "rate_ml_per_h": 52.5, "duration_min": 40}
    dose |= {} if log.protocol.blinded else {"weight_kg": 70, "dose_mg": 35}
    nasal = log.protocol.dose is not None and log.protocol.dose.device_mg is not None
    dose_id = log.at(-42, ev.DoseComputed(**({"devices": 2, "dose_mg": 56} if nasal else dose)), actor="pharmacist-1")
    verified = ev.DoseVerified(agrees=True, computed=dose_id)
    log.at(-40, verified, actor="pharmacist-1", role="pharmacist")
    log.at(-39, verified, actor="nurse-1", role="nurse")
    log.bprs(-38)
    log.cssrs(-37)
    log.felt((-20, 0), (-10, 0))
    log.suds((-15, 20))
    log.at(-5, ev.TimeOut(people=("nurse-1", "therapist-1", "prescriber-1"), confirmed=True))
    log.at(-3, ev.ReadyConfirmed())
    log.entries = [entry for entry in log.entries if entry.occurred_ms <= ms(until)]
    return log


def started(identifier: str = "bottemanne2021-iv", **changes: Any) -> Log:
    """An infusion (or the first spray) at minute 0 and exposure at minute 1."""
    log = prepared(identifier, **changes)
    if log.protocol.dose is not None and log.protocol.dose.device_mg is not None:
        log.at(0, ev.DeviceGiven(number=1, dose_mg=28))
    else:
        log.at(0, ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=52.5))
    log.at(1, ev.ExposureStarted(block="b1", item="door-handle", modality=ev.Modality.OBJECT))
    return log


def end_infusion(log: Log, minute: float = 40) -> str:
    return log.at(minute, ev.AdministrationEnded(volume_given_ml=35))


# --- random logs ---

PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "block": st.sampled_from(["b1", "b2"]),
    "item": st.sampled_from(["door-handle", "taboo-thought", "plan_agreed"]),
    "plan": st.sampled_from(["dosing", "repeat_off_drug", "metacognitive", "none-such"]),
    "visit": st.sampled_from(["day1_call", "day7", "baseline", "none-such"]),
    "criterion": st.sampled_from(["severity", "psychosis", "gait", "orientation", "advice", "nausea"]),
    "code": st.sampled_from(["chest_pain", "nausea", "persecutory_idea", "headache"]),
    "instrument": st.sampled_from(["ybocs", "cssrs_screener", "bprs_plus4", "suds", "felt_effect", "ocd_vas"]),
    "answers": st.dictionaries(
        st.sampled_from(["ideation_4", "ideation_2", "behaviour_3_months", "suspiciousness"]),
        st.none() | st.sampled_from([0.0, 1.0, 4.0]),
    ),
    "entry": st.integers(1, 60).map(lambda n: f"e{n}"),
    "rating": st.integers(1, 60).map(lambda n: f"e{n}"),
    "adverse_event": st.integers(30, 60).map(lambda n: f"e{n}"),
    "advice": st.sampled_from(["bp_warn|s1|e40", "psychosis|s1|e41"]),
    "occurred_ms": st.none() | st.integers(-30, 130).map(ms),
    "through_seq": st.integers(0, 60),
}  # fmt: skip
SCALES = {
    "heart_rate_per_min": (40, 140),
    "systolic_mmhg": (100, 200),
    "diastolic_mmhg": (60, 120),
    "spo2_pct": (85, 100),
}


def of_kind(kind: Kind, name: str = "") -> st.SearchStrategy[Any]:
    """Values of one kind: what the codec allows, kept plausible where the engine looks at them."""
    if name in PLAUSIBLE:
        return PLAUSIBLE[name]
    match kind:
        case Maybe(inner):
            return st.none() | of_kind(inner, name)
        case Number(whole, limit):
            low, high = SCALES.get(name, (limit.low, limit.high))
            return (
                st.integers(int(low), int(high))
                if whole
                else st.floats(low, high, width=32).filter(lambda v: low <= v <= high)
            )
        case Text(length, shape):
            least = max(length.least, 0)
            return st.just(shape.example) if shape else st.text("abc é", min_size=least, max_size=6)
        case Choice(of):
            return st.sampled_from(list(of))
        case Many(item, length):
            return st.lists(of_kind(item), min_size=length.least, max_size=3).map(tuple)
        case Table(value):
            return st.dictionaries(st.text("ab", min_size=1, max_size=2), of_kind(value), max_size=2)
        case Flag():
            return st.booleans()
        case Nested():
            return st.one_of(event_of(ev.SudsRated), event_of(ev.VitalsTaken), event_of(ev.AdministrationStarted))
    raise AssertionError(kind)


def event_of(cls: type[ev.Event]) -> st.SearchStrategy[ev.Event]:
    """Events of one type, every field filled within what the codec allows."""
    fields = {name: of_kind(spec.kind, name) for name, spec in fields_of(cls).items()}
    return st.builds(cls, **fields)


GENERATED = {name: event_of(cls) for name, cls in ev.EVENT_TYPES.items()}
UNKNOWN = st.builds(
    ev.UnknownEvent,
    name=st.sampled_from(["heart_rate_variability", "pupil"]),
    raw=st.fixed_dictionaries({"value": st.floats(0, 1), "list": st.lists(st.integers(0, 3), max_size=2)}),
)
# the session's own course is drawn more often than what is rare
COMMON = [
    "suds",
    "urge",
    "felt_effect",
    "vitals",
    "sedation",
    "ritual",
    "exposure_start",
    "exposure_step",
    "exposure_end",
]
COMMON += ["exposure_stop", "taper_step", "drug_hold", "drug_resume", "drug_stop", "administration_end", "correction"]
RARE = [name for name in GENERATED if name not in {*COMMON, "log_opened"}]
EVENTS = st.one_of(
    st.sampled_from(COMMON).flatmap(GENERATED.get), st.sampled_from(RARE).flatmap(GENERATED.get), UNKNOWN
)


@st.composite
def logs(draw, identifier: str = "bottemanne2021-iv", most: int = 30, begin=started) -> Log:
    """A session that began as planned and went on in any way; late, queued, repeated and from several devices."""
    log = begin(identifier)
    minute = 1.0
    for event in draw(st.lists(EVENTS, max_size=most)):
        minute += draw(st.sampled_from([0, 0.1, 1, 3, 5, 12]))
        lag = draw(st.sampled_from([0, 0, 0, 0.05, 4, 20]))
        session = draw(st.sampled_from(["s1"] * 8 + ["", "s2"]))
        who = draw(st.sampled_from([("nurse-1", "nurse"), ("therapist-1", "therapist"), ("rater-1", "blind_rater")]))
        log.at(
            minute - lag, event, recorded=minute, session=session, actor=who[0], role=who[1],
            device=draw(st.sampled_from(["tablet-1", "tablet-2"])), queued=draw(st.booleans()),
            clock_offset_ms=draw(st.sampled_from([0, 0, 5000])),
        )  # fmt: skip
    return log


def as_json(data: Any) -> str:
    return json.dumps(data, sort_keys=True, allow_nan=False)
