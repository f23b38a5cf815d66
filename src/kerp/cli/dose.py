"""`kerp dose`: mg, mL, mL/h and mg/min, or devices and their minutes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from kerp.base.errors import Fault, KerpError
from kerp.cli.output import echo_json, json_option

if TYPE_CHECKING:
    from kerp.protocol.dose import DosePlan


# Decimal() would also read 7_0 and digits of other scripts: a slip of the keyboard must not become a weight
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


def _exact(_context: click.Context, parameter: click.Parameter, value: str | None) -> Decimal | None:
    """A number exactly as it was typed."""
    if value is None:
        return None
    if not _NUMBER.fullmatch(value.strip()):
        ways = ("write a point, not a comma",) if "," in value else ("write a number, without its unit",)
        raise KerpError(Fault("this is not a number", field=parameter.opts[0], found=value, ways_out=ways))
    return Decimal(value.strip())


@click.command()
@click.option("--protocol", "protocol_id", required=True, metavar="ID_OR_FILE", help="Which protocol gives the dose.")
@click.option("--weight-kg", callback=_exact, metavar="NUMBER", help="Body weight.")
@click.option(
    "--concentration-mg-per-ml",
    callback=_exact,
    metavar="NUMBER",
    help="Of the prepared syringe or bag, not of the vial.",
)
@click.option("--devices", type=int, help="Number of nasal devices.")
@click.option(
    "--device-gap-min",
    callback=_exact,
    metavar="NUMBER",
    help="Minutes between devices, if not those of the protocol.",
)
@click.option(
    "--dose-mg",
    callback=_exact,
    metavar="NUMBER",
    help="A dose that is asked for, or prepared: is it what the protocol gives?",
)
@click.option("--weight-age-days", callback=_exact, metavar="NUMBER", help="How old the weight is.")
@click.option(
    "--previous-weight-kg", callback=_exact, metavar="NUMBER", help="The weight the last plan was made with."
)
@click.option("--confirm-weight", is_flag=True, help="An unusual weight has been checked and is right.")
@json_option
def dose(protocol_id: str, *, as_json: bool, **given: Any) -> None:
    """Compute the dose of one participant.

    Pump settings are rounded down: they never give more than the dose. A dose above the site's largest is refused.

    \b
    Example: kerp dose --protocol bottemanne2021-iv --weight-kg 72.5
             kerp dose --protocol bottemanne2021-nasal --weight-kg 72.5 --devices 3
    """  # noqa: D301  click reads the backspace
    from kerp.protocol.dose import DoseRequest, plan_dose
    from kerp.protocol.load import load_protocol

    protocol = load_protocol(protocol_id).protocol
    rule = protocol.dose
    gap, number = given.pop("device_gap_min"), given["devices"]
    if gap is not None:
        number = number or (rule.devices_default if rule else None) or 0
        given["device_times_min"] = tuple(gap * index for index in range(number))
    request = DoseRequest(weight_confirmed=given.pop("confirm_weight"), **given)
    plan = plan_dose(rule, request)
    if as_json:
        echo_json(plan.as_dict())
    else:
        _print(plan, blinded=protocol.blinded)


def _print(plan: DosePlan, *, blinded: bool) -> None:
    if blinded:
        click.echo("For the unblinded pharmacist only: the label carries the kit code, volume and rate (M8).")
    for name, text in _lines(plan):
        if text:
            click.echo(f"{name:>38}  {text}")
    for warning in plan.warnings:
        click.echo(f"warning: {warning.text}")
    click.echo("A prescriber signs the dose; two people verify it.")


def _lines(plan: DosePlan) -> list[tuple[str, str]]:
    def with_unit(value: Decimal | None, unit: str) -> str:
        return "" if value is None else f"{value.normalize():f} {unit}"

    lines = [
        ("dose", with_unit(plan.dose_mg, "mg")),
        ("volume", with_unit(plan.volume_ml, "mL")),
        ("concentration of the syringe or bag", with_unit(plan.concentration_mg_per_ml, "mg/mL")),
        ("pump rate", with_unit(plan.rate_ml_per_h, "mL/h")),
        ("that is", with_unit(plan.rate_mg_per_min, "mg/min")),
        ("duration", with_unit(plan.duration_min, "min")),
    ]
    devices = [
        (f"device {d.number}", f"{d.dose_mg.normalize():f} mg at {d.at_min.normalize():f} min") for d in plan.devices
    ]
    return lines + devices
