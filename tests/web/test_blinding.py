"""Nobody who must not know an arm can learn one: pages, exports, errors, the log, the databases (M8)."""

from __future__ import annotations

import json
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import DatabaseError, connections, transaction
from django.urls import reverse

from kerp.base.errors import KerpError
from kerp.session.events import ArmGuess, Guesser
from kerp.web.actions import participants, record
from kerp.web.models import AuditEvent, Entry
from kerp.web.vault import store
from kerp.web.vault.models import SealedList, VaultEvent

pytestmark = pytest.mark.both_engines
SECRET = (b"verum-q7", b"placebo-x9")
PASSWORD = "a long sentence for tests"


def prove(browser):
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser


def tells(answer):
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = str(answer.headers).encode()
    return any(word in body or word in headers for word in SECRET)


def test_the_pharmacy_sees_what_a_kit_holds(signed_in, blinded):
    assert tells(signed_in("pharmacist").get(reverse("pharmacy")))


def test_neither_log_nor_audit_nor_study_database_holds_an_arm(blinded, signed_in):
    everything = [entry.record for entry in Entry.objects.all()]
    everything += [event.details + event.reason + event.subject for event in AuditEvent.objects.all()]
    assert not any(word.decode() in text for word in SECRET for text in everything)


def test_a_blinded_study_keeps_what_its_arms_share_even_where_an_arms_own_protocol_was_loaded(blinded):
    version = blinded.study.versions.get()
    dose = json.loads(version.resolved)["dose"]
    assert (dose["agent"], dose["dose_mg_per_kg"], dose["concentration_mg_per_ml"]) == ("masked", None, None)
    assert "midazolam" not in (version.resolved + version.title + version.protocol_id).lower()


def test_the_sealed_list_is_encrypted_and_the_record_beside_it_holds_no_arm(blinded):
    row = SealedList.objects.get()
    assert not any(word in bytes(row.sealed) for word in SECRET)
    assert not any(word.decode() in event.record for word in SECRET for event in VaultEvent.objects.all())


def test_the_allocation_store_lives_in_a_database_of_its_own(blinded):
    tables = connections["default"].introspection.table_names()
    assert not [name for name in tables if name.startswith("kerp_vault")]
    assert "kerp_entry" not in connections["allocation"].introspection.table_names()
    assert "kerp_vault_vaultevent" in connections["allocation"].introspection.table_names()


@pytest.mark.parametrize(
    "statement", ["UPDATE kerp_vault_vaultevent SET kind='x'", "DELETE FROM kerp_vault_sealedlist"]
)
def test_the_allocation_record_cannot_be_changed(blinded, statement):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic("allocation"):
        connections["allocation"].cursor().execute(statement)


def test_one_allocation_at_a_time_and_never_twice_for_one_person(blinded):
    from kerp.allocation.release import Register, Release

    with pytest.raises(KerpError, match="already has an allocation"):
        store.perform("kerp-b", Release(subject="B1-001", by="pharmacist", at_ms=5))
    register = Register(subject="B1-002", stratum=("par",), eligibility_signed=True, by="coordinator", at_ms=6)
    store.perform("kerp-b", register)
    another = Register(subject="B1-003", stratum=("par",), eligibility_signed=True, by="coordinator", at_ms=7)
    with pytest.raises(KerpError, match="one allocation at a time"):
        store.perform("kerp-b", another)
    assert VaultEvent.objects.filter(kind="registered").count() == 2


def test_a_list_is_never_replaced(blinded):
    made = store.opened("kerp-b").made
    with pytest.raises(KerpError, match="never replaced"):
        store.seal(made=made, active=["verum-q7"], by="somebody")


def test_a_changed_list_is_refused_at_start_up(blinded):
    from cryptography.fernet import Fernet
    from django.conf import settings

    row = SealedList.objects.get()
    data = json.loads(Fernet(settings.KERP_ALLOCATION_KEY).decrypt(bytes(row.sealed)))
    first, second = data["list"]["entries"][:2]
    first["arm"], second["arm"] = "placebo-x9", "placebo-x9"
    sealed = Fernet(settings.KERP_ALLOCATION_KEY).encrypt(json.dumps(data).encode())
    with connections["allocation"].cursor() as cursor:
        if connections["allocation"].vendor == "sqlite":
            cursor.execute("DROP TRIGGER kerp_vault_sealedlist_no_update")
        else:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE kerp_vault_sealedlist DISABLE TRIGGER USER")
        cursor.execute("UPDATE kerp_vault_sealedlist SET sealed = %s", [sealed])
    with pytest.raises(KerpError) as refused:
        store.verify_all()
    assert not any(word.decode() in str(refused.value) for word in SECRET)


def test_somebody_not_eligible_is_not_registered_for_allocation(signed_in, blinded):
    other = participants.register(study=blinded.study, site=blinded.site, code="B1-009", actor=blinded["coordinator"])
    answer = signed_in("coordinator").post(
        reverse("randomise", args=[other.public_id]), {"factor_site": "par", "sure": "on"}
    )
    assert b"eligibility is not signed" in answer.content.lower()
    assert VaultEvent.objects.filter(kind="registered").count() == 1


