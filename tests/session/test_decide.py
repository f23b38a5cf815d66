"""Transitions are accepted or refused with every reason and way out; facts are kept; overrides are events."""

import pytest
from session_logs import Log, end_infusion, ms, prepared, started

from kerp.base.errors import KerpError
from kerp.session import events as ev
from kerp.session.decide import Accepted, Record, Refused, Request, decide

START = ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=52.5)
BLOCK = ev.ExposureStarted(block="b2", item="taboo-thought", modality=ev.Modality.IMAGINAL)


def ask(log: Log, minute: float, event: ev.Event, role="prescriber", override="", session="s1", **more):
    request = Request(
        event=event, at_ms=ms(minute), actor=f"{role}-1", role=role, override=override, session=session, **more
    )
    return decide(log.protocol, log.state, request)


def reasons(answer) -> set[str]:
    assert isinstance(answer, Refused), answer
    return {reason.id for reason in answer.reasons}


def test_a_prepared_start_is_accepted_as_it_is():
    assert ask(prepared(), 0, START) == Accepted((START,))


def test_a_start_without_checks_is_refused_with_every_missing_item_and_a_way_out():
    log = Log()
    log.at(-60, ev.SessionOpened(plan="dosing"))
    answer = ask(log, 0, START)
    assert {
        "missing.hcg",
        "missing.dose_verified",
        "missing.time_out",
        "missing.do_not_start_bp",
        "not_ready",
    } <= reasons(answer)
    assert all(reason.ways_out for reason in answer.reasons)
    assert "the prescriber may go on with a reason" in answer.reasons[0].ways_out[-1]


def test_an_override_is_an_event_with_actor_and_reason_and_only_of_the_right_role():
    log = prepared()
    log.entries = [e for e in log.entries if not isinstance(e.event, ev.EscortCheck)]
    log.in_order()
    assert reasons(ask(log, 0, START)) == {"missing.escort_named"}
    assert reasons(ask(log, 0, START, role="nurse", override="escort comes at noon")) == {"missing.escort_named"}
    answer = ask(log, 0, START, override="escort comes at noon")
    override = ev.TransitionOverridden(
        transition="administration_start", reasons=("missing.escort_named",), reason="escort comes at noon"
    )
    assert answer.events == (override, START)
    assert reasons(ask(log, 0, START, override="   ")) == {"missing.escort_named"}


def test_ready_keeps_the_list_of_what_was_overridden():
    log = prepared(until=-4)
    log.entries = [e for e in log.entries if not isinstance(e.event, ev.EscortCheck)]
    answer = ask(log.in_order(), -3, ev.ReadyConfirmed(), override="escort comes at noon")
    assert answer.events[1] == ev.ReadyConfirmed(missing=("escort_named",))


def test_a_second_start_makes_no_sense_and_cannot_be_overridden():
    assert reasons(ask(started(), 5, START, override="again")) == {"started"}


def test_a_device_whose_clock_is_off_may_not_start():
    assert reasons(ask(prepared(), 0, START, clock_offset_ms=5000)) == {"clock_offset"}


def test_two_high_pressures_stand_against_the_start_until_the_prescriber_decides():
    log = prepared()
    log.vitals(-2.9, 150, 95)
    assert reasons(ask(log, 0, START)) == {"missing.do_not_start_bp"}
    log = prepared(until=-35)
    log.vitals(-34, 150, 95)
    log.vitals(-28, 150, 95)
    assert "missing.do_not_start_bp" in reasons(ask(log, 0, START))


