"""The backup file: one archive with a manifest that holds the digest of everything in it. Knows no Django."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

from kerp.base.errors import Fault, KerpError

MANIFEST = "manifest.json"
FORMAT = 2  # 1 held how many entries a replay read, not the state it came to


def pack(root: Path, out: Path) -> None:
    """Pack a folder into a file that only this account can read; an older file stays whole until the new one is."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w:gz") as archive:
                archive.add(root, arcname=".")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise KerpError(Fault(f"the backup cannot be written: {error.strerror}", where=str(out))) from None


def unpack(file: Path, folder: Path) -> dict[str, Any]:
    """The files of a backup into an empty folder, each checked against the manifest."""
    if not file.is_file():
        raise KerpError(Fault("there is no such file", where=str(file)))
    try:
        with tarfile.open(file, "r:gz") as archive:
            archive.extractall(folder, filter="data")
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        files = manifest["files"]
    except (tarfile.TarError, OSError, EOFError, KeyError, json.JSONDecodeError):
        raise KerpError(Fault("this is not a backup of kerp, or it is damaged", where=str(file))) from None
    if manifest["format"] != FORMAT:
        raise KerpError(Fault("this backup is of another format", found=str(manifest["format"]), allowed=str(FORMAT)))
    wrong = [name for name, written in files.items() if not _holds(folder / name, written)]
    if wrong:
        raise KerpError(*(Fault("this file of the backup is damaged", where=name) for name in wrong))
    return manifest


def fingerprints(keys: Path) -> dict[str, str]:
    """What tells the keys of an installation from others, without telling the keys (they are 256 random bits)."""
    found = {name: keys / f"{name}.key" for name in ("field", "allocation")}
    return {
        name: hashlib.sha256(f"kerp key {name} {path.read_text().strip()}".encode()).hexdigest()[:16]
        for name, path in found.items()
        if path.is_file()
    }


def _holds(path: Path, written: str) -> bool:
    return path.is_file() and digest(path) == written


def digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
