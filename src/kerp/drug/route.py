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

from kerp.base.data import ids, path_of
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import read_toml
from kerp.drug.datafile import DataFile
from kerp.evidence.sourced import Sourced


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
    return _route(DataFile(read_toml(path)), Path(path).stem)


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


def _route(file: DataFile, route_id: str) -> Route:
    found = file.text("input_shape")
    if found not in set(InputShape):
        raise file.error(("input_shape",), "unknown input shape", found, ", ".join(InputShape))
    return Route(
        id=route_id,
        name=file.text("name"),
        agent=file.text("agent"),
        dose_unit=file.text("dose_unit"),
        input_shape=InputShape(found),
        model=file.text("model"),
        sample_model=file.text("sample_model"),
        models=file.texts("models"),
        dose=_span(file, "dose"),
        expected=Window(**{key: file.sourced("expected", key) for key in ("peak_from", "peak_to", "no_onset_by")}),
        duration=_span(file, "duration") if file.has("duration") else None,
        permitted=tuple(_permitted(file, index) for index in range(file.count("permitted"))),
        errata=tuple(_erratum(file, index) for index in range(file.count("errata"))),
        device=_device(file) if file.has("device") else None,
        monitoring=tuple(file.table("monitoring").items()),
    )


def _span(file: DataFile, table: str) -> Span:
    return Span(**{key: file.sourced(table, key) for key in ("usual", "min", "max")})


def _device(file: DataFile) -> Device:
    return Device(**{key: file.sourced("device", key) for key in ("dose", "volume", "sprays", "min_gap")})


def _permitted(file: DataFile, index: int) -> PermittedDose:
    dose_mg = file.within("dose_mg", "mg", "permitted", index)
    return PermittedDose(dose_mg=dose_mg, devices=int(file.number("permitted", index, "devices")))


def _erratum(file: DataFile, index: int) -> Erratum:
    dose_mg = file.within("dose_mg", "mg", "errata", index)
    return Erratum(dose_mg=dose_mg, reason=file.text("errata", index, "reason"))
