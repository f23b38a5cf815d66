"""How django-allauth behaves here: no sign-up, secrets encrypted at rest, sign-ins audited by the signals below."""

from __future__ import annotations

import unicodedata
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Accounts are made by an administrator, never by a visitor."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002  allauth's signature
        return False

    def add_message(
        self, request: HttpRequest, level: int, message_template: str = "", *rest: Any, **more: Any
    ) -> None:
        """No greeting on sign-in and sign-out; everything else is said."""
        if not message_template.startswith("account/messages/logged_"):
            super().add_message(request, level, message_template, *rest, **more)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ARG002
        """Attempts are counted by account. allauth counts by account and `Host`, whose port the visitor chooses."""
        return unicodedata.normalize("NFKC", str(credentials.get("username", ""))).casefold()

    def get_client_ip(self, request: HttpRequest) -> str:
        """The peer's address; a proxy's forwarded one only when the server was told it stands behind a proxy."""
        if settings.KERP.behind_proxy:
            return str(super().get_client_ip(request))
        return str(request.META.get("REMOTE_ADDR", ""))


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Keeps second-factor secrets encrypted with the key of the data directory."""

    def encrypt(self, text: str) -> str:
        return Fernet(settings.KERP_FIELD_KEY).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return Fernet(settings.KERP_FIELD_KEY).decrypt(encrypted_text.encode()).decode()

    def get_totp_label(self, user: Any) -> str:
        return str(user.username)
