"""Help texts of every command, as a reader meets them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kerp.cli.main import cli


def _helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _helps(inner, click.Context(inner, info_name=name, parent=context))


def test_examples_keep_their_lines_and_no_mark_of_the_layout_is_printed() -> None:
    helps = dict(_helps(cli, click.Context(cli, info_name="kerp")))
    assert len(helps) > 30
    assert not [path for path, text in helps.items() if "\\b" in text]


def test_every_command_has_an_example_that_calls_it() -> None:
    def shown(path: str, text: str) -> bool:
        lines = [line.strip().removeprefix("Example:").strip() for line in text.splitlines()]
        return "Example:" in text and any(f"{line} ".startswith(f"{path} ") for line in lines)

    missing = [path for path, text in _helps(cli, click.Context(cli, info_name="kerp")) if not shown(path, text)]
    assert missing == ["kerp analyse plan"]  # hidden: it is called as `kerp analyse TABLES --plan`, and shows that


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_output_that_does_not_fit_on_the_disk_is_said_and_ends_with_code_2() -> None:
    code = "from kerp.cli.main import main; main(['evidence', 'list'])"
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 2
    assert "the output cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
