"""No dose is written that the protocol does not give, whoever agrees to it (M2, M8)."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

from kerp.session import events as ev
from kerp.web.models import Entry

sys.path.insert(0, str(Path(__file__).parent))
from bench import Device, append


@pytest.fixture
def nurse(signed_in, team):
    append(team, ev.SessionOpened(plan="dosing"), role="nurse", session="dosing-1")
    return Device(signed_in("nurse"), team.log)


def test_a_dose_of_860_mg_for_70_kg_is_refused_in_words_and_not_written(nurse):
    right = nurse.get("dose", weight_kg="70", concentration_mg_per_ml="1").json()["event"]
    answer = nurse.post(right | {"dose_mg": 860})
    (outcome,) = answer.json()["outcomes"]
    assert (answer.status_code, outcome["result"]) == (200, "refused")
    (fault,) = outcome["faults"]
    assert (fault["field"], fault["found"], fault["allowed"]) == ("event.dose_mg", "860", "35")
    assert not Entry.objects.filter(kind="dose_computed").exists()
    asked = nurse.send("requests", {"id": str(uuid.uuid4()), "event": right | {"dose_mg": 860}, "device": "tablet-1"})
    assert asked.status_code == 400
    assert not Entry.objects.filter(kind="dose_computed").exists()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"dose_mg": 35.5}, "not what the protocol gives"),
        ({"dose_mg": None}, "not what the protocol gives"),
        ({"volume_ml": 70}, "not what the protocol gives"),
        ({"rate_ml_per_h": 105}, "not what the protocol gives"),
        ({"weight_kg": 140, "dose_mg": 70, "volume_ml": 70, "rate_ml_per_h": 105}, "above the largest dose"),
        ({"weight_kg": None}, "there is none"),
    ],
)
def test_every_number_of_a_dose_is_held_against_the_rule(nurse, wrong, word):
    right = nurse.get("dose", weight_kg="70", concentration_mg_per_ml="1").json()["event"]
    answer = nurse.post(right | wrong, ev.SudsRated(value=10))
    refused, kept = answer.json()["outcomes"]
    assert word in refused["faults"][0]["message"]
    assert (answer.status_code, refused["result"], kept["result"]) == (200, "refused", "stored")


def test_the_computed_dose_is_kept_and_may_be_sent_twice_but_not_corrected_into_a_wrong_one(nurse):
    right = nurse.get("dose", weight_kg="72.5", concentration_mg_per_ml="1").json()["event"]
    same = {0: uuid.uuid4()}
    results = [nurse.post(right, ids=same, occurred=5_000).json()["outcomes"][0]["result"] for _ in range(2)]
    assert results == ["stored", "known"]
    wrong = {
        "type": "correction",
        "entry": str(same[0]),
        "reason": "typed wrong",
        "replacement": right | {"dose_mg": 60},
    }
    answer = nurse.post(wrong)
    assert (answer.status_code, answer.json()["outcomes"][0]["result"]) == (200, "refused")


def test_in_a_blinded_study_volume_rate_and_kit_are_those_of_the_kit(signed_in, blinded):
    append(blinded, ev.SessionOpened(plan="dosing"), role="nurse", session="dosing-1")
    nurse = Device(signed_in("nurse"), blinded.log)
    right = nurse.get("dose").json()["event"]
    for wrong in ({"volume_ml": 49}, {"rate_ml_per_h": 750}, {"rate_ml_per_h": None}, {"kit": "K000"}):
        answer = nurse.post(right | wrong)
        assert (answer.status_code, answer.json()["outcomes"][0]["result"]) == (200, "refused"), wrong
        assert "mg" not in answer.content.decode()
    assert nurse.post(right).json()["outcomes"][0]["result"] == "stored"
