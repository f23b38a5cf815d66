"""`kerp dose`: mg, mL, mL/h and mg/min, or devices and their minutes."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from kerp.base.errors import Fault, KerpError
from kerp.cli.output import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from kerp.protocol.dose import DosePlan


class DecimalType(click.ParamType):
    """A number exactly as it was typed."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:  # noqa: ARG002
        name = (param.opts[0] if param else "") or ""
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            ways = ("write a point, not a comma",) if "," in str(value) else ("write a number, without its unit",)
            raise KerpError(Fault("this is not a number", field=name, found=str(value), ways_out=ways)) from None
        if not number.is_finite():
            raise KerpError(Fault("this is not a number", field=name, found=str(value), allowed="a finite number"))
        return number


NUMBER = DecimalType()


@click.command()
@click.option("--protocol", "protocol_id", required=True, metavar="ID_OR_FILE", help="Which protocol gives the dose.")
@click.option("--weight-kg", type=NUMBER, help="Body weight.")
@click.option("--concentration-mg-per-ml", type=NUMBER, help="Of the prepared syringe or bag, not of the vial.")
@click.option("--devices", type=int, help="Number of nasal devices.")
@click.option("--device-gap-min", type=NUMBER, help="Minutes between devices, if not those of the protocol.")
@click.option("--dose-mg", type=NUMBER, help="A dose that is asked for, or prepared: is it what the protocol gives?")
@click.option("--weight-age-days", type=NUMBER, help="How old the weight is.")
@click.option("--previous-weight-kg", type=NUMBER, help="The weight the last plan was made with.")
@click.option("--confirm-weight", is_flag=True, help="An unusual weight has been checked and is right.")
@json_option
def dose(protocol_id: str, *, as_json: bool, **given: Any) -> None:
    """Compute the dose of one participant.

    Pump settings are rounded down: they never give more than the dose. A dose above the site's largest is refused.

    \b
    Example: kerp dose --protocol bottemanne2021-iv --weight-kg 72.5
             kerp dose --protocol bottemanne2021-nasal --weight-kg 72.5 --devices 3
    """
    from kerp.protocol.dose import DoseRequest, plan_dose
    from kerp.protocol.load import load_protocol

    rule = load_protocol(protocol_id).protocol.dose
    gap, number = given.pop("device_gap_min"), given["devices"]
    if gap is not None:
        number = number or (rule.devices_default if rule else None) or 0
        given["device_times_min"] = tuple(gap * index for index in range(number))
    request = DoseRequest(weight_confirmed=given.pop("confirm_weight"), **given)
    plan = plan_dose(rule, request)
    if as_json:
        echo_json(plan.as_dict())
    else:
        _print(plan)


def _print(plan: DosePlan) -> None:
    echo_table(("", ""), [(name, text) for name, text in _lines(plan) if text])
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
