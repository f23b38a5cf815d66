"""What each field of an event is made of, read off its annotations: for the codec, the JSON Schema and forms."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from kerp.session.events import Event
from kerp.session.events.fields import Length, Limit, Shape, Unblinding

LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Text:
    """A text."""

    length: Length = field(default_factory=lambda: Length(LONGEST_TEXT))
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or not, within limits."""

    whole: bool
    limit: Limit


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few codes."""

    of: type[StrEnum]


@dataclass(frozen=True, slots=True)
class Many:
    """A list of one kind."""

    item: Kind
    length: Length


@dataclass(frozen=True, slots=True)
class Table:
    """Names to values of one kind."""

    value: Kind


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value, or null where there is none (never a zero, M21)."""

    inner: Kind


@dataclass(frozen=True, slots=True)
class Nested:
    """An event within an event (a correction)."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever JSON can say: the content of an unknown event."""


Kind = Text | Number | Flag | Choice | Many | Table | Maybe | Nested | Anything


@dataclass(frozen=True, slots=True)
class FieldKind:
    """One field: what it holds, whether it must be given, whether it would tell the arm."""

    name: str
    kind: Kind
    required: bool
    secret: bool = False


_SEEN: dict[str, Mapping[str, FieldKind]] = {}


def fields_of(cls: type[Any]) -> Mapping[str, FieldKind]:
    """Fields of an event or of `Entry`, by name, in order of writing."""
    if cls.__qualname__ not in _SEEN:
        _SEEN[cls.__qualname__] = _fields(cls)
    return _SEEN[cls.__qualname__]


def _fields(cls: type[Any]) -> Mapping[str, FieldKind]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: _field(f, hints[f.name]) for f in dataclasses.fields(cls)}


def _field(item: dataclasses.Field[Any], hint: Any) -> FieldKind:
    missing = dataclasses.MISSING
    required = item.default is missing and item.default_factory is missing
    return FieldKind(item.name, kind_of(hint), required, _secret(hint))


def _secret(hint: Any) -> bool:
    return any(isinstance(mark, Unblinding) for mark in getattr(hint, "__metadata__", ()))


def kind_of(hint: Any) -> Kind:
    """The kind an annotation stands for; `TypeError` for one that no event may use."""
    marks: tuple[Any, ...] = ()
    if typing.get_origin(hint) is Annotated:
        marks, hint = hint.__metadata__, hint.__origin__
    origin = typing.get_origin(hint)
    if origin in {types.UnionType, typing.Union}:
        inner = [part for part in typing.get_args(hint) if part is not type(None)]
        return Maybe(kind_of(inner[0]))
    if origin is tuple:
        return Many(kind_of(typing.get_args(hint)[0]), _mark(marks, Length) or Length(200))
    if origin is Mapping:
        value = typing.get_args(hint)[1]
        return Anything() if value is Any else Table(kind_of(value))
    return _plain_kind(hint, marks)


def _plain_kind(hint: Any, marks: tuple[Any, ...]) -> Kind:
    if hint is bool:
        return Flag()
    if hint is str:
        return Text(_mark(marks, Length) or Length(LONGEST_TEXT), _mark(marks, Shape))
    if hint in {int, float} and (limit := _mark(marks, Limit)):
        return Number(hint is int, limit)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Choice(hint)
    if isinstance(hint, type) and issubclass(hint, Event):
        return Nested()
    message = f"no event may hold {hint!r} with {marks!r}: give a number its Limit"
    raise TypeError(message)


def _mark(marks: tuple[Any, ...], cls: type[Any]) -> Any:
    return next((mark for mark in marks if isinstance(mark, cls)), None)
