"""The dose of one participant, and what the pump or the nurse is told. Decimal arithmetic; rounded down, never up.

Rounding rule (docs/dose.md): the dose in mg, the volume in mL and the pump rate in mL/h are each rounded DOWN to the
step the protocol states, so that the pump's settings never give more than the dose. A dose above the site's
`max_dose_mg` is refused, never clamped (M2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Context, Decimal, localcontext
from itertools import pairwise
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.evidence.sourced import Sourced
from kerp.protocol.model import DoseRule

MIN_PER_H = Decimal(60)
_DOWN = Context(prec=40, rounding=ROUND_DOWN)
_FINEST = Decimal("0.000001")  # where a protocol states no step
LARGEST = 1_000_000  # no weight, dose, concentration, age of a weight or minute is larger: a slip of the keyboard


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseRequest:
    """What is known about the participant and the preparation. Numbers are exact: `Decimal` of what was typed."""

    weight_kg: Decimal | None = None
    weight_age_days: Decimal | None = None
    previous_weight_kg: Decimal | None = None
    weight_confirmed: bool = False
    concentration_mg_per_ml: Decimal | None = None  # of the prepared syringe or bag, not of the vial
    devices: int | None = None
    device_times_min: tuple[Decimal, ...] = ()
    dose_mg: Decimal | None = None  # asked for, or prepared: compared with what the protocol gives


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDose:
    """One nasal device: which, how much, when (min from the first spray)."""

    number: int
    dose_mg: Decimal
    at_min: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseWarning:
    """Something to look at before the dose is given. `recalculate` asks for a new weight and a new plan."""

    code: str  # small_volume | large_volume | weight_stale | weight_changed | weight_unusual | device_gap
    text: str
    recalculate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DosePlan:
    """One dose. mL, mL/h and mg/min for an infusion; devices with their minutes for the nasal route."""

    dose_mg: Decimal | None  # None once masked
    duration_min: Decimal
    volume_ml: Decimal | None = None
    rate_ml_per_h: Decimal | None = None
    concentration_mg_per_ml: Decimal | None = None
    delivered_mg: Decimal | None = None  # by the pump's settings in `duration_min`: at most the dose
    devices: tuple[DeviceDose, ...] = ()
    warnings: tuple[DoseWarning, ...] = ()

    @property
    def rate_mg_per_min(self) -> Decimal | None:
        """Milligrams per minute at the pump's settings; None for devices."""
        if self.delivered_mg is None:
            return None
        return _DOWN.divide(self.delivered_mg, self.duration_min).quantize(Decimal("0.0001"), ROUND_DOWN)

    def masked(self) -> DosePlan:
        """What a blinded log and a blinded nurse may see: volume and rate, which every arm shares (M8)."""
        kept = tuple(warning for warning in self.warnings if warning.code.startswith("weight"))
        return replace(self, dose_mg=None, concentration_mg_per_ml=None, delivered_mg=None, warnings=kept)

    def as_dict(self) -> dict[str, Any]:
        """The published JSON: `dose_mg`, `volume_ml`, `rate_ml_per_h`, `duration_min`, `devices`, `warnings`."""
        devices = [
            {"device": d.number, "dose_mg": _number(d.dose_mg), "at_min": _number(d.at_min)} for d in self.devices
        ]
        return {
            "dose_mg": _number(self.dose_mg),
            "volume_ml": _number(self.volume_ml),
            "rate_ml_per_h": _number(self.rate_ml_per_h),
            "duration_min": _number(self.duration_min),
            "devices": devices,
            "warnings": [warning.text for warning in self.warnings],
        }


def plan_dose(rule: DoseRule | None, request: DoseRequest) -> DosePlan:
    """The dose of a participant under a protocol's rule.

    Raises `KerpError`: no or impossible weight, a dose above the site's cap, a number of devices or a total that
    cannot be given, a concentration that makes no sense.
    """
    if rule is None:
        ways = ("choose a protocol with a dose: kerp protocol list",)
        raise KerpError(Fault("this protocol gives no drug", field="dose", ways_out=ways))
    faults = [*_impossible_numbers(request), *_weight_faults(rule, request)]
    if faults:
        raise KerpError(*faults)
    with localcontext(_DOWN):
        return _devices(rule, request) if rule.device_mg is not None else _infusion(rule, request)


