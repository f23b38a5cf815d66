"""Roles and permissions as data (`data/web/access.toml`): the blinding matrix a site can read. Knows no Django."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from kerp.base.data import DATA
from kerp.base.errors import Fault, KerpError


@dataclass(frozen=True, slots=True)
class Role:
    """What a role is called and may do."""

    id: str
    title: str
    second_factor: bool
    second_factor_always: bool
    knows_arm: bool
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two roles that may not meet in one person, and why."""

    roles: frozenset[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole table."""

    permissions: Mapping[str, str]
    roles: Mapping[str, Role]
    same_participant: tuple[Conflict, ...]
    always: tuple[Conflict, ...]


@cache
def matrix() -> Matrix:
    """The shipped table, checked: a role that names an unknown permission is refused."""
    return read((DATA / "web" / "access.toml").read_text())


def read(text: str) -> Matrix:
    """Parse and check an access table."""
    data = tomllib.loads(text)
    roles = {name: _role(name, entry, data["permissions"]) for name, entry in data["roles"].items()}
    return Matrix(
        data["permissions"],
        roles,
        tuple(_conflict(entry, "for_same_participant", roles) for entry in data["incompatible"]),
        tuple(_conflict(entry, "roles", roles) for entry in data["incompatible_always"]),
    )


def _role(name: str, entry: Mapping[str, object], known: Mapping[str, str]) -> Role:
    granted = frozenset(map(str, entry["permissions"]))  # type: ignore[call-overload]  # TOML array
    if unknown := granted - set(known):
        raise KerpError(Fault(f"role {name} names unknown permissions", found=", ".join(sorted(unknown))))
    return Role(
        id=name,
        title=str(entry["title"]),
        second_factor=bool(entry["second_factor"]),
        second_factor_always=bool(entry.get("second_factor_always", False)),
        knows_arm=bool(entry["knows_arm"]),
        permissions=granted,
    )


def _conflict(entry: Mapping[str, object], field: str, known: Mapping[str, Role]) -> Conflict:
    roles = frozenset(map(str, entry[field]))  # type: ignore[call-overload]  # TOML array
    if unknown := roles - set(known):
        raise KerpError(Fault("an incompatibility names unknown roles", found=", ".join(sorted(unknown))))
    return Conflict(roles, str(entry["reason"]))


def allows(roles: Iterable[str], permission: str) -> bool:
    """Whether any of these roles grants the permission; an unknown permission is a fault of ours and raises."""
    if permission not in matrix().permissions:
        raise KeyError(permission)
    return any(permission in matrix().roles[role].permissions for role in roles)


def may_know_arm(roles: Iterable[str]) -> bool:
    """Whether the arm may be shown: only when every role held may know it. One blinded role blinds the person."""
    held = [matrix().roles[role] for role in roles]
    return bool(held) and all(role.knows_arm for role in held)


def second_factor_of(role: str, chosen: Mapping[str, bool]) -> bool:
    """Whether a role asks for a second factor: what the administrator chose, unless the role always asks for it."""
    entry = matrix().roles[role]
    return entry.second_factor_always or chosen.get(role, entry.second_factor)


def needs_second_factor(roles: Iterable[str], chosen: Mapping[str, bool]) -> bool:
    """Whether any held role asks for a second factor."""
    return any(second_factor_of(role, chosen) for role in roles)


def conflict_always(roles: Iterable[str]) -> str:
    """Why these roles may not meet in one account; empty when they may."""
    held = set(roles)
    return next((conflict.reason for conflict in matrix().always if conflict.roles <= held), "")


def conflict_same_participant(roles: Iterable[str]) -> str:
    """Why one person may not have these roles for the same participant (M7); empty when they may."""
    held = set(roles)
    return next((conflict.reason for conflict in matrix().same_participant if conflict.roles <= held), "")
