"""Wording of scales that is not ours: kept by the site in a folder, checked against the items, digest recorded (M18).

A pack is one TOML file per instrument: `instrument`, `version`, `language`, `rights` (what allows the site to use it)
and a table `items` with one text per item id; `anchors` may give the text of single answers (`"item:code"`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.base.textfile import read_bytes
from kerp.base.tomlfile import TomlDocument, read_toml
from kerp.instrument.load import instrument_ids, load_instrument
from kerp.instrument.model import Instrument

_KEYS = {"instrument", "version", "language", "rights", "items", "anchors"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPack:
    """The wording of one instrument. `digest` is of the file's bytes and is recorded with every answer."""

    instrument: str
    version: str
    language: str
    rights: str
    digest: str
    items: Mapping[str, str]
    anchors: Mapping[str, str] = field(default_factory=dict)


def load_text_packs(folder: Path | str) -> dict[str, TextPack]:
    """Every pack of a site's folder by instrument id. A missing folder, or one bad file, is a `KerpError`."""
    folder = Path(folder)
    if not folder.is_dir():
        raise KerpError(Fault("the folder of text packs is not there", where=str(folder)))
    packs: dict[str, TextPack] = {}
    for path in sorted(folder.glob("*.toml")):
        pack = load_text_pack(path)
        if pack.instrument in packs:
            raise KerpError(Fault(f"there is already a pack for {pack.instrument}", where=str(path)))
        packs[pack.instrument] = pack
    return packs


def load_text_pack(path: Path | str) -> TextPack:
    """One pack, with ids and version matching the instrument exactly; every fault at once."""
    document = read_toml(path)
    instrument = _instrument(document)
    faults = [
        Fault(message, document.where, document.line_of((key,)), key)
        for key, message in _faults(document, instrument)
    ]
    if faults:
        raise KerpError(*faults)
    data = document.data
    return TextPack(
        instrument=instrument.id,
        version=instrument.version,
        language=data["language"],
        rights=data["rights"],
        digest="sha256:" + hashlib.sha256(read_bytes(path)).hexdigest(),
        items=dict(data["items"]),
        anchors=dict(data.get("anchors", {})),
    )


def _instrument(document: TomlDocument) -> Instrument:
    found = document.data.get("instrument")
    if not isinstance(found, str) or found not in instrument_ids():
        allowed = ", ".join(instrument_ids())
        line = document.line_of(("instrument",))
        raise KerpError(
            Fault("a text pack names its instrument", document.where, line, "instrument", repr(found), allowed)
        )
    return load_instrument(found)


def _faults(document: TomlDocument, instrument: Instrument) -> Iterator[tuple[str, str]]:
    data = document.data
    for key in sorted(set(data) - _KEYS):
        yield key, f"unknown key; allowed: {', '.join(sorted(_KEYS))}"
    if data.get("version") != instrument.version:
        yield "version", f"the pack is for {data.get('version')!r}, the instrument is {instrument.version!r}"
    for key in ("language", "rights"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            yield key, "must be given as text"
    yield from _item_faults(data.get("items"), instrument)
    yield from _anchor_faults(data.get("anchors", {}), instrument)


def _item_faults(items: Any, instrument: Instrument) -> Iterator[tuple[str, str]]:
    if not isinstance(items, dict):
        yield "items", "must be a table with one text per item"
        return
    known = [item.id for item in instrument.items]
    if missing := [name for name in known if name not in items]:
        yield "items", f"no text for {', '.join(missing)}"
    if extra := sorted(set(items) - set(known)):
        yield "items", f"the instrument has no item {', '.join(extra)}"
    if empty := sorted(name for name, text in items.items() if not isinstance(text, str) or not text.strip()):
        yield "items", f"empty or not text: {', '.join(empty)}"


def _anchor_faults(anchors: Any, instrument: Instrument) -> Iterator[tuple[str, str]]:
    if not isinstance(anchors, dict):
        yield "anchors", 'must be a table of "item:code" = "text"'
        return
    ranges = {item.id: (item.min, item.max) for item in instrument.items}
    for key, text in anchors.items():
        name, _, code = key.partition(":")
        low, high = ranges.get(name, (1, 0))
        if not code.isdigit() or not low <= int(code) <= high or not isinstance(text, str):
            yield "anchors", f"{key!r} is not an item and one of its answers"