def test_hold_resume_and_stop_of_the_drug():
    log = started()
    assert reasons(ask(log, 5, ev.DrugResumed())) == {"not_held"}
    assert ask(log, 5, ev.DrugHeld(), role="nurse") == Accepted((ev.DrugHeld(),))
    log.vitals(4, 185, 95)
    log.at(5, ev.DrugHeld())
    assert reasons(ask(log, 6, ev.DrugHeld())) == {"not_running"}
    assert reasons(ask(log, 6, ev.DrugResumed())) == {"rule.bp_stop"}
    assert isinstance(ask(log, 6, ev.DrugStopped(), role="nurse"), Accepted)
    log.vitals(10, 150, 90)
    assert isinstance(ask(log, 11, ev.DrugResumed()), Accepted)
    log.at(12, ev.DrugStopped())
    assert reasons(ask(log, 13, ev.DrugStopped())) == {"nothing_to_stop"}
    assert isinstance(ask(log, 13, ev.AdministrationEnded(volume_given_ml=10)), Accepted)


def test_the_next_nasal_device_waits_five_minutes_and_its_own_entry():
    log = started("bottemanne2021-nasal")
    second = ev.DeviceGiven(number=2)
    answer = ask(log, 4, second, role="nurse")
    assert reasons(answer) == {"device_gap"}
    assert "0:05" in answer.reasons[0].text
    assert isinstance(ask(log, 5, second, role="nurse"), Accepted)
    assert reasons(ask(log, 5, ev.DeviceGiven(number=1))) == {"same_number"}
    assert reasons(ask(log, 5, ev.DeviceGiven(number=2, count=2))) == {"one_by_one"}
    log.vitals(4.5, 190, 100)
    assert reasons(ask(log, 5, second, role="nurse")) == {"rule.bp_stop"}


def test_exposure_opens_with_the_administration_and_one_block_at_a_time():
    assert reasons(ask(prepared(), -1, BLOCK, role="therapist")) == {"before_start"}
    assert reasons(ask(started(), 5, BLOCK, role="therapist")) == {"block_open"}
    log = started()
    log.at(10, ev.ExposureEnded(block="b1", ending_rule=ev.EndingRule.FIXED_TIME))
    assert ask(log, 11, BLOCK, role="therapist") == Accepted((BLOCK,))
    other = ev.ExposureStarted(block="b3", item="nowhere", modality=ev.Modality.TEXT)
    assert reasons(ask(log, 11, other, role="therapist")) == {"not_in_hierarchy"}


def test_after_the_participants_stop_exposure_needs_an_explicit_override():
    log = started()
    log.at(10, ev.PatientStop())
    log.at(10, ev.ExposureStopped(ending_rule=ev.EndingRule.PATIENT_STOP))
    log.at(11, ev.DrugStopped())
    assert reasons(ask(log, 20, BLOCK, role="therapist")) == {"ended_by_participant"}
    answer = ask(log, 20, BLOCK, role="therapist", override="asked to go on, in his own words")
    assert [event.type for event in answer.events] == ["transition_overridden", "exposure_start"]


def test_stopping_is_never_hindered():
    log = started()
    log.at(5, ev.SedationRated(moaas=1))
    log.vitals(6, 200, 120)
    for event in (
        ev.ExposureStopped(ending_rule=ev.EndingRule.SAFETY),
        ev.PatientStop(),
        ev.ExposureHeld(block="b1"),
    ):
        assert isinstance(ask(log, 7, event, role="therapist"), Accepted)


def test_a_weaker_step_never_waits_and_a_stronger_one_does():
    log = started()
    log.at(2, ev.ExposureStepped(block="b1", intensity=0.5))
    log.at(5, ev.SedationRated(moaas=3))
    assert isinstance(ask(log, 6, ev.ExposureStepped(block="b1", intensity=0.3), role="therapist"), Accepted)
    assert reasons(ask(log, 6, ev.ExposureStepped(block="b1", intensity=0.9), role="therapist")) == {
        "rule.sedation_pause"
    }
    assert reasons(ask(log, 6, ev.ExposureStepped(block="b7", intensity=0.1), role="therapist")) == {"no_such_block"}


