"""`kerp model`: the learning models, what they claim, what they assume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kerp.cli.output import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from kerp.learning.contract import Card, LearningModel


@click.group()
def model() -> None:
    """Models of the obsessive-compulsive loop, of exposure and of ketamine (PAPER P40).

    Example: kerp model show core
    """


@model.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Every model in one line.

    \b
    Example: kerp model list --json
    """  # noqa: D301  click wants the backspace character itself
    from kerp.learning.registry import catalogue

    cards = [one.card for one in catalogue().values()]
    if as_json:
        echo_json([{"id": c.id, "title": c.title, "differs": c.differs, "predicts": c.predicts} for c in cards])
    else:
        echo_table(("model", "title", "differs from the core by"), [(c.id, c.title, c.differs) for c in cards])


@model.command("show")
@click.argument("model_id", metavar="ID")
@json_option
def show_command(model_id: str, as_json: bool) -> None:
    """Equations with the lines that compute them, parameters with prior and source, predictions.

    \b
    Example: kerp model show reconsolidation
    """  # noqa: D301
    from kerp.learning.registry import model as model_of

    data = _described(model_of(model_id))
    if as_json:
        echo_json(data)
    else:
        _print(data)


def _described(one: LearningModel) -> dict[str, Any]:
    from kerp.learning.priors import priors, read_with
    from kerp.learning.registry import line_of

    card, book = one.card, priors()
    equations = [
        {"name": e.name, "formula": e.formula, "code": line_of(e), "claims": e.claims} for e in card.equations
    ]
    parameters = [
        {
            "id": name,
            "meaning": book[name].meaning,
            "unit": book[name].typical.unit,
            "typical": book[name].typical.value,
            "prior": _prior(one, name),
            "support": [book[name].lower, book[name].upper],
            "source": book[name].typical.source,
            "mark": str(book[name].typical.mark),
            "note": book[name].typical.note,
        }
        for name in read_with(one)
    ]
    head = {"id": card.id, "title": card.title, "idea": card.idea, "differs": card.differs}
    tail = {"predicts": card.predicts, "evidence": card.evidence}
    return head | tail | {"equations": equations, "parameters": parameters, "sources": _sources(card, parameters)}


def _sources(card: Card, parameters: list[dict[str, Any]]) -> dict[str, str]:
    """References behind the evidence and the priors, by id; assumed numbers and the paper's claims have none."""
    from kerp.evidence.references import as_text, references

    named = [*card.sources, *(one for row in parameters for one in row["source"].split("; "))]
    known = references()
    return {one: as_text(known[one]) for one in dict.fromkeys(named) if one in known}


def _prior(one: LearningModel, name: str) -> str:
    from kerp.learning.priors import priors

    if name in one.card.fixed:
        return f"held at {one.card.fixed[name]:g} by this model"
    sign = {1: ", at or above 0", -1: ", at or below 0"}.get(one.card.signs.get(name, 0), "")
    return priors()[name].text() + sign


def _print(data: dict[str, Any]) -> None:
    click.echo(f"{data['id']}: {data['title']}\n\n{data['idea']}\n\nPredicts: {data['predicts']}")
    click.echo(f"Evidence: {data['evidence']}" + (f"\nDiffers: {data['differs']}" if data["differs"] else ""))
    rows = [(e["name"], e["formula"], e["claims"], e["code"]) for e in data["equations"]]
    echo_table(("equation", "formula", "PAPER", "line"), rows)
    lines = [
        (p["id"], p["meaning"], p["unit"], f"{p['typical']:g}", p["prior"], p["mark"], p["source"])
        for p in data["parameters"]
    ]
    echo_table(("parameter", "meaning", "unit", "typical", "prior", "mark", "source"), lines)
    click.echo("Sources (they give direction or form; every prior marked assumed is an assumption all the same):")
    for name, text in data["sources"].items():
        click.echo(f"  {name}: {text}")
    click.echo("Notes on each prior: --json.")
