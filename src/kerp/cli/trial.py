"""`kerp trial`: design the trial, know its operating characteristics before it starts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from kerp.base.errors import Fault, KerpError
from kerp.cli.output import echo_json, echo_table, json_option
from kerp.cli.trial_simulate import simulate_command

if TYPE_CHECKING:
    from kerp.trial.bounds import Bounds


@click.group()
def trial() -> None:
    """Design, power and simulate a trial.

    Example: kerp trial power timing-2x2 --effect-sd 1 --target 0.8
    """


@trial.command("bounds")
@click.option("--kind", required=True, help="obf, pocock, ldof, ldpocock (Lan-DeMets spendings) or hsd.")
@click.option("--looks", type=int, help="Number of equally spaced looks, the last one included.")
@click.option("--information", help="Unequal looks instead: fractions such as 0.4,0.7,1.")
@click.option("--alpha", type=float, default=0.025, show_default=True, help="One-sided error rate.")
@click.option("--power", type=float, default=0.9, show_default=True, help="For inflation and average size.")
@click.option("--gamma", type=float, help="Of the Hwang-Shih-DeCani spending.")
@click.option("--futility", help="Beta spending: ldof, ldpocock or hsd. Beta is 1 - power.")
@click.option("--futility-gamma", type=float, help="Gamma of an hsd futility spending.")
@click.option("--binding", is_flag=True, help="Futility is binding: the efficacy bounds take credit for it.")
@json_option
def bounds_command(
    *,
    kind: str,
    looks: int | None,
    information: str | None,
    alpha: float,
    power: float,
    gamma: float | None,
    futility: str | None,
    futility_gamma: float | None,
    binding: bool,
    as_json: bool,
) -> None:
    """Group-sequential bounds, what they cost and what they save.

    \b
    Example: kerp trial bounds --kind obf --looks 3
    Example: kerp trial bounds --kind hsd --gamma -4 --looks 3 --futility ldof --power 0.8
    """  # noqa: D301  click reads the backspace
    from kerp.trial.bounds import bounds

    result = bounds(
        kind, _fractions(looks, information), alpha, power, gamma, _futility(futility, futility_gamma, binding)
    )
    if as_json:
        echo_json({key: _finite(value) for key, value in _fields(result).items()})
        return
    _show_bounds(result)


def _fractions(looks: int | None, information: str | None) -> tuple[float, ...]:
    from kerp.trial.bounds import MOST_LOOKS, equal_information

    if (looks is None) == (information is None):
        raise KerpError(Fault("give either --looks or --information", ways_out=("--looks 3", "--information 0.5,1")))
    if looks is not None:
        if not 1 <= looks <= MOST_LOOKS:
            message = "too few or too many looks"
            raise KerpError(Fault(message, field="--looks", found=str(looks), allowed=f"1 to {MOST_LOOKS}"))
        return equal_information(looks)
    try:
        return tuple(float(part) for part in (information or "").split(","))
    except ValueError:
        message = "information fractions are numbers with commas between"
        raise KerpError(Fault(message, field="--information", found=information or "", allowed="0.4,0.7,1")) from None


def _futility(kind: str | None, gamma: float | None, binding: bool) -> Any:
    from kerp.trial.bounds import FUTILITY_KINDS, Futility

    if kind is None and (binding or gamma is not None):
        raise KerpError(Fault("there is no futility bound to describe", ways_out=("add --futility ldof",)))
    if kind is not None and kind not in FUTILITY_KINDS:
        allowed = ", ".join(FUTILITY_KINDS)
        raise KerpError(Fault("there is no such futility spending", field="--futility", found=kind, allowed=allowed))
    return Futility(kind=kind, gamma=gamma, binding=binding) if kind else None


def _fields(result: Any) -> dict[str, Any]:
    from dataclasses import fields

    return {f.name: getattr(result, f.name) for f in fields(result)}


def _finite(value: Any) -> Any:
    """A bound at infinity is no bound: null in JSON."""
    if isinstance(value, tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _show_bounds(result: Bounds) -> None:
    columns = ["look", "information", "z", "one-sided p", "alpha spent", "stops early, effect", "stops early, none"]
    columns += ["futility z"] if result.futility_z else []
    rows = []
    for k, fraction in enumerate(result.information):
        row: list[object] = [k + 1, f"{fraction:.3f}", f"{result.z[k]:.5f}", f"{result.p_one_sided[k]:.5f}"]
        row += [f"{result.alpha_spent[k]:.5f}"]
        row += [f"{result.stop_efficacy_h1[k]:.3f}", f"{result.stop_efficacy_h0[k]:.4f}"]
        row += [f"{result.futility_z[k]:.5f}"] if result.futility_z else []
        rows.append(row)
    echo_table(columns, rows, title=f"{result.kind}, one-sided alpha {result.alpha:g}, power {result.power:g}")
    click.echo(f"maximum size  {result.inflation:.4f} times the fixed trial (normal theory)")
    click.echo(f"average size  {result.asn_ratio:.4f} under the effect, {result.asn_ratio_null:.4f} under none")
    if result.futility_z:
        text = (
            "binding: must be obeyed" if result.binding else "non-binding: may be overruled, alpha holds either way"
        )
        click.echo(f"futility      {text}")


@trial.command("list")
@json_option
def list_command(*, as_json: bool) -> None:
    """The shipped designs, and what each costs.

    \b
    Example: kerp trial list
    """  # noqa: D301  click reads the backspace
    from kerp.trial.load import design_ids, load_design, load_planning
    from kerp.trial.sizing import costs

    designs = [load_design(identifier) for identifier in design_ids()]
    found = [(design, costs(design, load_planning(design.planning))) for design in designs]
    if as_json:
        echo_json(
            [
                {
                    "id": design.id,
                    "title": design.title,
                    "n_planned": design.size.n_total,
                    "n_total_one_sd": cost.per_residual_sd.n_total,
                    "n_total_mechanism": [answer.n_total for answer in cost.mechanism[:2]],
                }
                for design, cost in found
            ]
        )
        return
    rows = [
        (design.id, design.title, design.size.n_total, cost.per_residual_sd.n_total, _span(cost.mechanism[:2]))
        for design, cost in found
    ]
    echo_table(["id", "design", "planned n", "n for 1 SD", "n for the effect assumed of timing"], rows)
    click.echo("An interaction costs four times the patients of a plain difference of the same size: see timing-2x2.")


def _span(answers: Any) -> str:
    return f"{answers[1].n_total:,} to {answers[0].n_total:,}"


@trial.command("show")
@click.argument("design")
@json_option
def show_command(*, design: str, as_json: bool) -> None:
    """One design: what it costs, what it can and cannot show, and all of it.

    \b
    Example: kerp trial show timing-2x2
    """  # noqa: D301  click reads the backspace
    from kerp.base.digest import digest, plain
    from kerp.trial.check import warnings
    from kerp.trial.load import find_design, load_planning
    from kerp.trial.sizing import costs
    from kerp.trial.wording import design_lines, first_screen

    found = find_design(design)
    planning = load_planning(found.planning)
    cost = costs(found, planning)
    notes = warnings(found)
    if as_json:
        echo_json({"design": plain(found), "digest": digest(found), "costs": plain(cost), "warnings": plain(notes)})
        return
    click.secho(f"{found.id}: {found.title}", bold=True)
    for line in first_screen(found, planning, cost):
        _wrapped(line, "  ")
    for name, text in design_lines(found):
        _wrapped(text, f"{name:22} ")
    _warn(notes)


def _wrapped(text: str, first: str) -> None:
    import textwrap

    click.echo(textwrap.fill(text, 110, initial_indent=first, subsequent_indent=" " * len(first)))


def _warn(notes: Any) -> None:
    for note in notes:
        click.secho("warning: ", fg="yellow", nl=False)
        found = f" ({note.found})" if note.found else ""
        click.echo("; ".join((note.message + found, *note.ways_out)))


@trial.command("check")
@click.argument("file")
@json_option
def check_command(*, file: str, as_json: bool) -> None:
    """Check a design file: every fault with its line and a way out, then what to know before signing.

    \b
    Example: kerp trial check my-design.toml
    """  # noqa: D301  click reads the backspace
    from kerp.base.digest import digest, plain
    from kerp.trial.check import warnings
    from kerp.trial.load import find_design

    found = find_design(file)
    notes = warnings(found)
    if as_json:
        echo_json({"id": found.id, "ok": True, "digest": digest(found), "warnings": plain(notes)})
        return
    click.echo(f"{found.id}: no fault; {digest(found)}")
    _warn(notes)


@trial.command("schema")
def schema_command() -> None:
    """The JSON Schema of a design file, for an editor.

    \b
    Example: kerp trial schema > design.schema.json
    """  # noqa: D301  click reads the backspace
    from kerp.trial.load import design_schema

    echo_json(design_schema())


@trial.command("power")
@click.argument("design")
@click.option("--effect-sd", type=float, help="Effect in SDs left after adjusting for baseline.  [default: 1]")
@click.option("--effect-points", type=float, help="Effect in Y-BOCS points instead.")
@click.option("--target", type=float, default=0.8, show_default=True, help="Power.")
@json_option
def power_command(
    *, design: str, effect_sd: float | None, effect_points: float | None, target: float, as_json: bool
) -> None:
    """How many patients the primary contrast of a design needs, by closed form.

    \b
    Example: kerp trial power timing-two-arm --effect-sd 1 --target 0.8 --json
    Example: kerp trial power timing-2x2 --effect-points 1
    """  # noqa: D301  click reads the backspace
    from kerp.base.digest import plain
    from kerp.trial.check import warnings
    from kerp.trial.load import find_design, load_planning
    from kerp.trial.sizing import costs, design_residual_sd, size_for
    from kerp.trial.wording import first_screen, size_lines

    if effect_sd is not None and effect_points is not None:
        raise KerpError(Fault("the effect is given twice", ways_out=("keep --effect-sd or --effect-points",)))
    found = find_design(design)
    planning = load_planning(found.planning)
    in_points = None if effect_points is None else effect_points / design_residual_sd(planning)
    effect = next(value for value in (effect_sd, in_points, 1.0) if value is not None)
    answer, cost = size_for(found, planning, effect, target), costs(found, planning, target)
    if as_json:
        mechanism = [plain(item) for item in cost.mechanism[:2]]
        echo_json({**plain(answer), "interaction_times": cost.interaction_times, "mechanism": mechanism})
        return
    for line in size_lines(answer):
        _wrapped(line, "  ")
    click.echo()
    for line in first_screen(found, planning, cost):
        _wrapped(line, "  ")
    _warn(warnings(found))


trial.add_command(simulate_command)