# ------------------------------------------------------------------------------------------------ infusion


def _infusion(rule: DoseRule, request: DoseRequest) -> DosePlan:
    if request.devices is not None or request.device_times_min:
        raise KerpError(Fault("an infusion has no devices", field="devices", ways_out=("leave --devices out",)))
    if rule.dose_mg_per_kg is None or rule.duration_min is None:
        ways = ("ask the unblinded pharmacist",)
        raise KerpError(Fault("this protocol does not tell the dose: it is masked", field="dose", ways_out=ways))
    dose = _dose_by_weight(rule, request)
    volume, concentration = _preparation(rule, request, dose)
    duration = exact(rule.duration_min)
    rate = down(volume * MIN_PER_H / duration, rule.pump_step_ml_per_h)
    if rate <= 0:
        ways = ("prepare a more dilute syringe",)
        fault = Fault("the pump cannot run this slowly", field="concentration", found=f"{volume} mL", ways_out=ways)
        raise KerpError(fault)
    return DosePlan(
        dose_mg=dose,
        duration_min=duration,
        volume_ml=volume,
        rate_ml_per_h=rate,
        concentration_mg_per_ml=concentration,
        delivered_mg=rate * duration / MIN_PER_H * concentration,
        warnings=(*_volume_warnings(rule, volume), *_recalculations(rule, request), *_unusual_weight(rule, request)),
    )


def kit_settings(rule: DoseRule) -> DosePlan:
    """What a blinded bedside may know of a kit without its dose: volume, pump rate, duration (M8).

    Raises `KerpError` where the rule names no equalised volume or no duration.
    """
    if rule.blinding is None or rule.duration_min is None:
        ways = ("add [dose.blinding] with the volume that every arm and participant gets",)
        raise KerpError(Fault("this dose is not prepared for blinding", field="dose.blinding", ways_out=ways))
    with localcontext(_DOWN):
        volume, duration = exact(rule.blinding.volume_ml), exact(rule.duration_min)
        rate = down(volume * MIN_PER_H / duration, rule.pump_step_ml_per_h)
    return DosePlan(dose_mg=None, duration_min=duration, volume_ml=volume, rate_ml_per_h=rate)


def _dose_by_weight(rule: DoseRule, request: DoseRequest) -> Decimal:
    if request.weight_kg is None:
        ways = ("weigh the participant and give --weight-kg",)
        raise KerpError(Fault("the dose depends on weight, and there is none", field="weight_kg", ways_out=ways))
    assert rule.dose_mg_per_kg is not None
    wanted = exact(rule.dose_mg_per_kg) * request.weight_kg
    _refuse_above_cap(rule, wanted)
    dose = down(wanted, rule.dose_step_mg)
    if request.dose_mg is not None and request.dose_mg != dose:
        ways = (f"prepare {_plain(dose)} mg, or correct the weight if it is wrong",)
        found = f"{_plain(request.dose_mg)} mg"
        message = "this is not the dose the protocol gives at this weight"
        raise KerpError(Fault(message, field="dose_mg", found=found, allowed=f"{_plain(dose)} mg", ways_out=ways))
    return dose


def _refuse_above_cap(rule: DoseRule, wanted: Decimal) -> None:
    cap = exact(rule.max_dose_mg)
    if wanted > cap:
        ways = (
            "check the weight and its unit (kg, not pounds)",
            "the prescriber decides; the site signs its own max_dose_mg in its variant (docs/protocols.md)",
        )
        found, allowed = f"{_plain(wanted)} mg", f"at most {_plain(cap)} mg"
        message = "the dose is above the largest dose of the site: refused, not reduced"
        raise KerpError(Fault(message, field="dose_mg", found=found, allowed=allowed, ways_out=ways))


