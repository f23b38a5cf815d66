"""What an open block, the taper, visits and scores say."""

import pytest
from session_logs import Log, end_infusion, ms, prepared, protocol, started

from kerp.instrument.load import load_instrument
from kerp.protocol.model import Level
from kerp.session import events as ev
from kerp.session.advice import Action
from kerp.session.fold import fold
from kerp.session.scores import scores_of
from kerp.session.visits import visits_of


def off_drug(*suds: int) -> Log:
    log = Log()
    log.at(-10, ev.SessionOpened(plan="repeat_off_drug"))
    log.at(0, ev.ExposureStarted(block="b1", item="door-handle", modality=ev.Modality.OBJECT))
    log.suds(*((1 + 2 * n, value) for n, value in enumerate(suds)))
    return log


def test_a_block_may_end_when_suds_has_fallen_to_half_by_habituation_alone():
    assert off_drug(80, 60, 41).advice(6, "exposure.habituated") == []
    (advice,) = off_drug(80, 60, 40).advice(6, "exposure.habituated")
    assert "SUDS fell to 40" in advice.text
    assert advice.thresholds


@pytest.mark.parametrize("kind", [ev.Ritual.MENTAL, ev.Ritual.DISTRACTION, ev.Ritual.AVOIDANCE])
def test_a_fall_with_another_cause_does_not_end_the_block(kind):
    log = off_drug(80, 60)
    log.at(4, ev.RitualSeen(kind=kind, judged_by="therapist"))
    log.suds((5, 30))
    assert log.advice(6, "exposure.habituated") == []


def test_a_block_that_has_run_its_time_says_what_follows():
    log = off_drug(80)
    assert log.advice(9.9, "exposure.block_time") == []
    assert "repeat same" in log.advice(10, "exposure.block_time")[0].text


def test_taper_goes_down_step_by_step_and_not_to_a_stop_by_itself():
    log = started()
    log.felt((10, 4), (15, 7), (20, 5), (25, 5))
    assert "Next: Reduced" in log.advice(26, "phase.taper")[0].text
    log.at(26, ev.TaperStepped(block="b1", step="reduced", intensity=0.6))
    assert "Next: Imaginal" in log.advice(27, "phase.taper")[0].text
    log.at(28, ev.TaperStepped(block="b1", step="imaginal", intensity=0.3))
    assert log.advice(29, "phase.taper") == []
    assert log.view(29).exposure.taper_steps == ("reduced", "imaginal")


def test_no_more_blocks_are_proposed_than_the_protocol_plans():
    log = started()
    most = int(log.protocol.session("dosing").exposure.max_blocks.value)
    for n in range(2, most + 1):
        log.at(n, ev.ExposureEnded(block=f"b{n - 1}", ending_rule=ev.EndingRule.FIXED_TIME))
        assert log.advice(n, "phase.exposure")[0].proposes is Action.OPEN_EXPOSURE
        log.at(n, ev.ExposureStarted(block=f"b{n}", item="door-handle", modality=ev.Modality.OBJECT))
    log.at(most + 1, ev.ExposureEnded(block=f"b{most}", ending_rule=ev.EndingRule.FIXED_TIME))
    assert log.advice(most + 2, "phase.exposure")[0].proposes is Action.NOTHING


def test_what_is_missing_before_the_start_is_one_advice_by_name():
    log = prepared(until=-6)
    (ready,) = log.advice(-5, "ready")
    assert ready.text.startswith("Missing: Time-out")
    assert prepared().advice(-2, "ready") == []


def test_an_earlier_session_that_nobody_closed_says_only_that():
    log = started()
    end_infusion(log)
    log.at(60, ev.ExposureStopped(ending_rule=ev.EndingRule.PROTOCOL_TAPER))
    log.at(2 * 1440, ev.SessionOpened(plan="repeat_off_drug"), session="s2")
    of_first = [advice for advice in log.advice(2 * 1440 + 30) if advice.session == "s1"]
    assert [advice.rule_id for advice in of_first] == ["session_not_closed"]


def test_positive_items_without_a_rating_before_the_start_cannot_show_a_rise_and_say_so():
    log = started()
    log.entries = [e for e in log.entries if getattr(e.event, "instrument", "") != "bprs_plus4"]
    log.in_order().bprs(20, suspiciousness=5, id="bprs-20")
    (advice,) = log.advice(21, "psychosis")
    assert (advice.level, advice.proposes) == (Level.WARN, Action.NOTHING)
    assert "a rise cannot be seen" in advice.text


