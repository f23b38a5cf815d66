"""Django's view of the allocation store."""

from __future__ import annotations

from django.apps import AppConfig


class VaultConfig(AppConfig):
    """Lists, releases, unblindings."""

    name = "kerp.web.vault"
    label = "kerp_vault"
    verbose_name = "allocation store"
    default_auto_field = "django.db.models.BigAutoField"
