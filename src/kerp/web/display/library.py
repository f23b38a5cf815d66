"""The stimulus library of one participant: checked, hashed, encrypted on disk, listed in its manifest."""

from __future__ import annotations

import hashlib
import tomllib
import uuid
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from kerp.base.data import DATA
from kerp.base.errors import Fault, KerpError
from kerp.web.actions import audit, door
from kerp.web.display.content import MODALITIES, checked
from kerp.web.display.models import Stimulus
from kerp.web.models import Participant, Person

SHIPPED = DATA / "stimuli"


def add(*, participant: Participant, actor: Person, data: bytes, personal: bool = False, **manifest: Any) -> Stimulus:
    """Check, encrypt, list. `manifest`: title, modality, theme, intensity, licence, warning, consent.

    Something `personal` is refused without the consent of those whom it shows.
    """
    media, kept = checked(manifest["modality"], data)
    if not manifest["licence"].strip():
        raise KerpError(Fault("a stimulus needs its licence or the agreement of who made it", field="licence"))
    if personal and not manifest.get("consent", "").strip():
        ways = ("say who agreed, when, and on which form", "use something that shows nobody")
        raise KerpError(
            Fault("something personal needs the consent of whom it shows", field="consent", ways_out=ways)
        )
    identifier = uuid.uuid4()
    _path(identifier).write_bytes(_cipher().encrypt(kept))
    digest = hashlib.sha256(kept).hexdigest()
    with door.act() as now:
        made = Stimulus.objects.create(
            id=identifier,
            participant=participant,
            media_type=media,
            size=len(kept),
            sha256=digest,
            added_at=now,
            added_by=actor,
            **manifest,
        )
        audit.record(
            actor=actor.username,
            act="stimulus.added",
            subject=f"participant:{participant.code}",
            details={"stimulus": str(identifier), "modality": made.modality, "sha256": digest},
        )
    return made


def add_neutral(*, participant: Participant, actor: Person) -> int:
    """The neutral set that kerp brings: to try a screen with, never an exposure."""
    listed = tomllib.loads((SHIPPED / "manifest.toml").read_text())["stimuli"]
    known = set(participant.stimuli.filter(retired_at=None).values_list("title", flat=True))
    wanted = [one for one in listed if one["title"] not in known]
    for one in wanted:
        fields = {name: one[name] for name in ("title", "modality", "theme", "intensity", "licence", "warning")}
        add(participant=participant, actor=actor, data=(SHIPPED / one["file"]).read_bytes(), **fields)
    return len(wanted)


def retire(*, stimulus: Stimulus, actor: Person) -> None:
    """Take it off the list; the file and its line stay, because a log may name it."""
    with door.act() as now:
        stimulus.retired_at = now
        stimulus.save(update_fields=["retired_at"])
        audit.record(
            actor=actor.username,
            act="stimulus.retired",
            subject=f"participant:{stimulus.participant.code}",
            details={"stimulus": str(stimulus.id)},
        )


def content(stimulus: Stimulus) -> bytes:
    """What it holds; `KerpError` where the file is gone, was changed, or belongs to another key."""
    try:
        data = _cipher().decrypt(_path(stimulus.id).read_bytes())
    except (OSError, InvalidToken):
        data = b""
    if hashlib.sha256(data).hexdigest() != stimulus.sha256:
        raise KerpError(Fault("this stimulus cannot be read: the file is not the one in the manifest"))
    return data


def listed(participant: Participant) -> list[dict[str, Any]]:
    """The manifest as the bedside page offers it."""
    return [
        {
            "id": str(one.id),
            "title": one.title,
            "modality": one.modality,
            "engine_modality": MODALITIES[one.modality].engine_modality,
            "theme": one.theme,
            "intensity": one.intensity,
            "warning": one.warning,
        }
        for one in participant.stimuli.filter(retired_at=None)
    ]


def _path(identifier: uuid.UUID) -> Path:
    folder: Path = settings.KERP_LAYOUT.stimuli
    return folder / f"{identifier}.sealed"


def _cipher() -> Fernet:
    return Fernet(settings.KERP_FIELD_KEY.encode())
