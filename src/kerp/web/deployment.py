"""`kerp web check`: is this installation fit for real participants? Each finding is a line a person can act on."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from kerp.web.access import matrix, second_factor_of
from kerp.web.actions.people import second_factors_chosen
from kerp.web.config import LOOPBACK
from kerp.web.demo import known_passwords
from kerp.web.embedded import wal_is_unsafe
from kerp.web.integrity import check_everything
from kerp.web.models import Person, RoleGrant


@dataclass(frozen=True, slots=True)
class Finding:
    """`result` is good, note or wrong."""

    check: str
    result: str
    text: str


def check() -> list[Finding]:
    """Every check; those on the record only when the databases are up to date."""
    findings = [look() for look in (_keys, _private, _transport, _hosts, _demo, _engine, _journal, _migrations)]
    if findings[-1].result == "good":
        findings += [
            look() for look in (_triggers, _passwords, _administrators, _second_factors, _waived_factors, _chains)
        ]
    return findings


def _finding(name: str, good: bool, yes: str, no: str, otherwise: str = "wrong") -> Finding:
    return Finding(name, "good" if good else otherwise, yes if good else no)


def _keys() -> Finding:
    there = all((settings.SECRET_KEY, settings.KERP_FIELD_KEY, settings.KERP_ALLOCATION_KEY))
    return _finding(
        "keys", there, "all three keys are in the data directory", "a key is missing: run kerp serve once"
    )


def _private() -> Finding:
    folder: Path = settings.KERP_LAYOUT.keys
    files = [folder, *folder.glob("*.key")] if folder.is_dir() else []
    private = bool(files) and all(path.stat().st_mode & 0o077 == 0 for path in files)
    return _finding("key files", private, "only this account can read them", "others can read them: chmod 600, 700")


def _transport() -> Finding:
    return _finding(
        "transport",
        settings.KERP.https,
        "TLS; cookies are Secure, HttpOnly and SameSite=Strict",
        "no TLS: only this machine can be served (set KERP_HTTPS=1, or start with --tls-cert or --behind-proxy)",
        otherwise="note",
    )


def _hosts() -> Finding:
    hosts = settings.ALLOWED_HOSTS
    wide = "*" in hosts or (settings.KERP.https and set(hosts) <= set(LOOPBACK))
    return _finding("hosts", not wide, ", ".join(hosts), "name the host that browsers use: KERP_HOSTS", "wrong")


def _demo() -> Finding:
    return _finding("demonstration", not settings.KERP.demo, "off", "on: known passwords; no real participants")


def _engine() -> Finding:
    vendor = connections["default"].vendor
    text = {"sqlite": "SQLite: one machine, one server process", "postgresql": "PostgreSQL"}[vendor]
    return Finding("database", "good", text)


def _journal() -> Finding:
    version = ".".join(map(str, sqlite3.sqlite_version_info))
    unsafe = settings.KERP.journal == "WAL" and wal_is_unsafe(sqlite3.sqlite_version_info)
    wal = "WAL would lose entries here" if wal_is_unsafe(sqlite3.sqlite_version_info) else "WAL would be safe here"
    return _finding("SQLite", not unsafe, f"{version}, journal {settings.KERP.journal}; {wal}", f"{version} with WAL")


def _migrations() -> Finding:
    behind = [alias for alias in settings.DATABASES if _behind(alias)]
    return _finding("migrations", not behind, "up to date", f"behind: {', '.join(behind)}; run kerp serve once")


def _behind(alias: str) -> bool:
    executor = MigrationExecutor(connections[alias])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _triggers() -> Finding:
    question: dict[str, str] = {
        "sqlite": "SELECT count(*) FROM sqlite_master WHERE type='trigger' AND name LIKE 'kerp_%'",
        "postgresql": "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'kerp_%' AND tgenabled <> 'D'",
    }
    counts = {alias: _count(alias, question[connections[alias].vendor]) for alias in settings.DATABASES}
    tables = {"default": 4, "allocation": 3}
    expected = {alias: tables[alias] * (3 if connections[alias].vendor == "sqlite" else 2) for alias in counts}
    whole = all(counts[alias] >= expected[alias] for alias in counts)
    return _finding(
        "append-only", whole, "the database refuses change", "a trigger is missing: the record is unprotected"
    )


def _count(alias: str, query: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


def _passwords() -> Finding:
    known = known_passwords()
    return _finding("passwords", not known, "no account has a known one", f"known to everybody: {', '.join(known)}")


def _administrators() -> Finding:
    there = RoleGrant.objects.filter(role="administrator", ended_at=None, person__is_active=True).exists()
    return _finding("administrator", there, "there is one", "nobody can make accounts: kerp web create-admin")


def _second_factors() -> Finding:
    from allauth.mfa.utils import is_mfa_enabled

    active = Person.objects.filter(is_active=True, grants__ended_at=None).distinct()
    without = sum(not is_mfa_enabled(person) for person in active)
    return _finding(
        "second factors", not without, "everybody has one", f"{without} without; asked at sign-in", "note"
    )


def _waived_factors() -> Finding:
    chosen = second_factors_chosen()
    titles = [role.title for role in matrix().roles.values() if not second_factor_of(role.id, chosen)]
    return _finding(
        "second factors by role", not titles, "every role asks for one", f"waived for {', '.join(titles)}", "note"
    )


def _chains() -> Finding:
    breaks = check_everything()
    first = f"{breaks[0].chain} entry {breaks[0].seq}: {breaks[0].what}" if breaks else ""
    return _finding(
        "chains", not breaks, "every log and the audit trail hold", f"{len(breaks)} breaks; first: {first}"
    )
