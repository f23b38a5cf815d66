"""What every page knows of who is looking."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from kerp import __version__
from kerp.web.access import matrix


def viewer(request: HttpRequest) -> dict[str, Any]:
    """`may` (permission ids as a set), the roles' titles, and whether this is a demonstration."""
    person = getattr(request, "user", None)
    roles = sorted(person.role_ids()) if person is not None and person.is_authenticated else []
    table = matrix().roles
    return {
        "may": frozenset().union(*(table[role].permissions for role in roles)),
        "role_titles": [table[role].title for role in roles],
        "demo": settings.KERP.demo,
        "kerp_version": __version__,
    }
