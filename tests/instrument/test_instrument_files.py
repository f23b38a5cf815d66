"""Every instrument file: worked examples, bands, periods, rights."""

from __future__ import annotations

import json

import pytest

from kerp.base.errors import KerpError
from kerp.evidence.references import reference_ids
from kerp.evidence.sourcing import resolves
from kerp.evidence.tables import load_table
from kerp.instrument.load import instrument_ids, load_instrument, read_instrument
from kerp.instrument.model import DoseRule, Method, Wording
from kerp.instrument.score import score

EVERY = instrument_ids()
ASKED_FOR = {
    "ybocs",
    "ybocs2",
    "yboccs",
    "aybocs",
    "ocd_vas",
    "suds",
    "urge",
    "felt_effect",
    "cadss23",
    "cadss6",
    "bprs_plus4",
    "madrs",
    "ymrs1",
    "cssrs_screener",
    "cgi_s",
    "cgi_i",
    "oci_r",
    "docs",
    "babs",
    "moaas",
    "expectancy",
    "arm_guess",
    "vitals",
    "discharge",
    "adverse_events",
    "ritual_log",
}
EXAMPLES = [(identifier, example) for identifier in EVERY for example in load_instrument(identifier).examples]


def test_every_instrument_of_the_protocol_is_there():
    assert set(EVERY) >= ASKED_FOR


@pytest.mark.parametrize(("identifier", "example"), EXAMPLES, ids=[f"{i}-{e.name}" for i, e in EXAMPLES])
def test_a_worked_example_scores_as_worked_out_by_hand(identifier, example):
    result = score(load_instrument(identifier), example.answers)
    assert result.complete
    assert result.total == (pytest.approx(example.total) if example.total is not None else None)
    assert (result.band.id if result.band else "") == example.band
    for name, value in (example.subscale_values or {}).items():
        assert result.subscale(name) == value
    if example.name not in {"minimum", "maximum"}:
        assert tuple(flag.id for flag in result.flags) == example.flags


@pytest.mark.parametrize("identifier", EVERY)
def test_every_instrument_has_a_minimum_a_maximum_and_a_worked_example(identifier):
    instrument = load_instrument(identifier)
    examples = {example.name: example for example in instrument.examples}
    assert set(examples) >= {"minimum", "maximum", "worked"}
    span = instrument.total_range
    if span is None:
        assert instrument.method is Method.NONE
    else:
        assert (examples["minimum"].total, examples["maximum"].total) == span


@pytest.mark.parametrize("identifier", [name for name in EVERY if load_instrument(name).bands])
def test_the_bands_of_a_scale_name_every_possible_total_exactly_once(identifier):
    instrument = load_instrument(identifier)
    low, high = instrument.total_range
    for alternative in (False, True):
        bands = [b for b in instrument.bands if b.alternative is alternative and b.low is not None and not b.all_of]
        if not bands or any(band.any_of for band in instrument.bands):
            continue
        for total in range(int(low), int(high) + 1):
            assert sum(band.low <= total <= band.high for band in bands) == 1, (total, alternative)


@pytest.mark.parametrize("identifier", EVERY)
def test_every_source_of_an_instrument_is_a_reference(identifier):
    instrument = load_instrument(identifier)
    parts = [instrument.period, instrument.missing, *instrument.bands, *instrument.flags, *instrument.markers]
    named = [name for part in parts for name in part.source.split("; ")] + list(instrument.sources)
    assert [name for name in named if not resolves(name, reference_ids())] == []


def test_a_ybocs_speaks_of_seven_days_and_must_not_straddle_a_dose():
    for identifier, days in (("ybocs", 7), ("ybocs2", 7), ("aybocs", 1), ("yboccs", 1 / 24)):
        period = load_instrument(identifier).period
        assert period.must_not_straddle_dose
        assert period.window_days == pytest.approx(days)


