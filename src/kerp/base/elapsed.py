"""Elapsed time. Logs keep whole milliseconds; people read minutes."""

from __future__ import annotations

MS_PER_MIN = 60_000
MIN_PER_DAY = 1_440
MS_PER_DAY = MS_PER_MIN * MIN_PER_DAY


def ms_from_min(minutes: float) -> int:
    """Minutes to whole milliseconds."""
    return round(minutes * MS_PER_MIN)


def min_from_ms(milliseconds: int) -> float:
    """Milliseconds to minutes."""
    return milliseconds / MS_PER_MIN


def clock(milliseconds: int) -> str:
    """`-0:45`, `0:05`, `1:10`: hours and minutes from the session's zero."""
    sign = "-" if milliseconds < 0 else ""
    minutes = abs(milliseconds) // MS_PER_MIN
    return f"{sign}{minutes // 60}:{minutes % 60:02d}"
