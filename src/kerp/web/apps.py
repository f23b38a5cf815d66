"""Django's view of this room."""

from __future__ import annotations

from django.apps import AppConfig


class KerpConfig(AppConfig):
    """The study database: people, studies, logs, audit."""

    name = "kerp.web"
    label = "kerp"
    verbose_name = "kerp"

    def ready(self) -> None:
        """Connect the receivers of sign-in signals."""
        from kerp.web.accounts import signals  # noqa: F401  receivers register on import
