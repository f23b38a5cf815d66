"""The allocation file: for who may know, after the lock or with a reason, and read by `kerp analyse` as it is."""

from __future__ import annotations

import csv
import io
import uuid

import pytest
from django.urls import reverse

from kerp.allocation.release import Register, Release, Replace
from kerp.analysis.tables import read_tables
from kerp.records.logfile import read_log
from kerp.records.replay import replay
from kerp.records.tables.write import write_tables
from kerp.session import events as ev
from kerp.web.actions import participants, record
from kerp.web.models import AuditEvent
from kerp.web.office.allocated import lock_of
from kerp.web.office.export import log_text
from kerp.web.vault import store

PASSWORD = "a long sentence for tests"


def prove(browser):
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser


def export(browser, **more):
    return browser.post(reverse("export_allocation", args=["kerp-b"]), {"reason": "analysis of record"} | more)


def lock(signed_in):
    return prove(signed_in("data_manager")).post(
        reverse("lock_data", args=["kerp-b"]), {"reason": "queries closed", "sure": "on"}
    )


@pytest.fixture
def three(blinded):
    """Three allocated participants; B1-002 had a spoilt kit replaced; B1-009 was never randomised."""
    for number, code in enumerate(("B1-002", "B1-003"), start=1):
        participants.register(study=blinded.study, site=blinded.site, code=code, actor=blinded["coordinator"])
        at = 1_790_000_000_000 + number * 1000
        stratum = ("lyo",) if number == 1 else ("par",)
        store.perform(
            "kerp-b", Register(subject=code, stratum=stratum, eligibility_signed=True, by="coordinator", at_ms=at)
        )
        store.perform("kerp-b", Release(subject=code, by="pharmacist", at_ms=at + 1))
    kit = dict(store.state("kerp-b").kits)["B1-002"]
    store.perform("kerp-b", Replace(subject="B1-002", spoilt_kit=kit, by="pharmacist", at_ms=1_790_000_900_000))
    return blinded


def test_the_file_holds_participant_arm_stratum_place_and_day(signed_in, three):
    answer = export(prove(signed_in("statistician")), early="on")
    assert answer["Content-Disposition"] == 'attachment; filename="kerp-b-allocation.csv"'
    rows = {row["participant"]: row for row in csv.DictReader(io.StringIO(answer.content.decode()))}
    assert list(rows) == ["B1-001", "B1-002", "B1-003"]
    arms = store.arms_for_unblinded("kerp-b")[0]
    assert {code: row["arm"] for code, row in rows.items()} == arms
    assert [row["stratum"] for row in rows.values()] == ["par", "lyo", "par"]
    assert [row["sequence"] for row in rows.values()] == ["1", "1", "2"]  # a replaced kit moves nobody in the list
    assert rows["B1-002"]["date"] == "2026-09-21"


def test_before_the_lock_it_needs_a_reason_and_an_explicit_word(signed_in, three):
    browser = prove(signed_in("statistician"))
    assert export(browser).context["form"].errors["early"]
    assert export(browser, reason="x", early="on").context["form"].errors["reason"]
    assert not AuditEvent.objects.filter(act="allocation.exported").exists()
    assert export(browser, early="on").status_code == 200
    event = AuditEvent.objects.get(act="allocation.exported")
    assert (event.actor, event.reason, '"after_lock":false' in event.details) == (
        "statistician",
        "analysis of record",
        True,
    )
    assert store.notes("kerp-b", "exported")[0]["by"] == "statistician"


def test_after_the_lock_the_reason_is_enough_and_a_later_entry_breaks_it(signed_in, three):
    assert lock(signed_in).status_code == 302
    assert lock_of(three.study).holds
    browser = prove(signed_in("statistician"))
    assert export(browser).status_code == 200
    assert export(browser)["Content-Type"].startswith("text/csv")
    late = record.Submitted(id=uuid.uuid4(), event=ev.Weighed(weight_kg=70))
    record.append(log_id=three.log.id, actor="nurse", submitted=late)
    assert not lock_of(three.study).holds
    assert "changed after the lock" in browser.get(reverse("export_allocation", args=["kerp-b"])).content.decode()
    assert export(browser).context["form"].errors["early"]


@pytest.mark.parametrize(
    "role", ["data_manager", "monitor", "coordinator", "administrator", "prescriber", "pharmacist"]
)
def test_nobody_else_gets_the_file(signed_in, three, role):
    answer = export(prove(signed_in(role)), early="on")
    assert answer.status_code == 403
    assert b"verum-q7" not in answer.content


def test_a_statistician_who_also_holds_a_blinded_role_does_not_get_it(signed_in, three):
    from kerp.web.actions import people

    people.grant(person=three["statistician"], role="monitor", actor=None)
    assert export(prove(signed_in("statistician")), early="on").status_code == 403


def test_the_analysis_reads_the_exported_file_beside_the_exported_logs(signed_in, three, tmp_path):
    from kerp.web.models import Log

    logs = []
    for code in ("B1-001", "B1-002", "B1-003"):
        file = tmp_path / f"{code}.kerplog"
        log = Log.objects.with_study().get(participant__code=code)
        file.write_text(log_text(log, with_text=False))
        logs.append(replay(read_log(file)))
    folder = tmp_path / "tables"
    write_tables(logs, folder, parquet=False)
    (folder / "allocation.csv").write_bytes(export(prove(signed_in("statistician")), early="on").content)
    tables = read_tables(folder)
    assert dict(tables.arm_of) == store.arms_for_unblinded("kerp-b")[0]
    assert dict(tables.stratum_of) == {"B1-001": "par", "B1-002": "lyo", "B1-003": "par"}
