"""How commands print: JSON for programs, tables for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from kerp.base.digest import plain

json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


def echo_json(value: Any) -> None:
    """Print plain data as indented JSON; NaN and infinity are refused before anything is printed."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def p_text(p: float) -> str:
    """A p value as journals print it; NaN is none."""
    return "none" if p != p else "<0.0001" if p < 0.0001 else f"{p:.4f}"  # noqa: PLR0124  NaN


def echo_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table that fits the terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, title=title or None, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(table)
