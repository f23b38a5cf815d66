"""Template filters: elapsed time, plain words, the figure tags."""

from __future__ import annotations

from django import template

from kerp.base.elapsed import clock

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
def short_digest(digest: str) -> str:
    """First twelve digits of a digest, for reading aloud; the whole one stands beside it."""
    return str(digest).rpartition(":")[2][:12]
