"""Simulated people say which arm they think it was, where the protocol asks: as an entry like any other."""

import numpy as np
import pytest

from kerp.analysis.blinding import Guess, bang_by_arm
from kerp.protocol.load import load_protocol
from kerp.records.logfile import lines, read_log_bytes
from kerp.records.replay import replay
from kerp.records.tables.registry import TABLES
from kerp.records.tables.write import read_tables
from kerp.session.events import ArmGuess, Guesser, ScaleAnswered
from kerp.simulate.course import beliefs_about, simulate_course
from kerp.simulate.guesses import Guesses
from kerp.simulate.traits import guess_numbers
from kerp.trial.load import load_planning

PEOPLE = 2000


@pytest.fixture(scope="module")
def blinded():
    return simulate_course(load_protocol("midazolam-erp"), 3)


def said(active: bool, by: Guesser) -> list[str]:
    numbers = guess_numbers()
    people = (Guesses(numbers, np.random.default_rng(k), active=active) for k in range(PEOPLE))
    return [one.asked(by).guess for one in people]


def test_everybody_is_asked_when_the_protocol_asks_and_writes_their_own_guess(blinded) -> None:
    found = [(e.event.by, e.event.visit, e.session, e.role) for e in blinded.entries if isinstance(e.event, ArmGuess)]
    assert sorted(found) == [
        ("participant", "", "dosing", "participant"),
        ("participant", "day7", "", "participant"),
        ("rater", "day7", "", "blind_rater"),
        ("therapist", "", "dosing", "therapist"),
        ("therapist", "day7", "", "therapist"),
    ]
    assert not any(isinstance(e.event, ScaleAnswered) and e.event.instrument == "arm_guess" for e in blinded.entries)


def test_the_guesses_of_a_simulated_log_reach_the_table_and_an_index(blinded) -> None:
    log = read_log_bytes("".join(lines(blinded.entries, blinded.protocol)).encode(), where="p")
    rows = read_tables([replay(log)])["guesses"]
    assert "guesses" in {table.id for table in TABLES}
    assert [row["visit"] for row in rows].count("day7") == 3
    guesses = [
        Guess("midazolam", "midazolam" if row["guess"] == "comparison" else "ketamine", row["by"]) for row in rows
    ]
    (index,) = bang_by_arm(guesses)
    assert index.correct + index.wrong == 5


def test_a_belief_is_kept_and_does_not_change_what_else_happens() -> None:
    drug = load_protocol("midazolam-erp").protocol.dose
    first, again = beliefs_about(5, drug), beliefs_about(5, drug)
    for by in (Guesser.PARTICIPANT, Guesser.THERAPIST, Guesser.RATER):
        assert first.asked(by).guess == first.asked(by, "day7").guess == again.asked(by).guess
    assert beliefs_about(6, None).asked(Guesser.RATER).guess in {"active", "comparison", "unknown"}


@pytest.mark.parametrize("by", [Guesser.PARTICIPANT, Guesser.THERAPIST, Guesser.RATER])
@pytest.mark.parametrize("active", [True, False])
def test_shares_of_guesses_are_those_of_the_data(by: Guesser, active: bool) -> None:
    numbers, words = guess_numbers(), said(active, by)
    stated = numbers[f"{by}_active_given_{'active' if active else 'comparison'}"].value
    unsure = numbers["unsure_chance"].value
    for word, share in (("active", stated * (1 - unsure)), ("unknown", unsure)):
        error = (share * (1 - share) / PEOPLE) ** 0.5
        assert words.count(word) / PEOPLE == pytest.approx(share, abs=4 * error)


def test_the_participants_chances_are_those_a_trial_is_planned_with() -> None:
    numbers, planning = guess_numbers(), load_planning("ybocs-ocd")
    assert numbers["participant_active_given_active"].value == planning.believes_active_given_active.value
    assert numbers["participant_active_given_comparison"].value == planning.believes_active_given_control.value
    assert all(number.mark == "assumed" for number in numbers.values())
