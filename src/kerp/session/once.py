"""What is read off a value that never changes is read once.

A screen asks the same things of a session's record again and again, and between two entries the answers are the same.
They are kept beside the fields: equality, digests and `replace` know nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self, TypeVar, TypeVarTuple

Asked = TypeVarTuple("Asked")
R = TypeVar("R")


class ReadOnce:
    """For frozen dataclasses without slots. What is asked depends on the fields and on the arguments alone."""

    @cached_property
    def _answers(self) -> dict[Any, Any]:
        return {}

    def once(self, read: Callable[[Self, *Asked], R], *args: *Asked) -> R:
        """`read(self, *args)`. The newest answer of each `read` is kept, for equal arguments."""
        kept = self._answers.get(read)
        if kept is None or kept[0] != args:
            kept = self._answers[read] = (args, read(self, *args))
        answer: R = kept[1]
        return answer

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to another process: the fields."""
        return {name: value for name, value in self.__dict__.items() if name != "_answers"}
