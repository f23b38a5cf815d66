"""Template filters: elapsed time, plain words, the figure tags."""

from __future__ import annotations

from django import template

from kerp.base.elapsed import clock
from kerp.protocol.vocabulary import UNITS

register = template.Library()


@register.filter
def elapsed(milliseconds: int | None) -> str:
    """`1:10` from milliseconds; an en dash where there is none."""
    return "–" if milliseconds is None else clock(milliseconds)


@register.filter
def words(text: str) -> str:
    """`day_1_call` -> `day 1 call`."""
    return str(text).replace("_", " ")


@register.filter
def said(value: object) -> object:
    """A yes, a no and a list of words as a reader says them; anything else as it was written."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value


# What the pages of django-allauth say, as the rest of the office says it; a longer one comes before a part of it.
_HOUSED = {
    "Deactivate Authenticator App": "Remove the authenticator app",
    "Activate Authenticator App": "Add an authenticator app",
    "Two-Factor Authentication": "Second factor",
    "two-factor authentication": "a second factor",
    "Sign Out Other Sessions": "Sign out everywhere else",
    "New Password (again)": "New password, once more",
    "Authenticator App": "Authenticator app",
    "Current Password": "Current password",
    "Account Inactive": "Account closed",
    "Change Password": "Change password",
    "Recovery Codes": "Recovery codes",
    "Confirm Access": "Is it still you?",
    "New Password": "New password",
    "IP Address": "IP address",
    "Started At": "Began",
    "Last seen at": "Last seen",
    "Sign Out": "Sign out",
    "Sign In": "Sign in",
}


@register.filter(is_safe=True)
def housed(page: str) -> str:
    """A page of django-allauth in the words of this office, sentence case."""
    for theirs, ours in _HOUSED.items():
        page = page.replace(theirs, ours)
    return page


_SPELLED = {
    "sbp": "systolic pressure",
    "dbp": "diastolic pressure",
    "hr": "heart rate",
    "spo2": "SpO2",
    "moaas": "MOAA/S",
    "suds": "SUDS",
    "cssrs": "C-SSRS",
}


@register.filter
def threshold(name: str) -> str:
    """`sbp_rise_mmhg` -> `systolic pressure rise`: the unit stands beside the number."""
    unit = next((ending for ending, _ in UNITS if name.endswith(ending)), "")
    return " ".join(_SPELLED.get(word, word) for word in name.removesuffix(unit).split("_"))


@register.filter
def short_digest(digest: str) -> str:
    """First twelve digits of a digest, for reading aloud; the whole one stands beside it."""
    return str(digest).rpartition(":")[2][:12]
