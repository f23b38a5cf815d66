"""The dose: deliverable, within range, capped where the cap protects somebody, blinded where the protocol says so."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.errors import Fault, KerpError
from kerp.drug.route import InputShape, Route, dose_fault, load_route
from kerp.protocol.checks.course import objection
from kerp.protocol.checks.limits import dose_range_mg_per_kg
from kerp.protocol.model import Agent, DoseRule, Protocol

_ROUTE_AGENT = {Agent.KETAMINE: "racemic ketamine", Agent.ESKETAMINE: "esketamine"}
_INFUSION = ("dose_mg_per_kg", "duration_min", "pump_step_ml_per_h", "volume_warn_below_ml")
_DEVICES = ("device_mg", "devices_allowed", "devices_default", "device_gap_min")


def _rule_and_route(protocol: Protocol) -> tuple[DoseRule, Route] | None:
    if protocol.dose is None:
        return None
    try:
        return protocol.dose, load_route(protocol.dose.route)
    except KerpError:
        return None


def unknown_route(protocol: Protocol) -> Iterator[Fault]:
    """The route is one of the shipped routes, and gives this agent."""
    if protocol.dose is None:
        return
    try:
        route = load_route(protocol.dose.route)
    except KerpError as error:
        first = error.faults[0]
        yield Fault(first.message, "", None, "dose.route", protocol.dose.route, first.allowed, first.ways_out)
        return
    agent = _ROUTE_AGENT.get(protocol.dose.agent)
    if agent is not None and agent != route.agent:
        message = f"{protocol.dose.agent.value} is not given as {route.name.lower()} here"
        yield objection("dose.route", message, f"{route.name} is for {route.agent}", found=protocol.dose.route)


def incomplete_dose(protocol: Protocol) -> Iterator[Fault]:
    """An infusion says mg/kg, minutes, concentration and pump step; devices say strength, number and rest."""
    known = _rule_and_route(protocol)
    if known is None or known[0].agent is Agent.MASKED:
        return
    rule, route = known
    infusion = route.input_shape is InputShape.INFUSION
    needed, foreign = (_INFUSION, _DEVICES) if infusion else (_DEVICES, (*_INFUSION, "concentration_mg_per_ml"))
    for name in needed:
        if not getattr(rule, name):
            yield objection(f"dose.{name}", f"{route.name} needs {name}", f"write {name}")
    for name in foreign:
        if getattr(rule, name):
            message = f"{name} means nothing for {route.name.lower()}"
            yield objection(f"dose.{name}", message, "remove it, or choose the other route")
    if infusion and rule.concentration_mg_per_ml is None and rule.blinding is None:
        ways = ("write concentration_mg_per_ml of the prepared syringe or bag, not of the vial",)
        yield objection("dose.concentration_mg_per_ml", "the concentration of the syringe is unknown", *ways)


def dose_outside_range(protocol: Protocol) -> Iterator[Fault]:
    """mg/kg and minutes within what the route, or the agent, allows."""
    known = _rule_and_route(protocol)
    if known is None or known[0].dose_mg_per_kg is None:
        return
    rule, route = known
    dose = float(known[0].dose_mg_per_kg)
    if rule.agent is Agent.KETAMINE and not route.permitted and (fault := dose_fault(route, dose)) is not None:
        yield Fault(fault.message, "", None, "dose.dose_mg_per_kg", fault.found, fault.allowed, fault.ways_out)
    limits = dose_range_mg_per_kg(rule.agent.value)
    if limits is not None and not limits[0] <= dose <= limits[1]:
        allowed = f"{limits[0]:g} to {limits[1]:g} mg/kg"
        way = "look for a slip of the decimal point"
        message = f"the dose of {rule.agent.value} is outside its range"
        yield objection("dose.dose_mg_per_kg", message, way, found=f"{dose:g} mg/kg", allowed=allowed)
    yield from _duration(rule, route)


def _duration(rule: DoseRule, route: Route) -> Iterator[Fault]:
    if rule.duration_min is None or route.duration is None:
        return
    low, high = float(route.duration.min), float(route.duration.max)
    if not low <= float(rule.duration_min) <= high:
        found, allowed = f"{float(rule.duration_min):g} min", f"{low:g} to {high:g} min"
        message = f"the duration is outside what {route.name.lower()} allows"
        yield objection("dose.duration_min", message, "correct the duration", found=found, allowed=allowed)


def devices_that_cannot_be_given(protocol: Protocol) -> Iterator[Fault]:
    """28, 56 or 84 mg as whole devices; 86 mg is refused with the reason (M3)."""
    known = _rule_and_route(protocol)
    if known is None or known[1].device is None or known[0].device_mg is None:
        return
    rule, route = known
    strength = float(known[0].device_mg)
    for number in rule.devices_allowed:
        if (fault := dose_fault(route, number * strength)) is not None:
            found = f"{number} x {strength:g} = {number * strength:g} mg"
            yield Fault(fault.message, "", None, "dose.devices_allowed", found, fault.allowed, fault.ways_out)
    if rule.devices_default not in rule.devices_allowed:
        allowed = ", ".join(str(number) for number in rule.devices_allowed)
        message, way = "the usual number of devices is not one of those allowed", "choose one of them"
        yield objection("dose.devices_default", message, way, found=rule.devices_default, allowed=allowed)
    if (fault := dose_fault(route, float(rule.max_dose_mg))) is not None:
        yield Fault(fault.message, "", None, "dose.max_dose_mg", fault.found, fault.allowed, fault.ways_out)
    rest = float(route.device.min_gap) if route.device else 0.0
    if rule.device_gap_min is not None and float(rule.device_gap_min) < rest:
        found, allowed = f"{float(rule.device_gap_min):g} min", f"{rest:g} min or more"
        message = "the rest between devices is shorter than the label's"
        yield objection("dose.device_gap_min", message, "keep the label's rest", found=found, allowed=allowed)


def cap_that_protects_nobody(protocol: Protocol) -> Iterator[Fault]:
    """The site's largest dose lies between the dose of the lightest and that of the heaviest participant (M2)."""
    rule = protocol.dose
    if rule is None:
        return
    low, high = float(rule.weight_min_kg), float(rule.weight_max_kg)
    if low >= high:
        found = f"{low:g} to {high:g} kg"
        yield objection("dose.weight_min_kg", "no weight is allowed", "let weight_min_kg be the smaller", found=found)
    if rule.dose_mg_per_kg is None:
        return
    cap, per_kg = float(rule.max_dose_mg), float(rule.dose_mg_per_kg)
    found, allowed = f"{cap:g} mg", f"{per_kg * low:g} to {per_kg * high:g} mg"
    if cap > per_kg * high:
        message = "the site's largest dose is never reached: it protects nobody"
        yield objection("dose.max_dose_mg", message, "lower it", found=found, allowed=allowed)
    elif cap < per_kg * low:
        message = "the site's largest dose refuses every participant"
        yield objection(
            "dose.max_dose_mg", message, "look for a slip of the decimal point", found=found, allowed=allowed
        )


