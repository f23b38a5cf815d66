"""What a clinician would object to: each planted defect is found, and the shipped protocols have none."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.errors import KerpError
from kerp.evidence.sourced import Mark, Sourced
from kerp.protocol.check import CHECKS, check_file, examine, objections
from kerp.protocol.load import load_protocol, protocol_ids
from kerp.protocol.model import Fact
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
    assert (fault.where, fault.line) == (str(path), 5)  # the record it changed, not the shipped file it cannot mend
    path = variant('[[visits]]\nid = "day14"\nwindow_before_days = 7\n')
    fault = next(fault for fault in check_file(path) if "cross" in fault.message)
    assert (fault.where, fault.line) == (str(path), 6)


SLIPS = """
[[remove]]
path = "visits.day4_call"
reason = "no such call"
[dose]
max_dose_mg = { value = 86, unit = "mg", source = "PAPER P27", mark = "read" }
colour = "blue"
[[sessions]]
id = "dosing"
[[sessions.phases]]
id = "extra"
title = "Extra"
enters_on = "session_opened"
proposes = "nothing"
text = "t"
[[sessions.prompts]]
id = "never"
instrument = "bdi"
title = "Never"
asked_by = "participant"
anchor = "administration_start"
every_min = 5
from_min = 60
to_min = 20
[[visits]]
id = "day7"
window_before_days = 1
[stopping_rules]
version = "1"
signed_by = "Dr A."
signed_on = 2026-10-01
[[stopping_rules.rules]]
id = "bp_stop"
[stopping_rules.rules.thresholds]
sbp_mmhg = 170
dbp_mmhg = { value = 110, unit = "mmHg", source = "", mark = "assumed" }
"""
SLIP_FIELDS = {
    "remove.0",
    "dose.max_dose_mg",
    "dose.colour",
    "sessions.dosing.phases.preparation",
    "sessions.dosing.prompts.never",
    "sessions.dosing.prompts.never.source",
    "sessions.dosing.prompts.never.mark",
    "visits.day7.assessments.ybocs",
    "rules.bp_stop.thresholds.sbp_mmhg",
    "rules.bp_stop.thresholds.dbp_mmhg.source",
}


def test_a_threshold_without_source_hides_none_of_the_other_faults(variant):
    """Faults of layers, of form and of content in one go, each at a line of the site's own file."""
    path = variant(SLIPS, base="bottemanne2021-nasal")
    found = examine(path)
    assert {fault.field for fault in found.faults} == SLIP_FIELDS
    assert {fault.where for fault in found.faults} == {str(path)}
    assert [fault.line for fault in found.faults] == sorted(fault.line for fault in found.faults)
    assert found.complete
    with pytest.raises(KerpError) as refused:
        load_protocol(path)
    assert {fault.field for fault in refused.value.faults} < SLIP_FIELDS


def test_faults_of_content_come_with_a_signature_that_does_not_fit(variant):
    signed = '[stopping_rules]\nversion = "1"\nsigned_by = "Dr A."\nsigned_on = "2026-10-01"\n'
    found = examine(variant('[[visits]]\nid = "day7"\nwindow_before_days = 1\n' + signed))
    assert {fault.field for fault in found.faults} == {"stopping_rules.digest", "visits.day7.assessments.ybocs"}


@pytest.mark.parametrize("number", ["-5", "nan", "1e30"])
def test_a_number_that_cannot_be_used_makes_the_rest_wait_and_that_is_said(variant, number):
    path = variant(
        f'[dose]\nduration_min = {{ value = {number}, unit = "min", source = "kerp", mark = "assumed" }}\n'
        '[[visits]]\nid = "day7"\nwindow_before_days = 1\n'
    )
    found = examine(path)
    assert [fault.field for fault in found.faults] == ["dose.duration_min.value"]
    assert not found.complete


def test_one_phase_out_of_its_place_is_one_fault_and_its_prompts_are_none(iv):
    misplaced = planted.with_phase(iv, Fact.SESSION_OPENED)
    (fault,) = objections(misplaced)
    assert all(repr(phase.id) in fault.message for phase in iv.session("dosing").phases[1:])


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
