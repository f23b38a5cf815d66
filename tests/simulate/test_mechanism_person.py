"""The mechanism patient in a session: the same course by both executors, and a whole log through the engine."""

import numpy as np
import pytest

from kerp.base.seeds import Stream, generator
from kerp.drug.events import Doses, infusion
from kerp.learning.registry import model
from kerp.patient.draw import draw
from kerp.patient.record import Patient, of_patients
from kerp.protocol.load import load_protocol
from kerp.protocol.schedule import PlannedDose, PlannedSession, Schedule
from kerp.records.logfile import lines, read_log_bytes
from kerp.records.replay import replay
from kerp.session.events import MetacognitiveSession, ScaleAnswered, SudsRated
from kerp.simulate.course import drawn_traits, simulate_course
from kerp.simulate.mechanism import MechanismPerson, maker
from kerp.simulate.person import Situation
from kerp.simulate.population.compare import Request, walk
from kerp.simulate.population.grid import build
from kerp.simulate.population.outcome import latent
from kerp.simulate.population.process import NONE, Block

SESSIONS = (0.0, 1.0, 2.5)
MINUTE = 1 / 1440


def plain(patient: Patient) -> Patient:
    """Without avoidance: both executors then see the intensity that is set."""
    return Patient(dict(patient.traits) | {"avoidance": 0.0}, patient.parameters)


def stepped(patient, sessions, until):
    """Driven as the session engine drives a person: minute by minute in session, one jump between."""
    core = model("core")
    person = MechanismPerson(
        drawn_traits(1, "iv_infusion"), "kamp2020", generator(1, Stream.MEASUREMENT), patient, core
    )
    dose = infusion(0.5 * patient.traits["weight_kg"], 40.0)
    full = 100.0 * patient.parameters["V0"]
    for start in sessions:
        person.begin_session()
        person.relief(start)
        doses = dose if start == 0 else Doses()
        for minute in range(1, 61):
            person.live(float(minute), Situation(doses, 1.0, "item", full, start + minute * MINUTE))
        person.end_session()
    return person, person.week(until) if person.relief(until) is not None else None


@pytest.mark.parametrize("row", [0, 3, 8])
def test_the_event_driven_and_the_vectorised_executor_agree_on_the_same_patient(row):
    patient = plain(draw(9, 4).patient(row))
    person, week = stepped(patient, SESSIONS, 10.0)
    schedule = Schedule(
        id="same", title="", idea="", claims=(), follow_up_days=10,
        doses=(PlannedDose(day=0.0, agent="ketamine", route="iv_infusion", dose_mg_per_kg=0.5, duration_min=40.0),),
        sessions=tuple(PlannedSession(day=day, minutes=60.0) for day in SESSIONS),
        rating_days=(10.0,),
    )  # fmt: skip
    grid = build(schedule)
    people = of_patients([patient])
    done = walk(
        Request((schedule,), model("core"), processes=NONE), schedule, people, Block(0, 0), grid, (grid.count - 1,)
    )
    for name in ("S", "Q", "X"):
        ours, theirs = float(np.ravel(getattr(person.state, name))[0]), float(getattr(done.track.states, name)[0, 0])
        assert ours == pytest.approx(theirs, abs=3e-4), name
    expected = latent(done.model, done.p, done.track, grid, np.array([10.0]), 7.0)[:, 0, 0].sum()
    assert week == pytest.approx(expected, abs=0.02)


@pytest.fixture(scope="module")
def log():
    resolved = load_protocol("bottemanne2021-iv")
    return resolved, simulate_course(resolved, 5, made=maker(5))


def test_a_mechanism_patient_goes_through_a_whole_course_of_the_engine(log):
    resolved, simulated = log
    raw = "".join(lines(simulated.entries, resolved.protocol)).encode()
    course = replay(read_log_bytes(raw, where="p5"))
    assert course.views[0].discharged
    events = [entry.event for entry in simulated.entries]
    assert sum(isinstance(event, SudsRated) for event in events) > 5
    assert any(isinstance(event, MetacognitiveSession) for event in events)
    assert any(isinstance(event, ScaleAnswered) and event.instrument == "ybocs" for event in events)


def test_the_same_seed_gives_the_same_log_of_a_mechanism_patient():
    resolved = load_protocol("ketamine-alone-iv")
    first, again, other = (simulate_course(resolved, seed, made=maker(seed)).entries for seed in (5, 5, 6))
    assert first == again
    assert other != first


def test_the_person_of_the_log_is_the_patient_of_the_population(log):
    patient = draw(1, 5).patient(0)
    assert log[1].traits.weight_kg == pytest.approx(patient.traits["weight_kg"], abs=0.06)
    assert log[1].traits.ybocs == patient.traits["baseline_ybocs"]


def test_distress_of_a_mechanism_patient_falls_with_exposure_and_some_rituals_get_through():
    patient = plain(draw(9, 4).patient(3))
    person = MechanismPerson(
        drawn_traits(1, "iv_infusion"), "kamp2020", generator(2, Stream.MEASUREMENT), patient, model("core")
    )
    person.begin_session()
    rated, rituals = [], 0
    for minute in range(1, 91):
        person.live(float(minute), Situation(Doses(), 1.0, "item", 70.0, 5 + minute * MINUTE))
        rated.append(person.suds())
        rituals += person.ritual(1.0) is not None
    assert np.mean(rated[:10]) > np.mean(rated[-10:]) + 10
    assert all(value % 5 == 0 for value in rated)
    assert 0 <= rituals < 30
