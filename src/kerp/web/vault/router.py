"""Keeps the allocation store in its own database, and everything else out of it."""

from __future__ import annotations

from typing import Any

ALIAS = "allocation"
APP = "kerp_vault"


class VaultRouter:
    """A Django database router."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:  # noqa: ARG002  Django's signature
        return ALIAS if model._meta.app_label == APP else None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:  # noqa: ARG002  Django's signature
        return ALIAS if model._meta.app_label == APP else None

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool | None:  # noqa: ARG002  Django's signature
        return bool((one._meta.app_label == APP) == (other._meta.app_label == APP))

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:  # noqa: ARG002  Django's signature
        return (db == ALIAS) == (app_label == APP)
