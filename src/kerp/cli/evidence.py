"""`kerp evidence`: who said which number."""

from __future__ import annotations

from typing import Any

import click

from kerp.cli.output import echo_json, echo_table, json_option, p_text


@click.group()
def evidence() -> None:
    """Published results and references: list, show, cite.

    \b
    Example: kerp evidence show psychotherapy_ybocs --where treatment=erp
    """  # noqa: D301  click reads the backspace


@evidence.command("list")
@click.argument("what", type=click.Choice(["tables", "references"]), default="tables")
@click.option("--topic", help="Only references of this topic.")
@click.option("--find", default="", help="Only what contains this text.")
@json_option
def list_(what: str, topic: str | None, find: str, as_json: bool) -> None:
    """List the evidence tables, or the references.

    \b
    Example: kerp evidence list references --topic erp --find foa
    """  # noqa: D301  click reads the backspace
    if what == "tables":
        rows = [row for row in _tables() if _contains(row, find)]
        columns = ["id", "rows", "title"]
    else:
        rows = [row for row in _references(topic) if _contains(row, find)]
        columns = ["id", "topic", "year", "title"]
    if as_json:
        echo_json(rows)
    else:
        echo_table(columns, ([row[name] for name in columns] for row in rows))


def _contains(row: dict[str, Any], text: str) -> bool:
    return text.lower() in " ".join(str(value) for value in row.values()).lower()


def _tables() -> list[dict[str, Any]]:
    from kerp.evidence.tables import load_table, tables

    return [
        {"id": name, "rows": len(load_table(name)), "title": entry.title, "description": entry.description}
        for name, entry in tables().items()
    ]


def _references(topic: str | None) -> list[dict[str, Any]]:
    from kerp.base.errors import UnknownIdError
    from kerp.evidence.references import references

    found = references()
    topics = sorted({entry.topic for entry in found.values()})
    if topic is not None and topic not in topics:
        raise UnknownIdError("topic", topic, topics)
    return [
        {"id": name, "topic": entry.topic, "authors": list(entry.authors), "year": entry.year, "title": entry.title}
        for name, entry in found.items()
        if topic in {None, entry.topic}
    ]


@evidence.command()
@click.argument("identifier", metavar="ID")
@click.option(
    "--where", "wanted", multiple=True, metavar="COLUMN=TEXT", help="Only rows that contain TEXT in COLUMN."
)
@click.option("--columns", default="", metavar="A,B,...", help="Only these columns.")
@json_option
def show(identifier: str, wanted: tuple[str, ...], columns: str, as_json: bool) -> None:
    """Show a table, with filters, or a reference.

    \b
    Example: kerp evidence show pk_observations --where drug=esketamine --columns quantity,value,unit,source,mark
    """  # noqa: D301  click reads the backspace
    from kerp.base.errors import UnknownIdError
    from kerp.evidence.references import references
    from kerp.evidence.tables import tables

    if identifier in tables():
        _show_table(identifier, wanted, columns, as_json=as_json)
    elif identifier in references():
        _show_reference(identifier, as_json=as_json)
    else:
        raise UnknownIdError("evidence table (or reference)", identifier, list(tables()))


def _show_table(identifier: str, wanted: tuple[str, ...], columns: str, *, as_json: bool) -> None:
    from kerp.evidence.tables import load_table, select, table

    entry = table(identifier)
    known = [column.name for column in entry.columns]
    rows = select(load_table(identifier), **_filters(wanted, known))
    chosen = _chosen(columns, known)
    if as_json:
        listed = [{name: row[name] for name in chosen or known} for row in rows]
        described = [column for column in entry.columns if column.name in (chosen or known)]
        head = {"id": identifier, "title": entry.title, "attribution": entry.attribution}
        echo_json(head | {"columns": described, "rows": listed})
        return
    shown = chosen or [*(entry.shown or known[:6]), "source", "mark"]
    echo_table(shown, ([row[name] for name in shown] for row in rows), title=f"{entry.title} ({len(rows)} rows)")
    click.echo(entry.description)
    if len(shown) < len(known):
        click.echo(f"Further columns: {', '.join(name for name in known if name not in shown)}")
    if entry.attribution:
        click.echo(entry.attribution)


def _filters(wanted: tuple[str, ...], known: list[str]) -> dict[str, str]:
    from kerp.base.errors import Fault, KerpError, UnknownIdError

    filters = {}
    for text in wanted:
        column, sign, value = text.partition("=")
        if not sign:
            raise KerpError(Fault("a filter is COLUMN=TEXT", field="--where", found=text))
        if column not in known:
            raise UnknownIdError("column", column, known, field="--where")
        filters[column] = value
    return filters


def _chosen(columns: str, known: list[str]) -> list[str]:
    from kerp.base.errors import UnknownIdError

    chosen = [name.strip() for name in columns.split(",") if name.strip()]
    for name in chosen:
        if name not in known:
            raise UnknownIdError("column", name, known, field="--columns")
    return chosen