def test_two_people_differ_and_one_person_corrects_himself():
    log = started()
    log.vitals(10, 150, 90)
    log.vitals(10.1, 130, 80)
    assert list(log.state.flags) == []
    log.vitals(10.2, 170, 95, actor="nurse-2", device="tablet-2")
    assert {flag.kind for flag in log.state.flags} == {"conflicting_observations"}
    assert len(log.state.session("s1").of(ev.VitalsTaken)) == 5, "all are kept"


# --- visits ---


def visit(log: Log, minute: float, name: str):
    return next(v for v in visits_of(log.protocol, log.state, ms(minute)) if v.visit.id == name)


def test_visits_wait_for_the_dose_are_due_in_their_window_and_missed_after_it():
    assert visit(prepared(), 5, "day7").state == "planned"
    log = started()
    assert [str(visit(log, day * 1440, "day7").state) for day in (6, 7, 8, 9)] == ["planned", "due", "due", "missed"]
    log.at(9 * 1440, ev.VisitHeld(visit="day7"), session="")
    late = visit(log, 9 * 1440 + 1, "day7")
    assert (late.state, late.day) == ("done_outside_window", 9)


def test_days_are_calendar_days_at_the_site_and_not_24_hours():
    log = started()
    log.at(7 * 1440 - 60, ev.VisitHeld(visit="day7"), session="")  # 08:00 of study day 7
    assert (visit(log, 8 * 1440, "day7").state, visit(log, 8 * 1440, "day7").day) == ("done", 7)


def test_the_day_14_visit_is_counted_from_the_corrected_dose():
    log = started()
    start = next(e.id for e in log.entries if isinstance(e.event, ev.AdministrationStarted))
    log.at(16 * 1440, ev.VisitHeld(visit="day14"), session="")
    assert visit(log, 16 * 1440, "day14").state == "done"
    log.correct(16 * 1440, start, retracted=True)
    assert visit(log, 16 * 1440 + 1, "day14").day == 16  # from the first exposure, the only start left


# --- scores ---


def test_scores_are_computed_when_read_and_a_missing_answer_is_no_zero():
    ybocs = load_instrument("ybocs")
    log = Log()
    full = {item.id: 2.0 for item in ybocs.counted}
    answers = [full, full | {ybocs.counted[0].id: None}]
    for minute, given in enumerate(answers):
        event = ev.ScaleAnswered(instrument="ybocs", version=ybocs.version, answers=given, rated_by="rater")
        log.at(minute, event, session="")
    first, second = scores_of(log.state, {"ybocs": ybocs})
    assert first.score.total == 20
    assert second.score.total is None
    assert second.score.missing == (ybocs.counted[0].id,)


def test_another_version_an_unknown_scale_and_impossible_answers_have_no_score_and_say_why():
    ybocs = load_instrument("ybocs")
    log = Log()
    wrong = {ybocs.counted[0].id: 9.0}
    for name, version, given in (
        ("ybocs", "1986 draft", {}), ("horoscope", "1", {}), ("ybocs", ybocs.version, wrong),
    ):  # fmt: skip
        event = ev.ScaleAnswered(instrument=name, version=version, answers=given, rated_by="rater")
        log.at(0, event, session="")
    problems = [scored.problem for scored in scores_of(log.state, {"ybocs": ybocs})]
    assert "1986 draft" in problems[0]
    assert "horoscope" in problems[1]
    assert "outside the range" in problems[2]


@pytest.mark.parametrize(
    "identifier", ["erp-alone", "ketamine-alone-iv", "midazolam-erp", "rodriguez2016-sequential"]
)
def test_every_shipped_protocol_gives_a_status_at_any_time(identifier):
    log = Log(identifier)
    for n, plan in enumerate(protocol(identifier).sessions):
        log.at(n * 1440, ev.SessionOpened(plan=plan.id), session=f"s{n}")
        log.at(n * 1440 + 10, ev.ReadyConfirmed(), session=f"s{n}")
        found = log.status(n * 1440 + 30)
        assert found.view.phase is not None
        assert found.as_dict()["session"]["plan"] == plan.id
    assert fold(log.protocol, log.entries) == log.state
