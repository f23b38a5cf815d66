"""Help texts of every command, as a reader meets them."""

from __future__ import annotations

from collections.abc import Iterator

import click

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
