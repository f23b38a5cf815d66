"""`kerp serve` with a clock that a test moves: what stands in the file KERP_TEST_CLOCK (ms) is added to every `now`.

Waiting for two hours of recovery, or for Tuesday, would take two hours, or until Tuesday; a fast session clock makes
the result depend on how fast the machine is.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone

_REAL_NOW = timezone.now
_MOVED = Path(os.environ["KERP_TEST_CLOCK"])


def now() -> datetime:
    """The moved clock."""
    return _REAL_NOW() + timedelta(milliseconds=int(_MOVED.read_text()))


if __name__ == "__main__":
    timezone.now = now
    from kerp.cli.main import main

    main()
