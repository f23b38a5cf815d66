"""The seal of the allocation store: its own key, apart from that of the study."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from kerp.base.errors import Fault, KerpError


def sealed(text: str) -> bytes:
    """The text, encrypted with the allocation key."""
    return _cipher().encrypt(text.encode())


def opened(data: bytes, what: str) -> str:
    """The text of a seal; `KerpError` naming `what` where it was changed, or belongs to another key."""
    try:
        return _cipher().decrypt(data).decode()
    except InvalidToken:
        raise KerpError(Fault(f"{what} cannot be opened: it was changed, or the key is another")) from None


def _cipher() -> Fernet:
    return Fernet(settings.KERP_ALLOCATION_KEY)
