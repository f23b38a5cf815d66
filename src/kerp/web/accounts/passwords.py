"""Password rules, said in kerp's own kind of error."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from kerp.base.errors import Fault, KerpError
from kerp.web.models import Person


def check_password(password: str, *, username: str, full_name: str) -> None:
    """Refuse a password that is short, common, all digits, or like the name; every reason at once."""
    try:
        validate_password(password, Person(username=username, full_name=full_name))
    except ValidationError as error:
        raise KerpError(*(Fault(message, field="password") for message in error.messages)) from None
