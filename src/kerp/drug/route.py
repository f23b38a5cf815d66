"""Routes of administration as frozen data: what may be given, in what unit, in what shape, and what to expect.

Standard library only: the protocol room and, through it, the pure session engine read routes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from kerp.base.data import ids, path_of
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import TomlDocument, dotted, read_toml
from kerp.evidence.sourced import Mark, Sourced


class InputShape(StrEnum):
    """How a dose enters: at a rate by pump, or device by device."""

    INFUSION = "infusion"
    DEVICES = "devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class PermittedDose:
    """A dose that whole devices can deliver."""

    dose_mg: Sourced
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erratum:
    """A dose that is printed somewhere and cannot be given, and why."""

    dose_mg: Sourced
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One nasal device: content (mg, mL), sprays, least rest before the next (min)."""

    dose: Sourced
    volume: Sourced
    sprays: Sourced
    min_gap: Sourced


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When the peak is expected and by when onset should have come (min after administration onset).

    Shown as an expectation (PAPER P30); no phase ends by it.
    """

    peak_from: Sourced
    peak_to: Sourced
    no_onset_by: Sourced


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Usual, least and greatest value of a dose (route's unit) or a duration (min)."""

    usual: Sourced
    min: Sourced
    max: Sourced


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route. `model` drives effects, `sample_model` is for blood samples (both ids of `data/drug`)."""

    id: str
    name: str
    agent: str
    dose_unit: str
    input_shape: InputShape
    model: str
    sample_model: str
    models: tuple[str, ...]
    dose: Span
    expected: Window
    duration: Span | None = None
    permitted: tuple[PermittedDose, ...] = ()
    errata: tuple[Erratum, ...] = ()
    device: Device | None = None
    monitoring: tuple[tuple[str, Sourced], ...] = ()


def route_ids() -> list[str]:
    """Ids of the shipped routes."""
    return ids("routes")


@lru_cache(maxsize=32)
def load_route(route_id: str) -> Route:
    """The shipped route of an id; an unknown id is refused with the nearest ones."""
    return read_route(path_of("routes", route_id))


def read_route(path: Path | str) -> Route:
    """Read one route file; every fault names file, line and field."""
    return _Reader(read_toml(path), Path(path).stem).route()


def dose_fault(route: Route, dose: float) -> Fault | None:
    """Why `dose` (in the route's unit) cannot be given by this route, or None."""
    if not math.isfinite(dose) or dose <= 0:
        return _fault(route, dose, "a dose is a number above zero")
    if route.permitted:
        return _device_dose_fault(route, dose)
    if not route.dose.min.value <= dose <= route.dose.max.value:
        return _fault(route, dose, f"the dose is outside what {route.name.lower()} allows")
    return None


def devices_for(route: Route, dose_mg: float) -> int:
    """How many whole devices deliver `dose_mg`; refused where none do."""
    fault = dose_fault(route, dose_mg)
    if fault is not None:
        raise KerpError(fault)
    for permitted in route.permitted:
        if permitted.dose_mg.value == dose_mg:
            return permitted.devices
    raise KerpError(Fault(f"{route.name} is not given by devices", field="dose", found=f"{dose_mg:g} mg"))


def device_gap_fault(route: Route, times_min: tuple[float, ...]) -> Fault | None:
    """A warning where two devices were given closer together than the label's rest, or None."""
    if route.device is None:
        return None
    gap = route.device.min_gap.value
    close = [(a, b) for a, b in pairwise(times_min) if b - a < gap]
    if not close:
        return None
    found = ", ".join(f"{a:g} and {b:g} min" for a, b in close)
    return Fault(
        f"devices less than {gap:g} min apart",
        field="devices",
        found=found,
        allowed=f"{gap:g} min or more ({route.device.min_gap.source})",
        ways_out=("record the actual times if they were given so", "wait before the next device"),
    )


def allowed_doses(route: Route) -> str:
    """What may be given, in words: `28, 56, 84 mg` or `0.1 to 1 mg/kg`."""
    if route.permitted:
        return ", ".join(f"{dose.dose_mg.value:g}" for dose in route.permitted) + f" {route.dose_unit}"
    return f"{route.dose.min.value:g} to {route.dose.max.value:g} {route.dose_unit}"


def _device_dose_fault(route: Route, dose: float) -> Fault | None:
    if any(permitted.dose_mg.value == dose for permitted in route.permitted):
        return None
    for erratum in route.errata:
        if erratum.dose_mg.value == dose:
            return _fault(route, dose, erratum.reason)
    return _fault(route, dose, "this dose is not a whole number of permitted devices")


def _fault(route: Route, dose: float, message: str) -> Fault:
    ways = ("give one of the allowed doses",)
    found = f"{dose:g} {route.dose_unit}"
    return Fault(message, field="dose", found=found, allowed=allowed_doses(route), ways_out=ways)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns one parsed file into a `Route`; raises with file, line and field."""

    document: TomlDocument
    route_id: str

    def route(self) -> Route:
        data = self.document.data
        return Route(
            id=self.route_id,
            name=self._text("name"),
            agent=self._text("agent"),
            dose_unit=self._text("dose_unit"),
            input_shape=self._shape(),
            model=self._text("model"),
            sample_model=self._text("sample_model"),
            models=tuple(str(model) for model in data.get("models", [])),
            dose=self._span("dose"),
            expected=Window(**self._group("expected", ("peak_from", "peak_to", "no_onset_by"))),
            duration=self._span("duration") if "duration" in data else None,
            permitted=tuple(self._permitted(i) for i in range(len(data.get("permitted", [])))),
            errata=tuple(self._erratum(i) for i in range(len(data.get("errata", [])))),
            device=self._device() if "device" in data else None,
            monitoring=tuple((key, self._sourced("monitoring", key)) for key in data.get("monitoring", {})),
        )

    def _get(self, *path: str | int) -> Any:
        value: Any = self.document.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                raise self._error(path, "this field is missing") from None
        return value

    def _error(self, path: tuple[str | int, ...], message: str, found: str = "", allowed: str = "") -> KerpError:
        where, line = self.document.where, self.document.line_of(path)
        return KerpError(Fault(message, where=where, line=line, field=dotted(path), found=found, allowed=allowed))

    def _text(self, *path: str | int) -> str:
        value = self._get(*path)
        if not isinstance(value, str) or not value:
            raise self._error(path, "text is expected", found=repr(value))
        return value

    def _number(self, *path: str | int) -> float:
        value = self._get(*path)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._error(path, "a number is expected", found=repr(value))
        return float(value)

    def _mark(self, *path: str | int) -> Mark:
        value = self._text(*path)
        if value not in set(Mark):
            raise self._error(path, "unknown mark", found=value, allowed=", ".join(Mark))
        return Mark(value)

    def _sourced(self, *path: str | int) -> Sourced:
        note = self._get(*path).get("note", "") if isinstance(self._get(*path), dict) else ""
        return Sourced(
            value=self._number(*path, "value"),
            unit=self._text(*path, "unit"),
            source=self._text(*path, "source"),
            mark=self._mark(*path, "mark"),
            note=str(note),
        )

    def _group(self, table: str, keys: tuple[str, ...]) -> dict[str, Sourced]:
        return {key: self._sourced(table, key) for key in keys}

    def _span(self, table: str) -> Span:
        return Span(**self._group(table, ("usual", "min", "max")))

    def _device(self) -> Device:
        return Device(**self._group("device", ("dose", "volume", "sprays", "min_gap")))

    def _shape(self) -> InputShape:
        found = self._text("input_shape")
        if found not in set(InputShape):
            raise self._error(("input_shape",), "unknown input shape", found, ", ".join(InputShape))
        return InputShape(found)

    def _dose_mg(self, *path: str | int) -> Sourced:
        return Sourced(
            value=self._number(*path, "dose_mg"),
            unit="mg",
            source=self._text(*path, "source"),
            mark=self._mark(*path, "mark"),
        )

    def _permitted(self, index: int) -> PermittedDose:
        devices = self._number("permitted", index, "devices")
        return PermittedDose(dose_mg=self._dose_mg("permitted", index), devices=int(devices))

    def _erratum(self, index: int) -> Erratum:
        return Erratum(dose_mg=self._dose_mg("errata", index), reason=self._text("errata", index, "reason"))
