"""`kerp arm`: what each treatment arm would do, under which assumptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kerp.cli.output import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from kerp.protocol.schedule import PlannedDose, Schedule
    from kerp.simulate.population.compare import Comparison, Request
    from kerp.simulate.population.timing import Timing


@click.group()
def arm() -> None:
    """Courses of treatment, and what a model says they would do (model output, not evidence).

    Example: kerp arm compare --arms erp-alone,sequential,concurrent --n 1000 --seed 1
    """


@arm.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Every shipped course of treatment.

    \b
    Example: kerp arm list
    """  # noqa: D301  click wants the backspace character itself
    from kerp.protocol.schedule import load_schedule, schedule_ids

    arms = [load_schedule(one) for one in schedule_ids()]
    if as_json:
        echo_json([_summary(one) for one in arms])
        return
    rows = [(a.id, a.title, len(a.doses), len(a.sessions), f"{a.contact_h:.3g}") for a in arms]
    echo_table(("arm", "title", "doses", "sessions", "contact, h"), rows)


@arm.command("show")
@click.argument("arm_id", metavar="ID_OR_FILE")
@json_option
def show_command(arm_id: str, as_json: bool) -> None:
    """Doses, sessions, ratings, and the protocols they follow with their digests.

    \b
    Example: kerp arm show concurrent
    """  # noqa: D301
    from kerp.base.digest import plain
    from kerp.protocol.schedule import load_schedule, resolved

    one = resolved(load_schedule(arm_id))
    if as_json:
        echo_json(_summary(one) | plain(one))
        return
    click.echo(f"{one.id}: {one.title}\n{one.idea}\nPAPER {', '.join(one.claims)}")
    rows: list[tuple[object, ...]] = [
        (
            f"{d.day:g}",
            d.agent,
            _amount(d),
            "",
            d.protocol,
        )
        for d in one.doses
    ]
    rows += [(f"{s.day:g}", s.kind, f"{s.minutes:g} min", f"{s.intensity:g}", s.protocol) for s in one.sessions]
    rows += [(f"{day:g}", "metacognitive session", "", "", "") for day in one.mct_days]
    echo_table(("day", "what", "how much", "intensity", "protocol"), sorted(rows, key=lambda row: float(str(row[0]))))
    click.echo(f"Y-BOCS on days {', '.join(f'{d:g}' for d in one.rating_days)}; contact {one.contact_h:.3g} h")
    if one.same_contact_as:
        click.echo(f"equal contact time: {', '.join(one.same_contact_as)}")
    for name, digest in (one.digests or {}).items():
        click.echo(f"protocol {name} {digest}")


def _amount(dose: PlannedDose) -> str:
    """`0.5 mg/kg over 40 min`, `3 devices of 28 mg`; saline has a duration and no dose."""
    if dose.route == "nasal_spray":
        return f"{dose.devices} devices of {dose.device_mg:g} mg"
    amount = f"{dose.dose_mg_per_kg:g} mg/kg " if dose.dose_mg_per_kg else ""
    return f"{amount}over {dose.duration_min:g} min"


@arm.command("pin")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False))
@json_option
def pin_command(files: tuple[str, ...], as_json: bool) -> None:
    """Write the present digests of its protocols into a schedule file.

    A schedule is refused when a protocol it pins has changed. Compare the two versions first; pinning says that the
    schedule still means what it says.

    \b
    Example: kerp arm pin my-arm.toml
    """  # noqa: D301
    from pathlib import Path

    from kerp.protocol.schedule import pin_file

    found = {file: pin_file(Path(file)) for file in files}
    if as_json:
        echo_json(found)
        return
    rows = [(file, name, digest) for file, digests in found.items() for name, digest in digests.items()]
    echo_table(("schedule", "protocol", "digest"), rows)


def _summary(one: Schedule) -> dict[str, Any]:
    return {"id": one.id, "title": one.title, "contact_h": one.contact_h, "doses": len(one.doses)}


@arm.command("compare")
@click.option("--arms", required=True, help="Comma-separated ids or files, for example placebo,erp-alone,concurrent.")
@click.option("--model", "model_id", default="core", show_default=True, help="`kerp model list` names them.")
@click.option(
    "--n", "count", type=int, default=1000, show_default=True, help="Virtual patients, the same in each arm."
)
@click.option("--seed", type=int, default=1, show_default=True, help="A whole number.")
@click.option("--patients", type=click.Path(), help="CSV of `kerp patient draw` instead of drawing.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for page, figures and table.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Override a parameter, kappa_a=0.8.")
@click.option("--typical", is_flag=True, help="One person at the reference values, no chance at all.")
@click.option("--without", default="", help="Processes to switch off: adherence,avoidance,dropout,intolerance,...")
@click.option("--placebo-layer", default="", help="psychological, waitlist or usual_care; off by default.")
@click.option("--sites", type=int, default=1, show_default=True, help="Sites with effects of their own.")
@click.option("--engine", type=click.Choice(["numpy", "jax"]), default="numpy", show_default=True)
@json_option
def compare_command(
    arms: str,
    model_id: str,
    count: int,
    seed: int,
    patients: str | None,
    out: str | None,
    settings: tuple[str, ...],
    typical: bool,
    without: str,
    placebo_layer: str,
    sites: int,
    engine: str,
    as_json: bool,
) -> None:
    """Run the same virtual patients through several arms.

    \b
    Example: kerp arm compare --arms placebo,erp-alone,sequential,concurrent --n 2000 --seed 1 --out compared
    Example: kerp arm compare --arms sequential,concurrent --typical --set kappa_a=0.8 --set kappa_c=0.4 --json
    """  # noqa: D301
    from dataclasses import replace

    from kerp.simulate.population.compare import Request
    from kerp.simulate.population.process import without as all_without

    processes = replace(all_without(_names(without)), placebo=placebo_layer, sites=sites)
    request = Request(
        arms=_schedules(arms),
        model=_model(model_id),
        count=count,
        seed=seed,
        fixed=_settings(settings),
        typical=typical,
        processes=processes,
        engine=engine,
        people=_people(patients),
    )
    result = _run(request)
    if out:
        _write(result, out)
    if as_json:
        from kerp.simulate.population.table import contract

        echo_json(contract(result))
    else:
        _print(result, out)


