"""From registration to day 28 in the office: each form becomes entries, and says no where it must."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from kerp.base.errors import KerpError
from kerp.records.logfile import read_log_bytes
from kerp.session.events import AdministrationStarted, ScaleAnswered, SessionOpened
from kerp.session.fold import fold
from kerp.web.actions import participants, record
from kerp.web.actions.record import elapsed_ms
from kerp.web.course import protocol_of, state_of
from kerp.web.models import AuditEvent, Entry, Log
from kerp.web.office import standing

PASSWORD = "a long sentence for tests"


def post(browser, name, *arguments, **data):
    return browser.post(reverse(name, args=arguments), {"entry_id": uuid.uuid4()} | data)


def events(team, kind):
    return [entry.data()["event"] for entry in Entry.objects.filter(log=team.log, kind=kind).order_by("seq")]


def give_dose(team, days_ago=0.0):
    """A dose as the bedside page would record it, `days_ago` before now, in a log opened a month ago."""
    Log.objects.filter(pk=team.log.pk).update(opened_at=timezone.now() - timedelta(days=30))
    at_ms = elapsed_ms(team.log, timezone.now() - timedelta(days=days_ago))
    for event in (SessionOpened(plan="dosing"), AdministrationStarted(route="iv_infusion", rate_ml_per_h=52.5)):
        one = record.Submitted(id=uuid.uuid4(), event=event, occurred_ms=at_ms, session="dosing-1", role="nurse")
        record.append(log_id=team.log.id, actor="nurse", submitted=one)


def test_a_code_that_could_name_somebody_is_refused_and_what_was_typed_stays(signed_in, team):
    form = {"study": team.study.pk, "site": team.site.pk, "code": "Anna Muster 3.4.1980"}
    answer = signed_in("coordinator").post(reverse("register"), form)
    assert b"cannot be a study code" in answer.content
    assert b"Anna Muster" in answer.content
    assert team.study.participants.count() == 1


def test_registering_opens_a_log_under_the_version_in_force(signed_in, team):
    form = {"study": team.study.pk, "site": team.site.pk, "code": "S1-002"}
    signed_in("coordinator").post(reverse("register"), form)
    made = team.study.participants.get(code="S1-002")
    assert made.version.number == 1
    assert made.log.head_seq == 1


def test_an_amendment_leaves_running_participants_with_theirs(signed_in, team):
    from kerp.protocol.load import load_protocol
    from kerp.web.actions import study

    resolved = load_protocol("bottemanne2021-nasal")
    with pytest.raises(KerpError, match="needs its reason"):
        study.add_version(
            study=team.study, resolved=resolved, source_text="", warnings=[], why="", actor=team["coordinator"]
        )
    version = study.add_version(
        study=team.study, resolved=resolved, source_text="", warnings=[], why="Nasal route", actor=team["coordinator"]
    )
    assert study.in_force(team.study).number == 1  # nobody has signed its rules (M16)
    study.sign_rules(version=version, actor=team["prescriber"])
    later = participants.register(study=team.study, site=team.site, code="S1-003", actor=team["coordinator"])
    team.participant.refresh_from_db()
    assert (team.participant.version.number, later.version.number) == (1, 2)
    assert protocol_of(team.log).id == "bottemanne2021-iv"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'inherits = "nothing"\nid = "x"', b"nothing to inherit from"),
        (b"this is = = not toml", b"not valid TOML"),
        (b"\xff\xfe", b"not UTF-8"),
        (b"x" * 600_000, b"too large"),
        (b'inherits = "bottemanne2021-iv"\nid = "x"\n[dose.dose_mg_per_kg]\nvalue = 50', b"dose"),
    ],
)
def test_a_bad_protocol_file_is_refused_with_every_reason_and_nothing_is_written(signed_in, team, content, said):
    from django.core.files.uploadedfile import SimpleUploadedFile

    answer = signed_in("coordinator").post(
        reverse("add_version", args=[team.study.code]), {"file": SimpleUploadedFile("site.toml", content), "why": "x"}
    )
    assert answer.status_code == 422
    assert said in answer.content
    assert b"Traceback" not in answer.content
    assert b"/tmp" not in answer.content
    assert team.study.versions.count() == 1


def test_screening_records_each_finding_once_and_asks_for_the_reason_of_a_no(signed_in, team):
    browser = signed_in("coordinator")
    criteria = [item.criterion for item in standing.screening(protocol_of(team.log), state_of(team.log)).items]
    form = {}
    for criterion in criteria:
        form |= {f"{criterion.id}-entry_id": uuid.uuid4(), f"{criterion.id}-passes": "yes"}
    refused = browser.post(
        reverse("screening", args=[team.participant.public_id]), form | {f"{criteria[0].id}-passes": "no"}
    )
    assert b"Say why" in refused.content
    assert events(team, "eligibility_item") == []
    browser.post(reverse("screening", args=[team.participant.public_id]), form)
    browser.post(reverse("screening", args=[team.participant.public_id]), form)
    assert len(events(team, "eligibility_item")) == len(criteria)
    assert standing.screening(protocol_of(team.log), state_of(team.log)).state == "eligible"


def test_findings_changed_after_going_back_are_kept_typed_and_recorded_when_sent_again(signed_in, team):
    browser, address = signed_in("coordinator"), reverse("screening", args=[team.participant.public_id])
    criteria = [item.criterion for item in standing.screening(protocol_of(team.log), state_of(team.log)).items]
    form = {}
    for criterion in criteria:
        form |= {f"{criterion.id}-entry_id": uuid.uuid4(), f"{criterion.id}-passes": "yes"}
    browser.post(address, form)
    changed = {f"{one.id}-{name}": value for one in criteria[:2] for name, value in
               (("passes", "no"), ("reason", "seen again"))}  # fmt: skip
    again = browser.post(address, form | changed)
    assert again.status_code == 200
    assert again.content.count(b"sent before, with other content") == again.content.count(b"seen again") == 2
    assert len(events(team, "eligibility_item")) == len(criteria)
    renewed = {row.add_prefix("entry_id"): row.data[row.add_prefix("entry_id")] for row in again.context["rows"]}
    assert browser.post(address, form | changed | renewed).status_code == 302
    assert [event["met"] for event in events(team, "eligibility_item")[len(criteria) :]] == [False, False]


def test_a_form_sent_twice_is_one_entry(signed_in, team):
    browser, entry_id = signed_in("coordinator"), uuid.uuid4()
    for _ in range(2):
        post(browser, "consent", team.participant.public_id, entry_id=entry_id, version="3.1", confirmed="on")
    assert [event["version"] for event in events(team, "consent_checked")] == ["3.1"]


def test_a_plan_is_complete_only_when_everything_is_agreed(signed_in, team):
    browser, public_id = signed_in("therapist"), team.participant.public_id
    for number in range(8):
        post(
            browser,
            "change_plan",
            public_id,
            "item",
            item=f"item-{number}",
            trigger="Door handle",
            suds=str(30 + 5 * number),
        )
    assert "a stop word" in list(standing.plan(state_of(team.log)).missing(protocol_of(team.log)))
    post(
        browser,
        "change_plan",
        public_id,
        "contract",
        overt_rituals="washing\nchecking",
        mental_rituals="counting",
        agreed="on",
    )
    post(browser, "change_plan", public_id, "stop-word", word="river")
    post(browser, "change_plan", public_id, "rehearsal", instruments=["suds", "urge", "felt_effect"])
    post(browser, "change_plan", public_id, "chosen", plan="dosing", items=["item-3", "item-6"], safe="on")
    agreed = standing.plan(state_of(team.log))
    assert list(agreed.missing(protocol_of(team.log))) == []
    assert agreed.contract.mental_rituals == ("counting",)
    assert agreed.chosen["repeat_off_drug"] == agreed.chosen["dosing"] == ("item-3", "item-6")


def test_suds_off_the_scale_are_refused_and_what_was_typed_stays(signed_in, team):
    answer = post(
        signed_in("therapist"),
        "change_plan",
        team.participant.public_id,
        "item",
        item="sink",
        trigger="Sink",
        suds="101",
    )
    assert b"less than or equal to 100" in answer.content
    assert b'value="101"' in answer.content
    assert events(team, "hierarchy_item") == []


def answers_of(instrument, value):
    from kerp.web.office.answers import instrument as load

    return {f"item_{item.id}": str(value) for item in load(instrument).items}


def test_the_rater_sees_no_total_no_earlier_rating_and_no_session(signed_in, team):
    participants.assign(participant=team.participant, person=team["rater"], role="rater", actor=team["coordinator"])
    rater, public_id = signed_in("rater"), team.participant.public_id
    answer = post(rater, "rate", public_id, "screening", "ybocs", **answers_of("ybocs", 3))
    assert answer.url == reverse("rating")
    page = rater.get(reverse("rating"))
    assert b"30" not in re.sub(rb"<[^>]+>", b"", page.content)
    assert rater.get(reverse("rate", args=[public_id, "screening", "ybocs"])).status_code == 404
    assert rater.get(reverse("rate", args=[public_id, "baseline", "ybocs"])).status_code == 200
    for name in ("participant", "visit", "entries"):
        arguments = [public_id, "baseline"] if name == "visit" else [public_id]
        assert rater.get(reverse(name, args=arguments)).status_code == 403


def test_a_rater_who_is_not_assigned_finds_nothing_there(signed_in, team):
    rater = signed_in("rater")
    assert b"Nobody is assigned" in rater.get(reverse("rating")).content
    assert rater.get(reverse("rate", args=[team.participant.public_id, "baseline", "ybocs"])).status_code == 404


def test_a_missing_answer_stays_missing_and_is_never_a_zero(signed_in, team):
    participants.assign(participant=team.participant, person=team["rater"], role="rater", actor=team["coordinator"])
    given = answers_of("ybocs", 2)
    first = next(iter(given))
    given[first] = ""
    post(signed_in("rater"), "rate", team.participant.public_id, "screening", "ybocs", **given)
    assert events(team, "scale_answers")[0]["answers"][first.removeprefix("item_")] is None


def test_a_held_baseline_is_locked_and_a_later_rating_does_not_move_it(signed_in, team):
    from kerp.web.office import asked

    participants.assign(participant=team.participant, person=team["rater"], role="rater", actor=team["coordinator"])
    rater, public_id = signed_in("rater"), team.participant.public_id
    for visit, value in (("screening", 3), ("baseline", 2)):
        post(rater, "rate", public_id, visit, "ybocs", **answers_of("ybocs", value))
    post(signed_in("coordinator"), "visit", public_id, "baseline")
    assert rater.get(reverse("rate", args=[public_id, "baseline", "ybocs"])).status_code == 404
    late = ScaleAnswered(instrument="ybocs", version="1", answers={}, rated_by="blind_rater")
    record.append(log_id=team.log.id, actor="rater", submitted=record.Submitted(id=uuid.uuid4(), event=late))
    protocol, state = protocol_of(team.log), state_of(team.log)
    visits = {visit.id: visit for visit in protocol.visits}
    baseline = asked.answered_for(protocol, state, visits["baseline"], "ybocs")
    assert set(baseline.event.answers.values()) == {2.0}
    assert set(asked.answered_for(protocol, state, visits["screening"], "ybocs").event.answers.values()) == {3.0}


def test_a_ybocs_on_the_day_after_a_dose_says_that_it_looks_back_over_it(signed_in, team):
    give_dose(team, days_ago=1)
    from kerp.web.office import answers, asked

    form = answers.AnswersForm(instrument=answers.instrument("ybocs"), pack=None)
    assert asked.form_context(team.log, state_of(team.log), form)["looks_back"]
    short = answers.AnswersForm(instrument=answers.instrument("yboccs"), pack=None)
    assert not asked.form_context(team.log, state_of(team.log), short)["looks_back"]


def test_a_ybocs_seven_study_days_after_a_dose_is_valid(team):
    give_dose(team, days_ago=7)
    from kerp.web.office import answers, asked

    form = answers.AnswersForm(instrument=answers.instrument("ybocs"), pack=None)
    assert not asked.form_context(team.log, state_of(team.log), form)["looks_back"]


def test_a_day_1_call_that_reached_nobody_does_not_count_and_goes_overdue(signed_in, team):
    give_dose(team, days_ago=2)
    browser, public_id = signed_in("nurse"), team.participant.public_id
    post(browser, "visit", public_id, "day1_call", reached="no")
    page = browser.get(reverse("today")).content
    assert b"call the prescriber" in page
    post(browser, "visit", public_id, "day1_call", reached="yes")
    assert b"call the prescriber" not in browser.get(reverse("today")).content


def test_a_metacognitive_session_is_opened_and_held_in_one_act(signed_in, team):
    post(
        signed_in("therapist"),
        "metacognitive",
        team.participant.public_id,
        module="Beliefs about thoughts",
        duration_min="50",
    )
    assert [record_.plan_id for record_ in state_of(team.log).sessions] == ["metacognitive"]


def test_an_adverse_event_stays_open_until_somebody_says_how_it_ended(signed_in, team):
    browser, public_id = signed_in("nurse"), team.participant.public_id
    post(browser, "adverse", public_id, code="dysphoria", grade="2", relation="drug")
    opened = standing.open_adverse_events(state_of(team.log))
    assert [item.event.code for item in opened] == ["dysphoria"]
    post(browser, "adverse", public_id, adverse_event=opened[0].id, outcome="gone the next day")
    assert standing.open_adverse_events(state_of(team.log)) == []


def prove(browser):
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser


def test_an_exported_log_replays_to_the_state_the_pages_show(signed_in, team):
    give_dose(team, days_ago=1)
    browser = prove(signed_in("data_manager"))
    form = {"with_text": "on", "reason": "monitoring visit"}
    answer = browser.post(reverse("export", args=[team.participant.public_id]), form)
    log = read_log_bytes(answer.content, where="export")
    assert log.chain_head == team.log.head_hash
    assert fold(protocol_of(team.log), log.entries) == state_of(team.log)
    assert AuditEvent.objects.get(act="log.exported").reason == "monitoring visit"


def test_an_export_leaves_free_text_out_unless_it_is_asked_for_with_a_reason(signed_in, team):
    post(
        signed_in("coordinator"),
        "consent",
        team.participant.public_id,
        version="3.1",
        confirmed="on",
        note="told by Mrs Muster",
    )
    browser, address = prove(signed_in("data_manager")), reverse("export", args=[team.participant.public_id])
    answer = browser.post(address)
    assert b"Muster" not in answer.content
    assert read_log_bytes(answer.content, where="export").entries[-1].event.note == "[omitted]"
    assert b"Say why" in browser.post(address, {"with_text": "on"}).content
    assert b"Muster" in browser.post(address, {"with_text": "on", "reason": "an audit"}).content


def test_the_dashboard_shows_recruitment_and_what_is_overdue_as_figures(signed_in, team):
    give_dose(team, days_ago=20)
    page = signed_in("coordinator").get(reverse("dashboard"))
    tiles = {tile["text"]: tile["value"] for tile in page.context["tiles"]}
    assert tiles["registered of 12 planned"] == 1
    assert tiles["doses given"] == 1
    assert tiles["visits overdue"] >= 2
    assert page.content.count(b"<svg") >= 2
    assert b"style=" not in page.content


def test_labels_stand_in_for_wording_that_is_not_ours(signed_in, team):
    participants.assign(participant=team.participant, person=team["rater"], role="rater", actor=team["coordinator"])
    page = signed_in("rater").get(reverse("rate", args=[team.participant.public_id, "screening", "ybocs"]))
    assert b"Labels only" in page.content


def test_a_site_text_pack_brings_the_wording_and_its_digest_goes_into_the_record(signed_in, team, tmp_path, settings):
    from kerp.web.datadir import Layout
    from kerp.web.office import answers

    scale = answers.instrument("ybocs")
    items = "\n".join(f'{item.id} = "Wording of {item.id} at this site"' for item in scale.items)
    (tmp_path / "textpacks").mkdir()
    head = f'instrument = "ybocs"\nversion = "{scale.version}"\nlanguage = "en"\nrights = "licensed to the site"\n'
    (tmp_path / "textpacks" / "ybocs.toml").write_text(f"{head}[items]\n{items}\n")
    settings.KERP_LAYOUT = Layout(tmp_path)
    participants.assign(participant=team.participant, person=team["rater"], role="rater", actor=team["coordinator"])
    rater, public_id = signed_in("rater"), team.participant.public_id
    assert b"Wording of" in rater.get(reverse("rate", args=[public_id, "screening", "ybocs"])).content
    post(rater, "rate", public_id, "screening", "ybocs", **answers_of("ybocs", 1))
    assert len(events(team, "scale_answers")[0]["text_pack"]) > 20
    assert "Wording" not in json.dumps(events(team, "scale_answers"))


def test_the_record_shows_every_kind_of_entry_as_it_was_written(signed_in, team):
    from kerp.web import demo
    from kerp.web.models import Participant

    for step in (demo._ready, demo._screened):
        step(Participant.objects.get(pk=team.participant.pk))
    browser, address = signed_in("monitor"), reverse("entries", args=[team.participant.public_id])
    pages = [browser.get(address, {"page": number}) for number in (1, 2)]
    assert {page.status_code for page in pages} == {200}
    content = b"".join(page.content for page in pages)
    assert b"items: cloth, script" in content
    assert b"agreed: yes" in content
