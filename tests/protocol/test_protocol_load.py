"""A protocol file: every fault of form at once, with its place and the ways out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.errors import KerpError
from kerp.base.tomlfile import parse_toml
from kerp.protocol.load import load_protocol, protocol_ids
from kerp.protocol.model import Fact, Proposal

SHIPPED = {
    "bottemanne2021-iv",
    "bottemanne2021-nasal",
    "rodriguez2016-sequential",
    "ketamine-alone-iv",
    "erp-alone",
    "midazolam-erp",
}
WAY = '{{ value = {}, unit = "{}", source = "kerp", mark = "assumed" }}'


def faults_of(path):
    with pytest.raises(KerpError) as caught:
        load_protocol(path)
    return caught.value.faults


def test_the_six_protocols_are_shipped_and_load():
    assert set(protocol_ids()) == SHIPPED
    for identifier in SHIPPED:
        assert load_protocol(identifier).protocol.id == identifier


def test_the_paper_s_dose_is_half_a_milligram_per_kilogram_over_forty_minutes(iv):
    assert float(iv.dose.dose_mg_per_kg) == 0.5
    assert float(iv.dose.duration_min) == 40
    assert iv.dose.dose_mg_per_kg.source == "PAPER P27"


def test_nasal_doses_are_whole_devices_and_the_printed_86_mg_is_an_erratum(nasal):
    assert [n * float(nasal.dose.device_mg) for n in nasal.dose.devices_allowed] == [28, 56, 84]
    assert "86 mg is printed" in nasal.dose.erratum


def test_exposure_opens_with_administration_and_stops_when_effects_are_gone(iv):
    """PAPER P28-P31."""
    moves = {phase.enters_on: phase.proposes for phase in iv.session("dosing").phases}
    assert moves[Fact.ADMINISTRATION_START] is Proposal.OPEN_EXPOSURE
    assert moves[Fact.EFFECT_ONSET] is Proposal.CONTINUE_EXPOSURE
    assert moves[Fact.EFFECT_PEAK] is Proposal.TAPER
    assert moves[Fact.EFFECT_RESOLVED] is Proposal.STOP_EXPOSURE


def test_the_peak_at_30_to_40_minutes_is_an_expectation_and_moves_nothing(iv):
    """PAPER P30."""
    taper = next(phase for phase in iv.session("dosing").phases if phase.id == "taper")
    assert (taper.expected_from_min, taper.expected_to_min) == (30, 40)
    assert taper.enters_on is Fact.EFFECT_PEAK


def test_metacognitive_sessions_follow_on_later_days(iv):
    """PAPER P33."""
    assert iv.session("metacognitive").kind == "metacognitive"
    assert min(iv.session("metacognitive").days) == 1


def test_ten_hours_of_exposure_in_two_weeks_after_one_infusion():
    """PAPER P11."""
    erp = load_protocol("rodriguez2016-sequential").protocol.session("erp")
    assert len(erp.days) == 10
    assert float(erp.exposure.duration_min) == 60
    assert 0 < min(erp.days) <= max(erp.days) <= 14


def test_the_y_bocs_carries_its_reference_period_for_the_engine(iv):
    use = next(use for use in iv.instruments if use.id == "ybocs")
    assert use.must_not_straddle_dose
    assert use.period_days == 7


def test_an_unknown_protocol_offers_the_nearest_one():
    (fault,) = faults_of("bottemane2021-iv")
    assert "bottemanne2021-iv" in fault.ways_out[0]


def test_all_faults_come_at_once_with_file_line_and_field(variant):
    path = variant(
        "[dose]\n"
        f"duration_min = {WAY.format(-40, 'min')}\n"
        f"max_dose_mg = {WAY.format(60, 'mL')}\n"
        "concentraton = 3\n"
        "dose_mg_per_kg = 0.5\n"
        "[planning]\n"
        'stop_word = "yes"\n'
    )
    found = {fault.field: fault for fault in faults_of(path)}
    assert set(found) == {
        "dose.duration_min.value",
        "dose.max_dose_mg.unit",
        "dose.concentraton",
        "dose.dose_mg_per_kg",
        "planning.stop_word",
    }
    assert all(fault.where == str(path) and fault.line for fault in found.values())
    assert found["dose.duration_min.value"].line == 5
    assert (
        "cannot be" in found["dose.duration_min.value"].message
        or "above zero" in found["dose.duration_min.value"].message
    )
    assert "mL" in found["dose.max_dose_mg.unit"].message
    assert "concentration_mg_per_ml" in found["dose.concentraton"].ways_out[0]
    assert "value = 0.5" in found["dose.dose_mg_per_kg"].ways_out[0]
    assert found["planning.stop_word"].allowed == "true or false"


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e30", "-1", "0"])
def test_a_duration_that_is_no_duration_is_refused(variant, number):
    path = variant(f"[dose]\nduration_min = {WAY.format(number, 'min')}\n")
    assert any(fault.field == "dose.duration_min.value" for fault in faults_of(path))


@pytest.mark.parametrize("text", ["true", '"40"', "[40]"])
def test_what_is_no_number_is_not_taken_for_one(variant, text):
    path = variant(f"[dose]\nduration_min = {WAY.format(text, 'min')}\n")
    assert faults_of(path)[0].field.startswith("dose.duration_min.value")


def test_a_number_without_source_is_refused(variant):
    path = variant('[dose]\nduration_min = { value = 40, unit = "min", mark = "read" }\n')
    (fault,) = faults_of(path)
    assert fault.field == "dose.duration_min.source"


def test_an_unknown_word_offers_the_nearest(variant):
    path = variant('[[discharge]]\nid = "escort"\nkind = "escorts"\n')
    (fault,) = faults_of(path)
    assert fault.ways_out == ("did you mean escort?",)


def test_two_records_of_one_name_are_refused(variant):
    path = variant('[[roles]]\nid = "nurse"\nduties = "a"\n[[roles]]\nid = "nurse"\nduties = "b"\n')
    (fault,) = faults_of(path)
    assert "twice" in fault.message


def test_a_file_that_is_no_protocol_is_refused(tmp_path):
    for name, content in (("a.toml", b""), ("b.toml", b"\xff\xfe"), ("c.toml", b"x = ["), ("d.toml", b'id = "x"')):
        path = tmp_path / name
        path.write_bytes(content)
        assert all(fault.where == str(path) or fault.field for fault in faults_of(path))


def test_a_directory_is_refused(tmp_path):
    assert "directory" in faults_of(tmp_path)[0].message


def test_a_file_of_another_format_version_is_refused(variant):
    (fault,) = faults_of(variant("schema_version = 2\n"))
    assert fault.field == "schema_version"


@settings(max_examples=40, deadline=None)
@given(
    st.floats(allow_nan=True, allow_infinity=True).filter(lambda x: not (math.isfinite(x) and 0 < x <= 1_000_000)),
    st.sampled_from(["duration_min", "max_dose_mg", "dose_mg_per_kg", "concentration_mg_per_ml"]),
)
def test_no_impossible_number_gets_through(number, field):
    from kerp.protocol.shape import findings

    unit = {"duration_min": "min", "max_dose_mg": "mg", "dose_mg_per_kg": "mg/kg"}.get(field, "mg/mL")
    text = "nan" if math.isnan(number) else "inf" if number > 1e308 else "-inf" if number < -1e308 else repr(number)
    data = parse_toml(f"[dose]\n{field} = {WAY.format(text, unit)}", where="planted").data
    assert [finding.path for finding in findings(data)] == [("dose", field, "value")]
