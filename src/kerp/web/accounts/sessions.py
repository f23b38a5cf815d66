"""Who is signed in, asked by every request: Django's own sessions and accounts, with both questions written out.

The ORM takes several times as long to write them as the database to answer. Nothing is kept between requests: a
session that was ended, or an account that was closed, is so for the next request.
"""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.sessions.backends import db
from django.db import connection
from django.utils import timezone

from kerp.web.models import Person
from kerp.web.rows import row_where

_OPEN = "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s"


class SessionStore(db.SessionStore):
    """The database store of Django."""

    def load(self) -> dict[str, Any]:
        """What the session holds; nothing, and no key, where it is not open."""
        with connection.cursor() as cursor:
            now = connection.ops.adapt_datetimefield_value(timezone.now())
            cursor.execute(_OPEN, [self.session_key, now])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return {}
        found: dict[str, Any] = self.decode(row[0])
        return found


class Accounts(AuthenticationBackend):  # type: ignore[misc]  # allauth ships no types
    """Named accounts, signed in to as allauth does."""

    def get_user(self, user_id: int) -> Person | None:
        """The account of a session; None where it is closed."""
        person = row_where(Person, "id", user_id)
        return person if person is not None and self.user_can_authenticate(person) else None
