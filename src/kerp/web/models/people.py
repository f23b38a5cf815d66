"""Accounts and the roles they hold. A role is granted and ended, never overwritten."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import connection, models
from django.db.models import Q

from kerp.web import access

# Asked by every request: written out, because the ORM takes ten times as long to write it as the database to answer.
_OPEN_GRANTS = "SELECT role, site_id FROM kerp_rolegrant WHERE person_id = %s AND ended_at IS NULL"


class Person(AbstractUser):
    """A named account. Django's own staff and superuser flags grant nothing here."""

    first_name = None  # type: ignore[assignment]  # one name field, as people write their names
    last_name = None  # type: ignore[assignment]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    full_name = models.CharField(max_length=120)
    handedness = models.CharField(max_length=5, choices=[("right", "right"), ("left", "left")], default="right")
    theme = models.CharField(max_length=6, choices=[("dark", "dark"), ("light", "light")], default="light")
    text_size = models.CharField(max_length=6, choices=[("normal", "normal"), ("large", "large")], default="normal")

    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.full_name or self.username

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return self.username

    def _held(self) -> tuple[tuple[str, int | None], ...]:
        """Role and site of every grant that is open now, read once per request."""
        held: tuple[tuple[str, int | None], ...] | None = self.__dict__.get("_roles")
        if held is None:
            with connection.cursor() as cursor:
                cursor.execute(_OPEN_GRANTS, [self.pk])
                held = tuple(cursor.fetchall())
            self.__dict__["_roles"] = held
        return held

    def role_ids(self) -> frozenset[str]:
        """Roles held now."""
        return frozenset(role for role, _ in self._held())

    def site_ids(self) -> frozenset[int] | None:
        """Sites of the roles held now; None: every site."""
        sites = {site for _, site in self._held()}
        return None if None in sites else frozenset(site for site in sites if site is not None)

    def may(self, permission: str) -> bool:
        """Whether any held role grants `permission` (an id of `data/web/access.toml`)."""
        return self.is_active and access.allows(self.role_ids(), permission)

    def may_know_arm(self) -> bool:
        """Whether this person may learn an arm (M8)."""
        return self.is_active and access.may_know_arm(self.role_ids())


class RoleGrant(models.Model):
    """One role of one person from one moment to another; `site` empty means every site."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=20)
    site = models.ForeignKey("kerp.Site", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    granted_at = models.DateTimeField()
    granted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["person", "role", "site"], condition=Q(ended_at=None), name="one_open_grant"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.role}"
