"""Restoring into a new data directory: unpacked beside it, verified there, renamed only then."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerp.base.errors import Fault, KerpError
from kerp.web.archive import fingerprints, unpack
from kerp.web.datadir import prepare

if TYPE_CHECKING:
    from kerp.web.backup import Verified


def restore(file: Path, data_dir: Path, keys: Path | None = None) -> Verified:
    """Restore `file` into `data_dir`, which must be new or empty. When something does not hold, nothing is left."""
    if data_dir.exists() and any(data_dir.iterdir()):
        ways = ("restore into a new directory, look at it, then point kerp serve at it",)
        raise KerpError(Fault("this directory is not empty", where=str(data_dir), ways_out=ways))
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=data_dir.parent, prefix=f".{data_dir.name}-"))
    try:
        verified = _into(file, staging, keys)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    if data_dir.exists():
        data_dir.rmdir()
    staging.rename(data_dir)
    return verified


def _into(file: Path, staging: Path, keys: Path | None) -> Verified:
    os.environ |= {"KERP_DATA_DIR": str(staging.absolute()), "DJANGO_SETTINGS_MODULE": "kerp.web.settings"}
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder)
        manifest = unpack(file, unpacked)
        _files(file, staging, keys, unpacked)
        _same_keys(manifest, staging / "keys", keys or file)
        prepare(staging)
        from kerp.web.start import start

        start()
        from kerp.web import backup

        backup.load_databases(unpacked, manifest)
        start(migrate=True)  # a backup of an older kerp; nothing to do for one of this
        verified = backup.compare(manifest)
        from django.db import connections

        connections.close_all()
        return verified


def _files(file: Path, staging: Path, keys: Path | None, unpacked: Path) -> None:
    """Keys, text packs and stimuli must lie in place before settings are read."""
    for name in ("keys", "textpacks", "stimuli"):
        source = keys if name == "keys" and keys else unpacked / name
        if source.is_dir():
            shutil.copytree(source, staging / name)
    if not (staging / "keys" / "secret.key").is_file():
        ways = ("--keys DIR, with a copy of the keys directory of the old installation",)
        raise KerpError(Fault("the backup was made without keys", where=str(file), ways_out=ways))


def _same_keys(manifest: dict[str, Any], folder: Path, where: Path) -> None:
    """Other keys would open nothing that is sealed; that is said before anything is restored."""
    wanted = manifest.get("keys", {})
    if wanted and fingerprints(folder) != wanted:
        ways = ("--keys DIR, with the keys that this installation had when it was backed up",)
        raise KerpError(Fault("these are not the keys of this backup", where=str(where), ways_out=ways))
