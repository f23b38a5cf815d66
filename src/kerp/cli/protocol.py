"""`kerp protocol`: what should happen, as validated data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kerp.cli.output import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from kerp.protocol.load import Resolved
    from kerp.protocol.model import Protocol


@click.group()
def protocol() -> None:
    """Protocols: list, show, check, compare.

    Example: kerp protocol show bottemanne2021-iv
    """


@protocol.command("list")
@json_option
def list_protocols(*, as_json: bool) -> None:
    """List the shipped protocols.

    Example: kerp protocol list
    """
    from kerp.protocol.load import load_protocol, protocol_ids

    found = [load_protocol(identifier) for identifier in protocol_ids()]
    if as_json:
        echo_json([_head(item) for item in found])
        return
    rows = [
        (item.protocol.id, item.protocol.version, item.protocol.title, item.digests.resolved[:19]) for item in found
    ]
    echo_table(("id", "version", "title", "digest"), rows)


def _head(item: Resolved) -> dict[str, Any]:
    named = {"id": item.protocol.id, "version": item.protocol.version, "title": item.protocol.title}
    return named | {"summary": item.protocol.summary, "digest": item.digests.resolved}


@protocol.command()
@click.argument("protocol_id", metavar="ID_OR_FILE")
@click.option("--field", default="", help="Only what stands under this path, for example rules.bp_stop.")
@json_option
def show(protocol_id: str, field: str, *, as_json: bool) -> None:
    """Show a resolved protocol, and where each field came from.

    \b
    Example: kerp protocol show bottemanne2021-iv
             kerp protocol show site-a.toml --field rules.bp_stop
    """  # noqa: D301  click reads the backspace
    from kerp.protocol.load import load_protocol
    from kerp.protocol.outline import provenance

    resolved = load_protocol(protocol_id)
    rows = provenance(resolved, field)
    if as_json:
        origins = {row.path: {"layer": row.layer, "file": row.where, "line": row.line} for row in rows}
        echo_json({"protocol": resolved.protocol, "digests": resolved.digests, "origins": origins})
    elif field:
        for row in rows:
            click.echo(f"{row.path} = {row.value}\n    from {row.place()}")
    else:
        _overview(resolved)


def _overview(resolved: Resolved) -> None:
    item, digests = resolved.protocol, resolved.digests
    click.echo(f"{item.title} ({item.id} {item.version})\n{item.summary}\n{item.intended_use}\n")
    for name in ("resolved", "base", "overlay", "stopping_rules"):
        if getattr(digests, name):
            click.echo(f"{name.replace('_', ' '):>15}  {getattr(digests, name)}")
    if item.stopping_rules is not None:
        signed = item.stopping_rules
        click.echo(f"{'signed':>15}  version {signed.version} by {signed.signed_by} on {signed.signed_on}")
    click.echo("")
    _sessions(item)
    _visits(item)
    _rules(resolved)
    click.echo("kerp protocol show ID --field rules.bp_stop shows values and where each came from.")


def _sessions(item: Protocol) -> None:
    rows = [
        (plan.id, plan.title, ", ".join(f"{day:g}" for day in plan.days), " > ".join(p.title for p in plan.phases))
        for plan in item.sessions
    ]
    echo_table(("session", "title", "days", "phases"), rows, title="Sessions")


def _visits(item: Protocol) -> None:
    rows = [
        (
            visit.id,
            f"{visit.day - visit.window_before_days:g} to {visit.day + visit.window_after_days:g}",
            ", ".join(assessment.instrument for assessment in visit.assessments),
            "yes" if visit.mandatory else "",
        )
        for visit in item.visits
    ]
    echo_table(("visit", "study days", "asks", "mandatory"), rows, title="Visits and calls")


def _rules(resolved: Resolved) -> None:
    rows = []
    for rule in resolved.protocol.rules:
        limits = ", ".join(f"{name} {float(value):g}" for name, value in rule.thresholds.items())
        origin = resolved.origin(f"rules.{rule.id}.thresholds") or resolved.origin(f"rules.{rule.id}")
        layer = origin.layer if origin else ""
        rows.append((rule.id, rule.level.value if rule.active else "off", limits, rule.who_decides, layer))
    echo_table(("rule", "level", "thresholds", "who decides", "from"), rows, title="Rules (advice: a person decides)")


@protocol.command()
@click.argument("file")
@json_option
@click.pass_context
def check(context: click.Context, file: str, *, as_json: bool) -> None:
    """Read a protocol as a clinician would: every fault at once, with the ways out.

    Exit code 2 when there is a fault.

    Example: kerp protocol check site-a.toml
    """
    from kerp.protocol.check import examine

    found = examine(file)
    faults = found.faults
    if as_json:
        listed = [fault.as_dict() for fault in faults]
        echo_json({"file": file, "ok": not faults, "complete": found.complete, "faults": listed})
    else:
        for fault in faults:
            click.echo(str(fault))
        click.echo(f"{file}: {len(faults)} fault{'s' if len(faults) != 1 else ''}" if faults else f"{file}: no fault")
        if not found.complete:
            click.echo(
                "Mend these first and check again: what a clinician would object to could not be looked at yet."
            )
    if faults:
        context.exit(2)


@protocol.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@json_option
def diff(first: str, second: str, *, as_json: bool) -> None:
    """Compare two protocols field by field.

    Example: kerp protocol diff bottemanne2021-iv bottemanne2021-nasal
    """
    from kerp.protocol.load import load_protocol
    from kerp.protocol.outline import compare

    changes = compare(load_protocol(first).protocol, load_protocol(second).protocol)
    if as_json:
        echo_json([{"field": path, "a": left, "b": right} for path, left, right in changes])
    elif changes:
        echo_table(("field", first, second), [(path, _text(left), _text(right)) for path, left, right in changes])
    else:
        click.echo("no difference")


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


@protocol.command()
@click.argument("id_or_file", metavar="ID_OR_FILE")
@json_option
def digest(id_or_file: str, *, as_json: bool) -> None:
    """Print the digest of the resolved protocol, and of its layers.

    Key order, spacing and comments do not change it.

    Example: kerp protocol digest bottemanne2021-iv
    """
    from kerp.protocol.load import load_protocol

    resolved = load_protocol(id_or_file)
    if as_json:
        echo_json({"id": resolved.protocol.id, **_layers(resolved)})
        return
    layers = {name: text for name, text in _layers(resolved).items() if text}
    click.echo(layers.pop("digest"))
    if len(layers) > 1:
        for name, text in layers.items():
            click.echo(f"  {name.replace('_', ' '):>14}  {text}")


def _layers(resolved: Resolved) -> dict[str, str]:
    found = resolved.digests
    layers = {"digest": found.resolved, "base": found.base}
    return layers | {"overlay": found.overlay, "stopping_rules": found.stopping_rules}


@protocol.command()
@json_option
def schema(*, as_json: bool) -> None:  # noqa: ARG001  the schema is JSON either way
    """Print the JSON Schema of protocol files, for editors.

    Example: kerp protocol schema > protocol.schema.json
    """
    from kerp.protocol.schema import protocol_schema

    echo_json(protocol_schema())
