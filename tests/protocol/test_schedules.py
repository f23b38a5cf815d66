"""Courses of treatment: the shipped ones, and what is refused."""

import pytest

from kerp.base.data import path_of
from kerp.base.errors import KerpError, UnknownIdError
from kerp.protocol.pins import pinned
from kerp.protocol.schedule import load_schedule, pin_file, read_schedule, resolved, schedule_ids

REQUIRED = {
    "placebo", "midazolam", "ketamine-alone", "erp-alone", "sequential", "concurrent", "concurrent-plus-sequential",
    "erp-before", "erp-early", "erp-late", "nasal-repeated", "four-concurrent", "four-sequential",
}  # fmt: skip

HEAD = 'version = 1\ntitle = "t"\nidea = "i"\n[follow_up]\ndays = 42\nsource = "kerp"\nmark = "assumed"\n'
SESSION = '[[session]]\ndays = [{days}]\nlength_min = {minutes}\nsource = "kerp"\nmark = "assumed"\n'
DOSE = (
    '[[dose]]\nagent = "ketamine"\nroute = "iv_infusion"\ndays = [{days}]\ndose_mg_per_kg = 0.5\nduration_min = 40\n'
)


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + text)
    return path


def test_every_arm_of_the_question_is_shipped():
    assert set(schedule_ids()) >= REQUIRED


@pytest.mark.parametrize("arm", schedule_ids())
def test_every_shipped_arm_loads_names_protocols_that_exist_and_rates_no_week_with_a_dose_in_it(arm):
    schedule = resolved(load_schedule(arm))
    assert set(schedule.digests) == set(schedule.protocols())
    assert all(digest.startswith("sha256:") for digest in schedule.digests.values())
    assert all(schedule.rating_valid(day) for day in schedule.rating_days)


@pytest.mark.parametrize("arm", schedule_ids())
def test_where_equal_contact_is_stated_it_is_equal(arm):
    schedule = load_schedule(arm)
    for other in schedule.same_contact_as:
        assert load_schedule(other).contact_h == pytest.approx(schedule.contact_h)


def test_concurrent_and_sequential_differ_only_in_when_the_first_session_is():
    sequential, concurrent = load_schedule("sequential"), load_schedule("concurrent")
    assert [s.day for s in sequential.sessions][1:] == [s.day for s in concurrent.sessions][1:]
    assert concurrent.sessions[0].day == concurrent.doses[0].day == sequential.doses[0].day


def test_the_rated_week_must_not_hold_a_dose():
    schedule = load_schedule("ketamine-alone")
    assert schedule.rating_valid(0)
    assert not schedule.rating_valid(3)
    assert schedule.rating_valid(7)


def test_sessions_that_overlap_are_refused_with_their_days(tmp_path):
    path = written(tmp_path, SESSION.format(days="1.0, 1.02", minutes=60))
    with pytest.raises(KerpError, match="overlap") as caught:
        read_schedule(path)
    assert "1.02" in str(caught.value)


def test_doses_that_overlap_are_refused(tmp_path):
    with pytest.raises(KerpError, match="before the one before it has ended"):
        read_schedule(written(tmp_path, DOSE.format(days="0, 0.01")))


def test_several_faults_of_one_file_are_reported_at_once_with_lines(tmp_path):
    text = SESSION.format(days="1", minutes=-5) + SESSION.format(days="60", minutes=60)
    with pytest.raises(KerpError) as caught:
        read_schedule(written(tmp_path, text))
    assert len(caught.value.faults) >= 2
    assert any(fault.line for fault in caught.value.faults)


@pytest.mark.parametrize("bad", ["nan", "inf", "1e9", '"ten"', "true"])
def test_a_length_that_is_no_length_is_refused(tmp_path, bad):
    with pytest.raises(KerpError):
        read_schedule(written(tmp_path, SESSION.format(days="1", minutes=bad)))


def test_a_schedule_written_for_another_version_of_a_protocol_is_refused(tmp_path):
    text = SESSION.format(days="1", minutes=60) + 'protocol = "erp-alone"\n'
    text += '[protocol_digests]\n"erp-alone" = "sha256:0000"\n'
    with pytest.raises(KerpError, match="not the one this schedule was written for"):
        read_schedule(written(tmp_path, text))


