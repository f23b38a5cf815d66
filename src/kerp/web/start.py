"""Starting Django outside a web server: for the command line and for `kerp serve` itself."""

from __future__ import annotations

import io

import django
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connections

from kerp.base.errors import Fault, KerpError


def start(*, migrate: bool = False, collect: bool = False) -> None:
    """Load the applications; bring both databases and the static files up to date when asked."""
    django.setup()
    if migrate:
        reach()
        for alias in settings.DATABASES:
            call_command("migrate", database=alias, interactive=False, verbosity=0, stdout=io.StringIO())
    if collect:
        call_command("collectstatic", interactive=False, verbosity=0, clear=True, stdout=io.StringIO())


def reach() -> None:
    """Refuse to go on where a database does not answer, and say which."""
    names = {"default": "KERP_DATABASE_URL", "allocation": "KERP_ALLOCATION_DATABASE_URL"}
    for alias in settings.DATABASES:
        try:
            connections[alias].ensure_connection()
        except OperationalError as error:
            said = str(error).strip().partition("\n")[0]
            raise KerpError(Fault(f"the database does not answer: {said}", field=names[alias])) from None
