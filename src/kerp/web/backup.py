"""Backup and restore. A restore is done only when every chain holds and every log replays to the state of the backup.

A backup is made while people work. What its manifest says is therefore read from the copy, not from the databases
that go on changing: on SQLite from the copied files, on PostgreSQL in the snapshot that `pg_dump` then writes.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from kerp import __version__
from kerp.base.errors import Fault, KerpError
from kerp.records.replay import state_digest
from kerp.web.archive import FORMAT, MANIFEST, digest, fingerprints, pack
from kerp.web.course import protocol_of, rebuilt
from kerp.web.integrity import check_everything
from kerp.web.models import AuditEvent, Log
from kerp.web.vault import doses, store

_ALIASES = {"default": "database", "allocation": "allocation"}


@dataclass(frozen=True, slots=True)
class Verified:
    """What a backup holds, or what a restore was found to hold."""

    logs: int
    entries: int
    heads: dict[str, str]
    states: dict[str, str]  # log -> digest of the state that its replay comes to
    audit_head: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the manifest."""
        return {
            "logs": self.logs,
            "entries": self.entries,
            "heads": self.heads,
            "states": self.states,
            "audit_head": self.audit_head,
        }


def verify() -> Verified:
    """Check every chain and replay every log that is open; `KerpError` names what does not hold."""
    if breaks := check_everything():
        raise KerpError(*(Fault(found.what, where=found.chain, found=f"entry {found.seq}") for found in breaks))
    store.verify_all()
    doses.verify_doses()
    logs = list(Log.objects.select_related("participant__study", "participant__site", "participant__version"))
    last = AuditEvent.objects.order_by("-seq").first()
    return Verified(
        logs=len(logs),
        entries=sum(log.head_seq for log in logs),
        heads={str(log.id): log.head_hash for log in logs},
        states={str(log.id): _state(log) for log in logs},
        audit_head=last.hash if last else "",
    )


def _state(log: Log) -> str:
    state = rebuilt(log)
    last = max((entry.recorded_ms for entry in state.entries), default=0)
    return state_digest(protocol_of(log), state, last)


def backup(out: Path, *, with_keys: bool = False) -> Verified:
    """Write one file, readable by this account only; the copy is verified first. Keys only when asked for."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copied = _copied_files if connections["default"].vendor == "sqlite" else _copied_snapshots
        held = copied({alias: root / f"{name}.dump" for alias, name in _ALIASES.items()})
        _copy(settings.KERP_LAYOUT.text_packs, root / "textpacks")
        _copy(settings.KERP_LAYOUT.stimuli, root / "stimuli")
        if with_keys:
            _copy(settings.KERP_LAYOUT.keys, root / "keys")
        manifest = {
            "format": FORMAT,
            "kerp": __version__,
            "made_at": timezone.now().isoformat(),
            "engine": connections["default"].vendor,
            "keys": fingerprints(settings.KERP_LAYOUT.keys),
            "held": held.as_dict(),
            "files": {str(p.relative_to(root)): digest(p) for p in sorted(root.rglob("*")) if p.is_file()},
        }
        (root / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True))
        pack(root, out)
    return held


def _copied_files(targets: dict[str, Path]) -> Verified:
    """SQLite: copy each file by the online backup of SQLite, then read what was copied."""
    for alias, target in targets.items():
        source = sqlite3.connect(f"{Path(settings.DATABASES[alias]['NAME']).absolute().as_uri()}?mode=ro", uri=True)
        with closing(source), closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    with ExitStack() as stack:
        for alias, target in targets.items():
            stack.enter_context(_reading(alias, target))
        return verify()


@contextmanager
def _reading(alias: str, file: Path) -> Iterator[None]:
    """Let this alias mean a copy for a while."""
    connection = connections[alias]
    connection.close()
    meant = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(file)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = meant


def _copied_snapshots(targets: dict[str, Path]) -> Verified:
    """PostgreSQL: read and dump one snapshot of each database."""
    with ExitStack() as stack:
        snapshots = {alias: stack.enter_context(_snapshot(alias)) for alias in targets}
        held = verify()
        for alias, target in targets.items():
            how = ("--format=custom", "--no-owner", f"--snapshot={snapshots[alias]}", f"--file={target}")
            _run_postgresql("pg_dump", settings.DATABASES[alias], *how)
        return held


@contextmanager
def _snapshot(alias: str) -> Iterator[str]:
    """A transaction that sees one moment, and the name under which another program can see the same."""
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        yield str(cursor.fetchone()[0])


def _run_postgresql(program: str, config: dict[str, Any], *options: str) -> None:
    where = [f"--host={config['HOST']}"] if config["HOST"] else []
    where += [f"--port={config['PORT']}"] if config["PORT"] else []
    where += [f"--username={config['USER']}"] if config["USER"] else []
    environment = os.environ | {"PGPASSWORD": config["PASSWORD"]}
    command = [_postgresql_program(program), *where, *options, f"--dbname={config['NAME']}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise KerpError(Fault(f"{program} failed: {done.stderr.strip().splitlines()[-1:]}"))


def _postgresql_program(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else "")
    if not found:
        raise KerpError(Fault(f"{name} is not installed", ways_out=("apt-get install postgresql-client",)))
    return found


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)


def load_databases(folder: Path, manifest: dict[str, Any]) -> None:
    """Put the databases of an unpacked backup where this installation's settings say."""
    engine = connections["default"].vendor
    if manifest["engine"] != engine:
        raise KerpError(Fault("the backup is of another database engine", found=manifest["engine"], allowed=engine))
    for alias, name in _ALIASES.items():
        config, dump = settings.DATABASES[alias], folder / f"{name}.dump"
        if engine == "sqlite":
            Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(dump, config["NAME"])
        else:
            _run_postgresql("pg_restore", config, "--no-owner", "--exit-on-error", "--single-transaction", str(dump))


def compare(manifest: dict[str, Any]) -> Verified:
    """Verify what was restored by replay, and that it is what the backup held.

    Another version of kerp may say more of the same log: then chains and entries are compared, not states.
    """
    found, held = verify(), manifest["held"]
    same_engine = manifest["kerp"] == __version__
    wrong = [name for name, value in found.as_dict().items() if value != held[name]]
    if faults := [name for name in wrong if name != "states" or same_engine]:
        raise KerpError(Fault("what was restored is not what was backed up", field=", ".join(faults)))
    return found
