"""Many opened sessions for the fault test, what became of them, and the same records on the other database engine.

Run as a program, with KERP_DATA_DIR and, for PostgreSQL, KERP_DATABASE_URL:
`make N` prints JSON with the ids of N logs; `tell` prints every log with its entries, head and replay digest;
`copy FILE` writes what `tell` printed once more through the writing door, every entry twice, and tells again.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

PROTOCOL = "bottemanne2021-iv"


def begin() -> None:
    from kerp.web.datadir import prepare

    prepare(Path(os.environ["KERP_DATA_DIR"]))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "kerp.web.settings", "KERP_DEMO": "1"}
    from kerp.web.start import start

    start(migrate=True)
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    PBKDF2PasswordHasher.iterations = 1000  # of the test's accounts only
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]


def study() -> tuple[dict[str, Any], Any, Any]:
    """Everybody, a study with signed rules, a site."""
    from seed import people

    from kerp.protocol.load import load_protocol
    from kerp.web.actions import study as acts

    team = people()
    admin = team["administrator"]
    site = acts.create_site(code="par", name="Paris", zone="Europe/Paris", actor=admin)
    trial = acts.create_study(code="kerp-1", title="A study", blinded=False, target=12, actor=admin)
    resolved = load_protocol(PROTOCOL)
    version = acts.add_version(study=trial, resolved=resolved, source_text="", warnings=[], why="", actor=admin)
    acts.sign_rules(version=version, actor=team["prescriber"])
    return team, trial, site


def make(number: int) -> dict[str, Any]:
    from seed import PASSWORD

    from kerp.session import events as ev
    from kerp.web.actions import participants, record

    team, trial, site = study()
    logs = []
    for one in range(1, number + 1):
        made = participants.register(study=trial, site=site, code=f"S1-{one:03}", actor=team["coordinator"])
        items = (ev.HierarchyItem(item="door", trigger="Touch the door handle", suds=45),)
        given = [*items, ev.SessionOpened(plan="dosing")]
        submitted = [
            record.Submitted(
                id=uuid.uuid4(), event=event, session="dosing-1" if event.type == "session_opened" else ""
            )
            for event in given
        ]
        record.append_all(log_id=made.log.id, actor="nurse", submitted=submitted)
        logs.append(str(made.log.id))
    return {"logs": logs, "password": PASSWORD}


def tell() -> list[dict[str, Any]]:
    """Each log from its exported file: chain, order, digests and replay are checked on the way."""
    import tempfile

    from kerp.records.logfile import read_log
    from kerp.records.replay import verification
    from kerp.web.models import Log
    from kerp.web.office.export import log_text

    told = []
    for log in Log.objects.order_by("participant__code"):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "one.kerplog"
            file.write_text(log_text(log, with_text=True))
            found = verification(read_log(file))
        told.append(
            {
                "log": str(log.id),
                "code": log.participant.code,
                "opened_at": log.opened_at.isoformat(),
                "head": log.head_hash,
                "exported_head": found["chain_head"],
                "state": found["state_digest"],
                "records": [row.data() for row in log.entries.order_by("seq")],
                "flags": [[flag.kind, str(flag.entry_id)] for flag in log.flags.order_by("id")],
            }
        )
    return told


def copy(file: Path) -> list[dict[str, Any]]:
    from django.utils import timezone

    from kerp.web.models import Log, Participant
    from kerp.web.protocols import chain_start, from_text

    team, trial, site = study()
    version = trial.versions.get()
    for one in json.loads(file.read_text()):
        opened_at = datetime.fromisoformat(one["opened_at"])
        participant = Participant.objects.create(
            study=trial,
            site=site,
            code=one["code"],
            version=version,
            registered_at=opened_at,
            registered_by=team["coordinator"],
        )
        start = chain_start(from_text(version.resolved))
        log = Log.objects.create(id=one["log"], participant=participant, opened_at=opened_at, head_hash=start)
        real = timezone.now
        try:
            for record in one["records"]:
                recorded_at = opened_at + timedelta(milliseconds=record["recorded_ms"])
                timezone.now = lambda at=recorded_at: at
                append_twice(log.id, record)
        finally:
            timezone.now = real
    return tell()


def append_twice(log_id: Any, data: dict[str, Any]) -> None:
    from kerp.session.codec import decode
    from kerp.web.actions import record

    entry = decode(data)
    submitted = record.Submitted(
        id=uuid.UUID(entry.id),
        event=entry.event,
        occurred_ms=entry.occurred_ms,
        session=entry.session,
        role=entry.role,
        device=entry.device,
        clock_offset_ms=entry.clock_offset_ms,
        queued=entry.queued,
    )
    first, second = (record.append(log_id=log_id, actor=entry.actor, submitted=submitted) for _ in range(2))
    assert (first.created, second.created) == (True, False)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    begin()
    what, *given = sys.argv[1:]
    found = {"make": lambda: make(int(given[0])), "tell": tell, "copy": lambda: copy(Path(given[0]))}[what]()
    print(json.dumps(found))
