"""`kerp records`: logs as tidy tables."""

from __future__ import annotations

from pathlib import Path

import click

from kerp.cli.output import echo_json, echo_table, json_option


@click.group()
def group() -> None:
    """Logs as tidy tables, the only input of analysis.

    Example: kerp records tables logs/*.kerplog --out tables
    """


@group.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write into.")
@click.option("--csv-only", is_flag=True, help="Leave Parquet out (it needs the extra 'tables').")
@json_option
def tables(logs: tuple[Path, ...], out: Path, csv_only: bool, as_json: bool) -> None:
    """Write typed tables of one or more logs as CSV and Parquet, with a data dictionary.

    \b
    Example:
      kerp records tables p001.kerplog p002.kerplog --out tables
    """  # noqa: D301
    from kerp.records.logfile import read_log
    from kerp.records.replay import replay
    from kerp.records.tables.write import write_tables

    courses = [replay(read_log(log)) for log in logs]
    written = write_tables(courses, out, parquet=not csv_only)
    if as_json:
        echo_json({"out": str(out), "rows": written.rows, "files": [path.name for path in written.files]})
    else:
        echo_table(("table", "rows"), list(written.rows.items()), f"Written to {out}")
