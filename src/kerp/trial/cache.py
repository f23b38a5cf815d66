"""Finished blocks on disk, named by what they are the answer to. A stopped run goes on from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kerp import __version__
from kerp.base.digest import digest, plain
from kerp.base.errors import KerpError
from kerp.base.textfile import read_text, write_atomic
from kerp.trial.block import trials_per_block
from kerp.trial.tally import Tally
from kerp.trial.work import Work

ENGINE = 2  # raise when the meaning of a block changes: old blocks are then not taken for new ones


def key_of(task: Work) -> str:
    """64 hexadecimal digits: design, assumptions, effect, seed, block, size, truth, engine and version."""
    content = {
        "engine": ENGINE,
        "version": __version__,
        "work": type(task).__name__,
        "task": plain(task),
        "trials_per_block": trials_per_block(task.scenario),
    }
    return digest(content).removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class BlockCache:
    """A folder of finished blocks."""

    folder: Path

    def get(self, task: Work) -> Tally | None:
        """The tally of a finished block; None where it is absent, damaged or the answer to something else."""
        path = self._path(task)
        if not path.is_file():
            return None
        try:
            found = json.loads(read_text(path))
            tally: Tally = {name: _floats(value) for name, value in found["tally"].items()}
            return tally if found["key"] == key_of(task) and found["digest"] == digest(tally) else None
        except (KerpError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def put(self, task: Work, tally: Tally) -> None:
        """Keep a finished block; a reader never sees half of it."""
        content = {"key": key_of(task), "digest": digest(tally), "tally": tally}
        write_atomic(self._path(task), json.dumps(content, sort_keys=True))

    def _path(self, task: Work) -> Path:
        key = key_of(task)
        return self.folder / key[:2] / f"{key}.json"


def _floats(value: object) -> float | list[float]:
    return [float(item) for item in value] if isinstance(value, list) else float(value)  # type: ignore[arg-type]