def _show_reference(identifier: str, *, as_json: bool) -> None:
    from kerp.evidence.references import as_text, reference

    entry = reference(identifier)
    if as_json:
        echo_json(entry)
        return
    click.echo(as_text(entry))
    if entry.note:
        click.echo(f"Note: {entry.note}")


@evidence.command()
@click.argument("identifiers", metavar="IDS...", nargs=-1, required=True)
@click.option("--style", type=click.Choice(["text", "bibtex"]), default="text", show_default=True)
@json_option
def cite(identifiers: tuple[str, ...], style: str, as_json: bool) -> None:
    """Print references, as text or BibTeX; ids may be separated by spaces or commas.

    \b
    Example: kerp evidence cite bottemanne2021 rodriguez2013 --style bibtex
    """  # noqa: D301  click reads the backspace
    from kerp.base.errors import Fault, KerpError
    from kerp.evidence import references

    names = [name for part in identifiers for name in part.split(",") if name]
    if not names:
        ways = ("kerp evidence list references shows every id",)
        raise KerpError(Fault("no reference is named", found=" ".join(identifiers), ways_out=ways))
    if as_json:
        echo_json([references.reference(name) for name in names])
    else:
        click.echo(references.cite(names, style))


@evidence.command()
@click.option("--table", "identifier", default="psychotherapy_ybocs", show_default=True, help="An evidence table.")
@click.option("--where", "wanted", multiple=True, metavar="COLUMN=TEXT", help="Only rows with TEXT in COLUMN.")
@click.option("--method", type=click.Choice(["dl", "reml", "hksj"]), default="hksj", show_default=True)
@click.option("--keep-arms", is_flag=True, help="Do not combine arms that share a control; said in the result.")
@click.option("--mix-open", is_flag=True, help="Pool open and controlled studies together; said in the result.")
@click.option("--plot", "figure", metavar="FILE", help="Write a forest plot (svg, png, pdf).")
@json_option
def meta(
    identifier: str,
    wanted: tuple[str, ...],
    method: str,
    keep_arms: bool,
    mix_open: bool,
    figure: str | None,
    as_json: bool,
) -> None:
    """Pool comparisons of a table by random effects; arms that share a control are combined first.

    \b
    Example: kerp evidence meta --table psychotherapy_ybocs --where treatment=erp --where control=waitlist
    Example: kerp evidence meta --where treatment=erp --method dl --plot forest.svg --json
    """  # noqa: D301  click reads the backspace
    from kerp.analysis.meta import Method
    from kerp.analysis.meta_output import pooled_table
    from kerp.evidence.tables import load_table, select, table

    filters = _filters(wanted, [column.name for column in table(identifier).columns])
    rows = select(load_table(identifier), **filters)
    found = pooled_table(rows, Method(method), mix_open=mix_open, combine_shared=not keep_arms)
    chosen = ", ".join(wanted) or "all rows"
    if figure:
        _write_forest(figure, found, f"{identifier}: {chosen}")
    if as_json:
        echo_json({"table": identifier, "where": filters, "attribution": table(identifier).attribution} | found)
    else:
        _show_pooled(found, f"{identifier}: {chosen}", table(identifier).attribution)


def _write_forest(path: str, found: dict[str, Any], title: str) -> None:
    from pathlib import Path

    from kerp.base.textfile import write_atomic
    from kerp.report.forest import forest_image

    write_atomic(path, forest_image(found, title, Path(path).suffix.lstrip(".").lower()))


def _show_pooled(found: dict[str, Any], title: str, attribution: str) -> None:
    rows = [
        (
            row["label"],
            row["control"],
            row["n"],
            _interval(row, "effect"),
            f"{100 * row['weight']:.1f} %",
            row["basis"],
        )
        for row in found["comparisons"]
    ]
    echo_table(("study", "control", "n", "Hedges' g (95 % interval)", "weight", "basis"), rows, title=title)
    click.echo(f"pooled, k = {found['k']}: {_interval(found, 'estimate')}; {found['method_title']}")
    if found["tau"] is not None:
        click.echo(
            f"tau {found['tau']:.3f}, I2 {100 * found['i2']:.0f} %, Q {found['q']:.1f} (p {p_text(found['q_p'])})"
        )
    if found["prediction_low"] is not None:
        click.echo(f"the next trial may lie within {found['prediction_low']:.2f} to {found['prediction_high']:.2f}")
    if found["without_outliers"]:
        left = "; ".join(f"{trial}: {why}" for trial, why in found["outliers"].items())
        without = found["without_outliers"]
        click.echo(f"without outliers, k = {without['k']}: {_interval(without, 'estimate')} ({left})")
    for note in found["notes"]:
        click.echo(f"note: {note}")
    click.echo(attribution)


def _interval(row: dict[str, Any], middle: str) -> str:
    return f"{row[middle]:.3f} ({row['ci_low']:.3f} to {row['ci_high']:.3f})"
