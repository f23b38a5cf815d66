"""Joining a screen: a code used once within minutes, then a token. Guessing codes is stopped early.

What a screen says is kept once.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone

from kerp.base.errors import Fault, KerpError
from kerp.session.events import Event
from kerp.web.actions import audit, door, record
from kerp.web.display.models import Screen
from kerp.web.models import Log, Person

CODE_LIVES = timedelta(minutes=10)
TOKEN_LIVES = timedelta(hours=12)
MOST_WRONG = 10
HELD_MS = 5000  # what a screen says later than this was held while it had no contact
COOKIE = "kerp-display"


def invite(*, log: Log, session: str, actor: Person, may_rate: bool = False) -> str:
    """A code for one screen of this session."""
    code = f"{secrets.randbelow(10**8):08}"
    with door.act() as now:
        Screen.objects.create(
            log=log,
            session=session,
            issued_by=actor,
            issued_at=now,
            code_hash=_hash(code),
            expires_at=now + CODE_LIVES,
            may_rate=may_rate,
        )
        audit.record(
            actor=actor.username, act="display.invited", subject=f"log:{log.id}", details={"session": session}
        )
    return f"{code[:4]} {code[4:]}"


def join(*, code: str, address: str) -> str:
    """The token for a code; `KerpError` for a wrong or late one. Ten wrong ones close the door for ten minutes."""
    wrong = f"display-wrong-{_hash(address)}"
    if int(cache.get(wrong, 0)) >= MOST_WRONG:
        raise KerpError(Fault("too many wrong codes; wait ten minutes"))
    digits = "".join(character for character in code if character.isdigit())
    token = secrets.token_urlsafe(32)
    with door.act() as now:
        open_now = Screen.objects.filter(code_hash=_hash(digits), joined_at=None, expires_at__gt=now)
        taken = open_now.update(joined_at=now, token_hash=_hash(token))
    if not taken:  # counted outside the act, which would take the count back with itself
        cache.set(wrong, int(cache.get(wrong, 0)) + 1, CODE_LIVES.total_seconds())
        raise KerpError(Fault("this code does not fit, or was used, or is older than ten minutes"))
    return token


def screen_of(request: HttpRequest, now: datetime | None = None) -> Screen | None:
    """The screen whose token this browser holds."""
    token = request.COOKIES.get(COOKIE, "")
    if not token:
        return None
    since = (now or timezone.now()) - TOKEN_LIVES
    known = Screen.objects.select_related(
        "log__participant__study", "log__participant__site", "log__participant__version", "issued_by"
    )
    return known.filter(token_hash=_hash(token), joined_at__gt=since, ended_at=None).first()


def keep(screen: Screen, identifier: UUID, event: Event, ago_ms: int) -> record.Appended:
    """What a screen says, once: sent again for a lost answer, also after joining anew, it is what it was."""
    actor, arrived_ms = screen.issued_by.username, record.elapsed_ms(screen.log, timezone.now())
    said = record.Submitted(
        id=identifier,
        event=event,
        session=screen.session,
        device=f"display-{str(screen.id)[:8]}",
        queued=ago_ms > HELD_MS,
    )
    with record.conflicts_flagged(screen.log_id, actor, (said,)), record.opened(screen.log_id) as log:
        if stands := record.known(identifier):  # its moment, and which screen it was, were settled then
            same = replace(said, occurred_ms=stands.occurred_ms, device=stands.device)
            return log.append(same, actor=stands.actor)
        at_ms = arrived_ms - ago_ms * screen.log.clock_speed  # not after it waited for its turn to write
        return log.append(replace(said, occurred_ms=at_ms), actor=actor)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
