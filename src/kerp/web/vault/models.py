"""What the allocation store keeps. No relation to the study database: only codes are shared."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class AllocationList(models.Model):
    """A generated list of one study, sealed: encrypted with the allocation key, its digest in the open."""

    study_code = models.CharField(max_length=20, unique=True)
    sealed = models.BinaryField()
    digest = models.CharField(max_length=80)
    size = models.PositiveIntegerField()
    seed_digest = models.CharField(max_length=80)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)

    def __str__(self) -> str:
        return self.study_code


class Release(models.Model):
    """One allocation released to one registered participant. Append-only."""

    study_code = models.CharField(max_length=20)
    participant_code = models.CharField(max_length=20)
    stratum = models.CharField(max_length=120)
    position = models.PositiveIntegerField()
    kit = models.CharField(max_length=20)
    released_at = models.DateTimeField()
    released_by = models.CharField(max_length=150)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study_code", "participant_code"], name="one_release_per_participant"),
            models.UniqueConstraint(fields=["study_code", "stratum", "position"], name="one_release_per_position"),
            models.UniqueConstraint(fields=["study_code", "kit"], name="one_release_per_kit"),
        ]

    def __str__(self) -> str:
        return f"{self.study_code} {self.participant_code} {self.kit}"


class Unblinding(models.Model):
    """An emergency unblinding of one participant: asked for by one person, confirmed by another. Steps."""

    study_code = models.CharField(max_length=20)
    participant_code = models.CharField(max_length=20, db_index=True)
    step = models.CharField(max_length=10)  # requested | confirmed | refused | shown
    reason = models.TextField()
    by = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.study_code} {self.participant_code} {self.step}"