def _run(request: Request) -> Comparison:
    from kerp.cli.progress import shown
    from kerp.simulate.population.compare import compare

    with shown("patients through arms") as progress:
        return compare(request, progress)


def _people(path: str | None) -> Any:
    from kerp.patient.file import read_population

    return read_population(path) if path else None


def _names(text: str) -> tuple[str, ...]:
    from kerp.cli.settings import names_of

    return names_of(text)


def _settings(texts: tuple[str, ...]) -> dict[str, float]:
    from kerp.cli.settings import settings_of

    return settings_of(texts)


def _model(model_id: str) -> Any:
    from kerp.learning.registry import model

    return model(model_id)


def _schedules(text: str) -> tuple[Schedule, ...]:
    from kerp.base.errors import Fault, KerpError
    from kerp.protocol.schedule import load_schedule

    names = _names(text)
    if not names:
        raise KerpError(Fault("no arm was named", field="--arms", ways_out=("kerp arm list",)))
    if len(set(names)) != len(names):
        raise KerpError(Fault("an arm is named twice", field="--arms", found=text))
    return tuple(load_schedule(name) for name in names)


def _write(result: Comparison, out: str) -> None:
    from kerp.report.arms import write_comparison

    write_comparison(result, out)


def _print(result: Comparison, out: str | None) -> None:
    rows = []
    for one in result.arms.values():
        first, last = one.latent.mean[0], one.latent.mean[-1]
        response = one.responses["farris2013.response"][-1]
        rows.append(
            (one.id, f"{first:.1f}", f"{last:.1f}", f"{100 * (last / first - 1):.0f} %", f"{100 * response:.0f} %",
             f"{one.loop_number.bands[0.5][-1]:.2f}")
        )  # fmt: skip
    columns = ("arm", "Y-BOCS start", "end", "change", "fall of 35 % or more, rated", "loop number, median")
    kind = "one reference person" if result.request.typical else f"{result.people} virtual patients"
    echo_table(
        columns, rows, f"{result.request.model.card.id}, {kind}: model output under assumed values, not evidence"
    )
    if out:
        click.echo(f"page, figures and table: {out}")


@arm.command("timing")
@click.option(
    "--offsets", default="-10:60:5", show_default=True, help="Start of exposure minus T0, from:to:step, min."
)
@click.option("--dose", "doses", default="0.5", show_default=True, help="mg/kg over 40 min, comma-separated.")
@click.option("--day", type=int, default=14, show_default=True, help="When the gain is read.")
@click.option("--session-min", type=float, default=60.0, show_default=True, help="Length of the exposure.")
@click.option("--model", "model_id", default="core", show_default=True)
@click.option("--n", "count", type=int, default=500, show_default=True, help="Virtual patients, the same everywhere.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Override a parameter in every world.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for page, figure and table.")
@json_option
def timing_command(
    offsets: str,
    doses: str,
    day: int,
    session_min: float,
    model_id: str,
    count: int,
    seed: int,
    settings: tuple[str, ...],
    out: str | None,
    as_json: bool,
) -> None:
    """What one exposure is worth by when it starts relative to the dose, whole surface, with Monte-Carlo error.

    Shown side by side for several signs of the drug couplings: the answer is theirs, not the timing's.

    \b
    Example: kerp arm timing --offsets -10:60:5 --n 300
    Example: kerp arm timing --offsets -60:2880:180 --dose 0.25,0.5 --out timing
    """  # noqa: D301
    from kerp.cli.progress import shown
    from kerp.simulate.population.timing import TimingRequest, offsets_of, surface

    request = TimingRequest(
        model=_model(model_id),
        offsets_min=offsets_of(offsets),
        doses_mg_per_kg=_numbers(doses),
        session_min=session_min,
        day=day,
        count=count,
        seed=seed,
        fixed=_settings(settings),
    )
    with shown("places of the surface") as progress:
        result = surface(request, progress)
    if out:
        from kerp.report.timing import write_timing

        write_timing(result, out)
    if as_json:
        from kerp.report.timing import as_data

        echo_json(as_data(result))
        return
    _print_timing(result, out)


def _print_timing(result: Timing, out: str | None) -> None:
    request = result.request
    for index, dose in enumerate(request.doses_mg_per_kg):
        rows = [
            (
                f"{offset:g}",
                *(f"{s.gain[index][k]:.2f} ({s.gain_se[index][k]:.2f})" for s in result.surfaces.values()),
            )
            for k, offset in enumerate(request.offsets_min)
        ]
        title = f"Y-BOCS points gained by day {request.day}, {dose:g} mg/kg (SE); no drug {result.without_drug:.2f}"
        echo_table(("start, min", *result.surfaces), rows, title)
    click.echo("model output under assumed values, not evidence" + (f"; page: {out}" if out else ""))


def _numbers(text: str) -> tuple[float, ...]:
    from kerp.base.errors import Fault, KerpError

    try:
        return tuple(float(part) for part in _names(text))
    except ValueError:
        raise KerpError(
            Fault("these are no doses", field="--dose", found=text, allowed="for example 0.25,0.5")
        ) from None
