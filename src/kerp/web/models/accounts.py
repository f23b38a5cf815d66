"""What the administrator chose about signing in. Rows are added, never changed: the newest of a role counts."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from kerp.web.models.people import Person


class SecondFactorRule(models.Model):
    """From this moment on a role asks for a second factor, or does not."""

    role = models.CharField(max_length=20)
    required = models.BooleanField()
    reason = models.CharField(max_length=300)
    set_at = models.DateTimeField()
    set_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.role} {self.required}"
