"""`kerp analyse`: one repeated-measures fit on any table, or a whole analysis plan on a trial's tables."""

from __future__ import annotations

from typing import Any

import click

from kerp.cli.output import echo_json, echo_table, json_option, p_text


class _PlanByDefault(click.Group):
    """`kerp analyse TABLES_DIR --plan ...` runs the plan; `kerp analyse mmrm ...` is an ordinary subcommand."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            return "plan", self.commands["plan"], args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["plan", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_PlanByDefault, context_settings={"help_option_names": ["-h", "--help"]})
def analyse() -> None:
    """Estimates from tables: a repeated-measures fit, or a whole analysis plan.

    \b
    Example: kerp analyse mmrm --data long.csv --outcome YBOCS --subject ID --visit VISIT --arm ARM --json
    Example: kerp analyse tables/ --plan timing-two-arm --out results/
    """  # noqa: D301


@analyse.command()
@click.option("--data", required=True, help="CSV (or Parquet): one row per participant and visit.")
@click.option("--outcome", required=True)
@click.option("--subject", required=True)
@click.option("--visit", required=True)
@click.option("--arm", required=True)
@click.option("--covariates", default="", help="Columns, comma separated; numbers stay numbers, text is a factor.")
@click.option("--baseline", help="Baseline value of the outcome, a numeric column.")
@click.option("--baseline-by-visit", is_flag=True, help="Let the slope on baseline differ between visits.")
@click.option("--reference", "references", multiple=True, metavar="COL=LEVEL", help="Reference level of a factor.")
@click.option("--time", help="Numeric column: a linear time effect instead of visits.")
@click.option("--covariance", type=click.Choice(["us", "ar1", "arh1", "toep", "cs"]), help="Default: by sample size.")
@click.option(
    "--df", "method", type=click.Choice(["satterthwaite", "kr", "kr-linear"]), help="Default: by sample size."
)
@json_option
def mmrm(data: str, as_json: bool, **options: Any) -> None:
    """Mixed model for repeated measures by restricted maximum likelihood, arm minus reference at each visit.

    \b
    Example: kerp analyse mmrm --data fev.csv --outcome FEV1 --subject USUBJID --visit AVISIT --arm ARMCD
             --covariates RACE,SEX --covariance us --df satterthwaite --json
    """  # noqa: D301
    from kerp.analysis.columns import read_columns
    from kerp.analysis.mmrm import fit_mmrm
    from kerp.analysis.mmrm_output import as_dict

    result = fit_mmrm(read_columns(data), _spec(**options))
    if as_json:
        echo_json(as_dict(result))
    else:
        _show(result)


@analyse.command()
@click.option("--data", required=True, help="CSV (or Parquet): one row per participant, or --at one visit.")
@click.option("--outcome", required=True)
@click.option("--arm", required=True)
@click.option("--subject", help="With it, two rows of one participant are refused.")
@click.option("--baseline", help="Baseline value of the outcome, a numeric column.")
@click.option("--covariates", default="", help="Columns, comma separated; numbers stay numbers, text is a factor.")
@click.option("--reference", "references", multiple=True, metavar="COL=LEVEL", help="Reference level of a factor.")
@click.option("--at", metavar="COL=LEVEL", help="Only these rows: one visit of a long table.")
@click.option(
    "--draws", type=click.IntRange(99, 1_000_000), default=4_999, show_default=True, help="Of the randomisation test."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the randomisation test.")
@json_option
def ancova(data: str, as_json: bool, **options: Any) -> None:
    """Analysis of covariance at one visit, with the randomisation test beside it.

    \b
    Example: kerp analyse ancova --data long.csv --outcome YBOCS --subject ID --arm ARM --baseline BASE
             --at VISIT=day14 --json
    """  # noqa: D301  click reads the backspace
    from kerp.analysis.ancova_table import ancova_dict, fit_ancova
    from kerp.analysis.columns import read_columns

    result = fit_ancova(read_columns(data), _ancova_spec(**options))
    if as_json:
        echo_json(ancova_dict(result))
    else:
        _show_ancova(result)


@analyse.command(hidden=True)
@click.argument("tables_dir", metavar="TABLES_DIR")
@click.option("--plan", "plan_id", required=True, metavar="PLAN", help="A shipped plan (id) or a plan file.")
@click.option("--out", required=True, metavar="DIR", help="Folder for results.json and report.html.")
@click.option("--allocation", metavar="FILE", help="CSV of participant and arm; default TABLES_DIR/allocation.csv.")
@click.option("--lock", "lock_file", metavar="FILE", help="The plan's lock; default: PLAN.lock.json beside it.")
@json_option
def plan(
    tables_dir: str, plan_id: str, out: str, allocation: str | None, lock_file: str | None, as_json: bool
) -> None:
    """Carry out an analysis plan on the tables of `kerp records tables`.

    \b
    Example: kerp analyse tables/ --plan timing-two-arm --out results/
    """  # noqa: D301  click reads the backspace
    from pathlib import Path

    from kerp.analysis.plan_file import plan_path, read_plan
    from kerp.analysis.run_plan import run_plan
    from kerp.analysis.tables import read_tables

    path = plan_path(plan_id)
    found = read_plan(path)
    changes, locked = _lock_state(found, Path(lock_file) if lock_file else path.with_suffix(".lock.json"), lock_file)
    tables = read_tables(Path(tables_dir), Path(allocation) if allocation else None)
    data = run_plan(tables, found, changes, locked)
    _write_results(Path(out), data)
    if as_json:
        echo_json(data)
    else:
        _show_plan(data, out)


def _lock_state(found: Any, path: Any, asked: str | None) -> tuple[tuple[str, ...], str | None]:
    import json

    from kerp.analysis.plan_file import changes_since
    from kerp.base.textfile import read_text

    if not path.is_file() and not asked:
        return (), None
    changes = tuple(changes_since(found, path))
    return changes, json.loads(read_text(path))["digest"]


def _write_results(out: Any, data: Any) -> None:
    import json

    from kerp.base.digest import plain
    from kerp.base.textfile import write_atomic
    from kerp.report.analysis import analysis_report

    page = analysis_report(data)
    results = json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(out / "results.json", results)
    write_atomic(out / "report.html", page)


def _show_plan(data: Any, out: str) -> None:
    click.echo(data["estimand"])
    estimate = data["primary"].get("estimate")
    if estimate and estimate["ci_low"] is None:
        click.echo(f"primary: {estimate['estimate']:.2f}, without an interval: {estimate['reason']}")
    elif estimate:
        interval = f"95 % {estimate['ci_low']:.2f} to {estimate['ci_high']:.2f}, p {p_text(estimate['p'])}"
        click.echo(f"primary: {estimate['estimate']:.2f} ({interval})")
    else:
        click.echo(f"the primary estimate cannot be given: {data['primary']['reason']}")
    if not data["locked_digest"]:
        click.echo("note: the plan was not locked before this analysis (kerp analyse lock)")
    for warning in (data["contact"]["warning"], *data["empty_visits"]):
        if warning:
            click.echo(f"warning: {warning}")
    for row in data["deviations"]:
        click.echo(f"departure from the plan: {row['kind']}: {row['what']}")
    click.echo(f"written: {out}/results.json and {out}/report.html")


@analyse.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--out", metavar="FILE", help="Default: PLAN.lock.json beside a plan file.")
@json_option
def lock(plan_id: str, out: str | None, as_json: bool) -> None:
    """Lock an analysis plan before the blind is opened: later changes are then listed one by one.

    \b
    Example: kerp analyse lock timing-two-arm --out timing-two-arm.lock.json
    """  # noqa: D301  click reads the backspace
    import json
    from pathlib import Path

    from kerp.analysis.plan_file import lock as locked
    from kerp.analysis.plan_file import plan_path, read_plan
    from kerp.base.errors import Fault, KerpError
    from kerp.base.textfile import write_atomic

    path = plan_path(plan_id)
    content = locked(read_plan(path))
    target = Path(out) if out else path.with_suffix(".lock.json")
    if target.exists():
        raise KerpError(Fault("this plan is locked already; a lock is never overwritten", where=str(target)))
    if not out and str(path) != plan_id:
        raise KerpError(Fault("a shipped plan needs a place for its lock", ways_out=("--out FILE",)))
    write_atomic(target, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        echo_json({"lock": str(target), "digest": content["digest"]})
    else:
        click.echo(f"{target}: {content['digest']}")


def _spec(
    covariates: str, references: tuple[str, ...], covariance: str | None, method: str | None, **names: Any
) -> Any:
    from kerp.analysis.covariance import Structure
    from kerp.analysis.degrees import Method
    from kerp.analysis.spec import MmrmSpec

    return MmrmSpec(
        covariates=tuple(name.strip() for name in covariates.split(",") if name.strip()),
        references=_references(references),
        covariance=Structure(covariance) if covariance else None,
        method=Method(method) if method else None,
        **names,
    )


def _ancova_spec(covariates: str, references: tuple[str, ...], at: str | None, **names: Any) -> Any:
    from kerp.analysis.ancova_table import AncovaSpec

    return AncovaSpec(
        covariates=tuple(name.strip() for name in covariates.split(",") if name.strip()),
        references=_references(references),
        only=next(iter(_references((at,), "--at").items())) if at else None,
        **names,
    )


def _show_ancova(result: Any) -> None:
    sizes = ", ".join(f"{arm} {n}" for arm, n in result.per_arm.items())
    click.echo(f"Analysis of covariance, {result.n} participants ({sizes}), residual SD {result.residual_sd:.4f}")
    echo_table(
        ("coefficient", "estimate", "SE", "df", "p"), [(k, *_cells(v)) for k, v in result.coefficients.items()]
    )
    rows = [(f"{arm} - {result.reference}", *_cells(v), _interval(v)) for arm, v in result.contrasts.items()]
    echo_table(("contrast", "estimate", "SE", "df", "p", "95 % interval"), rows)
    if result.lottery is not None:
        how = "every allocation" if result.lottery.exact else "random allocations"
        click.echo(f"randomisation test: p {p_text(result.lottery.p)} ({result.lottery.allocations:,}, {how})")
    for note in result.notes:
        click.echo(f"note: {note}")


def _references(texts: tuple[str, ...], option: str = "--reference") -> dict[str, str]:
    from kerp.base.errors import Fault, KerpError

    pairs = {}
    for text in texts:
        column, sign, level = text.partition("=")
        if not sign or not column or not level:
            raise KerpError(Fault("a level is written COL=LEVEL", field=option, found=text))
        pairs[column] = level
    return pairs


def _show(result: Any) -> None:
    from kerp.analysis.mmrm_output import method_line

    click.echo(method_line(result))
    state = "converged" if result.converged else "NOT CONVERGED"
    click.echo(
        f"{result.n_subjects} participants, {result.n_observations} observations, "
        f"-2 log-likelihood {result.neg2_loglik:.6f}, {state} in {result.convergence.iterations} iterations"
    )
    rows = [(name, *_cells(value)) for name, value in result.coefficients.items()]
    echo_table(("coefficient", "estimate", "SE", "df", "p"), rows)
    contrasts = [
        (c.visit, f"{c.arm} - {c.reference}", *_cells(c.result), _interval(c.result)) for c in result.contrasts
    ]
    echo_table(("visit", "contrast", "estimate", "SE", "df", "p", "95 % interval"), contrasts)
    for note in result.notes:
        click.echo(f"note: {note}")
    for item in result.not_estimable:
        click.echo(f"cannot be estimated: {item.what}: {item.reason}")


def _cells(value: Any) -> tuple[str, str, str, str]:
    if value.se != value.se or value.df != value.df:
        return f"{value.estimate:.4f}", "does not exist", "does not exist", "(singular information)"
    return f"{value.estimate:.4f}", f"{value.se:.4f}", f"{value.df:.1f}", p_text(value.p)


def _interval(value: Any) -> str:
    return f"none: {value.why_not}" if value.why_not else f"{value.ci_low:.3f} to {value.ci_high:.3f}"
