"""Falls of SUDS and their causes (M10); deviations that follow from the record (M1-M3, M7, M12, M13)."""

import pytest
from session_logs import Log, end_infusion, ms, prepared, started

from kerp.session import events as ev
from kerp.session.events import FallCause
from kerp.session.falls import falls_of, habituation_suds


def off_drug() -> Log:
    log = Log()
    log.at(-10, ev.SessionOpened(plan="repeat_off_drug"))
    log.at(0, ev.ExposureStarted(block="b1", item="door-handle", modality=ev.Modality.OBJECT))
    log.suds((1, 70), (5, 80), (10, 60), (15, 50))
    return log


def test_a_fall_without_any_other_cause_is_habituation():
    (fall,) = falls_of(off_drug().view(20))
    assert (fall.from_suds, fall.to_suds, fall.drop) == (80, 50, 30)
    assert fall.is_habituation
    assert habituation_suds(off_drug().view(20), "b1") == 30


CAUSES = {
    ev.Ritual.OVERT: FallCause.RITUAL, ev.Ritual.MENTAL: FallCause.RITUAL, ev.Ritual.REASSURANCE: FallCause.RITUAL,
    ev.Ritual.AVOIDANCE: FallCause.AVOIDANCE, ev.Ritual.DISTRACTION: FallCause.DISTRACTION,
}  # fmt: skip


@pytest.mark.parametrize("kind", list(ev.Ritual))
def test_a_ritual_within_the_fall_takes_it_out_of_habituation(kind):
    log = off_drug()
    log.at(7, ev.RitualSeen(kind=kind, judged_by="therapist"), recorded=16)
    (fall,) = falls_of(log.view(20))
    assert set(fall.causes) == {FallCause.HABITUATION, CAUSES[kind]}
    assert not fall.is_habituation
    assert habituation_suds(log.view(20), "b1") == 0


def test_a_ritual_that_was_over_before_the_fall_does_not_count_and_one_that_lasted_into_it_does():
    log = off_drug()
    log.at(2, ev.RitualSeen(kind=ev.Ritual.MENTAL, judged_by="participant", duration_s=60), recorded=16)
    assert falls_of(log.view(20))[0].is_habituation
    log.at(2, ev.RitualSeen(kind=ev.Ritual.MENTAL, judged_by="participant", duration_s=240), recorded=17)
    assert not falls_of(log.view(20))[0].is_habituation


def test_a_fall_under_the_effect_of_the_drug_is_not_counted():
    log = started()
    log.felt((5, 0), (10, 3), (15, 4), (20, 4))
    log.suds((4, 70), (9, 80), (14, 60), (19, 50))
    (fall,) = falls_of(log.in_order().view(21))
    assert FallCause.DRUG in fall.causes
    assert not fall.is_habituation


def test_a_fall_before_any_effect_is_felt_may_be_habituation():
    log = started()
    log.felt((5, 0), (10, 0))
    log.suds((4, 80), (9, 60))
    assert falls_of(log.in_order().view(11))[0].is_habituation


def test_where_nobody_asked_for_the_effect_the_drug_cannot_be_excluded():
    log = started()
    log.suds((24, 80), (29, 60))
    assert FallCause.DRUG in falls_of(log.view(30))[0].causes


def test_a_clinician_names_the_cause_and_is_named():
    log = off_drug()
    low = log.entries[-1].id
    log.at(20, ev.FallExplained(rating=low, causes=(FallCause.DISTRACTION,), judged_by="therapist-1"))
    (fall,) = falls_of(log.view(21))
    assert (fall.causes, fall.judged_by, fall.is_habituation) == ((FallCause.DISTRACTION,), "therapist-1", False)


def test_a_plateau_within_a_fall_does_not_split_it():
    log = off_drug()
    log.suds((20, 50), (25, 30))
    assert [(f.from_suds, f.to_suds) for f in falls_of(log.view(26))] == [(80, 30)]


def test_a_rise_splits_two_falls_and_ratings_outside_the_block_belong_to_none():
    log = off_drug()
    log.suds((20, 70), (25, 40))
    log.at(26, ev.ExposureEnded(block="b1", ending_rule=ev.EndingRule.HABITUATION))
    log.suds((30, 10))
    assert [(f.from_suds, f.to_suds) for f in falls_of(log.view(31))] == [(80, 50), (70, 40)]


# --- deviations ---


def kinds(log: Log, minute: float = 300):
    return {d.kind: d for d in log.status(minute).deviations}


def test_a_start_that_is_corrected_later_is_a_deviation_and_moves_the_clock():
    log = started()
    start = next(e.id for e in log.entries if isinstance(e.event, ev.AdministrationStarted))
    log.correct(30, start, occurred_ms=ms(-4))
    assert "moved by -4.0 min" in kinds(log)["start_corrected"].text
    assert log.view(30).minute == 34


