"""Logs and their entries. An entry is written once; the database refuses change (migration 0002)."""

from __future__ import annotations

import json
import uuid
from typing import Any, ClassVar

from django.db import models

from kerp.web.models.study import Participant


class LogQuery(models.QuerySet["Log"]):
    """Questions about logs."""

    def with_study(self) -> LogQuery:
        """With participant, study, site and protocol version; of the version's long texts nothing is read."""
        longs = (f"participant__version__{name}" for name in ("resolved", "source_text", "warnings", "why"))
        beside = ("participant__study", "participant__site", "participant__version")
        return self.select_related(*beside).defer(*longs)


class Log(models.Model):
    """One participant's course. `head_*` is where the chain stands, moved only with an entry in one transaction."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    participant = models.OneToOneField(Participant, on_delete=models.PROTECT, related_name="log")
    opened_at = models.DateTimeField()  # the zero of occurred_ms and recorded_ms
    clock_speed = models.PositiveIntegerField(default=1)  # above 1 only in a demonstration
    head_seq = models.PositiveIntegerField(default=0)
    head_hash = models.CharField(max_length=64)

    objects = LogQuery.as_manager()

    def __str__(self) -> str:
        return str(self.id)


class Entry(models.Model):
    """One record of a log. `record` is the canonical line, hashed and exported; columns beside it are its index."""

    log = models.ForeignKey(Log, on_delete=models.PROTECT, related_name="entries")
    seq = models.PositiveIntegerField()
    entry_id = models.UUIDField(unique=True)  # made by the client; the same id is the same entry
    kind = models.CharField(max_length=60, db_index=True)
    occurred_ms = models.BigIntegerField()
    recorded_ms = models.BigIntegerField()
    received_at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    device = models.CharField(max_length=64, blank=True)
    content_hash = models.CharField(max_length=64)  # of what the client sent: same id and same hash is a retry
    record = models.TextField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering: ClassVar = ["log", "seq"]
        verbose_name_plural = "entries"
        constraints: ClassVar = [models.UniqueConstraint(fields=["log", "seq"], name="one_seq_per_log")]

    def __str__(self) -> str:
        return f"{self.log_id} {self.seq} {self.kind}"

    def data(self) -> dict[str, Any]:
        """The record as plain data."""
        record: dict[str, Any] = json.loads(self.record)
        return record


class Flag(models.Model):
    """Something about a log that a person must look at: an id sent twice with different content, a skewed clock."""

    log = models.ForeignKey(Log, on_delete=models.PROTECT, related_name="flags")
    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    entry_id = models.UUIDField(null=True)
    actor = models.CharField(max_length=150)
    device = models.CharField(max_length=64, blank=True)
    refused = models.TextField(blank=True)  # what came in and was not written over what stands

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.log_id} {self.kind}"
