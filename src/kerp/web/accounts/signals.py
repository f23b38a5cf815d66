"""Sign-ins, failures and second factors go to the security log (names of accounts, never a password)."""

from __future__ import annotations

from typing import Any

import structlog
from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth import signals as auth
from django.dispatch import receiver

from kerp.web.actions.audit import record

security = structlog.get_logger("kerp.security")


@receiver(auth.user_logged_in)
def signed_in(user: Any, **_: Any) -> None:
    """A sign-in is an act."""
    record(actor=user.username, act="account.signed_in", subject=f"person:{user.username}")
    security.info("signed in", actor=user.username)


@receiver(auth.user_logged_out)
def signed_out(user: Any, **_: Any) -> None:
    """A sign-out is an act."""
    if user is not None:
        record(actor=user.username, act="account.signed_out", subject=f"person:{user.username}")


@receiver(auth.user_login_failed)
def sign_in_failed(**_: Any) -> None:
    """What was typed may be a password in the wrong field, so it is not written down."""
    security.warning("sign-in failed")


@receiver(account.password_changed)
def password_changed(user: Any, **_: Any) -> None:
    """A changed password is an act."""
    record(actor=user.username, act="account.password_changed", subject=f"person:{user.username}")


@receiver(mfa.authenticator_added)
def factor_added(user: Any, authenticator: Any, **_: Any) -> None:
    """A second factor set up."""
    details = {"type": str(authenticator.type)}
    record(actor=user.username, act="account.factor_added", subject=f"person:{user.username}", details=details)


@receiver(mfa.authenticator_removed)
def factor_removed(user: Any, authenticator: Any, **_: Any) -> None:
    """A second factor taken away."""
    details = {"type": str(authenticator.type)}
    record(actor=user.username, act="account.factor_removed", subject=f"person:{user.username}", details=details)