def peak_expected_backwards(protocol: Protocol) -> Iterator[Fault]:
    """The expected peak is a window, and no-onset advice does not come before it."""
    rule = protocol.dose
    if rule is None:
        return
    start, end = float(rule.expected_peak_from_min), float(rule.expected_peak_to_min)
    if start > end:
        way, found = "exchange them", f"{start:g} to {end:g} min"
        yield objection("dose.expected_peak_from_min", "the expected peak ends before it begins", way, found=found)
    if protocol.effect_rule is not None and float(protocol.effect_rule.no_onset_by_min) < end:
        found, allowed = f"{float(protocol.effect_rule.no_onset_by_min):g} min", f"{end:g} min or later"
        message = "no onset is called before the peak is expected"
        yield objection("effect_rule.no_onset_by_min", message, "wait longer", found=found, allowed=allowed)


def blinding_that_tells(protocol: Protocol) -> Iterator[Fault]:
    """A blinded infusion has one volume for everybody, hides the forecast, and asks for the guess (M8)."""
    if not protocol.blinded or protocol.dose is None:
        return
    if protocol.dose.blinding is None:
        ways = ("add [dose.blinding] with the volume that every arm and participant gets",)
        yield objection("dose.blinding", "a blinded dose without equalised preparation tells the arm (M8)", *ways)
        return
    if not protocol.dose.blinding.hides_forecast:
        message = "the predicted concentration would tell the arm (M8)"
        yield objection("dose.blinding.hides_forecast", message, "write hides_forecast = true", found="false")
    if protocol.dose.concentration_mg_per_ml is not None:
        message = "in a blinded trial the concentration follows from dose and equalised volume"
        yield objection("dose.concentration_mg_per_ml", message, "remove it")


CHECKS = (
    unknown_route,
    incomplete_dose,
    dose_outside_range,
    devices_that_cannot_be_given,
    cap_that_protects_nobody,
    peak_expected_backwards,
    blinding_that_tells,
)
