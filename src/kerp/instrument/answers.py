"""Answers from a file: JSON or TOML, item id to number; null or absence is no answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.base.textfile import read_text
from kerp.base.tomlfile import parse_toml
from kerp.instrument.model import Instrument

_WAYS = ('write {"item": number, ...}; null or a left-out item means no answer',)


def read_answers(path: Path | str, instrument: Instrument) -> dict[str, float | None]:
    """The answers of a `.json` or `.toml` file, either plain or under `answers`.

    A file may name its `instrument` and `version`; if it does, they must be those asked for. An item that stands
    there twice, NaN, and anything but numbers and null are refused. Ranges are the business of `score`.
    """
    where = str(path)
    data = (
        parse_toml(read_text(path), where=where).data
        if Path(path).suffix == ".toml"
        else _json(read_text(path), where)
    )
    if not isinstance(data, dict):
        raise KerpError(Fault("answers are a table of items and numbers", where, 1, ways_out=_WAYS))
    if isinstance(data.get("answers"), dict):
        _same(data, instrument, where)
        data = data["answers"]
    faults = [
        Fault(
            "an answer is a number, or null where there is none", where, None, str(name), repr(value), ways_out=_WAYS
        )
        for name, value in data.items()
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float))
    ]
    if faults:
        raise KerpError(*faults)
    return dict(data)


def _same(data: dict[str, Any], instrument: Instrument, where: str) -> None:
    for key, wanted in (("instrument", instrument.id), ("version", instrument.version)):
        if key in data and data[key] != wanted:
            message = f"these are the answers to another {key}"
            raise KerpError(Fault(message, where, None, key, repr(data[key]), repr(wanted)))


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, where), parse_constant=_constant(where))
    except json.JSONDecodeError as error:
        raise KerpError(Fault(f"this is not valid JSON: {error.msg}", where, error.lineno)) from None
    except RecursionError:
        raise KerpError(Fault("this is nested too deeply to be read", where)) from None
    except ValueError:  # Python reads no whole number of thousands of digits
        raise KerpError(Fault("a number in this file is far too long to be read", where)) from None


def _once(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise KerpError(Fault("an item stands there twice", where, field=", ".join(twice)))
    return table


def _constant(where: str) -> Any:
    def refuse(found: str) -> Any:
        raise KerpError(Fault("this is not a number that can be recorded", where, found=found, ways_out=_WAYS))

    return refuse