def test_taper_comes_after_the_peak_by_the_protocols_steps():
    log = started()
    step = ev.TaperStepped(block="b1", step="reduced", intensity=0.6)
    assert reasons(ask(log, 30, step, role="therapist")) == {"before_peak"}
    log.felt((10, 4), (15, 7), (20, 5), (25, 5))
    assert isinstance(ask(log, 26, step, role="therapist"), Accepted)
    wrong = ev.TaperStepped(block="b1", step="gently", intensity=0.6)
    assert reasons(ask(log, 26, wrong, role="therapist")) == {"no_such_step"}


def test_discharge_names_what_is_open_and_keeps_it_when_overridden():
    log = started()
    assert {"exposure_open", "drug_running"} <= reasons(ask(log, 30, ev.Discharged()))
    end_infusion(log)
    log.at(50, ev.ExposureStopped(ending_rule=ev.EndingRule.PROTOCOL_TAPER))
    found = reasons(ask(log, 60, ev.Discharged()))
    assert {"discharge.elapsed", "discharge.escort", "discharge.suicidality"} <= found
    answer = ask(log, 60, ev.Discharged(), override="transfer to the ward")
    assert "elapsed" in answer.events[1].blockers


def test_sessions_open_one_after_another_and_a_second_dose_needs_a_sign_off_after_paradoxical_anxiety():
    log = started()
    opened = ev.SessionOpened(plan="dosing")
    assert "other_open" in reasons(ask(log, 100, opened, session="s2"))
    assert reasons(ask(log, 100, ev.SessionOpened(plan="lunch"), session="s2")) == {"no_such_plan"}
    log.at(100, ev.AnxietyStepTaken(step=3))
    log.at(200, ev.Discharged())
    assert reasons(ask(log, 10_000, opened, session="s2")) == {"doses_given", "no_sign_off"}
    log.at(9_000, ev.SignOff(cleared=True), session="")
    assert reasons(ask(log, 10_000, opened, session="s2")) == {"doses_given"}
    assert isinstance(ask(log, 10_000, ev.SessionOpened(plan="metacognitive"), session="s2"), Accepted)


def test_a_session_is_signed_when_both_tracks_have_ended():
    log = started()
    signature = ev.Signature(name="T. Herapist", meaning="responsible", through_seq=3)
    assert reasons(ask(log, 30, signature)) == {"still_going"}
    end_infusion(log)
    log.at(50, ev.ExposureStopped(ending_rule=ev.EndingRule.PROTOCOL_TAPER))
    assert isinstance(ask(log, 60, signature), Accepted)
    beyond = ev.Signature(name="T. Herapist", meaning="responsible", through_seq=9999)
    assert reasons(ask(log, 60, beyond)) == {"beyond_the_end"}


def test_a_start_that_happened_is_recorded_whatever_was_missing_and_says_what_was():
    log = Log()
    log.at(-60, ev.SessionOpened(plan="dosing"))
    answer = decide(log.protocol, log.state, Record(event=START, at_ms=ms(0), actor="nurse-1", session="s1"))
    assert answer.events == (START,)
    assert "missing.hcg" in {warning.id for warning in answer.warnings}


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (ev.SudsRated(value=101), "value"),
        (ev.FeltEffectRated(value=float("nan")), "value"),
        (ev.Weighed(weight_kg=10**9), "weight_kg"),
        (ev.SudsRated(value="60"), "value"),
        (ev.DeviceWithheld(number=1, reason=""), "reason"),
        (ev.PatientStop(note="x" * 20_000), "note"),
    ],
)
def test_malformed_input_is_refused_with_its_field_and_what_is_allowed(event, field):
    log = started()
    with pytest.raises(KerpError) as refused:
        decide(log.protocol, log.state, Record(event=event, at_ms=ms(5), actor="nurse-1", session="s1"))
    (fault,) = refused.value.faults
    assert fault.field == field
    assert fault.allowed


def test_a_command_names_its_person():
    log = started()
    with pytest.raises(KerpError, match="needs the person"):
        decide(log.protocol, log.state, Record(event=ev.PatientStop(), at_ms=ms(5), actor="", session="s1"))