def _preparation(rule: DoseRule, request: DoseRequest, dose: Decimal) -> tuple[Decimal, Decimal]:
    """Volume (mL) and concentration (mg/mL) of the prepared syringe or bag."""
    if rule.blinding is not None:
        if request.concentration_mg_per_ml is not None:
            ways = ("leave the concentration out: it follows from the dose and the equalised volume",)
            message = "a blinded preparation has one volume for everybody (M8)"
            raise KerpError(Fault(message, field="concentration_mg_per_ml", ways_out=ways))
        volume = exact(rule.blinding.volume_ml)
        return volume, dose / volume
    concentration = request.concentration_mg_per_ml
    if concentration is None and rule.concentration_mg_per_ml is not None:
        concentration = exact(rule.concentration_mg_per_ml)
    if concentration is None:
        ways = ("give --concentration-mg-per-ml of the prepared syringe or bag, not of the vial",)
        raise KerpError(Fault("the concentration is unknown", field="concentration_mg_per_ml", ways_out=ways))
    return down(dose / concentration, rule.volume_step_ml), concentration


def _volume_warnings(rule: DoseRule, volume: Decimal) -> list[DoseWarning]:
    least, most = rule.volume_warn_below_ml, rule.container_ml
    if least is not None and volume < exact(least):
        text = f"{_plain(volume)} mL is less than {_plain(exact(least))} mL: is this the concentration of the vial?"
        text += " Give that of the prepared syringe or bag."
        return [DoseWarning(code="small_volume", text=text)]
    if most is not None and volume > exact(most):
        text = f"{_plain(volume)} mL does not fit a syringe of {_plain(exact(most))} mL: use a bag, or concentrate"
        return [DoseWarning(code="large_volume", text=text)]
    return []


# ------------------------------------------------------------------------------------------------ devices


def _devices(rule: DoseRule, request: DoseRequest) -> DosePlan:
    if request.concentration_mg_per_ml is not None:
        ways = ("leave the concentration out",)
        raise KerpError(Fault("a nasal device has no concentration to set", field="concentration", ways_out=ways))
    assert rule.device_mg is not None
    strength = exact(rule.device_mg)
    number = _number_of_devices(rule, request, strength)
    _refuse_above_cap(rule, number * strength)
    times = _device_times(rule, request, number)
    devices = (DeviceDose(number=i + 1, dose_mg=strength, at_min=at) for i, at in enumerate(times))
    return DosePlan(
        dose_mg=number * strength,
        duration_min=times[-1],
        devices=tuple(devices),
        warnings=(*_gap_warnings(rule, times), *_unusual_weight(rule, request)),
    )


def _number_of_devices(rule: DoseRule, request: DoseRequest, strength: Decimal) -> int:
    doses = {number * strength: number for number in rule.devices_allowed}
    allowed = ", ".join(_plain(dose) for dose in doses) + f" mg as devices of {_plain(strength)} mg"
    number = request.devices
    if request.dose_mg is not None:
        if request.dose_mg not in doses or number not in {None, doses[request.dose_mg]}:
            raise KerpError(_cannot_be_given(rule, request, strength, allowed))
        return doses[request.dose_mg]
    number = rule.devices_default if number is None else number
    if number not in rule.devices_allowed:
        message = f"{number} devices cannot be given in one session"
        found = f"{number} x {_plain(strength)} = {_plain((number or 0) * strength)} mg"
        raise KerpError(
            Fault(message, field="devices", found=found, allowed=allowed, ways_out=("give an allowed number",))
        )
    return number


def _cannot_be_given(rule: DoseRule, request: DoseRequest, strength: Decimal, allowed: str) -> Fault:
    asked = _plain(request.dose_mg or Decimal(0))
    message = f"{asked} mg is not a whole number of devices of {_plain(strength)} mg"
    if rule.erratum.startswith(f"{asked} mg"):
        message = rule.erratum
    elif request.devices is not None:
        message = f"{request.devices} devices of {_plain(strength)} mg are not {asked} mg"
    return Fault(
        message, field="dose_mg", found=f"{asked} mg", allowed=allowed, ways_out=("give one of these doses",)
    )


