"""What devices send, checked before anything is touched. The event itself is read by the engine's own codec."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kerp.base.errors import Fault, KerpError

LARGEST_BYTES = 512 * 1024
MOST_ENTRIES = 200
_MS = 10**13  # the format's own limit of a time in ms


class Wire(BaseModel):
    """Nothing surplus, nothing coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


class EntryIn(Wire):
    """One entry of a device. `occurred_ms` on the log's clock; left out: the moment it arrives."""

    id: str = Field(description="UUID chosen by the device: the same id is the same entry")
    event: dict[str, Any] = Field(description="an event, with its type (see components/schemas)")
    occurred_ms: int | None = Field(default=None, ge=-_MS, le=_MS, description="ms since the log was opened")
    clock_offset_ms: int = Field(default=0, ge=-_MS, le=_MS, description="how far the device's clock was off then")
    queued: bool = Field(default=False, description="the device held it while it could not reach the server")


class BatchIn(Wire):
    """Entries of one device, in the order in which they were made."""

    device: str = Field(min_length=1, max_length=64)
    sent_wall_ms: int | None = Field(
        default=None, ge=-_MS, le=_MS, description="the device's clock at sending, Unix ms"
    )
    entries: list[EntryIn] = Field(min_length=1, max_length=MOST_ENTRIES)


class RequestIn(Wire):
    """A transition somebody asks for. `override`: the reason to go on against what stands against it."""

    id: str
    event: dict[str, Any]
    device: str = Field(min_length=1, max_length=64)
    occurred_ms: int | None = Field(
        default=None, ge=-_MS, le=_MS, description="when it was asked, on the log's clock"
    )
    override: str = Field(default="", max_length=10_000)
    clock_offset_ms: int = Field(default=0, ge=-_MS, le=_MS)
    sent_wall_ms: int | None = Field(default=None, ge=-_MS, le=_MS)


def read(kind: type[Wire], body: bytes) -> Any:
    """A request body as `kind`; `KerpError` with every fault at once."""
    if len(body) > LARGEST_BYTES:
        raise KerpError(Fault("this is too large", found=f"{len(body)} bytes", allowed=f"{LARGEST_BYTES} bytes"))
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise KerpError(Fault("the body is not JSON", allowed="application/json")) from None
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise KerpError(*(_fault(one) for one in error.errors(include_url=False))) from None


def _fault(error: Any) -> Fault:
    return Fault(str(error["msg"]), field=".".join(map(str, error["loc"])), found=repr(error.get("input"))[:80])


def uuid_of(text: str) -> UUID:
    """A UUID in its canonical spelling."""
    wrong = KerpError(Fault("an entry needs a UUID", field="id", found=text[:80], allowed="8-4-4-4-12 hex digits"))
    try:
        found = UUID(text)
    except ValueError:
        raise wrong from None
    if str(found) != text.lower():
        raise wrong
    return found
