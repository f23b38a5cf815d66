"""The audit trail: who did what, when, chained; the database itself refuses change (see migration 0002)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class AuditEvent(models.Model):
    """One act. `details` is canonical JSON without identity beyond study codes, and never holds an arm."""

    seq = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)  # the account's name as it was; empty: the system itself
    act = models.CharField(max_length=60, db_index=True)
    subject = models.CharField(max_length=120, db_index=True)  # `participant:001`, `person:nurse`
    reason = models.TextField(blank=True)
    details = models.TextField(default="{}")
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering: ClassVar = ["seq"]

    def __str__(self) -> str:
        return f"{self.seq} {self.act} {self.subject}"
