"""Faults a reader can act on: where, what was found, what is allowed, the ways out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, said in the reader's words.

    `where` names a file or an input, `line` counts from 1, `field` is a dotted path; `ways_out` lists remedies.
    """

    message: str
    where: str = ""
    line: int | None = None
    field: str = ""
    found: str = ""
    allowed: str = ""
    ways_out: tuple[str, ...] = ()

    def place(self) -> str:
        """`file:line field`, as far as it is known."""
        position = f"{self.where}:{self.line}" if self.where and self.line else self.where
        return " ".join(part for part in (position, self.field) if part)

    def __str__(self) -> str:
        head = f"{self.place()}: {self.message}" if self.place() else self.message
        lines = [head]
        lines += [f"  found:   {self.found}"] if self.found else []
        lines += [f"  allowed: {self.allowed}"] if self.allowed else []
        lines += [f"  way out: {way}" for way in self.ways_out]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self) | {"ways_out": list(self.ways_out)}


class KerpError(Exception):
    """Bad input. Carries every fault found, not only the first; nothing has been changed when it is raised."""

    def __init__(self, *faults: Fault | str) -> None:
        self.faults: tuple[Fault, ...] = tuple(
            fault if isinstance(fault, Fault) else Fault(fault) for fault in faults
        )
        super().__init__("\n".join(str(fault) for fault in self.faults))


class UnknownIdError(KerpError):
    """An id that names nothing; offers the nearest ones."""

    def __init__(self, kind: str, found: str, known: list[str], field: str = "") -> None:
        from difflib import get_close_matches

        near = get_close_matches(found, known, n=3, cutoff=0.4)
        ways = (f"did you mean {' or '.join(near)}?",) if near else ()
        message = f"there is no {kind} called {found!r}"
        super().__init__(Fault(message, field=field, found=found, allowed=", ".join(sorted(known)), ways_out=ways))
