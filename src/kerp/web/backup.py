"""Backup and restore. A restore is not done before every chain holds and every log replays as the backup said."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils import timezone

from kerp import __version__
from kerp.base.errors import Fault, KerpError
from kerp.web.archive import FORMAT, MANIFEST, digest, fingerprints, pack
from kerp.web.course import rebuilt
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
    states: dict[str, int]  # log -> entries that its replay read
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
        states={str(log.id): len(rebuilt(log).entries) for log in logs},
        audit_head=last.hash if last else "",
    )


def backup(out: Path, *, with_keys: bool = False) -> Verified:
    """Write one file, readable by this account only; verified before it is written. Keys only when asked for."""
    held = verify()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for alias, name in _ALIASES.items():
            _dump(alias, root / f"{name}.dump")
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


def _dump(alias: str, target: Path) -> None:
    config = settings.DATABASES[alias]
    if connections[alias].vendor == "sqlite":
        with closing(sqlite3.connect(config["NAME"])) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    else:
        _run_postgresql("pg_dump", config, "--format=custom", "--no-owner", f"--file={target}")


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
    """Verify what was restored by replay, and that it is what the backup held."""
    found = verify()
    if found.as_dict() != manifest["held"]:
        raise KerpError(Fault("what was restored is not what was backed up", found=str(found.entries)))
    return found
