"""What a result rests on: the references of the numbers it used, and those that are recalled or assumed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from kerp.evidence.references import cite, references
from kerp.evidence.sourced import Mark, Sourced


@dataclass(frozen=True, slots=True, kw_only=True)
class Weak:
    """A number that nobody has checked in its source, or that is our own choice."""

    name: str
    value: float
    unit: str
    source: str
    mark: Mark
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """References, claims of the paper, and weak numbers, in order of first use."""

    references: tuple[str, ...]
    claims: tuple[str, ...]
    weak: tuple[Weak, ...]

    def bibliography(self, style: str = "text") -> str:
        """The references, as text or BibTeX."""
        return cite(self.references, style)


def collect(*parts: Any, sources: Iterable[str] = ()) -> Used:
    """Walk frozen data (dataclasses, mappings, sequences) for every `Sourced` and whatever has `source` and `mark`.

    `sources` adds reference ids that were used without a number. A `Weak` is named by its path in the data.
    """
    found = [entry for part in parts for entry in walk(part)]
    named = [name for _, source, _, _ in found for name in source.split("; ")] + list(sources)
    known = references()
    weak = (_weak(path, source, mark, item) for path, source, mark, item in found if mark is not Mark.READ)
    return Used(
        references=tuple(name for name in dict.fromkeys(named) if name in known),
        claims=tuple(name for name in dict.fromkeys(named) if name.startswith("PAPER ")),
        weak=tuple(dict.fromkeys(entry for entry in weak if entry is not None)),
    )


Entry = tuple[str, str, Mark, Any]


def walk(node: Any, path: str = "") -> Iterator[Entry]:
    """Every sourced thing below `node`: its path, source, mark, and the thing."""
    if is_dataclass(node) and not isinstance(node, type):
        source, mark = getattr(node, "source", None), getattr(node, "mark", None)
        if isinstance(source, str) and isinstance(mark, Mark):
            yield path or type(node).__name__.lower(), source, mark, node
        if not isinstance(node, Sourced):
            for field in fields(node):
                yield from walk(getattr(node, field.name), f"{path}.{field.name}" if path else field.name)
    elif isinstance(node, Mapping):
        for key, item in node.items():
            yield from walk(item, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple | set | frozenset):
        for index, item in enumerate(node):
            label = getattr(item, "id", None) or index
            yield from walk(item, f"{path}[{label}]")


def _weak(path: str, source: str, mark: Mark, item: Any) -> Weak | None:
    if isinstance(item, Sourced):
        return Weak(name=path, value=item.value, unit=item.unit, source=source, mark=mark, note=item.note)
    return None
