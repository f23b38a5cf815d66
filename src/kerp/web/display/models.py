"""Screens and the library. What a stimulus holds lies encrypted on disk, in no database and no export."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from kerp.web.models import Log, Participant, Person


class Screen(models.Model):
    """One screen of one session: a code used once, then a token that only that browser has."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    log = models.ForeignKey(Log, on_delete=models.PROTECT, related_name="screens")
    session = models.CharField(max_length=60)
    issued_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField()
    code_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    joined_at = models.DateTimeField(null=True)
    token_hash = models.CharField(max_length=64, blank=True, db_index=True)
    ended_at = models.DateTimeField(null=True)
    may_rate = models.BooleanField(default=False)

    def __str__(self) -> str:
        return str(self.id)


class Stimulus(models.Model):
    """One line of a participant's manifest. Retired, never deleted: a log may name it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="stimuli")
    title = models.CharField(max_length=120)
    modality = models.CharField(max_length=12)
    theme = models.CharField(max_length=80, blank=True)
    intensity = models.FloatField()  # as rated by the participant, 0 to 1
    licence = models.CharField(max_length=120)
    warning = models.CharField(max_length=300, blank=True)
    consent = models.CharField(max_length=200, blank=True)  # of whom a personal photograph shows
    media_type = models.CharField(max_length=60)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    added_at = models.DateTimeField()
    added_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["intensity", "title"]
        verbose_name_plural = "stimuli"

    def __str__(self) -> str:
        return self.title
