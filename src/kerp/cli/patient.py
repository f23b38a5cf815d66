"""`kerp patient`: virtual patients."""

from __future__ import annotations

import click

from kerp.cli.output import echo_json, echo_table, json_option


@click.group()
def patient() -> None:
    """Virtual patients drawn from stated priors: model output, not people.

    Example: kerp patient draw --n 1000 --seed 1 --out patients.csv
    """


@patient.command("draw")
@click.option("--n", "count", type=int, required=True, help="How many people.")
@click.option("--seed", type=int, required=True, help="A whole number; the same seed gives the same people.")
@click.option("--out", type=click.Path(), required=True, help="CSV file to write.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Fix a parameter for everyone.")
@json_option
def draw_command(count: int, seed: int, out: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Draw people who would pass screening (rated Y-BOCS at or above the entry score).

    Person k of a seed is the same whether ten or a million are drawn.

    \b
    Example: kerp patient draw --n 1000 --seed 1 --out patients.csv
    Example: kerp patient draw --n 200 --seed 7 --set m=0.3 --out taboo.csv
    """  # noqa: D301  click wants the backspace character itself
    from kerp.base.textfile import write_atomic
    from kerp.cli.settings import settings_of
    from kerp.patient.draw import draw
    from kerp.patient.file import as_csv

    people = draw(count, seed, settings_of(settings))
    write_atomic(out, as_csv(people))
    baseline = people.traits["baseline_ybocs"]
    themes = {str(t): int((people.traits["theme"] == t).sum()) for t in sorted(set(people.traits["theme"].tolist()))}
    facts = {
        "file": out,
        "people": people.count,
        "seed": seed,
        "baseline_ybocs_mean": float(baseline.mean()),
        "baseline_ybocs_sd": float(baseline.std(ddof=1)) if count > 1 else 0.0,
        "themes": themes,
    }
    if as_json:
        echo_json(facts)
    else:
        echo_table(("", ""), list(facts.items()), "drawn")


@patient.command("columns")
@json_option
def columns_command(as_json: bool) -> None:
    """What each column of a patient file means, with its unit and support.

    \b
    Example: kerp patient columns
    """  # noqa: D301
    from kerp.learning.priors import priors
    from kerp.patient.record import TRAITS

    rows = [(name, unit, "", meaning) for name, (unit, meaning) in TRAITS.items()]
    rows += [(p.id, p.typical.unit, f"{p.lower:g} to {p.upper:g}", p.meaning) for p in priors().values()]
    if as_json:
        echo_json([dict(zip(("column", "unit", "support", "meaning"), row, strict=True)) for row in rows])
    else:
        echo_table(("column", "unit", "support", "meaning"), rows)
