"""TOML with line numbers: the standard parser for the values, a scan of the text for where each key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.base.textfile import read_text

_HEADER = re.compile(r"^\s*\[(\[)?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
KeyPath = tuple[str | int, ...]
_LARGEST = 2**63 - 1  # the whole numbers of TOML have 64 bits


@dataclass(frozen=True)
class TomlDocument:
    """A parsed file and the line on which each key was written."""

    where: str
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """Line of `path`, or of its nearest written ancestor (an inline table has one line)."""
        key = tuple(path)
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key[:-1]
        return None


def read_toml(path: Path | str) -> TomlDocument:
    """Parse a TOML file; a syntax fault names its line."""
    return parse_toml(read_text(path), where=str(path))


def parse_toml(text: str, *, where: str) -> TomlDocument:
    """Parse TOML text; `where` is what messages call it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found.group(1)) if found else None
        raise KerpError(Fault(f"this is not valid TOML: {error}", where=where, line=line)) from None
    except RecursionError:
        raise KerpError(Fault("this is nested too deeply to be read", where=where)) from None
    except ValueError:  # Python reads no whole number of thousands of digits
        raise KerpError(Fault("a number in this file is far too long to be read", where=where)) from None
    document = TomlDocument(where, data, _scan(text))
    message, allowed = "this whole number is far too long", "at most 19 digits"
    if faults := [Fault(message, where, document.line_of(p), dotted(p), "", allowed) for p in _too_long(data, ())]:
        raise KerpError(*faults)
    return document


def _too_long(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    """Where whole numbers stand that TOML does not know: they need not have a value as a real number."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        yield path
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _too_long(item, (*path, key))


def dotted(path: Sequence[str | int]) -> str:
    """`('rules', 3, 'threshold')` -> `rules[3].threshold`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(text))


class _Scanner:
    """Walks the lines, keeping the open table and how many of each array of tables were seen."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}
        self.table: KeyPath = ()

    def resolve(self, parts: tuple[str, ...]) -> KeyPath:
        path: KeyPath = ()
        for part in parts:
            path = (*path, part)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def header(self, parts: tuple[str, ...], *, array: bool, number: int) -> None:
        if array:
            key = (*self.resolve(parts[:-1]), parts[-1])
            self.counts[key] = self.counts.get(key, 0) + 1
            self.lines.setdefault(key, number)
        self.table = self.resolve(parts)
        self.lines.setdefault(self.table, number)

    def key(self, parts: tuple[str, ...], number: int) -> None:
        self.lines.setdefault(self.table + parts, number)


def _scan(text: str) -> dict[KeyPath, int]:
    scanner = _Scanner()
    closing = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if header := _HEADER.match(line):
            scanner.header(_parts(header.group(2)), array=bool(header.group(1)), number=number)
        elif key := _KEY.match(line):
            scanner.key(_parts(key.group(1)), number)
            rest = line[key.end() :]
            closing = next((mark for mark in ('"""', "'''") if rest.count(mark) == 1), "")
    return scanner.lines
