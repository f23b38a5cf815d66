"""Registering participants and saying who works with whom."""

from __future__ import annotations

import re
import uuid
from datetime import datetime

from kerp import __version__
from kerp.base.errors import Fault, KerpError
from kerp.session.events import LogOpened, Origin
from kerp.web.access import conflict_same_participant, matrix
from kerp.web.actions import audit, door, record
from kerp.web.actions.study import in_force
from kerp.web.models import Assignment, Log, Participant, Person, ProtocolVersion, Site, Study
from kerp.web.protocols import chain_start, from_text

CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{1,19}")


def register(
    *, study: Study, site: Site, code: str, actor: Person, origin: Origin = Origin.RECORDED, clock_speed: int = 1
) -> Participant:
    """Give a study code its log. Irreversible: a code is never reused and a registered participant never removed."""
    if not CODE.fullmatch(code):
        shape = "capital letters, digits and hyphens, 2 to 20, for example S1-001; never initials or a date of birth"
        raise KerpError(Fault("this cannot be a study code", field="code", found=code, allowed=shape))
    with door.act() as now:
        version = in_force(study)
        if version is None:
            ways = ("sign the rules of a protocol version on the study page",)
            raise KerpError(Fault("no protocol version of this study is signed", field="study", ways_out=ways))
        if study.participants.filter(code=code).exists():
            raise KerpError(Fault("this study code is taken", field="code", found=code))
        participant = Participant.objects.create(
            study=study, site=site, code=code, version=version, registered_at=now, registered_by=actor
        )
        _open_log(participant, now, actor, origin, clock_speed)
        audit.record(actor=actor.username, act="participant.registered", subject=f"participant:{code}")
    return participant


def _open_log(participant: Participant, now: datetime, actor: Person, origin: Origin, clock_speed: int) -> Log:
    start = chain_start(from_text(participant.version.resolved))
    log = Log.objects.create(participant=participant, opened_at=now, head_hash=start, clock_speed=clock_speed)
    event = _opening(participant, participant.version, origin)
    submitted = record.Submitted(id=uuid.uuid4(), event=event, occurred_ms=0)
    record.append(log_id=log.id, actor=actor.username, submitted=submitted)
    return log


def _opening(participant: Participant, version: ProtocolVersion, origin: Origin) -> LogOpened:
    return LogOpened(
        participant=participant.code,
        protocol_id=version.protocol_id,
        protocol_digest=version.digest,
        engine_version=__version__,
        base_digest=version.base_digest,
        overlay_digest=version.overlay_digest,
        stopping_rules_digest=version.rules_digest,
        stopping_rules_version=str(version.number),
        site=participant.site.code,
        origin=origin,
    )


def assign(*, participant: Participant, person: Person, role: str, actor: Person | None) -> Assignment:
    """Say in which role a person works with a participant. One who ever treated never rates blinded (M7)."""
    if role not in person.role_ids():
        held = ", ".join(sorted(person.role_ids())) or "none"
        raise KerpError(Fault(f"{person} does not hold this role", field="role", found=role, allowed=held))
    with door.act() as now:
        ever = set(participant.assignments.filter(person=person).values_list("role", flat=True))
        if why := conflict_same_participant(ever | {role}):
            raise KerpError(
                Fault(f"refused: {why}", field="person", found=f"{person} as {matrix().roles[role].title}")
            )
        if standing := participant.assignments.filter(person=person, role=role, ended_at=None).first():
            return standing
        given = Assignment.objects.create(
            participant=participant, person=person, role=role, assigned_at=now, assigned_by=actor
        )
        _audit_assignment("assignment.made", given, actor)
    return given


def end_assignment(*, given: Assignment, actor: Person) -> None:
    """End an assignment; that it was there stays, and still bars blinded rating."""
    with door.act() as now:
        given.ended_at = now
        given.save(update_fields=["ended_at"])
        _audit_assignment("assignment.ended", given, actor)


def note_treating(*, participant: Participant, person: Person, role: str) -> None:
    """Whoever records in a session treats: one who rates this participant blinded is refused, others remembered."""
    assign(participant=participant, person=person, role=role, actor=None)


def _audit_assignment(act: str, given: Assignment, actor: Person | None) -> None:
    name = actor.username if actor else given.person.username
    details = {"person": given.person.username, "role": given.role}
    audit.record(actor=name, act=act, subject=f"participant:{given.participant.code}", details=details)
