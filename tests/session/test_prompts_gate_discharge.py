"""What is asked when (M9), what is missing before the start (M5, M6), what stands against discharge (M12)."""

from dataclasses import replace

import pytest
from session_logs import Log, end_infusion, ms, prepared, protocol, started

from kerp.session import events as ev
from kerp.session.prompts import SlotState, slots_of


def states(log: Log, minute: float, prompt: str):
    return [str(slot.state) for slot in slots_of(log.view(minute)) if slot.prompt.id == prompt]


def test_a_rating_is_due_then_overdue_then_missed():
    log = started()
    assert [states(log, minute, "felt_effect") for minute in (4, 5, 7, 9.9)] == [
        [],
        ["due"],
        ["overdue"],
        ["overdue"],
    ]
    assert states(log, 10, "felt_effect") == ["missed", "due"]


def test_what_was_missed_stays_missed_when_it_is_written_down_later_from_memory():
    log = started()
    log.at(6, ev.FeltEffectRated(value=2), recorded=21)
    assert states(log, 21.5, "felt_effect") == ["missed", "missed", "missed", "due"]
    assert log.view(22).effect.last.event.value == 2, "the fact itself is kept"
    assert [flag.kind for flag in log.state.flags] == ["late_entry"]


def test_an_answer_that_a_device_held_while_offline_is_no_late_entry():
    log = started()
    log.at(6, ev.FeltEffectRated(value=2), recorded=21, queued=True)
    assert states(log, 22, "felt_effect")[0] == "answered"
    assert list(log.state.flags) == []


def test_one_answer_fills_one_slot():
    log = started()
    log.felt((9, 1))  # late for minute 5, early for minute 10: it is one answer
    assert states(log, 11, "felt_effect") == ["answered", "due"]
    log.felt((11, 1))
    assert states(log, 12, "felt_effect") == ["answered", "answered"]


def test_a_refused_rating_is_missing_with_its_reason_and_not_zero():
    log = started()
    log.at(6, ev.RatingMissed(instrument="suds", reason="too dissociated"))
    assert states(log, 7, "suds")[1] == "declined"
    assert log.view(7).record.of(ev.SudsRated)[-1].at_ms < ms(0)


def test_nothing_is_asked_in_a_phase_that_has_not_come():
    log = started()
    assert states(log, 60, "recovery_suds") == []
    log.at(61, ev.ExposureStopped(ending_rule=ev.EndingRule.CLINICIAN))
    assert states(log, 71, "recovery_suds") == ["due"]
    assert states(log, 71, "suds")[-1] == "missed"  # the last one of exposure, at minute 60


def test_prompts_move_with_the_anchor_they_hang_on():
    log = started()
    end = end_infusion(log, 40)
    assert states(log, 40, "end_vitals") == ["due"]
    log.correct(50, end, occurred_ms=ms(45))
    assert [s.due_ms for s in slots_of(log.view(50)) if s.prompt.id == "end_vitals"] == [ms(45)]


def test_the_late_form_of_the_day_is_still_asked_after_discharge():
    log = started()
    end_infusion(log, 40)
    log.at(180, ev.Discharged())
    assert states(log, 270, "end_ocd_vas")[-1] == "due"


def test_a_missed_prompt_is_said_with_its_tally():
    (advice,) = started().advice(13, "prompt.felt_effect")
    assert "1 of 2 missed; they stay missing" in advice.text
    assert advice.text.endswith("decides.")


# --- ready gate ---


def missing(log: Log, minute: float = -1):
    return {item.id: item.why for item in log.status(minute).missing}


def test_a_prepared_session_misses_nothing():
    assert missing(prepared()) == {}


def test_an_empty_session_misses_everything_by_name():
    log = Log()
    log.at(-60, ev.SessionOpened(plan="dosing"))
    assert set(missing(log)) == {item.id for item in protocol().preconditions} | {"do_not_start_bp"}


LEAVING_OUT = {
    "consent_version": ev.ConsentChecked, "eligibility_signed": ev.EligibilityItem, "hcg": ev.PregnancyTest,
    "toxicology": ev.ToxicologyTest, "fasting": ev.FastingCheck, "escort_named": ev.EscortCheck,
    "plan_agreed": ev.ChecklistItem, "weight": ev.Weighed, "time_out": ev.TimeOut, "dose_verified": ev.DoseVerified,
    "baseline_ybocs": ev.ScaleAnswered, "do_not_start_bp": ev.VitalsTaken,
}  # fmt: skip


@pytest.mark.parametrize("item", sorted(LEAVING_OUT))
def test_what_was_not_recorded_is_missing(item):
    log = prepared()
    log.entries = [e for e in log.entries if not isinstance(e.event, LEAVING_OUT[item])]
    assert item in missing(log.in_order())


def test_one_person_twice_is_not_two_people():
    log = prepared(until=-40)
    log.at(-39, ev.DoseVerified(agrees=True), actor="pharmacist-1")
    assert missing(log)["dose_verified"] == "verified by 1 of two different people"


def test_a_new_dose_needs_its_own_verification():
    log = prepared()
    log.at(-2, ev.DoseComputed(weight_kg=71, dose_mg=35.5))
    assert missing(log)["dose_verified"] == "verified by 0 of two different people"


def test_a_verification_of_another_dose_does_not_count_for_the_one_that_was_computed_meanwhile():
    log = prepared(until=-42)
    old = log.entries[-1].id
    newer = log.at(-41, ev.DoseComputed(weight_kg=95, dose_mg=47.5, volume_ml=47.5))
    log.at(-40, ev.DoseVerified(agrees=True, computed=newer), actor="nurse-1")
    log.at(-39, ev.DoseVerified(agrees=True, computed=old), actor="prescriber-1")
    assert missing(log)["dose_verified"] == "verified by 1 of two different people"
    log.at(-38, ev.DoseVerified(agrees=True, computed=newer), actor="prescriber-1")
    assert "dose_verified" not in missing(log)


