"""Technical limits of the record: how far apart two clocks or two entries may be. None is a clinical number."""

from __future__ import annotations

from kerp.base.elapsed import MS_PER_MIN

LATE_AFTER_MS = 2 * MS_PER_MIN  # recorded later than this after it happened, and not held by a device: a late entry
SAME_MOMENT_MS = 20_000  # two people who rate the same thing within this time rated the same moment
CLOCK_OFFSET_MS = 2_000  # a device that is off by more is flagged, and may not start an administration (M20)
AHEAD_MS = 2_000  # an entry that happened later than it was recorded