def test_the_pharmacy_releases_a_kit_into_the_log_without_the_arm(signed_in, blinded):
    from kerp.allocation.release import Register

    other = participants.register(study=blinded.study, site=blinded.site, code="B1-002", actor=blinded["coordinator"])
    store.perform(
        "kerp-b", Register(subject="B1-002", stratum=("lyo",), eligibility_signed=True, by="coordinator", at_ms=9)
    )
    browser = prove(signed_in("pharmacist"))
    browser.post(reverse("release_kit", args=["kerp-b"]), {"subject": "B1-002"})
    dispensed = Entry.objects.get(log=other.log, kind="dispensing").data()["event"]
    assert dispensed["kit"] == dict(store.state("kerp-b").kits)["B1-002"]
    assert not dispensed["agent"]


def ask(signed_in, blinded, reason="Status epilepticus, the treating team must know"):
    browser = prove(signed_in("prescriber"))
    browser.post(reverse("unblinding"), {"participant": blinded.participant.pk, "reason": reason})
    return browser, store.notes("kerp-b", store.ASKED)[-1]["seq"]


def test_emergency_unblinding_needs_a_second_person_and_shows_one_arm_to_who_asked(signed_in, blinded):
    asker, seq = ask(signed_in, blinded)
    show = reverse("show_arm", args=["kerp-b", seq])
    confirm = reverse("confirm_unblinding", args=["kerp-b", seq])
    assert asker.post(show).status_code == 404
    asker.post(confirm)
    assert asker.post(show).status_code == 404  # one cannot be one's own second person
    second = prove(signed_in("pharmacist"))
    assert not tells(second.post(confirm))
    answer = asker.post(show)
    true_arm = store.arms_for_unblinded("kerp-b")[0]["B1-001"]
    assert true_arm.encode() in answer.content
    event = Entry.objects.get(kind="unblinding").data()["event"]
    assert event["second_person"] == "pharmacist"
    assert not any(word.decode() in json.dumps(event) for word in SECRET)
    acts = set(AuditEvent.objects.values_list("act", flat=True))
    assert {"unblinding.asked", "unblinding.confirmed", "unblinding.shown"} <= acts


def test_unblinding_without_a_fresh_proof_asks_for_one_and_records_nothing(signed_in, blinded):
    browser = signed_in("prescriber")
    answer = browser.post(reverse("unblinding"), {"participant": blinded.participant.pk, "reason": "an emergency"})
    assert answer.url.startswith(reverse("account_reauthenticate"))
    assert store.notes("kerp-b", store.ASKED) == []


def test_a_release_that_a_crash_kept_out_of_the_log_is_shown_and_recorded_once(signed_in, blinded, monkeypatch):
    kit = dict(store.state("kerp-b").kits)["B1-001"]
    assert not Entry.objects.filter(kind="dispensing").exists()  # released in the store alone
    browser = prove(signed_in("pharmacist"))
    assert b"not in the record" in browser.get(reverse("pharmacy")).content
    said = {"subject": "B1-001", "kit": kit}
    assert browser.post(reverse("release_kit", args=["kerp-b"]), said | {"kit": "K999"}).status_code == 404
    for _ in range(2):
        browser.post(reverse("release_kit", args=["kerp-b"]), said)
    written = [one.data()["event"]["kit"] for one in Entry.objects.all() if one.data()["event"].get("kit") == kit]
    assert written == [kit]
    assert b"not in the record" not in browser.get(reverse("pharmacy")).content


def test_what_was_typed_waits_while_a_person_proves_who_they_are(signed_in, blinded):
    browser = signed_in("prescriber")
    typed = {"participant": str(blinded.participant.pk), "reason": "an emergency, at night", "password": "no"}
    back = parse_qs(urlsplit(browser.post(reverse("unblinding"), typed).url).query)["next"][0]
    assert browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": back}).url == back
    page = browser.get(back)
    assert "an emergency, at night" in page.content.decode()
    assert ["password", "no"] not in page.context["kept"]["typed"]
    kept = page.context["kept"]
    assert browser.post(kept["path"], dict(kept["typed"])).url == reverse("unblinding")
    assert [one["reason"] for one in store.notes("kerp-b", store.ASKED)] == ["an emergency, at night"]
    assert browser.get(back).url == "/"


def test_the_blinding_index_counts_right_and_wrong_guesses_by_arm(signed_in, blinded):
    arm = store.arms_for_unblinded("kerp-b")[0]["B1-001"]
    right = "active" if arm == "verum-q7" else "comparison"
    for by, guess in ((Guesser.RATER, right), (Guesser.PARTICIPANT, "unknown")):
        one = record.Submitted(id=uuid.uuid4(), event=ArmGuess(by=by, guess=guess))
        record.append(log_id=blinded.log.id, actor="rater", submitted=one)
    answer = signed_in("statistician").get(reverse("blinding_index"))
    rows = {by: index for _, table in answer.context["tables"] for _, by, index in table}
    assert (rows["rater"].correct, rows["rater"].wrong, rows["rater"].unsure) == (1, 0, 0)
    assert (rows["participant"].correct, rows["participant"].unsure) == (0, 1)
    assert rows["rater"].arm == arm
