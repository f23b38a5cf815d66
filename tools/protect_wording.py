"""Turns phrases of protected scales into hashes that a test can look for without holding the phrases.

    python tools/protect_wording.py PHRASES_FILE > tests/architecture/protected_wording.txt

The phrases file stays outside the repository; a line is `instrument|phrase`. Each run of five words becomes one
hash, so neither the phrases nor their order can be read off the list; shorter quotations are not looked for.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

WORDS_PER_RUN = 5
_WORD = re.compile(r"[a-z0-9]+")


def runs(text: str) -> Iterator[tuple[int, str]]:
    """Position of the first word and hash of every run of five words; case, punctuation, line ends do not matter."""
    found = list(_WORD.finditer(text.lower().replace("'", "").replace("’", "")))
    words = [match.group() for match in found]
    for start in range(len(words) - WORDS_PER_RUN + 1):
        run = " ".join(words[start : start + WORDS_PER_RUN])
        yield found[start].start(), hashlib.blake2b(run.encode(), digest_size=8, person=b"kerp-M18").hexdigest()


def main(path: Path) -> None:
    """Print `instrument hash`, sorted by hash so that no phrase can be put together again."""
    listed = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            instrument, _, phrase = line.partition("|")
            listed |= {(digest, instrument) for _, digest in runs(phrase)}
    print("# hashes of five-word runs of protected scales; made by tools/protect_wording.py, which see")
    for digest, instrument in sorted(listed):
        print(f"{instrument} {digest}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
