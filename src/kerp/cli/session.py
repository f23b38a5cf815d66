"""`kerp session`: simulate, replay, verify, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kerp.cli.output import echo_json, echo_table, json_option


@click.group()
def group() -> None:
    """A session as a log: make one, read it again, check it, report it.

    Example: kerp session simulate --protocol bottemanne2021-iv --seed 1 --out p001.kerplog
    """


@group.command()
@click.option("--protocol", "protocol_id", required=True, help="Id of a shipped protocol, or a protocol file.")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="Whole number; the same gives the same log.")
@click.option("--patient", type=click.Path(path_type=Path), help="TOML file of traits (docs/simulation.md).")
@click.option(
    "--person",
    type=click.Choice(["mechanism", "simple"]),
    help="mechanism: a virtual patient of `kerp patient draw`; simple: traits only [default: simple with --patient].",
)
@click.option(
    "--model", "model_id", default="core", show_default=True, help="Learning model of the mechanism person."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The log file to write.")
@json_option
def simulate(
    protocol_id: str, seed: int, patient: Path | None, person: str | None, model_id: str, out: Path, as_json: bool
) -> None:
    """Play one participant's whole course under a protocol, through the session engine.

    \b
    Example:
      kerp session simulate --protocol bottemanne2021-iv --seed 1 --out p001.kerplog
    """  # noqa: D301
    from kerp.protocol.load import load_protocol
    from kerp.records.logfile import write_log
    from kerp.simulate.course import drawn_traits, route_of, simulate_course
    from kerp.simulate.traits import read_traits

    resolved = load_protocol(protocol_id)
    traits = read_traits(patient, drawn_traits(seed, route_of(resolved.protocol))) if patient else None
    if (person or ("simple" if patient else "mechanism")) == "mechanism":
        from kerp.simulate.mechanism import maker

        simulated = simulate_course(resolved, seed, traits, made=maker(seed, model_id))
    else:
        simulated = simulate_course(resolved, seed, traits)
    write_log(out, simulated.entries, simulated.protocol)
    if as_json:
        echo_json({"log": str(out), "entries": len(simulated.entries), "seed": seed, "traits": simulated.traits})
    else:
        click.echo(f"{len(simulated.entries)} entries written to {out} (simulated participant, seed {seed})")


@group.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--at", "at_min", type=float, help="Minutes since T0 of the session; without it, the end of the log.")
@click.option("--session", default="", help="Id of the session; without it, the first in which a drug was given.")
@json_option
def replay(log: Path, at_min: float | None, session: str, as_json: bool) -> None:
    """Read a log again, and show the state at a minute: phase, clocks, exposure, due, advice, scores.

    \b
    Example:
      kerp session replay p001.kerplog --at 35
    """  # noqa: D301
    from kerp.records.logfile import read_log
    from kerp.records.replay import differences, snapshot

    held = read_log(log)
    shown = snapshot(held, at_min, session)
    if as_json:
        echo_json(shown | {"differences": differences(held)})
        return
    _show(shown, differences(held))


def _show(shown: dict[str, Any], notes: tuple[str, ...]) -> None:
    state = shown["status"]
    session = state["session"]
    for note in notes:
        click.echo(f"note: {note}")
    if session:
        effect = session["effect"]
        click.echo(f"session {session['id']}  phase {session['phase']}  clock {session['clock']}")
        click.echo(
            f"drug {session['drug']['status']}  felt effect {effect['last']} (baseline {effect['baseline']:g})"
        )
        for block in session["exposure"]["open"]:
            click.echo(f"exposure {block['name']}: {block['item']}, intensity {block['steps'][-1]['intensity']:g}")
    click.echo(f"state {shown['state_digest']}")
    rows = [(a["level"], a["title"], a["text"], a["source"], a["state"]) for a in state["advice"]]
    echo_table(("level", "advice", "text", "source", "answer"), rows, "Advice")
    echo_table(("prompt", "due", "state"), [(d["prompt"], d["clock"], d["state"]) for d in state["due"]], "Asked")
    scores = [(s["study_day"], s["instrument"], s["total"], s["band"]) for s in shown["scores"]]
    echo_table(("study day", "instrument", "total", "band"), scores, "Scores")


@group.command()
@click.argument("log", type=click.Path(path_type=Path))
@json_option
def verify(log: Path, as_json: bool) -> None:
    """Check chain, order, protocol digest, every entry, and that the log replays to one state.

    \b
    Example:
      kerp session verify p001.kerplog
    """  # noqa: D301
    from kerp.records.logfile import read_log
    from kerp.records.replay import differences, verification

    held = read_log(log)
    found = verification(held)
    if as_json:
        echo_json(found | {"differences": differences(held)})
        return
    for note in differences(held):
        click.echo(f"note: {note}")
    for name, value in found.items():
        click.echo(f"{name.replace('_', ' ')}: {value}")


@group.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The HTML file to write.")
@click.option("--free-text", is_flag=True, help="Show what people wrote in free text (it may name somebody).")
@json_option
def report(log: Path, out: Path, free_text: bool, as_json: bool) -> None:
    """Write one self-contained HTML page: time line, tables, references, every assumed number. Prints on A4.

    \b
    Example:
      kerp session report p001.kerplog --out p001.html
    """  # noqa: D301
    from kerp.records.logfile import read_log
    from kerp.report.session.document import write_session_report

    held = read_log(log)
    page = write_session_report(held, out, free_text=free_text)
    if as_json:
        sections = [{"id": section.id, "title": section.title} for section in page.sections]
        echo_json({"report": str(out), "participant": held.opened.participant, "sections": sections})
    else:
        click.echo(f"report of {held.opened.participant} written to {out}")
