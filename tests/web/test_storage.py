"""Storage: what is acknowledged stays, once, unchanged; on SQLite and on PostgreSQL (test_on_postgresql.py)."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from kerp.base.errors import KerpError
from kerp.session.events import DoseComputed, FeltEffectRated, SudsRated, Weighed
from kerp.web.actions import audit, record
from kerp.web.actions.record import SameIdOtherContentError, Submitted
from kerp.web.course import forget, rebuilt, state_of
from kerp.web.integrity import check_audit, check_everything, check_log
from kerp.web.models import AuditEvent, Entry, Flag

pytestmark = pytest.mark.both_engines


def suds(value: int, **more: object) -> Submitted:
    return Submitted(id=uuid.uuid4(), event=SudsRated(value=value), **more)


def append(team, submitted, actor="nurse"):
    return record.append(log_id=team.log.id, actor=actor, submitted=submitted)


def test_a_new_log_opens_with_the_protocol_and_its_digests(team):
    first = team.log.entries.get(seq=1)
    event = first.data()["event"]
    assert event["type"] == "log_opened"
    assert event["protocol_digest"] == team.participant.version.digest
    assert event["participant"] == "S1-001"


def test_entries_are_numbered_without_gaps_and_chained(team):
    for value in (10, 20, 30):
        append(team, suds(value))
    assert list(team.log.entries.values_list("seq", flat=True)) == [1, 2, 3, 4]
    assert check_log(team.log) == []


def test_the_same_entry_sent_again_is_given_back_and_not_written_twice(team):
    once = suds(40, occurred_ms=5)
    first = append(team, once)
    again = append(team, Submitted(id=once.id, event=once.event, occurred_ms=5, queued=True, clock_offset_ms=70))
    assert first.created
    assert not again.created
    assert again.entry.hash == first.entry.hash
    assert team.log.entries.count() == 2


def test_the_same_id_with_another_value_is_refused_flagged_and_changes_nothing(team):
    once = suds(40, occurred_ms=5)
    stands = append(team, once).entry
    with pytest.raises(SameIdOtherContentError, match="already"):
        append(team, Submitted(id=once.id, event=SudsRated(value=90), occurred_ms=5))
    assert team.log.entries.count() == 2
    assert Entry.objects.get(pk=stands.pk).data()["event"]["value"] == 40
    flag = Flag.objects.get()
    assert flag.kind == "same_id_other_content"
    assert '"value":90' in flag.refused


def test_the_same_id_in_another_participants_log_is_refused(team):
    from kerp.web.actions import participants

    other = participants.register(study=team.study, site=team.site, code="S1-002", actor=team["coordinator"])
    once = suds(40, occurred_ms=5)
    append(team, once)
    with pytest.raises(SameIdOtherContentError):
        record.append(log_id=other.log.id, actor="nurse", submitted=once)


def test_several_entries_are_written_all_or_none(team):
    good, clash = suds(10), suds(20)
    append(team, clash)
    changed = Submitted(id=clash.id, event=SudsRated(value=99))
    with pytest.raises(SameIdOtherContentError):
        record.append_all(log_id=team.log.id, actor="nurse", submitted=(good, changed))
    assert not Entry.objects.filter(entry_id=good.id).exists()


def test_a_value_off_the_scale_is_refused_and_nothing_is_written(team):
    with pytest.raises(KerpError, match="off the scale"):
        append(team, suds(101))
    assert team.log.head_seq == 1


def test_an_entry_from_the_future_is_kept_and_flagged(team):
    append(team, suds(10, occurred_ms=record.elapsed_ms(team.log, timezone.now()) + 60_000))
    assert Flag.objects.get().kind == "from_the_future"
    assert team.log.entries.count() == 2


def test_a_field_that_tells_the_arm_is_refused_in_a_blinded_log(team):
    team.study.blinded = True
    team.study.save()
    with pytest.raises(KerpError, match="tell the arm"):
        append(team, Submitted(id=uuid.uuid4(), event=DoseComputed(weight_kg=70, dose_mg=35)))
    append(team, Submitted(id=uuid.uuid4(), event=DoseComputed(weight_kg=70, volume_ml=35, kit="K1")))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE kerp_entry SET actor='x'",
        "DELETE FROM kerp_entry",
        "UPDATE kerp_auditevent SET actor='x'",
        "DELETE FROM kerp_auditevent",
        "DELETE FROM kerp_flag",
        "UPDATE kerp_flag SET kind='x'",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_written(team, statement):
    append(team, suds(10, occurred_ms=10**12))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_sqlite_refuses_replace_whatever_the_connection_was_set_to(team, recursive):
    if connection.vendor != "sqlite":
        assert connection.vendor == "postgresql"  # has no REPLACE; truncate is tested below
        return
    append(team, suds(10))
    columns = (
        "log_id, seq, entry_id, kind, occurred_ms, recorded_ms, received_at, actor, device, content_hash, record"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA recursive_triggers={recursive}")
        for key in ("id", "entry_id"):
            chosen = (
                f"SELECT {'id' if key == 'id' else '9999'}, {columns}, previous_hash, 'f' FROM kerp_entry LIMIT 1"
            )
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                cursor.execute(f"INSERT OR REPLACE INTO kerp_entry (id, {columns}, previous_hash, hash) {chosen}")
        cursor.execute("PRAGMA recursive_triggers=ON")


def test_postgresql_refuses_truncate(team):
    if connection.vendor != "postgresql":
        assert connection.vendor == "sqlite"  # has no TRUNCATE; replace is tested above
        return
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE kerp_entry CASCADE")


def _without_protection(statement: str) -> None:
    """What somebody with the database's own rights could do; the chain must tell."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER kerp_entry_no_update")
            cursor.execute("DROP TRIGGER kerp_entry_no_delete")
            cursor.execute("DROP TRIGGER kerp_auditevent_no_update")
        else:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE kerp_entry DISABLE TRIGGER USER")
            cursor.execute("ALTER TABLE kerp_auditevent DISABLE TRIGGER USER")
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE kerp_entry SET record=replace(record, '\"value\":20', '\"value\":21') WHERE seq=3", "was changed"),
        ("UPDATE kerp_entry SET actor='someone' WHERE seq=3", "column differs"),
        ("UPDATE kerp_entry SET hash=content_hash WHERE seq=3", "was changed"),
        ("DELETE FROM kerp_entry WHERE seq=3", "missing"),
        ("DELETE FROM kerp_entry WHERE seq=4", "head"),
    ],
)
def test_the_chain_tells_what_somebody_with_full_rights_changed(team, statement, what):
    for value in (10, 20, 30):
        append(team, suds(value))
    assert check_everything() == []
    _without_protection(statement)
    assert any(what in found.what for found in check_log(team.log))


