"""What the environment says about this installation, as one frozen value. Knows no Django, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kerp.base.errors import Fault, KerpError

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
IDLE_MIN = 15
ABSOLUTE_H = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One installation. Empty database addresses mean SQLite files below `data_dir`."""

    data_dir: Path | None = None
    database_url: str = ""
    allocation_url: str = ""
    journal: str = "DELETE"
    hosts: tuple[str, ...] = LOOPBACK
    https: bool = False
    behind_proxy: bool = False
    demo: bool = False
    idle_min: int = IDLE_MIN
    absolute_h: int = ABSOLUTE_H

    @property
    def root(self) -> Path:
        """The data directory; a clear error when none was named."""
        if self.data_dir is None:
            raise KerpError(
                Fault(
                    "no data directory is named",
                    field="KERP_DATA_DIR",
                    ways_out=("kerp serve --data-dir DIR", "set KERP_DATA_DIR"),
                )
            )
        return self.data_dir


def from_environment(environment: Mapping[str, str]) -> Config:
    """Read `KERP_*`; every fault at once."""
    faults: list[Fault] = []
    directory = environment.get("KERP_DATA_DIR", "")
    config = Config(
        data_dir=Path(directory) if directory else None,
        database_url=environment.get("KERP_DATABASE_URL", ""),
        allocation_url=environment.get("KERP_ALLOCATION_DATABASE_URL", ""),
        journal=environment.get("KERP_SQLITE_JOURNAL", "DELETE").upper(),
        hosts=_hosts(environment.get("KERP_HOSTS", "")),
        https=_flag(environment, "KERP_HTTPS", faults),
        behind_proxy=_flag(environment, "KERP_BEHIND_PROXY", faults),
        demo=_flag(environment, "KERP_DEMO", faults),
        idle_min=_whole(environment, "KERP_IDLE_MIN", IDLE_MIN, faults),
        absolute_h=_whole(environment, "KERP_SESSION_MAX_H", ABSOLUTE_H, faults),
    )
    if faults:
        raise KerpError(*faults)
    return config


def _hosts(text: str) -> tuple[str, ...]:
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    return named or LOOPBACK


def _flag(environment: Mapping[str, str], name: str, faults: list[Fault]) -> bool:
    text = environment.get(name, "").lower()
    if text not in {"", "0", "1", "no", "yes", "false", "true"}:
        faults.append(Fault("this is neither yes nor no", field=name, found=text, allowed="0, 1"))
    return text in {"1", "yes", "true"}


def _whole(environment: Mapping[str, str], name: str, default: int, faults: list[Fault]) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isdigit() or int(text) < 1:
        faults.append(Fault("a whole number above zero is expected", field=name, found=text))
        return default
    return int(text)


def database(url: str, *, sqlite_file: Path, journal: str = "DELETE") -> dict[str, Any]:
    """A Django `DATABASES` entry: PostgreSQL from its address, or SQLite by the rules of DESIGN decision 3."""
    return _postgresql(url) if url else _sqlite(sqlite_file, journal)


def _sqlite(file: Path, journal: str) -> dict[str, Any]:
    pragmas = f"PRAGMA journal_mode={journal}; PRAGMA synchronous=EXTRA; PRAGMA recursive_triggers=ON;"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(file),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"init_command": pragmas, "transaction_mode": "IMMEDIATE", "timeout": 20},
    }


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        shape = "postgresql://USER:PASSWORD@HOST:PORT/NAME"
        shown = f"{parts.scheme or 'no scheme'}://..."  # never the password
        raise KerpError(
            Fault("this database address cannot be used", field="KERP_DATABASE_URL", found=shown, allowed=shape)
        )
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options | {"options": "-c synchronous_commit=on"},
    }
