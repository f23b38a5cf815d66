"""Reads instrument files and checks them against the model: all faults at once, each with its line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kerp.base.data import ids, path_of
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import TomlDocument, dotted, read_toml
from kerp.instrument.model import Condition, Instrument, Method

FOLDER = "instruments"
_ADAPTER = TypeAdapter(Instrument)


def instrument_ids() -> list[str]:
    """Ids of the shipped instruments."""
    return ids(FOLDER)


@cache
def load_instrument(identifier: str) -> Instrument:
    """A shipped instrument; an unknown id is refused with the nearest ones."""
    return read_instrument(path_of(FOLDER, identifier))


def read_instrument(path: Path | str) -> Instrument:
    """An instrument from any file of the format; `KerpError` lists every fault with its line."""
    document = read_toml(path)
    instrument: Instrument = validated(_ADAPTER, document)
    faults = [Fault(message, document.where, None, field) for field, message in _contradictions(instrument)]
    if instrument.id != Path(path).stem:
        faults.append(Fault("the id is not the file's name", document.where, 1, "id", instrument.id, Path(path).stem))
    if faults:
        raise KerpError(*faults)
    return instrument


def validated(adapter: TypeAdapter[Any], document: TomlDocument) -> Any:
    """A document as the adapter's type. Goes through JSON so that strict types still take lists for tuples."""
    try:
        return adapter.validate_json(json.dumps(document.data, default=str))
    except ValidationError as error:
        raise KerpError(*(_fault(document, entry) for entry in error.errors())) from None


def _fault(document: TomlDocument, entry: Any) -> Fault:
    path = tuple(entry["loc"])
    found = entry["input"]
    shown = "" if isinstance(found, dict | list) else repr(found)
    return Fault(entry["msg"].lower(), document.where, document.line_of(path), dotted(path), found=shown)


def _contradictions(instrument: Instrument) -> Iterator[tuple[str, str]]:
    names = [item.id for item in instrument.items]
    for name, count in Counter(names).items():
        if count > 1:
            yield "items", f"the item {name!r} stands there {count} times"
    yield from (("items." + item.id, "min lies above max") for item in instrument.items if item.min > item.max)
    for condition in _conditions(instrument):
        if condition.item not in names:
            yield "conditions", f"a condition names the item {condition.item!r}, which does not exist"
    for part in instrument.subscales:
        if unknown := sorted(set(part.items) - set(names)):
            yield f"subscales.{part.id}", f"unknown items: {', '.join(unknown)}"
        if part.method not in {"sum", "mean", "difference"} or (part.method == "difference" and len(part.items) != 2):
            yield f"subscales.{part.id}", "method is sum, mean, or difference of exactly two items"
    if instrument.method is Method.SINGLE and len(instrument.counted) != 1:
        yield "method", "a single score needs exactly one counted item"


def _conditions(instrument: Instrument) -> Iterator[Condition]:
    for item in instrument.items:
        if item.skip_if is not None:
            yield item.skip_if
    for band in instrument.bands:
        yield from band.any_of + band.all_of
    for flag in instrument.flags:
        yield from flag.any_of
