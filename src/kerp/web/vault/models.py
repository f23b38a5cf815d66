"""What the allocation store keeps. No relation to the study database: only codes are shared."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class SealedList(models.Model):
    """The list of one study, encrypted with the allocation key; its digest in the open, compared at every start."""

    study_code = models.CharField(max_length=20, unique=True)
    sealed = models.BinaryField()
    digest = models.CharField(max_length=80)
    size = models.PositiveIntegerField()
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)

    def __str__(self) -> str:
        return self.study_code


class SealedDoses(models.Model):
    """What the arms of a study hold, encrypted: one row for each version, the newest counts."""

    study_code = models.CharField(max_length=20)
    number = models.PositiveIntegerField()
    sealed = models.BinaryField()
    digest = models.CharField(max_length=80)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["study_code", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["study_code", "number"], name="one_doses_number")]

    def __str__(self) -> str:
        return f"{self.study_code} {self.number}"


class VaultEvent(models.Model):
    """One act of the allocation record: registered, released, prepared, unblinded, asked. Chained. Holds no arm."""

    study_code = models.CharField(max_length=20)
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    record = models.TextField()  # canonical JSON
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering: ClassVar = ["study_code", "seq"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["study_code", "seq"], name="one_vault_seq")]

    def __str__(self) -> str:
        return f"{self.study_code} {self.seq} {self.kind}"