def test_the_audit_trail_tells_a_changed_act(team):
    audit.record(actor="nurse", act="something", subject="participant:S1-001", reason="because")
    assert check_audit() == []
    _without_protection("UPDATE kerp_auditevent SET reason='another' WHERE act='something'")
    assert [found.what for found in check_audit()] == ["the act was changed"]


def test_an_act_that_fails_leaves_no_audit_row(team):
    from kerp.web.actions import participants

    before = AuditEvent.objects.count()
    with pytest.raises(KerpError, match="taken"):
        participants.register(study=team.study, site=team.site, code="S1-001", actor=team["coordinator"])
    assert AuditEvent.objects.count() == before


def test_the_kept_state_is_what_a_rebuild_from_nothing_gives(team):
    forget()
    for value in (10, 20, 30):
        append(team, suds(value))
        state_of(team.log)
    append(team, Submitted(id=uuid.uuid4(), event=Weighed(weight_kg=71.5)))
    append(team, Submitted(id=uuid.uuid4(), event=FeltEffectRated(value=3)))
    assert state_of(team.log) == rebuilt(team.log)
    assert len(state_of(team.log).entries) == 6


def test_each_entry_carries_the_date_at_the_site_not_the_servers(team):
    midnight_in_paris = team.log.opened_at.replace(hour=23, minute=30)
    ms = record.elapsed_ms(team.log, midnight_in_paris)
    entry = append(team, suds(10, occurred_ms=ms)).entry
    assert entry.data()["local_date"] == (midnight_in_paris.date() + timedelta(days=1)).isoformat()
