"""The rule about SQLite versions: write-ahead logging is refused where the WAL-reset race can lose a commit."""

from __future__ import annotations

from kerp.base.errors import Fault, KerpError

Version = tuple[int, int, int]
# sqlite.org: the race is in 3.7.0 to 3.51.2; fixed in 3.51.3, and in 3.50.7 and 3.44.6 of their own lines.
_FIRST_AFFECTED: Version = (3, 7, 0)
_FIXED: Version = (3, 51, 3)
_FIXED_IN_LINE: dict[int, int] = {50: 7, 44: 6}


def wal_is_unsafe(version: Version) -> bool:
    """Whether this SQLite can lose acknowledged commits in WAL mode."""
    if not _FIRST_AFFECTED <= version < _FIXED:
        return False
    fixed_patch = _FIXED_IN_LINE.get(version[1])
    return fixed_patch is None or version[2] < fixed_patch


def check_journal(journal: str, version: Version) -> None:
    """Refuse an unknown journal mode, and WAL on an affected version."""
    if journal == "DELETE":
        return
    shown = ".".join(map(str, version))
    if journal != "WAL":
        raise KerpError(
            Fault("this journal mode is not used", field="KERP_SQLITE_JOURNAL", found=journal, allowed="DELETE, WAL")
        )
    if wal_is_unsafe(version):
        raise KerpError(
            Fault(
                f"SQLite {shown} can lose committed entries in WAL mode",
                field="KERP_SQLITE_JOURNAL",
                found="WAL",
                allowed="DELETE with this version; WAL from 3.51.3, 3.50.7 or 3.44.6 on",
                ways_out=("leave KERP_SQLITE_JOURNAL unset", "use PostgreSQL: KERP_DATABASE_URL"),
            )
        )
