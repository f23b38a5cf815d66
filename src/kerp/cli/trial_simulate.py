"""`kerp trial simulate`: run a design in simulated worlds and write what it would do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerp.base.errors import Fault, KerpError
from kerp.cli.output import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from kerp.trial.operating import Figure, Operating
    from kerp.trial.run import Result
    from kerp.trial.scenario import Scenario


@click.command("simulate")
@click.argument("design")
@click.option("--replicates", type=int, required=True, help="Simulated trials per world.")
@click.option("--seed", type=int, required=True, help="Whole number; the same seed gives the same digits.")
@click.option(
    "--model",
    "models",
    multiple=True,
    help="World: normal, a mechanism (core, core:kappa_c=-), or opposite: the mechanism with the drug's effect on "
    "learning of either sign. Repeatable.  [default: normal, opposite]",
)
@click.option("--effect-sd", type=float, help="Effect in the normal world, residual SDs.  [default: as planned]")
@click.option("--layers", default="all", show_default=True, help="all, none, or names: what goes wrong.")
@click.option("--curve", is_flag=True, help="Simulate 0, 0.5 and 1.5 times the planned effect as well.")
@click.option("--workers", type=int, help="Local processes.  [default: one per processor]")
@click.option("--cluster", help="A Dask scheduler instead, tcp://host:port.")
@click.option("--resume", is_flag=True, help="Take finished blocks from the folder.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for results.")
@json_option
def simulate_command(
    *,
    design: str,
    replicates: int,
    seed: int,
    models: tuple[str, ...],
    effect_sd: float | None,
    layers: str,
    curve: bool,
    workers: int | None,
    cluster: str | None,
    resume: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Operating characteristics of a design, each with its Monte-Carlo standard error.

    Writes result.json, report.html and the finished blocks into the folder. A run that was stopped goes on with
    --resume; the result is the same, digit by digit, for any number of workers.

    \b
    Example: kerp trial simulate timing-two-arm --replicates 1000 --seed 1 --out out/timing
    Example: kerp trial simulate timing-two-arm --replicates 200 --seed 1 --model opposite --out out/opposite
    """  # noqa: D301  click reads the backspace
    from kerp.trial.cache import BlockCache
    from kerp.trial.run import check_run, simulate

    scenarios = _scenarios(design, models, effect_sd, layers, curve)
    executor = _executor(workers, cluster)
    cache = BlockCache(out / "blocks")
    check_run(seed, replicates, scenarios)
    with executor as run, _progress() as report:
        if not resume:  # only now: a run that cannot start leaves an earlier one as it was
            _forget(out)
        try:
            result = simulate(scenarios, seed, replicates, run, cache, report)
        except KeyboardInterrupt:
            kept = sum(1 for _ in cache.folder.glob("??/*.json"))
            click.echo(f"stopped; {kept} finished blocks are kept in {cache.folder}: go on with --resume", err=True)
            raise click.Abort from None
    data = result.as_dict()
    _write(result, data, out)
    if as_json:
        echo_json(data)
    else:
        _show(result, data, out)


def _scenarios(
    design: str, models: tuple[str, ...], effect_sd: float | None, layers: str, curve: bool
) -> list[Scenario]:
    from kerp.trial.load import find_design, load_planning
    from kerp.trial.run import scenarios_for
    from kerp.trial.scenario import layers_named

    if effect_sd is not None and not math.isfinite(effect_sd):
        raise KerpError(Fault("the effect is no number", field="--effect-sd", found=str(effect_sd)))
    found = find_design(design)
    return scenarios_for(found, load_planning(found.planning), models, effect_sd, layers_named(layers), curve=curve)


def _executor(workers: int | None, cluster: str | None) -> Any:
    import os

    from kerp.trial.execute import dask_cluster, processes

    if workers is not None and cluster is not None:
        raise KerpError(Fault("give --workers or --cluster, not both", ways_out=("leave one out",)))
    return dask_cluster(cluster) if cluster else processes(workers if workers is not None else os.cpu_count() or 1)


def _forget(out: Path) -> None:
    """Without --resume a run starts from nothing: blocks of an earlier run are removed, nothing else is."""
    for path in sorted((out / "blocks").glob("??/*.json")):
        path.unlink()


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error with the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        job = bar.add_task("finding the truth", total=None)
        yield lambda done, due: bar.update(job, description="blocks of trials", completed=done, total=due)


def _write(result: Result, data: dict[str, Any], out: Path) -> None:
    from kerp.base.digest import plain
    from kerp.base.textfile import write_atomic
    from kerp.report.trial import trial_report

    write_atomic(out / "result.json", json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    write_atomic(out / "report.html", trial_report(result.design, result.planning, data))


def _show(result: Result, data: dict[str, Any], out: Path) -> None:
    from kerp.trial.wording import world_name

    for line in data["first_screen"]:
        click.echo(line)
    click.echo()
    own = [world["n_total_for_own_effect"] for world in data["scenarios"]]
    target = result.design.size.target_power or 0.8
    columns = ["", *(world_name(found.scenario, found.model) for found in result.figures)]
    echo_table(
        columns,
        _rows(result.figures, own, target),
        title=f"{result.design.id}, {result.replicates:,} trials, seed {result.root}",
    )
    click.echo(f"assurance by closed form {data['assurance_closed_form']:.3f} (looks and dropout not counted)")
    for note in data["warnings"]:
        click.echo("warning: " + "; ".join([note["message"], *note["ways_out"]]))
    click.echo(f"written: {out / 'report.html'}, {out / 'result.json'}")


def _rows(figures: tuple[Operating, ...], own: list[int | None], target: float) -> Iterator[list[str]]:
    def row(name: str, get: Callable[[Operating], Figure | None], digits: int = 3) -> list[str]:
        found = [get(item) for item in figures]
        return [name, *("" if f is None else f"{f.value:.{digits}f} (SE {f.mcse:.{digits}f})" for f in found)]

    yield row("true difference, points", lambda item: item.primary.truth, 2)
    yield [f"patients to find it with {100 * target:g} %", *(f"{n:,}" if n else "" for n in own)]
    yield row("power for benefit", lambda item: item.primary.power)
    yield row("rejections for harm", lambda item: item.primary.harm)
    yield row("type I error, benefit, labels permuted", lambda item: item.primary.null_benefit)
    yield row("type I error, harm, labels permuted", lambda item: item.primary.null_harm)
    yield row("bias, points", lambda item: item.primary.bias, 2)
    yield row("coverage of 95 % interval", lambda item: item.primary.coverage)
    yield row("standard error, points", lambda item: item.primary.empirical_se, 2)
    yield row("expected size", lambda item: item.expected_size, 1)
    yield row("months to enrol", lambda item: item.months_to_enrol, 1)
    yield row("stopped for futility", lambda item: item.futility)
    yield row("stopped for safety", lambda item: item.safety_stop)
    yield row("not converged", lambda item: item.not_converged)