def test_a_ybocs_is_valid_seven_study_days_after_a_dose_and_not_six():
    period = load_instrument("ybocs").period
    assert period.straddles(study_days_since_dose=0, minutes_since_dose=230)
    assert period.straddles(study_days_since_dose=6, minutes_since_dose=6 * 1440 + 1200)
    assert not period.straddles(study_days_since_dose=7, minutes_since_dose=7 * 1440 - 300)
    assert not period.straddles(study_days_since_dose=0, minutes_since_dose=-30)


def test_the_challenge_scale_is_valid_sixty_minutes_after_a_dose():
    period = load_instrument("yboccs").period
    assert period.straddles(study_days_since_dose=0, minutes_since_dose=59)
    assert not period.straddles(study_days_since_dose=0, minutes_since_dose=90)


def test_scales_of_the_moment_never_straddle_a_dose():
    for identifier in (
        "suds",
        "urge",
        "felt_effect",
        "ocd_vas",
        "cadss23",
        "cadss6",
        "bprs_plus4",
        "moaas",
        "vitals",
    ):
        period = load_instrument(identifier).period
        assert period.dose_rule is DoseRule.NONE
        assert not period.straddles(study_days_since_dose=0, minutes_since_dose=1)


FACTS = {
    "ybocc": "yboccs",
    "expect": "expectancy",
    "diss_now": "felt_effect",
    "bprs_pos": "bprs_plus4",
    "ocir": "oci_r",
    "cssrs_screen": "cssrs_screener",
    "guess": "arm_guess",
}
SHARED = [row for row in load_table("instrument_facts") if FACTS.get(row["instrument"], row["instrument"]) in EVERY]


@pytest.mark.parametrize("row", SHARED, ids=lambda row: row["instrument"])
def test_an_instrument_agrees_with_the_gathered_facts(row):
    instrument = load_instrument(FACTS.get(row["instrument"], row["instrument"]))
    if row["total_min"] is not None and instrument.total_range is not None:
        assert instrument.total_range == (row["total_min"], row["total_max"])
    if row["total_min"] is not None and row["instrument"] not in {"expect", "guess"}:
        assert len(instrument.items) - (instrument.id == "cssrs_screener") == row["items"]
    expected = Wording.LABELS_ONLY if row["may_ship"] == "labels_only" else Wording.FULL
    # caution where the notes only recall that a scale is free
    assert instrument.rights.wording is expected or instrument.id == "hdrs17"


def broken(tmp_path, text_from: str, *changes: tuple[str, str]):
    from kerp.base.data import path_of

    text = path_of("instruments", text_from).read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path = tmp_path / f"{text_from}.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KerpError) as caught:
        read_instrument(path)
    return caught.value.faults


def test_an_unknown_key_is_named_with_its_line(tmp_path):
    (fault,) = broken(tmp_path, "suds", ('label = "distress now"', 'lable = "x"\nlabel = "distress now"'))
    assert fault.field == "items[0].lable"
    assert fault.line
    assert "suds.toml" in fault.where


def test_two_faults_are_reported_at_once(tmp_path):
    faults = broken(tmp_path, "suds", ('rater = "self"', 'rater = "robot"'), ("max = 100", 'max = "many"'))
    assert {fault.field for fault in faults} == {"rater", "items[0].max"}


def test_a_condition_on_an_item_that_is_not_there_is_refused(tmp_path):
    faults = broken(
        tmp_path, "cssrs_screener", ('skip_if = { item = "ideation_2"', 'skip_if = { item = "ideation_9"')
    )
    assert "ideation_9" in str(faults[0])


def test_an_item_that_stands_there_twice_is_refused(tmp_path):
    faults = broken(
        tmp_path,
        "cgi_s",
        ("[[examples]]", '[[items]]\nid = "severity"\nlabel = "x"\nmin = 0\nmax = 1\n\n[[examples]]'),
    )
    assert any("2 times" in fault.message for fault in faults)


def test_an_unknown_instrument_offers_the_nearest():
    with pytest.raises(KerpError, match="did you mean"):
        load_instrument("ybcos")


def test_an_instrument_becomes_plain_data():
    from kerp.base.digest import plain

    assert json.dumps(plain(load_instrument("ybocs")))
