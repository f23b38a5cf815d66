"""`kerp serve` and `kerp web`: the application of a study team."""

from __future__ import annotations

from pathlib import Path

import click

from kerp.base.errors import Fault, KerpError
from kerp.cli.output import echo_json, echo_table, json_option

_EXTRA = ("django", "allauth", "uvicorn", "whitenoise", "structlog", "csp", "django_htmx", "cryptography")
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    envvar="KERP_DATA_DIR",
    help="Where keys, databases, stimuli and logs lie. Made when it is not there.",
)


def require_web() -> None:
    """A clear message when the extra is not installed."""
    from importlib.util import find_spec

    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise KerpError(
            Fault(
                "the web application is not installed",
                found=", ".join(missing),
                ways_out=("pip install 'kerp[web]'",),
            )
        )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=int, help="Port to listen on.")
@data_dir_option
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its private key (PEM).")
@click.option("--behind-proxy", is_flag=True, help="A proxy on this machine speaks TLS for us.")
def serve(
    host: str, port: int, data_dir: Path, tls_cert: Path | None, tls_key: Path | None, behind_proxy: bool
) -> None:
    r"""Serve the study office and the bedside page.

    Refuses an address that other machines can reach without TLS, because browsers give such pages neither offline
    storage nor encryption. Ctrl-C or SIGTERM stops it; open requests get ten seconds.

    \b
    Example: kerp serve --data-dir /srv/kerp
    Example: kerp serve --host 0.0.0.0 --port 443 --data-dir /srv/kerp --tls-cert c.pem --tls-key k.pem
    """
    require_web()
    from kerp.web import server

    server.serve(
        server.Serving(
            host=host, port=port, data_dir=data_dir, tls_cert=tls_cert, tls_key=tls_key, behind_proxy=behind_proxy
        )
    )


@click.group()
def web() -> None:
    """Look after an installation of the web application.

    Example: kerp web check --data-dir /srv/kerp
    """


@web.command("create-admin")
@data_dir_option
@click.option("--username", prompt=True, help="Name to sign in with.")
@click.option("--full-name", prompt=True, help="Name as it is signed.")
def create_admin(data_dir: Path, username: str, full_name: str) -> None:
    """Make the first administrator. The password is asked for, checked, and never given a default.

    Example: kerp web create-admin --data-dir /srv/kerp --username ada --full-name "Ada Example"
    """
    require_web()
    _start(data_dir)
    from kerp.web.accounts.passwords import check_password
    from kerp.web.actions import people

    people.check_username(username)
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    check_password(password, username=username, full_name=full_name)
    people.create_administrator(username=username, full_name=full_name, password=password)
    click.echo(f"{username} is an administrator. The first sign-in asks for a second factor.")


@web.command("check")
@data_dir_option
@json_option
def check(data_dir: Path, as_json: bool) -> None:
    """Check a deployment: keys, transport, hosts, cookies, SQLite version rule, migrations, chains.

    Ends with exit code 2 when something is wrong.

    Example: kerp web check --data-dir /srv/kerp
    """
    require_web()
    _start(data_dir, migrate=False)
    from kerp.web import deployment

    findings = deployment.check()
    if as_json:
        echo_json(findings)
    else:
        echo_table(("check", "result", "what it means"), [(f.check, f.result, f.text) for f in findings])
    wrong = [Fault(finding.text, field=finding.check) for finding in findings if finding.result == "wrong"]
    if wrong:
        raise KerpError(*wrong)


def _start(data_dir: Path, *, migrate: bool = True) -> None:
    import os

    from kerp.web.datadir import prepare

    os.environ["KERP_DATA_DIR"] = str(data_dir.absolute())
    os.environ["DJANGO_SETTINGS_MODULE"] = "kerp.web.settings"
    if migrate:
        prepare(data_dir)
    from kerp.web import logs
    from kerp.web.start import start

    logs.set_up(None, to_screen=False)
    start(migrate=migrate)
