"""Study days. Only here does the engine look at dates, and only to count days between entries.

A study day is a calendar day at the study site. Where an entry carries no local date, days are counted as whole
24 h since the log was opened. Clock changes in spring and autumn are not corrected: they move a due time by an hour.
"""

from __future__ import annotations

import re

from kerp.base.elapsed import MS_PER_DAY, MS_PER_MIN
from kerp.session.events import Entry

_CLOCK = re.compile(r"T(\d{2}):(\d{2})")


def day_number(local_date: str) -> int:
    """Days since 0000-03-01 of the Gregorian calendar: differences are what counts."""
    year, month, day = (int(part) for part in local_date.split("-"))
    year, month = (year - 1, month + 9) if month <= 2 else (year, month - 3)
    return year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 1


def study_days_between(earlier: Entry, later: Entry) -> int:
    """Study days from one entry to another; negative when `later` comes first."""
    if earlier.local_date and later.local_date:
        return day_number(later.local_date) - day_number(earlier.local_date)
    return later.occurred_ms // MS_PER_DAY - earlier.occurred_ms // MS_PER_DAY


def study_day_at(anchor: Entry, now_ms: int) -> int:
    """Study day of a moment, day 0 being that of `anchor`."""
    return (now_ms - day_start_ms(anchor)) // MS_PER_DAY


def day_start_ms(entry: Entry) -> int:
    """Midnight at the site before `entry`, or the entry itself where its wall clock is unknown."""
    found = _CLOCK.search(entry.wall_clock)
    if not found:
        return entry.occurred_ms
    return entry.occurred_ms - (int(found.group(1)) * 60 + int(found.group(2))) * MS_PER_MIN


def local_time_ms(entry: Entry, local: str) -> int | None:
    """A clock time of the site such as "2026-03-03T09:30" on the log's clock, counted from `entry`; None where the
    entry does not tell what the clock on the wall was.
    """
    found = _CLOCK.search(local)
    if not found or not entry.local_date or not knows_time_of_day(entry):
        return None
    days = day_number(local[:10]) - day_number(entry.local_date)
    minutes = int(found.group(1)) * 60 + int(found.group(2))
    return day_start_ms(entry) + days * MS_PER_DAY + minutes * MS_PER_MIN


def knows_time_of_day(entry: Entry) -> bool:
    """Whether the wall clock of an entry can be read."""
    return _CLOCK.search(entry.wall_clock) is not None