def test_a_retracted_correction_is_as_if_it_had_never_been():
    log = started()
    start = next(e.id for e in log.entries if isinstance(e.event, ev.AdministrationStarted))
    wrong = log.correct(30, start, occurred_ms=ms(-4))
    log.correct(31, wrong, retracted=True)
    assert log.view(32).minute == 32
    assert "start_corrected" not in kinds(log)


def test_a_wrong_weight_found_late_does_not_change_what_was_given():
    log = started()
    weighed = next(e.id for e in log.entries if isinstance(e.event, ev.Weighed))
    log.correct(50, weighed, replacement=ev.Weighed(weight_kg=60))
    assert "14 % off; what was given stands" in kinds(log)["wrong_weight"].text
    assert log.view(51).drug.segments[0].ml_per_h == 52.5


def test_a_start_without_a_check_is_kept_and_named():
    log = started()
    log.entries = [e for e in log.entries if not isinstance(e.event, ev.PregnancyTest)]
    assert "Pregnancy test" in kinds(log.in_order())["started_without"].text
    assert log.view(10).t0_ms == ms(0)


LATER = [
    ev.PregnancyTest(result=ev.TestResult.NEGATIVE), ev.FastingCheck(kept=True), ev.EscortCheck(arranged=True),
    ev.TimeOut(people=("nurse-1",), confirmed=True), ev.ConsentChecked(version="3", confirmed=True),
    ev.DoseVerified(agrees=True), ev.ToxicologyTest(result=ev.TestResult.NEGATIVE), ev.Weighed(weight_kg=70),
]  # fmt: skip


@pytest.mark.parametrize("event", LATER, ids=lambda event: event.type)
def test_a_check_that_was_done_after_the_start_was_missing_at_the_start(event):
    log = started()
    log.entries = [e for e in log.entries if type(e.event) is not type(event)]
    log.in_order()
    for n, actor in enumerate(("nurse-1", "pharmacist-1")):
        log.at(5 + n, event, id=f"later-{n}", actor=actor)
    assert "started_without" in kinds(log)


def test_a_prepared_start_is_no_deviation():
    assert "started_without" not in kinds(started())


def test_two_devices_written_as_one_and_two_too_close():
    log = prepared("bottemanne2021-nasal")
    log.at(0, ev.DeviceGiven(number=1, count=2))
    log.at(2, ev.DeviceGiven(number=3))
    assert {"devices_as_one", "device_gap"} <= set(kinds(log))


def test_exposure_after_the_participants_stop():
    log = started()
    log.at(10, ev.PatientStop())
    log.at(11, ev.ExposureEnded(block="b1", ending_rule=ev.EndingRule.PATIENT_STOP))
    log.at(20, ev.ExposureStarted(block="b2", item="door-handle", modality=ev.Modality.OBJECT))
    assert kinds(log)["exposure_after_stop"].major


def test_the_therapist_who_rates_the_outcome():
    log = prepared()
    log.scale(-2, "ybocs", {"i1": 2.0}, session="", actor="therapist-1", role="blind_rater")
    found = kinds(log)
    assert "therapist-1 acted as" in found["two_roles"].text
    log = prepared()
    log.scale(-2, "ybocs", {"i1": 2.0}, session="", actor="therapist-1", role="therapist")
    assert "not by the blind_rater (M7)" in kinds(log)["wrong_rater"].text


def test_a_ybocs_on_the_dose_day_missed_prompts_and_a_missed_call():
    log = started()
    end_infusion(log)
    log.scale(250, "ybocs", {"i1": 2.0}, session="", actor="rater-1", role="blind_rater")
    found = kinds(log, 40 * 60)
    assert {"reference_period", "not_asked", "visit_missed"} <= set(found)
    assert "vitals: 4 missed" in " ".join(d.text for d in log.status(300).deviations)


def test_a_visit_outside_its_window_is_done_and_named():
    log = started()
    log.at(6 * 1440, ev.VisitHeld(visit="day7"), session="")
    assert "study day 6" in kinds(log, 6 * 1440 + 1)["visit_window"].text


def test_unblinding_override_and_early_leave_are_kept():
    log = started()
    log.at(20, ev.Unblinded(reason="seizure", second_person="pharmacist-1"), session="")
    log.at(21, ev.TransitionOverridden(transition="discharge", reasons=("discharge.elapsed",), reason="transfer"))
    log.at(22, ev.Discharged(blockers=("elapsed",)))
    log.at(23, ev.DeviationNoted(category="room", text="noise from works outside"))
    assert {"unblinding", "transition_overridden", "left_early", "noted"} <= set(kinds(log))
