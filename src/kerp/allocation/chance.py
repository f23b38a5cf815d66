"""Chance that can be repeated anywhere: numbers from SHA-256 of a recorded seed, a purpose and a counter.

Word k of a purpose is `SHA-256("kerp allocation 1" NUL seed NUL purpose NUL k)`, read as a 256-bit whole number. A
draw below n rejects words at or above the largest multiple of n, so that every value is exactly equally likely. No
generator state, library version or machine enters: the same seed gives the same list for as long as SHA-256 does.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kerp.base.errors import Fault, KerpError

SCHEME = "kerp allocation 1"
SEED_DIGITS = 32  # hexadecimal: 128 bits
_WORDS = 1 << 256
_LEAST_DIFFERENT_DIGITS = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seed:
    """The recorded seed of a list: at least 32 hexadecimal digits. It is as secret as the list itself."""

    digits: str

    def __post_init__(self) -> None:
        different = len(set(self.digits))
        is_hex = all(digit in string.hexdigits for digit in self.digits)
        if len(self.digits) < SEED_DIGITS or not is_hex or different < _LEAST_DIFFERENT_DIGITS:
            ways = ("draw it outside, once, for example with `openssl rand -hex 16`, and record it with the list",)
            allowed = f"at least {SEED_DIGITS} random hexadecimal digits"
            raise KerpError(Fault("this seed could be guessed", field="seed", allowed=allowed, ways_out=ways))

    def __repr__(self) -> str:
        return "Seed(...)"  # a seed in a traceback or a log would be the list in a traceback or a log


def words(seed: Seed, purpose: str) -> Iterator[int]:
    """The endless words of one purpose; purposes are independent of one another."""
    head = f"{SCHEME}\0{seed.digits.lower()}\0{purpose}\0".encode()
    counter = 0
    while True:
        yield int.from_bytes(hashlib.sha256(head + str(counter).encode()).digest(), "big")
        counter += 1


def below(source: Iterator[int], limit: int) -> int:
    """A whole number from 0 to `limit - 1`, each exactly equally likely."""
    ceiling = _WORDS - _WORDS % limit
    word = next(source)
    while word >= ceiling:
        word = next(source)
    return word % limit


def shuffled(source: Iterator[int], items: Sequence[T]) -> tuple[T, ...]:
    """The items in an order drawn from all orders with equal chance (Fisher and Yates)."""
    deck = list(items)
    for last in range(len(deck) - 1, 0, -1):
        other = below(source, last + 1)
        deck[last], deck[other] = deck[other], deck[last]
    return tuple(deck)
