"""Kit codes: what is written on the box. Unpredictable, without the arm, and hard to mistype unseen.

Twenty-nine letters and digits that are not confused in handwriting; eight of them, then two check characters. The
checks are weighted sums modulo 29, a prime: every wrong character and every exchange of two characters is found.
"""

from __future__ import annotations

from collections.abc import Iterator

from kerp.allocation.chance import below
from kerp.base.errors import Fault, KerpError

ALPHABET = "23456789ACDEFGHJKMNPQRTUVWXYZ"  # of 0 O, 1 I L, 5 S, 8 B only 5 and 8
LENGTH = 8
_MODULUS = len(ALPHABET)


def kit_code(source: Iterator[int]) -> str:
    """A new code such as `K7QXM-2AD9H` from a stream of chance."""
    body = "".join(ALPHABET[below(source, _MODULUS)] for _ in range(LENGTH))
    return _written(body + _checks(body))


def kit_codes(source: Iterator[int], count: int, taken: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """`count` different codes, none of them taken."""
    found: dict[str, None] = {}
    while len(found) < count:
        code = kit_code(source)
        if code not in taken:
            found[code] = None
    return tuple(found)


def read_kit_code(text: str) -> str:
    """The code a person typed, in its written form; a mistyped one is refused before anything is looked up."""
    typed = "".join(text.upper().replace("-", "").split())
    good = len(typed) == LENGTH + 2 and all(letter in ALPHABET for letter in typed)
    if not good or _checks(typed[:LENGTH]) != typed[LENGTH:]:
        ways = ("read it again from the label, character by character",)
        allowed = f"{LENGTH + 2} of {ALPHABET}, such as {_example()}"
        message = "this is not a kit code: its check characters do not fit"
        raise KerpError(Fault(message, "", None, "kit", text, allowed, ways))
    return _written(typed)


def _checks(body: str) -> str:
    values = [ALPHABET.index(letter) for letter in body]
    first = sum((place + 2) * value for place, value in enumerate(values)) % _MODULUS
    second = sum((place + 2) ** 2 * value for place, value in enumerate(values)) % _MODULUS
    return ALPHABET[first] + ALPHABET[second]


def _written(code: str) -> str:
    return f"{code[:5]}-{code[5:]}"


def _example() -> str:
    body = ALPHABET[:LENGTH]
    return _written(body + _checks(body))
