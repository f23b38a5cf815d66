"""SQL that makes the database itself refuse to change what was written. Used by migrations, on both engines.

SQLite: triggers stop UPDATE and DELETE; `INSERT OR REPLACE` fires no delete trigger unless `recursive_triggers` is
on, so a BEFORE INSERT trigger refuses every row whose key is taken, whatever the connection was set to.
PostgreSQL: a trigger function stops UPDATE, DELETE and TRUNCATE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MESSAGE = "this table is append-only"


def sqlite(table: str, keys: Sequence[Sequence[str]]) -> list[str]:
    """Statements for SQLite; `keys` are the unique keys of the table."""
    taken = " OR ".join("(" + " AND ".join(f'"{name}" = NEW."{name}"' for name in key) + ")" for key in keys)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    unless = f'WHEN EXISTS (SELECT 1 FROM "{table}" WHERE {taken})'  # noqa: S608  names come from migrations
    return [
        f'CREATE TRIGGER "{table}_no_update" BEFORE UPDATE ON "{table}" {refuse}',
        f'CREATE TRIGGER "{table}_no_delete" BEFORE DELETE ON "{table}" {refuse}',
        f'CREATE TRIGGER "{table}_no_replace" BEFORE INSERT ON "{table}" {unless} {refuse}',
    ]


def postgresql(table: str) -> list[str]:
    """Statements for PostgreSQL."""
    body = f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
    function, call = "kerp_append_only()", "EXECUTE FUNCTION kerp_append_only()"
    return [
        f"CREATE OR REPLACE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS {body}",
        f'CREATE TRIGGER "{table}_no_change" BEFORE UPDATE OR DELETE ON "{table}" FOR EACH ROW {call}',
        f'CREATE TRIGGER "{table}_no_truncate" BEFORE TRUNCATE ON "{table}" FOR EACH STATEMENT {call}',
    ]


def protect(schema_editor: Any, table: str, keys: Sequence[Sequence[str]]) -> None:
    """Install the triggers of one table."""
    vendor = schema_editor.connection.vendor
    for statement in sqlite(table, keys) if vendor == "sqlite" else postgresql(table):
        schema_editor.execute(statement, params=None)
