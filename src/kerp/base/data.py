"""Where the shipped data files are. `kerp/data` holds TOML and CSV only, and travels in the wheel."""

from __future__ import annotations

from pathlib import Path

from kerp.base.errors import UnknownIdError

DATA = Path(__file__).parent.parent / "data"


def ids(folder: str, suffix: str = ".toml") -> list[str]:
    """Sorted ids (file stems) of a folder of shipped data, for example `ids("protocols")`."""
    return sorted(path.stem for path in (DATA / folder).glob(f"*{suffix}"))


def path_of(folder: str, identifier: str, suffix: str = ".toml") -> Path:
    """The shipped file of an id; an unknown id is refused with the nearest ones."""
    known = ids(folder, suffix)
    if identifier not in known:
        raise UnknownIdError(folder.rstrip("s"), identifier, known)
    return DATA / folder / f"{identifier}{suffix}"
