"""Immutable sequences that share what they have in common, so that one more entry costs the same in a long log.

`Series` keeps full blocks and a short tail: appending copies the tail (and now and then the list of blocks), nothing
else. `Index` finds an entry by its id in the same manner.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from zlib import crc32

T = TypeVar("T")
_BLOCK = 32
_BUCKETS = 128


@dataclass(frozen=True, slots=True)
class Series(Generic[T]):
    """Items in order. Equal items in equal order make equal series."""

    blocks: tuple[tuple[T, ...], ...] = ()
    tail: tuple[T, ...] = ()

    @classmethod
    def of(cls, items: Iterable[T]) -> Series[T]:
        """A series of these items."""
        whole = tuple(items)
        full = len(whole) // _BLOCK * _BLOCK
        if full and full == len(whole):
            full -= _BLOCK  # the tail is empty only in an empty series, as when appending
        return cls(tuple(whole[at : at + _BLOCK] for at in range(0, full, _BLOCK)), whole[full:])

    def append(self, item: T) -> Series[T]:
        """The series with one item more."""
        if len(self.tail) < _BLOCK:
            return Series(self.blocks, (*self.tail, item))
        return Series((*self.blocks, self.tail), (item,))

    def insert(self, item: T, key: Callable[[T], Any]) -> Series[T]:
        """The series with one item more, kept in order of `key`; last costs no more than appending."""
        if not self.tail or key(self.tail[-1]) <= key(item):
            return self.append(item)
        items = list(self)
        items.insert(bisect_right(items, key(item), key=key), item)
        return Series.of(items)

    def __len__(self) -> int:
        return len(self.blocks) * _BLOCK + len(self.tail)

    def __iter__(self) -> Iterator[T]:
        for block in self.blocks:
            yield from block
        yield from self.tail

    def __reversed__(self) -> Iterator[T]:
        yield from reversed(self.tail)
        for block in reversed(self.blocks):
            yield from reversed(block)


@dataclass(frozen=True, slots=True)
class Index(Generic[T]):
    """Id -> item. The bucket of an id does not depend on the process, so that a state may be sent to another."""

    buckets: tuple[dict[str, T], ...] = tuple({} for _ in range(_BUCKETS))

    def get(self, identifier: str) -> T | None:
        """The item of an id, or None."""
        return self.buckets[_bucket(identifier)].get(identifier)

    def put(self, identifier: str, item: T) -> Index[T]:
        """The index with one id more."""
        at = _bucket(identifier)
        changed = self.buckets[at] | {identifier: item}
        return Index((*self.buckets[:at], changed, *self.buckets[at + 1 :]))


def _bucket(identifier: str) -> int:
    return crc32(identifier.encode("utf-8", "surrogatepass")) % _BUCKETS
