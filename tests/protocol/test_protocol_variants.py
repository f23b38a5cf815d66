"""A site's variant: base, overlay and signed rules; three digests; where each field came from."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.errors import KerpError
from kerp.protocol.blind import shared_protocol
from kerp.protocol.check import check_file
from kerp.protocol.digest import protocol_digest, rules_digest
from kerp.protocol.load import load_protocol
from kerp.protocol.model import Agent
from kerp.protocol.outline import compare, provenance

PAGE = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text()
BASE = load_protocol("bottemanne2021-iv")
SIGNED = """
[stopping_rules]
version = "1"
signed_by = "Dr A. Example"
signed_on = 2026-10-01
{digest}
[[stopping_rules.rules]]
id = "bp_stop"
[stopping_rules.rules.thresholds]
sbp_mmhg = {{ value = {sbp}, unit = "mmHg", source = "site: committee", mark = "read" }}
"""


def example(name: str) -> str:
    return re.search(rf"```toml {name}\n(.*?)```", PAGE, flags=re.DOTALL).group(1)


def faults_of(path):
    with pytest.raises(KerpError) as caught:
        load_protocol(path)
    return caught.value.faults


def wanted_digest(path) -> str:
    (fault,) = faults_of(path)
    assert fault.field == "stopping_rules.digest"
    return fault.allowed


@pytest.fixture
def site_a(tmp_path):
    """The worked example of docs/protocols.md, signed with the digest that the check asks for."""
    path = tmp_path / "site-a.toml"
    path.write_text(example("site-a"))
    path.write_text(example("site-a").replace("sha256:6d1f", wanted_digest(path)))
    return path


def test_the_worked_example_of_the_manual_is_a_protocol_without_fault(site_a):
    assert check_file(site_a) == ()
    protocol = load_protocol(site_a).protocol
    assert float(protocol.dose.concentration_mg_per_ml) == 2
    assert [role.id for role in protocol.roles][-3:] == ["coordinator", "interpreter", "escort"]
    assert "day3_call" not in {visit.id for visit in protocol.visits}
    assert float(next(rule for rule in protocol.rules if rule.id == "bp_stop").thresholds["sbp_mmhg"]) == 170


def test_what_a_variant_does_not_mention_stays_as_shipped(site_a):
    paths = {path for path, _, _ in compare(BASE.protocol, load_protocol(site_a).protocol)}
    assert paths == {
        "id",
        "title",
        "roles.interpreter",
        "criteria.nicotine.active",
        "criteria.nicotine.reason",
        "dose.concentration_mg_per_ml",
        "visits.day14.window_before_days",
        "visits.day14.window_after_days",
        "visits.day3_call",
        "rules.bp_stop.thresholds.sbp_mmhg",
        "stopping_rules",
    }


def test_each_field_says_which_layer_file_and_line_it_came_from(site_a):
    rows = {row.path: row for row in provenance(load_protocol(site_a))}
    assert rows["rules.bp_stop.thresholds.sbp_mmhg"].layer == "signed stopping rules"
    assert rows["rules.bp_stop.thresholds.dbp_mmhg"].layer == "shipped base"
    assert rows["dose.concentration_mg_per_ml"].layer == "site overlay"
    line = rows["dose.concentration_mg_per_ml"].line
    assert site_a.read_text().splitlines()[line - 1].startswith("concentration_mg_per_ml")
    assert rows["sessions.dosing.prompts.suds.every_min"].layer == "shipped base"
    assert rows["effect_rule.expose_until_peak"].where.endswith("bottemanne2021-iv.toml")


def test_the_resolved_protocol_has_a_digest_for_each_layer(site_a):
    digests = load_protocol(site_a).digests
    assert digests.base == BASE.digests.resolved
    assert len({digests.resolved, digests.base, digests.overlay, digests.stopping_rules}) == 4
    assert BASE.digests.overlay == BASE.digests.stopping_rules == ""


def test_a_variant_that_changes_nothing_but_its_name_differs_in_its_name_only(variant):
    path = variant('title = "T"\n')
    renamed = replace(BASE.protocol, id="site", title="T", version="1")
    assert load_protocol(path).digests.resolved == protocol_digest(renamed)


def test_key_order_and_comments_do_not_change_the_digest(variant):
    one = variant('title = "T"\n[planning]\nstop_word = true\nhazards_checked = false\n', name="one.toml")
    two = variant('# why\ntitle = "T"\n\n[planning]\nhazards_checked=false # no\nstop_word=true\n', name="two.toml")
    assert load_protocol(one).digests == load_protocol(two).digests


def test_a_default_that_is_written_out_does_not_change_the_digest(variant):
    one = variant('title = "T"\n', name="one.toml")
    two = variant('title = "T"\nblinded = false\n[[rules]]\n'.replace("[[rules]]\n", ""), name="two.toml")
    assert load_protocol(one).digests.resolved == load_protocol(two).digests.resolved


@settings(max_examples=25, deadline=None)
@given(st.permutations(["stop_word = false", "rehearse_scales = false", "hazards_checked = true", "notes = []"]))
def test_any_order_of_keys_gives_one_digest(tmp_path_factory, keys):
    path = tmp_path_factory.mktemp("order") / "site.toml"
    lines = ['inherits = "bottemanne2021-iv"', 'id = "site"', "[planning]", *keys]
    path.write_text("\n".join(lines))
    seen = load_protocol(path).digests
    path.write_text("\n".join([*lines[:3], *sorted(keys)]))
    assert load_protocol(path).digests == seen


def test_any_change_of_content_changes_the_digest(variant):
    digests = {
        load_protocol(variant(text)).digests.resolved
        for text in ("", 'title = "T"\n', "[planning]\nstop_word = false\n", 'summary = "S"\n')
    }
    assert len(digests) == 4


def test_a_stopping_rule_changed_without_signature_is_refused(variant):
    """M16."""
    path = variant('[[rules]]\nid = "bp_stop"\nactive = false\n')
    (fault,) = faults_of(path)
    assert "signature" in fault.message
    assert fault.line == 4


def test_a_rule_cannot_be_removed_only_switched_off(variant):
    (fault,) = faults_of(variant('[[remove]]\npath = "rules.bp_stop"\nreason = "x"\n'))
    assert "switched off" in fault.message


def test_an_unsigned_digest_is_refused_and_the_right_one_is_offered(variant):
    path = variant(SIGNED.format(digest="", sbp=170))
    digest = wanted_digest(path)
    path = variant(SIGNED.format(digest=f'digest = "{digest}"', sbp=170))
    resolved = load_protocol(path)
    assert resolved.protocol.stopping_rules.signed_on == "2026-10-01"
    assert rules_digest(resolved.protocol, resolved.protocol.stopping_rules) == digest


def test_a_rule_changed_after_signing_is_refused(variant):
    """M16: the signature covers every rule in force."""
    digest = wanted_digest(variant(SIGNED.format(digest="", sbp=170)))
    path = variant(SIGNED.format(digest=f'digest = "{digest}"', sbp=175))
    (fault,) = faults_of(path)
    assert "not the ones that were signed" in fault.message
    assert any("raise the version" in way for way in fault.ways_out)


def test_a_variant_of_a_variant_is_resolved_through_both(tmp_path, variant):
    variant('title = "First"\n[planning]\nstop_word = false\n', name="first.toml")
    second = tmp_path / "second.toml"
    second.write_text('inherits = "first.toml"\nid = "second"\n[planning]\nhazards_checked = false\n')
    protocol = load_protocol(second).protocol
    assert (protocol.planning.stop_word, protocol.planning.hazards_checked) == (False, False)
    assert protocol.title == "First"


def test_a_signature_stands_in_a_variant_of_the_variant_until_another_takes_its_place(tmp_path, variant):
    digest = wanted_digest(variant(SIGNED.format(digest="", sbp=170)))
    variant(SIGNED.format(digest=f'digest = "{digest}"', sbp=170), name="first.toml")
    second = tmp_path / "second.toml"
    head = 'inherits = "first.toml"\nid = "second"\n'
    second.write_text(head)
    assert load_protocol(second).protocol.stopping_rules.digest == digest
    second.write_text(head + '[stopping_rules]\nversion = "2"\nsigned_by = "Dr B."\nsigned_on = "2026-11-01"\n')
    (fault,) = faults_of(second)
    assert fault.allowed != digest


def test_a_protocol_that_inherits_from_itself_is_refused(tmp_path):
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text('inherits = "two.toml"\nid = "one"\n')
    two.write_text('inherits = "one.toml"\nid = "two"\n')
    assert "itself" in faults_of(one)[0].message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[remove]]\npath = "visits.day4_call"\nreason = "x"\n', "nothing to remove"),
        ('[[remove]]\npath = "visits.day3_call"\n', "a path and a reason"),
        ('[[roles]]\nid = "x"\nafter = "nobody"\ntitle = "t"\nduties = "d"\nrequired = false\n', "`after`"),
    ],
)
def test_a_change_that_names_nothing_is_refused(variant, text, words):
    assert words in faults_of(variant(text))[0].message


def test_a_variant_without_a_name_of_its_own_is_refused(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text('inherits = "bottemanne2021-iv"\n')
    assert faults_of(path)[0].field == "id"


def test_inheriting_from_nothing_names_what_there_is(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text('inherits = "bottemanne"\nid = "x"\n')
    (fault,) = faults_of(path)
    assert "bottemanne2021-iv" in fault.allowed


def test_a_changed_number_does_not_keep_the_source_of_the_old_one(variant):
    path = variant('[dose]\nduration_min = { value = 30, unit = "min" }\n')
    assert {fault.field for fault in faults_of(path)} == {"dose.duration_min.source", "dose.duration_min.mark"}


# ------------------------------------------------------------------------------------------------ blinded arms (M8)

STUDY = {"study_id": "study-1", "title": "Study 1", "version": "1"}


@pytest.fixture
def ketamine_arm(tmp_path):
    path = tmp_path / "ketamine-arm.toml"
    path.write_text(example("ketamine-arm"))
    return path


def test_the_arms_of_a_blinded_trial_share_one_protocol(ketamine_arm):
    """M8: same digest whatever the arm, no mg, no agent."""
    assert check_file(ketamine_arm) == ()
    arms = [load_protocol(ketamine_arm).protocol, load_protocol("midazolam-erp").protocol]
    shared = {protocol_digest(shared_protocol([arm], **STUDY)) for arm in arms}
    assert len(shared) == 1
    protocol = shared_protocol(arms, **STUDY)
    assert protocol.dose.agent is Agent.MASKED
    assert protocol.dose.dose_mg_per_kg is None
    assert float(protocol.dose.blinding.volume_ml) == 50
    said = str([protocol.id, protocol.title, protocol.summary, protocol.dose])
    assert "ketamine" not in said.lower()
    assert "midazolam" not in said.lower()


def test_a_difference_between_arms_that_a_log_would_show_is_a_fault(tmp_path):
    path = tmp_path / "arm.toml"
    path.write_text(example("ketamine-arm") + "\n[planning]\nstop_word = false\n")
    arms = [load_protocol(path).protocol, load_protocol("midazolam-erp").protocol]
    with pytest.raises(KerpError) as caught:
        shared_protocol(arms, **STUDY)
    assert [fault.field for fault in caught.value.faults] == ["planning.stop_word"]


def test_both_arms_refuse_the_same_weight(ketamine_arm):
    caps = [
        float(arm.dose.max_dose_mg) / float(arm.dose.dose_mg_per_kg)
        for arm in (load_protocol(ketamine_arm).protocol, load_protocol("midazolam-erp").protocol)
    ]
    assert caps[0] == pytest.approx(caps[1])


def test_an_open_protocol_cannot_be_masked(iv):
    with pytest.raises(KerpError, match="not blinded"):
        shared_protocol([iv], **STUDY)
