"""The `kerp` command: a table of commands, each imported only when it is called."""

from __future__ import annotations

import errno
import sys
from importlib import import_module

import click

from kerp import __version__
from kerp.base.errors import KerpError

# name -> (module:attribute, one line for the overview)
COMMANDS: dict[str, tuple[str, str]] = {
    "protocol": ("kerp.cli.protocol:protocol", "what should happen: list, show, check, compare"),
    "dose": ("kerp.cli.dose:dose", "the dose of one participant, with pump settings or devices"),
    "evidence": ("kerp.cli.evidence:evidence", "who said which number: tables, references, citations"),
    "score": ("kerp.cli.score:score", "score the answers to an instrument"),
    "model": ("kerp.cli.model:model", "learning models: equations, priors, predictions"),
    "patient": ("kerp.cli.patient:patient", "virtual patients drawn from stated priors"),
    "arm": ("kerp.cli.arm:arm", "courses of treatment, and what a model says they would do"),
    "fit": ("kerp.cli.fit:fit", "what data would teach about the learning models"),
    "drug": ("kerp.cli.drug:drug", "concentration, effect and forecast of a dose"),
    "session": ("kerp.cli.session:group", "a session as a log: simulate, replay, verify, report"),
    "records": ("kerp.cli.records:group", "logs as tidy tables"),
    "analyse": ("kerp.cli.analyse:analyse", "estimates from tables: a repeated-measures fit, or a whole plan"),
    "trial": ("kerp.cli.trial:trial", "design, power and simulate a trial"),
    "serve": ("kerp.cli.serve:serve", "serve the study office and the bedside page"),
    "demo": ("kerp.cli.demo:demo", "a simulated participant and team at a running demonstration"),
    "backup": ("kerp.cli.serve:backup", "back up an installation of the web application"),
    "restore": ("kerp.cli.serve:restore", "restore a backup and prove it by replay"),
    "web": ("kerp.cli.serve:web", "look after an installation of the web application"),
}

_OUTPUT_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
EPILOG = "Research software: clinicians decide; kerp records, times, computes, warns."


class LazyGroup(click.Group):
    """Lists every command without importing any of them: `kerp --help` must answer at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from kerp.base.errors import UnknownIdError

            raise UnknownIdError("command", args[0], list(COMMANDS))
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kerp")
def cli() -> None:
    """Ketamine-augmented exposure and response prevention: conduct, explain, prove.

    Example: kerp protocol show bottemanne2021-iv
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Bad input ends with exit code 2 and every fault on standard error."""
    try:
        code = cli.main(args=arguments, prog_name="kerp", standalone_mode=False)
    except KerpError as error:
        click.echo(f"kerp: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("kerp: interrupted; nothing half-written was left behind", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:  # files are written by kerp.base.textfile, with a message of its own: this is the output
        if error.errno not in _OUTPUT_FULL:
            raise
        click.echo(f"kerp: the output cannot be written: {error.strerror}; what was printed is not whole", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
