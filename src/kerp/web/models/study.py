"""Study, sites, protocol versions, participants (by study code only), and who treats or rates whom."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from kerp.web.models.people import Person


class Site(models.Model):
    """A place that runs sessions; `zone` is its time zone, so that 'today' is the site's own day."""

    code = models.SlugField(max_length=20, unique=True)
    name = models.CharField(max_length=120)
    zone = models.CharField(max_length=60, default="UTC")

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Study(models.Model):
    """One study. Its protocol is a series of versions."""

    code = models.SlugField(max_length=20, unique=True)
    title = models.CharField(max_length=200)
    blinded = models.BooleanField(default=False)
    target = models.PositiveIntegerField(default=0)  # planned number of participants; 0: not stated
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class ProtocolVersion(models.Model):
    """The resolved protocol as it was checked: never edited, only followed by the next one (M16)."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    protocol_id = models.CharField(max_length=80)
    title = models.CharField(max_length=200)
    source_text = models.TextField()  # the file as uploaded, or the shipped one
    resolved = models.TextField()  # canonical JSON of what the engine sees
    digest = models.CharField(max_length=80)
    base_digest = models.CharField(max_length=80, blank=True)
    overlay_digest = models.CharField(max_length=80, blank=True)
    rules_digest = models.CharField(max_length=80, blank=True)
    warnings = models.TextField(default="[]")
    why = models.TextField(blank=True)  # reason for an amendment
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    signed_at = models.DateTimeField(null=True)
    signed_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    signed_meaning = models.CharField(max_length=200, blank=True)
    active_from = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["study", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["study", "number"], name="one_version_number")]

    def __str__(self) -> str:
        return f"{self.protocol_id} v{self.number}"


class Participant(models.Model):
    """A person in the study, known here only by study code. Everything that happened is in the log."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="participants")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="participants")
    code = models.CharField(max_length=20)
    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="participants")
    registered_at = models.DateTimeField()
    registered_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["study", "code"], name="one_study_code")]

    def __str__(self) -> str:
        return self.code


class Assignment(models.Model):
    """In which role a person works with a participant. Ended, never deleted: it bars blinded rating for good."""

    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="assignments")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="assignments")
    role = models.CharField(max_length=20)
    assigned_at = models.DateTimeField()
    assigned_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["participant", "person", "role"], condition=Q(ended_at=None), name="one_open_assignment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.role} {self.participant_id}"
