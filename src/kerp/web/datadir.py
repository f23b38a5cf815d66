"""The data directory: where things lie, and the keys that are made there and never leave it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from kerp.base.errors import Fault, KerpError

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600


@dataclass(frozen=True, slots=True)
class Layout:
    """Names below the data directory. Reading a name creates nothing."""

    root: Path

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def database(self) -> Path:
        return self.root / "database" / "kerp.sqlite3"

    @property
    def allocation(self) -> Path:
        return self.root / "allocation" / "allocation.sqlite3"

    @property
    def static(self) -> Path:
        return self.root / "static"

    @property
    def text_packs(self) -> Path:
        return self.root / "textpacks"

    @property
    def stimuli(self) -> Path:
        return self.root / "stimuli"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    def folders(self) -> tuple[Path, ...]:
        """Every folder an installation has."""
        return (
            self.keys,
            self.database.parent,
            self.allocation.parent,
            self.static,
            self.text_packs,
            self.stimuli,
            self.backups,
            self.logs,
        )


def prepare(root: Path) -> Layout:
    """Make the folders (private to the account that serves) and whatever key is missing; keep what is there."""
    layout = Layout(root)
    try:
        for folder in (root, *layout.folders()):
            folder.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
        layout.keys.chmod(PRIVATE_DIR)
        _make_key(layout.keys / "secret.key", secrets.token_urlsafe(64))
        for name in ("field", "allocation"):
            _make_key(layout.keys / f"{name}.key", _fernet_key())
    except OSError as error:
        raise KerpError(
            Fault(f"the data directory cannot be used: {error.strerror}", where=str(root), field="--data-dir")
        ) from None
    return layout


def is_installation(root: Path) -> bool:
    """Whether `prepare` was ever here."""
    return (Layout(root).keys / "secret.key").is_file()


def key(root: Path | None, name: str) -> str:
    """The key called `name`, or empty when the directory was never prepared (Django then refuses to start)."""
    if root is None:
        return ""
    path = Layout(root).keys / f"{name}.key"
    return path.read_text().strip() if path.is_file() else ""


def _make_key(path: Path, value: str) -> None:
    if path.exists():
        return
    path.touch(mode=PRIVATE_FILE)
    path.write_text(value + "\n")


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