def _device_times(rule: DoseRule, request: DoseRequest, number: int) -> tuple[Decimal, ...]:
    gap = exact(rule.device_gap_min) if rule.device_gap_min is not None else Decimal(0)
    times = request.device_times_min or tuple(gap * index for index in range(number))
    if len(times) != number or any(later <= earlier for earlier, later in pairwise(times)) or times[0] < 0:
        found = ", ".join(_plain(at) for at in times)
        ways = (f"give {number} rising minutes, one for each device",)
        message = "each device has its own minute (M3)"
        raise KerpError(Fault(message, field="device_times_min", found=found, ways_out=ways))
    return times


def _gap_warnings(rule: DoseRule, times: tuple[Decimal, ...]) -> list[DoseWarning]:
    gap = exact(rule.device_gap_min) if rule.device_gap_min is not None else Decimal(0)
    return [
        DoseWarning(
            code="device_gap",
            text=f"devices at {_plain(earlier)} and {_plain(later)} min are less than {_plain(gap)} min apart",
        )
        for earlier, later in pairwise(times)
        if later - earlier < gap
    ]


# ------------------------------------------------------------------------------------------------ weight and numbers


def _impossible_numbers(request: DoseRequest) -> list[Fault]:
    faults = []
    positive = ("weight_kg", "previous_weight_kg", "concentration_mg_per_ml", "dose_mg")
    for name in (*positive, "weight_age_days"):
        value = getattr(request, name)
        if value is None:
            continue
        if not _usable(value) or (value == 0 and name in positive):
            allowed = ("a number above zero" if name in positive else "zero or more") + f", at most {LARGEST:,}"
            faults.append(Fault(f"{name} is not a usable number", field=name, found=str(value), allowed=allowed))
    for at in request.device_times_min:
        if not _usable(at):
            message, allowed = "a device's minute is not a usable number", f"zero or more, at most {LARGEST:,}"
            faults.append(Fault(message, field="device_times_min", found=str(at), allowed=allowed))
    return faults


def _usable(value: Decimal) -> bool:
    return value.is_finite() and 0 <= value <= LARGEST


def _weight_faults(rule: DoseRule, request: DoseRequest) -> list[Fault]:
    weight, low, high = request.weight_kg, exact(rule.weight_min_kg), exact(rule.weight_max_kg)
    if weight is None or not _usable(weight) or weight == 0 or low <= weight <= high or request.weight_confirmed:
        return []
    ways = ("check the unit: kg, not pounds", "weigh again", "confirm the weight if it is right (--confirm-weight)")
    allowed = f"{_plain(low)} to {_plain(high)} kg"
    found = f"{_plain(weight)} kg"
    return [Fault("this weight is unusual", field="weight_kg", found=found, allowed=allowed, ways_out=ways)]


def _recalculations(rule: DoseRule, request: DoseRequest) -> list[DoseWarning]:
    warnings = []
    weight, before, age = request.weight_kg, request.previous_weight_kg, request.weight_age_days
    oldest, most = exact(rule.weight_max_age_days), exact(rule.weight_change_pct)
    if age is not None and age > oldest:
        text = f"recalculate: the weight is {_plain(age)} days old (at most {_plain(oldest)}); weigh again"
        warnings.append(DoseWarning(code="weight_stale", text=text, recalculate=True))
    if weight is not None and before is not None and abs(weight - before) * 100 > most * before:
        change = _plain(abs(weight - before) * 100 // before)
        text = (
            f"recalculate: the weight changed by {change} % or more (limit {_plain(most)} %); weigh again, plan again"
        )
        warnings.append(DoseWarning(code="weight_changed", text=text, recalculate=True))
    return warnings


def _unusual_weight(rule: DoseRule, request: DoseRequest) -> list[DoseWarning]:
    weight = request.weight_kg
    if weight is None or exact(rule.weight_min_kg) <= weight <= exact(rule.weight_max_kg):
        return []
    text = f"the weight of {_plain(weight)} kg is unusual and was confirmed"
    return [DoseWarning(code="weight_unusual", text=text)]


def exact(value: Sourced | float | str) -> Decimal:
    """A number as it was written: 0.1 is one tenth."""
    return Decimal(str(float(value) if isinstance(value, Sourced) else value))


def down(value: Decimal, step: Sourced | None) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    grain = _FINEST if step is None else exact(step)
    return (value // grain) * grain


def _plain(value: Decimal) -> str:
    """A number as people write it: no exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
