"""Accounts and roles."""

from __future__ import annotations

from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError

from kerp.base.errors import Fault, KerpError
from kerp.web.access import conflict_always, matrix
from kerp.web.actions import audit, door
from kerp.web.models import Person, RoleGrant, SecondFactorRule, Site


def create(*, username: str, full_name: str, actor: str, password: str | None = None) -> Person:
    """Make an account. Without a password nobody can sign in until the invitation is used."""
    with door.act():
        check_username(username)
        person = Person(username=username, full_name=full_name)
        if password is None:
            person.set_unusable_password()
        else:
            person.set_password(password)
        person.save()
        audit.record(actor=actor, act="person.created", subject=f"person:{username}")
    return person


def check_username(username: str) -> None:
    """Refuse a name that is taken or cannot be one."""
    try:
        Person._meta.get_field("username").run_validators(username)
    except ValidationError as error:
        raise KerpError(Fault(error.messages[0], field="username", found=username)) from None
    if not username or Person.objects.filter(username__iexact=username).exists():
        raise KerpError(Fault("there is already an account of that name", field="username", found=username))


def create_administrator(*, username: str, full_name: str, password: str) -> Person:
    """The first administrator, made at the command line by whoever owns the machine."""
    with door.act():
        person = create(username=username, full_name=full_name, actor="", password=password)
        grant(person=person, role="administrator", actor=None, reason="made at the command line")
    return person


def grant(
    *, person: Person, role: str, actor: Person | None, site: Site | None = None, reason: str = ""
) -> RoleGrant:
    """Give a role. Roles that may not meet in one person are refused with the reason."""
    if role not in matrix().roles:
        raise KerpError(Fault("there is no such role", field="role", found=role, allowed=", ".join(matrix().roles)))
    with door.act() as now:
        held = set(person.grants.filter(ended_at=None).values_list("role", flat=True))
        if why := conflict_always(held | {role}):
            raise KerpError(Fault(f"these roles may not meet in one person: {why}", field="role", found=role))
        if role in held:
            raise KerpError(Fault("this person holds the role already", field="role", found=role))
        given = RoleGrant.objects.create(person=person, role=role, site=site, granted_at=now, granted_by=actor)
        _audit(actor, "role.granted", person, role, reason)
    person.__dict__.pop("_roles", None)
    return given


def end_grant(*, given: RoleGrant, actor: Person, reason: str) -> None:
    """End a role; what was done under it stays."""
    with door.act() as now:
        given.ended_at, given.ended_by = now, actor
        given.save(update_fields=["ended_at", "ended_by"])
        _audit(actor, "role.ended", given.person, given.role, reason)


def second_factors_chosen() -> dict[str, bool]:
    """For each role that an administrator decided on: whether it asks for a second factor."""
    return dict(SecondFactorRule.objects.order_by("id").values_list("role", "required"))


def set_second_factor(*, role: str, required: bool, actor: Person, reason: str) -> SecondFactorRule:
    """Ask a role for a second factor, or no longer. Refused for a role that always asks for one."""
    if role not in matrix().roles:
        raise KerpError(Fault("there is no such role", field="role", found=role, allowed=", ".join(matrix().roles)))
    if not reason.strip():
        raise KerpError(Fault("this needs its reason", field="reason"))
    if not required and matrix().roles[role].second_factor_always:
        message = "this role makes accounts, knows or may learn an arm, signs or exports: it always asks for one"
        raise KerpError(Fault(message, field="role", found=matrix().roles[role].title))
    with door.act() as now:
        made = SecondFactorRule.objects.create(
            role=role, required=required, reason=reason.strip(), set_at=now, set_by=actor
        )
        act = "second_factor.required" if required else "second_factor.waived"
        audit.record(actor=actor.username, act=act, subject=f"role:{role}", reason=reason.strip())
    return made


def set_active(*, person: Person, active: bool, actor: Person, reason: str) -> None:
    """Close or reopen an account. Closed accounts keep their name in the record."""
    with door.act():
        person.is_active = active
        person.save(update_fields=["is_active"])
        act = "person.reopened" if active else "person.closed"
        audit.record(actor=actor.username, act=act, subject=f"person:{person.username}", reason=reason)


def invite(*, person: Person, actor: str) -> str:
    """A one-time token with which the person sets a password; valid three days, dead once used."""
    with door.act():
        audit.record(actor=actor, act="person.invited", subject=f"person:{person.username}")
    return str(default_token_generator.make_token(person))


def set_password(*, person: Person, password: str, actor: str) -> None:
    """Set a password that was checked against the rules."""
    with door.act():
        person.set_password(password)
        person.save(update_fields=["password"])
        audit.record(actor=actor, act="person.password_set", subject=f"person:{person.username}")


def _audit(actor: Person | None, act: str, person: Person, role: str, reason: str) -> None:
    name = actor.username if actor else ""
    audit.record(actor=name, act=act, subject=f"person:{person.username}", reason=reason, details={"role": role})
