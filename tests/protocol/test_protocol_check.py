"""What a clinician would object to: each planted defect is found, and the shipped protocols have none."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.evidence.sourced import Mark, Sourced
from kerp.protocol.check import CHECKS, check_file, objections
from kerp.protocol.load import load_protocol, protocol_ids
from kerp.protocol.vocabulary import RULE_KINDS

_spec = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
planted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(planted)

DEFECTS = [("bottemanne2021-iv", *row) for row in planted.IV]
DEFECTS += [("bottemanne2021-nasal", *row) for row in planted.NASAL]
DEFECTS += [("midazolam-erp", *row) for row in planted.BLINDED]


@pytest.mark.parametrize("identifier", protocol_ids())
def test_a_shipped_protocol_has_no_fault(identifier):
    assert [str(fault) for fault in check_file(identifier)] == []


@pytest.mark.parametrize(("base", "name", "plant", "field", "words"), DEFECTS, ids=[row[1] for row in DEFECTS])
def test_a_planted_defect_is_found(base, name, plant, field, words):
    found = objections(plant(load_protocol(base).protocol))
    matching = [fault for fault in found if fault.field == field and words in fault.message]
    assert matching, f"{name}: expected {words!r} at {field}, got\n" + "\n".join(map(str, found))
    assert all(fault.ways_out or fault.allowed for fault in matching), "an objection offers a way out"


def test_every_check_is_proved_by_a_planted_defect():
    """Meta-test: a check without a defect that it finds is no check."""
    proved = set()
    for base, _, plant, _, _ in DEFECTS:
        protocol = plant(load_protocol(base).protocol)
        proved |= {check.__name__ for check in CHECKS if any(True for _ in check(protocol))}
    assert {check.__name__ for check in CHECKS} - proved == set()


def test_all_objections_come_at_once(iv):
    protocol = planted.limit(planted.visit(iv, "day1_call", mandatory=False), "bp_warn", sbp_mmhg=190)
    protocol = planted.dose(protocol, max_dose_mg=planted.val(1000, "mg"))
    assert {fault.field for fault in objections(protocol)} == {
        "visits",
        "rules.bp_warn.thresholds.sbp_mmhg",
        "dose.max_dose_mg",
    }


def test_an_objection_names_the_file_and_line_of_the_variant(variant):
    path = variant('[[visits]]\nid = "day7"\nwindow_before_days = 1\n')
    (fault,) = check_file(path)
    assert fault.field == "visits.day7.assessments.ybocs"
    assert fault.where.endswith("bottemanne2021-iv.toml")
    path = variant('[[visits]]\nid = "day14"\nwindow_before_days = 7\n')
    fault = next(fault for fault in check_file(path) if "cross" in fault.message)
    assert (fault.where, fault.line) == (str(path), 6)


def test_a_file_that_is_no_protocol_gives_its_faults_of_form(variant):
    assert [fault.field for fault in check_file(variant("colour = 1\n"))] == ["colour"]


def test_the_y_bocs_is_valid_on_day_seven_and_on_the_morning_of_the_dose(iv):
    """M1 and DESIGN decision 5: before the dose on the same day, or seven study days after it."""
    for visit, day in (("day7", 7), ("baseline", 0)):
        found = objections(planted.visit(iv, visit, day=day, window_before_days=0, window_after_days=0))
        assert not [fault for fault in found if "less than that after a dose" in fault.message]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 5))
def test_a_y_bocs_visit_is_accepted_exactly_when_its_window_begins_a_week_after_the_dose(day, before):
    protocol = load_protocol("bottemanne2021-iv").protocol
    protocol = planted.visit(protocol, "day7", day=day, window_before_days=before, window_after_days=0)
    clash = [fault for fault in objections(protocol) if fault.field == "visits.day7.assessments.ybocs"]
    first_days_after = [d for d in range(day - before, day + 1) if d > 0]
    assert bool(clash) == any(d < 7 for d in first_days_after)


@settings(max_examples=40, deadline=None)
@given(st.floats(60, 250), st.floats(60, 250))
def test_a_warning_is_accepted_exactly_when_it_comes_before_its_stop(warn, stop):
    protocol = load_protocol("bottemanne2021-iv").protocol
    protocol = planted.limit(planted.limit(protocol, "bp_warn", sbp_mmhg=warn), "bp_stop", sbp_mmhg=stop)
    found = [fault for fault in objections(protocol) if fault.field == "rules.bp_warn.thresholds.sbp_mmhg"]
    assert bool(found) == (warn >= stop)


def test_every_rule_kind_stands_in_a_shipped_protocol():
    used = {rule.kind for identifier in protocol_ids() for rule in load_protocol(identifier).protocol.rules}
    assert used == set(RULE_KINDS)


def test_a_document_of_the_site_is_a_source_and_an_empty_name_is_not(iv):
    for source, good in (("site: SOP 12", True), ("site: ", False)):
        value = Sourced(value=90, unit="%", source=source, mark=Mark.READ)
        rules = tuple(replace(r, thresholds={"spo2_pct": value}) if r.id == "spo2_stop" else r for r in iv.rules)
        assert (objections(replace(iv, rules=rules)) == ()) is good