def test_a_log_of_before_that_does_not_name_the_dose_is_read_by_the_order_of_its_entries():
    log = prepared(until=-42)
    for who in ("nurse-1", "prescriber-1"):
        log.at(-40, ev.DoseVerified(agrees=True), actor=who)
    assert "dose_verified" not in missing(log)


def test_a_dose_that_is_rewritten_by_a_correction_needs_its_own_verification():
    log = prepared()
    computed = next(entry for entry in log.entries if isinstance(entry.event, ev.DoseComputed))
    log.correct(-2, computed.id, replacement=replace(computed.event, dose_mg=47.5))
    assert missing(log)["dose_verified"] == "verified by 0 of two different people"


def test_one_who_disagrees_undoes_the_verification():
    log = prepared()
    log.at(-2, ev.DoseVerified(agrees=False), actor="nurse-1")
    assert "dose_verified" in missing(log)


@pytest.mark.parametrize("result", ["positive", "refused"])
def test_a_pregnancy_test_that_is_not_negative_stands_against_the_start(result):
    log = prepared()
    log.at(-2, ev.PregnancyTest(result=ev.TestResult(result)))
    assert missing(log) == {"hcg": f"result: {result}"}


def test_a_failed_criterion_is_named():
    log = prepared()
    log.at(-2, ev.EligibilityItem(criterion="hypertension", met=False), session="")
    assert missing(log)["eligibility_signed"] == "not met: hypertension"


def test_the_pregnancy_test_of_the_first_dose_does_not_serve_the_second():
    log = started()
    end_infusion(log)
    log.at(180, ev.Discharged())
    log.at(600, ev.SessionOpened(plan="dosing"), session="s2")
    assert "hcg" in missing(log, 601)
    log.at(602, ev.PregnancyTest(result=ev.TestResult.NEGATIVE), session="s2")
    assert "hcg" not in missing(log, 603)


def test_a_pregnancy_test_older_than_a_day_is_too_old():
    log = prepared()
    old = next(e for e in log.entries if isinstance(e.event, ev.PregnancyTest))
    for hours, found in ((24, False), (25, True)):
        log.entries = [replace(e, occurred_ms=ms(-hours * 60)) if e.id == old.id else e for e in log.entries]
        assert ("hcg" in missing(log, 0)) is found


def test_an_off_drug_session_asks_for_consent_only():
    log = Log()
    log.at(-60, ev.SessionOpened(plan="repeat_off_drug"))
    assert set(missing(log)) == {"consent_version"}


# --- discharge ---


def recovered() -> Log:
    log = started()
    end_infusion(log)
    log.at(60, ev.ExposureStopped(ending_rule=ev.EndingRule.PROTOCOL_TAPER))
    for criterion in ("orientation", "gait", "advice"):
        log.at(150, ev.DischargeObserved(criterion=criterion, met=True))
    log.at(150, ev.SedationRated(moaas=5))
    log.vitals(151, 125, 82)
    log.felt((152, 0))
    log.cssrs(153)
    log.at(154, ev.EscortCheck(arranged=True, present=True))
    return log


def blockers(log: Log, minute: float):
    return {blocker.id: blocker.why for blocker in log.status(minute).blockers}


def test_a_recovered_participant_may_leave_120_minutes_after_the_actual_end():
    log = recovered()
    assert blockers(log, 159) == {"elapsed": "1 min too early"}
    assert blockers(log, 160) == {}
    assert "Nothing on the list stands against discharge" in log.advice(160, "phase.recovery")[0].text


def test_a_later_actual_end_moves_the_earliest_discharge():
    log = recovered()
    end = next(e.id for e in log.entries if isinstance(e.event, ev.AdministrationEnded))
    log.correct(155, end, occurred_ms=ms(50))
    assert blockers(log, 165) == {"elapsed": "5 min too early"}


@pytest.mark.parametrize(
    ("criterion", "write", "why"),
    [
        ("moaas", lambda log: log.at(158, ev.SedationRated(moaas=4)), "MOAA/S 4"),
        ("gait", lambda log: log.at(158, ev.DischargeObserved(criterion="gait", met=False)), "not met"),
        ("blood_pressure", lambda log: log.vitals(158, 150, 82), "150/82 mm Hg is 25 % from baseline"),
        ("felt_effect", lambda log: log.felt((158, 2)), "2 above baseline"),
        ("suicidality", lambda log: log.cssrs(158, level=4), "C-SSRS level 4: a psychiatrist first"),
        ("nausea", lambda log: log.at(158, ev.AdverseEvent(code="nausea", grade=1)), "nausea has not ended"),
        ("escort", lambda log: log.at(158, ev.EscortCheck(arranged=True)), "the escort is not here"),
    ],
)  # fmt: skip
def test_each_open_criterion_stands_against_discharge_by_name(criterion, write, why):
    log = recovered()
    write(log)
    assert blockers(log, 170) == {criterion: why}
    assert why in log.advice(170, "discharge")[0].text


def test_what_nobody_looked_at_after_the_dose_is_no_pass():
    log = started()
    end_infusion(log)
    assert set(blockers(log, 200)) == {item.id for item in protocol().discharge} - {"nausea", "elapsed"}


def test_a_slot_state_has_a_word_for_each_case():
    assert {str(state) for state in SlotState} == {"due", "overdue", "missed", "answered", "declined"}
