"""What a file really is, by its content; what a camera wrote into it is taken out. Knows no Django."""

from __future__ import annotations

from dataclasses import dataclass

from kerp.base.errors import Fault, KerpError

LARGEST_BYTES = 24 * 1024 * 1024
LONGEST_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Presenting:
    """A modality: its words, what the engine calls it, which media it takes."""

    id: str
    title: str
    engine_modality: str
    media: tuple[str, ...]


_PICTURE = ("image/jpeg", "image/png", "image/webp")
_SOUND = ("audio/mpeg", "audio/ogg", "audio/wav")
_FILM = ("video/mp4", "video/webm")
MODALITIES = {
    one.id: one
    for one in (
        Presenting("image", "Image", "image", _PICTURE),
        Presenting("text", "Text", "text", ("text/plain",)),
        Presenting("script", "Imaginal script, recorded", "imaginal", _SOUND),
        Presenting("video", "Video", "video", _FILM),
        Presenting("object", "Real object: prompt card", "object", ("text/plain",)),
    )
}


def media_type(data: bytes) -> str:
    """The media type by the first bytes; empty for anything that is not taken (SVG and HTML among them)."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return "video/mp4"
    if data[:2] == b"\xff\xfb" or data[:3] == b"ID3":
        return "audio/mpeg"
    marks = {
        b"\xff\xd8\xff": "image/jpeg",
        b"\x89PNG\r\n\x1a\n": "image/png",
        b"OggS": "audio/ogg",
        b"\x1aE\xdf\xa3": "video/webm",
    }
    return next((kind for mark, kind in marks.items() if data.startswith(mark)), _text(data))


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    plain = all(character.isprintable() or character in "\n\r\t" for character in text)
    markup = text.lstrip()[:1] == "<"
    return "text/plain" if text.strip() and plain and not markup and len(text) <= LONGEST_TEXT else ""


def checked(modality: str, data: bytes) -> tuple[str, bytes]:
    """Media type and the bytes to keep; `KerpError` where the content is not what the modality takes."""
    wanted = MODALITIES.get(modality)
    if wanted is None:
        raise KerpError(Fault("there is no such modality", field="modality", allowed=", ".join(MODALITIES)))
    if not 0 < len(data) <= LARGEST_BYTES:
        raise KerpError(
            Fault(
                "this file is empty or too large",
                field="file",
                found=f"{len(data)} bytes",
                allowed=f"1 to {LARGEST_BYTES}",
            )
        )
    kind = media_type(data)
    if kind not in wanted.media:
        raise KerpError(
            Fault(
                "this is not what it should be, by its content",
                field="file",
                found=kind or "something that is not taken here",
                allowed=", ".join(wanted.media),
            )
        )
    return kind, without_traces(data) if kind == "image/jpeg" else data


def without_traces(jpeg: bytes) -> bytes:
    """A JPEG without comments and without what cameras write: place, time, device, thumbnail."""
    kept, at = [jpeg[:2]], 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        kind, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        if not (0xE1 <= kind <= 0xEF or kind == 0xFE) or kind == 0xE2:  # 0xE2 holds the colour profile
            kept.append(jpeg[at : at + 2 + length])
        at += 2 + length
    return b"".join(kept) + jpeg[at:]
