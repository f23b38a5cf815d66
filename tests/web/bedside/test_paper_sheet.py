"""The paper sheet: the same codes, read line by line, every entry marked as late and none back-dated."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

from kerp.base.errors import KerpError
from kerp.session import events as ev
from kerp.web.bedside.paper import read_sheet
from kerp.web.models import Entry

sys.path.insert(0, str(Path(__file__).parent))
from bench import Device, append

pytestmark = pytest.mark.both_engines


@pytest.fixture
def nurse(signed_in, team):
    append(team, ev.SessionOpened(plan="dosing"), role="nurse", session="dosing-1")
    team.log.__class__.objects.filter(id=team.log.id).update(clock_speed=100_000)
    device = Device(signed_in("nurse"), team.log)
    device.post(ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=54))
    return device


def page(device, what=""):
    return f"/bedside/{device.log.id}/{device.session}/paper/{what}"


def test_a_line_is_its_minute_and_its_codes():
    found = read_sheet("12 S60 U40 F3\n0:20 BP 128/82 HR 74 O 97 M5\n25 RM XS\n31,5 STOP")
    assert [(one.minute, type(one.event).__name__) for one in found] == [
        (12, "SudsRated"), (12, "UrgeRated"), (12, "FeltEffectRated"), (20, "SedationRated"), (20, "VitalsTaken"),
        (25, "RitualSeen"), (25, "RatingMissed"), (31.5, "PatientStop"),
    ]  # fmt: skip
    vitals = found[4].event
    assert (vitals.systolic_mmhg, vitals.diastolic_mmhg, vitals.heart_rate_per_min, vitals.spo2_pct) == (
        128,
        82,
        74,
        97,
    )


@pytest.mark.parametrize(
    "bad", ["S60", "12 S160", "12 F11", "12 Q3", "12 S6x", "", "12", "99999 S1", "12 M7", "12 S60.5"]
)
def test_a_sheet_that_cannot_be_read_names_its_lines_and_writes_nothing(nurse, bad):
    with pytest.raises(KerpError):
        read_sheet(bad)
    head = Entry.objects.count()
    fields = {"entry_id": str(uuid.uuid4()), "lines": f"1 S20\n{bad}", "reason": "no power", "source": "paper"}
    if bad:
        answer = nurse.client.post(page(nurse, "entry/"), fields)
        assert answer.status_code == 200
        assert "1 S20" in answer.content.decode()
        assert Entry.objects.count() == head


def test_two_readings_of_one_vital_on_one_line_are_asked_for_line_by_line():
    with pytest.raises(KerpError) as refused:
        read_sheet("12 HR74 HR90")
    assert (refused.value.faults[0].line, refused.value.faults[0].found) == (1, "HR90")
    assert len(read_sheet("12 HR74 BP120/80 O97")) == 1


def test_a_sheet_becomes_entries_with_their_minutes_each_marked_as_late_and_is_taken_once(nurse):
    t0 = nurse.status()["session"]["t0_ms"]
    fields = {"entry_id": str(uuid.uuid4()), "lines": "5 S60 U40\n10 S50", "reason": "no power", "source": "memory"}
    for _ in range(2):
        assert nurse.client.post(page(nurse, "entry/"), fields).status_code == 302
    suds = [entry.data() for entry in Entry.objects.filter(kind="suds").order_by("seq")]
    assert [(one["occurred_ms"] - t0, one["event"]["value"]) for one in suds] == [(300_000, 60), (600_000, 50)]
    notes = [entry.data()["event"] for entry in Entry.objects.filter(kind="late_entry")]
    assert len(notes) == 3
    assert all(note["from_memory"] for note in notes)
    assert "late_entry" in {flag["kind"] for flag in nurse.status()["flags"]}


def test_a_minute_that_has_not_come_is_refused(nurse):
    fields = {"entry_id": str(uuid.uuid4()), "lines": "900 S60", "reason": "x", "source": "paper"}
    nurse.log.__class__.objects.filter(id=nurse.log.id).update(clock_speed=1)
    answer = nurse.client.post(page(nurse, "entry/"), fields)
    assert answer.status_code == 200
    assert not Entry.objects.filter(kind="suds").exists()


def test_the_sheet_to_print_names_the_protocols_minutes_and_the_same_codes(nurse):
    text = nurse.client.get(page(nurse)).content.decode()
    assert "SUDS 0-100" in text
    for minute in ('<td class="number">5</td>', '<td class="number">40</td>'):
        assert minute in text
