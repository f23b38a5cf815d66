"""Response, remission, relapse: by their definitions, three-valued, never across instruments (M14)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.errors import KerpError
from kerp.evidence.references import reference_ids
from kerp.instrument.load import load_instrument
from kerp.instrument.outcome import Course, Reading, evaluate, reading
from kerp.instrument.outcome_load import load_outcome, outcome_ids, read_outcome
from kerp.instrument.score import score

VERSION = load_instrument("ybocs").version


def ybocs(total):
    return Reading(instrument="ybocs", version=VERSION, total=total)


def verdicts(identifier, baseline, now, **known):
    course = Course(baseline=ybocs(baseline), now=ybocs(now), **known)
    return {verdict.criterion: verdict for verdict in evaluate(load_outcome(identifier), course)}


def met(identifier, baseline, now, **known):
    return {name: verdict.met for name, verdict in verdicts(identifier, baseline, now, **known).items()}


def test_the_consensus_stands_first():
    assert outcome_ids()[0] == "mataixcols2016"


@pytest.mark.parametrize("identifier", outcome_ids())
def test_every_verdict_carries_the_words_and_the_source_of_its_definition(identifier):
    for verdict in verdicts(identifier, 26, 13).values():
        assert len(verdict.definition) > 15
        assert set(verdict.source.split("; ")) <= set(reference_ids())


def test_full_response_needs_35_percent_and_a_cgi_of_2_for_a_week():
    known = {"cgi_i": 2, "held_days": 7}
    assert met("mataixcols2016", 20, 13, **known)["response"] is True  # exactly 35 %
    assert met("mataixcols2016", 20, 14, **known)["response"] is False  # 30 %
    assert met("mataixcols2016", 20, 13, cgi_i=3, held_days=7)["response"] is False
    assert met("mataixcols2016", 20, 13, cgi_i=2, held_days=6)["response"] is False


def test_a_missing_cgi_cannot_be_determined_and_is_named():
    verdict = verdicts("mataixcols2016", 20, 10, held_days=7)["response"]
    assert verdict.met is None
    assert verdict.words == "cannot be determined"
    assert verdict.unknown == ("CGI-I",)


def test_a_missing_cgi_does_not_matter_when_the_fall_is_too_small():
    assert met("mataixcols2016", 20, 19)["response"] is False


def test_partial_response_lies_between_25_and_35_percent_with_cgi_of_3():
    known = {"cgi_i": 3, "held_days": 7}
    assert met("mataixcols2016", 20, 15, **known)["partial_response"] is True
    assert met("mataixcols2016", 20, 13, **known)["partial_response"] is False
    assert met("mataixcols2016", 20, 16, **known)["partial_response"] is False
    assert met("mataixcols2016", 20, 15, cgi_i=2, held_days=7)["partial_response"] is False


def test_remission_needs_12_or_less_with_cgi_s_of_2_or_no_diagnosis():
    assert met("mataixcols2016", 26, 12, cgi_s=2, held_days=7)["remission"] is True
    assert met("mataixcols2016", 26, 13, cgi_s=2, held_days=7, no_diagnosis=False)["remission"] is False
    assert met("mataixcols2016", 26, 13, cgi_s=2, held_days=7)["remission"] is None
    assert met("mataixcols2016", 26, 20, cgi_s=4, held_days=7, no_diagnosis=True)["remission"] is True


def test_recovery_is_remission_for_a_year():
    assert met("mataixcols2016", 26, 10, cgi_s=1, held_days=364)["recovery"] is False
    assert met("mataixcols2016", 26, 10, cgi_s=1, held_days=365)["recovery"] is True


def test_relapse_of_a_remitter_is_13_or_more_with_cgi_i_of_6_for_a_month():
    known = {"was_remitter": True, "was_responder": True, "withdrawn_worse": False}
    assert met("mataixcols2016", 26, 22, cgi_i=6, held_days=30, **known)["relapse"] is True
    assert met("mataixcols2016", 26, 22, cgi_i=6, held_days=29, **known)["relapse"] is False
    assert met("mataixcols2016", 26, 12, cgi_i=6, held_days=30, **known)["relapse"] is False
    assert met("mataixcols2016", 26, 22, was_remitter=True, withdrawn_worse=True)["relapse"] is True


def test_who_never_responded_cannot_relapse():
    assert (
        met("mataixcols2016", 26, 26, cgi_i=7, held_days=60, was_remitter=False, was_responder=False)["relapse"]
        is False
    )


def test_the_same_fall_is_a_response_by_25_percent_and_none_by_35():
    assert met("simpson2008", 20, 15)["response"] is True
    assert met("farris2013", 20, 15)["response"] is False
    assert "25 %" in verdicts("simpson2008", 20, 15)["response"].definition


def test_the_percentages_of_lewin_and_tolin():
    names = ["clinical_response", "research_response", "remission", "clinical_remission", "research_remission"]
    assert list(met("lewin2011", 20, 13).items()) == list(zip(names, [True, False, False, False, True], strict=True))
    assert list(met("lewin2011", 20, 9).values()) == [True] * 5
    assert met("tolin2005", 20, 12) == {"improved": True, "mild_40": True, "mild_50": False}


def test_the_cut_offs_of_farris():
    assert met("farris2013", 30, 14) == {"response": True, "remission": True, "wellness": False}
    assert met("farris2013", 30, 12)["wellness"] is True


def test_the_minimal_important_difference():
    assert met("cohen2024", 25, 20)["points"] is True
    assert met("cohen2024", 25, 21)["points"] is False


def test_the_two_editions_are_never_mixed():
    second = Reading(instrument="ybocs2", version=load_instrument("ybocs2").version, total=20)
    with pytest.raises(KerpError, match="never compared"):
        evaluate(load_outcome("farris2013"), Course(baseline=ybocs(26), now=second))


def test_the_percent_rules_are_not_reused_for_the_second_edition():
    second = load_instrument("ybocs2")
    both = [Reading(instrument="ybocs2", version=second.version, total=total) for total in (40, 20)]
    with pytest.raises(KerpError, match="another instrument"):
        evaluate(load_outcome("farris2013"), Course(baseline=both[0], now=both[1]))


def test_versions_of_one_instrument_are_never_mixed():
    other = Reading(instrument="ybocs", version="9 items", total=20)
    with pytest.raises(KerpError, match="never compared"):
        evaluate(load_outcome("farris2013"), Course(baseline=ybocs(26), now=other))


def test_an_incomplete_score_gives_no_outcome():
    instrument = load_instrument("ybocs")
    answers = {item.id: 3 for item in instrument.items}
    gap = reading(score(instrument, answers | {"obsession_time": None}))
    course = Course(baseline=reading(score(instrument, answers)), now=gap)
    assert all(verdict.met is None for verdict in evaluate(load_outcome("farris2013"), course))


def test_a_baseline_of_zero_has_no_percentage():
    assert met("lewin2011", 0, 0)["clinical_response"] is None


KNOWN = st.fixed_dictionaries(
    {
        "cgi_i": st.integers(1, 7), "cgi_s": st.integers(1, 7), "held_days": st.sampled_from([0, 6, 7, 30, 365]),
        "no_diagnosis": st.booleans(), "was_responder": st.booleans(), "was_remitter": st.booleans(),
        "withdrawn_worse": st.booleans(),
    }
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.integers(0, 40), KNOWN, st.data())
def test_knowing_less_never_turns_an_outcome_round(baseline, now, known, data):
    """What is determined with gaps stays so when the gaps are filled."""
    hidden = data.draw(st.sets(st.sampled_from(sorted(known))))
    partly = {name: None if name in hidden else value for name, value in known.items()}
    for identifier in outcome_ids():
        whole, part = met(identifier, baseline, now, **known), met(identifier, baseline, now, **partly)
        assert None not in whole.values()
        assert all(part[name] in {None, whole[name]} for name in whole)


def test_a_rule_on_an_unknown_measure_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'id = "mine"\ntitle = "x"\ninstrument = "ybocs"\norder = 9\nsource = "kerp"\n'
        '[[criteria]]\nid = "a"\nlabel = "a"\n'
        'definition = "x"\nsource = "kerp"\nmark = "assumed"\nrule = { measure = "mood", at_least = 1 }\n'
    )
    with pytest.raises(KerpError, match="unknown measure"):
        read_outcome(path)
