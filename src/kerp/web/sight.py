"""Whom a person may see at all: a blinded rater sees of those they rate nothing but the rater's own screens (M7).

That holds whatever other roles the account has, and for good: a rater whose assignment ended may be asked again.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import QuerySet

from kerp.web.models import Assignment, Participant, Person

RATER = "rater"
# Asked by every request: written out, because the ORM takes ten times as long to write it as the database to answer.
_ASSIGNED = "SELECT role, ended_at FROM kerp_assignment WHERE participant_id = %s AND person_id = %s"


class RatesBlindedError(PermissionDenied):
    """Somebody asks for a participant whom they rate blinded. Answered 403, in words."""

    title = "You rate this participant blinded"
    text = "Of this participant you see your own ratings page and nothing else (M7). Nothing was written."


def roles_with(participant_id: int, person: Person) -> frozenset[str]:
    """The roles in which this person works with the participant now; `RatesBlindedError` for who ever rated them.

    Read once per request: the person is loaded anew with each.
    """
    known: dict[int, frozenset[str]] = person.__dict__.setdefault("_roles_with", {})
    if participant_id not in known:
        with connection.cursor() as cursor:
            cursor.execute(_ASSIGNED, [participant_id, person.pk])
            given = cursor.fetchall()
        if any(role == RATER for role, _ in given):
            raise RatesBlindedError
        known[participant_id] = frozenset(role for role, ended_at in given if ended_at is None)
    return known[participant_id]


def not_rated(people: QuerySet[Participant], person: Person) -> QuerySet[Participant]:
    """Without those whom this person rates, or rated, blinded: for lists."""
    rated = Assignment.objects.filter(person=person, role=RATER)
    return people.exclude(pk__in=rated.values("participant"))