@pytest.mark.parametrize("arm", schedule_ids())
def test_a_shipped_schedule_pins_the_digest_of_every_protocol_it_follows(arm):
    schedule = load_schedule(arm)
    assert set(schedule.digests or {}) == set(schedule.protocols())
    assert schedule.digests is None or all(one.startswith("sha256:") for one in schedule.digests.values())


def test_a_changed_protocol_is_refused_with_line_found_allowed_and_way_out_and_pinning_again_admits_it(tmp_path):
    path = tmp_path / "mine.toml"
    text = path_of("schedules", "concurrent").read_text()
    actual = load_schedule("concurrent").digests["erp-alone"]
    path.write_text(text.replace(actual, "sha256:" + "0" * 64))
    with pytest.raises(KerpError) as caught:
        read_schedule(path)
    (fault,) = caught.value.faults
    assert path.read_text().splitlines()[fault.line - 1].startswith('"erp-alone" = "sha256:000')
    assert actual in fault.found
    assert fault.allowed == "sha256:" + "0" * 64
    assert any(f"kerp arm pin {path}" in way for way in fault.ways_out)
    assert pin_file(path)["erp-alone"] == actual
    assert path.read_text() == text
    assert read_schedule(path).doses == load_schedule("concurrent").doses


def test_a_pin_that_is_missing_or_belongs_to_no_session_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    text = (
        path_of("schedules", "concurrent").read_text().replace('"erp-alone" = "sha256', '"midazolam-erp" = "sha256')
    )
    path.write_text(text)
    with pytest.raises(KerpError) as caught:
        read_schedule(path)
    assert {fault.field for fault in caught.value.faults} == {
        "protocol_digests.erp-alone",
        "protocol_digests.midazolam-erp",
    }


def test_pinning_touches_nothing_but_the_digests():
    text = "a = 1\n\n[protocol_digests]\n# old\nx = 'sha256:1'\n\n[follow_up]\ndays = 3\n"
    again = pinned(text, {"y": "sha256:2"})
    assert again == 'a = 1\n\n[follow_up]\ndays = 3\n\n[protocol_digests]\n"y" = "sha256:2"\n'
    assert pinned(again, {"y": "sha256:2"}) == again
    assert pinned(again, {}) == "a = 1\n\n[follow_up]\ndays = 3\n"


def test_an_unknown_arm_is_refused_with_the_nearest_ones():
    with pytest.raises(UnknownIdError, match="sequential"):
        load_schedule("sequental")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[[session]]\nday = [1]\nlength_min = 60\n", "session[0].day"),
        ("[[session]]\nlength_min = 60\n", "session[0].days"),
        ("[[session]]\ndays = 1\nlength_min = 60\n", "session[0].days"),
        ("[[session]]\ndays = [1]\nlength_min = 60\nintensity = 0.5\n", "session[0].intensity"),
        ('[[session]]\ndays = [1]\nlength_min = 60\nmark = "sure"\n', "session[0].mark"),
        (DOSE.format(days="0").replace("iv_infusion", "nasal_spray") + "devices = 2.5\n", "dose[0].devices"),
        ("[mct]\ndays = 3\n", "mct.days"),
        ("[ybocs]\ndays = [0, 60]\n", "ybocs"),
        ("[mct]\ndays = [43]\n", "mct"),
        ("[ocdvas]\nat = [20]\n", "ocdvas.at"),
        ("[protocol]\nid = 3\n", "protocol"),
    ],
)
def test_what_a_schedule_does_not_know_is_refused_and_never_passed_over(tmp_path, text, field):
    with pytest.raises(KerpError) as caught:
        read_schedule(written(tmp_path, text))
    assert field in {fault.field for fault in caught.value.faults}


@pytest.mark.parametrize("text", ["dose = 3", 'session = ["x"]', "mct = 3", "follow_up = 42", "claims = 3"])
def test_a_schedule_of_another_form_is_refused(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(f'title = "t"\nidea = "i"\n{text}\n')
    with pytest.raises(KerpError, match="wrong kind"):
        read_schedule(path)
