"""Starting Django outside a web server: for the command line and for `kerp serve` itself."""

from __future__ import annotations

import io

import django
from django.conf import settings
from django.core.management import call_command


def start(*, migrate: bool = False, collect: bool = False) -> None:
    """Load the applications; bring both databases and the static files up to date when asked."""
    django.setup()
    if migrate:
        for alias in settings.DATABASES:
            call_command("migrate", database=alias, interactive=False, verbosity=0, stdout=io.StringIO())
    if collect:
        call_command("collectstatic", interactive=False, verbosity=0, clear=True, stdout=io.StringIO())
