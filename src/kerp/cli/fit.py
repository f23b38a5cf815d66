"""`kerp fit`: what data would teach, before there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kerp.cli.output import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from kerp.fit.identify import Identified


@click.group()
def fit() -> None:
    """Identifiability of the learning models.

    Example: kerp fit identify --design four-infusions
    """


@fit.command("identify")
@click.option("--design", "design_id", required=True, help="A shipped id or a file: arms, people, measures.")
@click.option("--n", "people", type=int, help="Total number of people instead of the design's.")
@click.option("--model", "model_id", default="core", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Take a parameter as known.")
@json_option
def identify_command(
    design_id: str, people: int | None, model_id: str, settings: tuple[str, ...], as_json: bool
) -> None:
    """How far a design would narrow each parameter, and the contrast concurrent minus sequential.

    \b
    Example: kerp fit identify --design two-arm-ybocs
    Example: kerp fit identify --design four-infusions --n 90 --json
    """  # noqa: D301  click wants the backspace character itself
    from kerp.cli.settings import settings_of
    from kerp.fit.identify import identify
    from kerp.fit.measure import load_design
    from kerp.learning.registry import model

    found = identify(load_design(design_id, people), model(model_id), settings_of(settings))
    if as_json:
        echo_json(_data(found))
    else:
        _print(found)


def _data(found: Identified) -> dict[str, Any]:
    names = [one.id for one in found.learned]
    return {
        "design": found.design.id,
        "title": found.design.title,
        "model": found.model,
        "people": found.design.people,
        "data_per_person": found.data_per_person,
        "parameters": {
            one.id: {
                "prior_sd": one.prior_sd,
                "posterior_sd": one.posterior_sd,
                "contraction": one.contraction,
            }
            for one in found.learned
        },
        "correlation": {
            a: {b: float(found.correlation[i, j]) for j, b in enumerate(names)} for i, a in enumerate(names)
        },
        "contrast_concurrent_minus_sequential_day14": {
            "prior_sd_points": found.contrast_prior_sd,
            "posterior_sd_points": found.contrast_posterior_sd,
        },
    }


def _print(found: Identified) -> None:
    rows = [
        (
            one.id,
            f"{one.prior_sd:.2f}",
            f"{one.posterior_sd:.2f}",
            f"{100 * one.contraction:.0f} %",
            _partner(found, k),
        )
        for k, one in enumerate(found.learned)
    ]
    columns = ("parameter (free scale)", "prior SD", "posterior SD", "contraction", "most confounded with")
    echo_table(columns, rows, f"{found.design.title}: {found.design.people} people, model {found.model}")
    click.echo(
        f"concurrent minus sequential at day 14: SD {found.contrast_prior_sd:.2f} before, "
        f"{found.contrast_posterior_sd:.2f} Y-BOCS points after"
    )
    click.echo("first order: optimistic, constants taken as known")


def _partner(found: Identified, k: int) -> str:
    row = [abs(float(value)) if j != k else 0.0 for j, value in enumerate(found.correlation[k])]
    other = row.index(max(row))
    return f"{found.learned[other].id} ({float(found.correlation[k, other]):+.2f})"
