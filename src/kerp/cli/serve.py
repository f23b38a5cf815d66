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
@click.option("--demo", is_flag=True, help="A demonstration study with known passwords; never beside real data.")
def serve(
    host: str, port: int, data_dir: Path, tls_cert: Path | None, tls_key: Path | None, behind_proxy: bool, demo: bool
) -> None:
    """Serve the study office and the bedside page.

    Refuses an address that other machines can reach without TLS, because browsers give such pages neither offline
    storage nor encryption. Ctrl-C or SIGTERM stops it; open requests get ten seconds.

    \b
    Example: kerp serve --data-dir /srv/kerp
    Example: kerp serve --demo --data-dir /tmp/kerp-demo
    Example: kerp serve --host 0.0.0.0 --port 443 --data-dir /srv/kerp --tls-cert c.pem --tls-key k.pem
    """  # noqa: D301  click reads the backspace
    require_web()
    from kerp.web import server

    server.serve(
        server.Serving(
            host=host,
            port=port,
            data_dir=data_dir,
            tls_cert=tls_cert,
            tls_key=tls_key,
            behind_proxy=behind_proxy,
            demo=demo,
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


@web.command("seal-list")
@data_dir_option
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), required=True, help="Plan of the list (TOML).")
@click.option("--by", required=True, help="Who makes the list; goes into the record.")
def seal_list(data_dir: Path, plan_file: Path, by: str) -> None:
    """Make the allocation list of a blinded study and seal it. Done once, by somebody outside the site.

    The seed is asked for and stored nowhere here: whoever made it keeps it, and can make the list again to check it.

    \b
    The plan: study, active = ["ketamine"], block_rounds = [1, 2], per_stratum = 20,
    [arms] ketamine = 1, midazolam = 1, [factors] site = ["par", "lyo"]
    Example: kerp web seal-list --data-dir /srv/kerp --plan plan.toml --by "Trial statistics unit"
    """  # noqa: D301  click reads the backspace
    require_web()
    from kerp.allocation.blocks import generate
    from kerp.allocation.chance import Seed
    from kerp.web.allocationplan import read_plan

    plan, active = read_plan(plan_file)
    seed = Seed(click.prompt("Seed (at least 32 hexadecimal digits)", hide_input=True))
    _start(data_dir)
    from kerp.web.vault import store

    sealed = store.seal(made=generate(plan, seed), active=active, by=by)
    click.echo(
        f"{sealed.size} places are sealed for {sealed.study_code}. Print and sign this digest: {sealed.digest}"
    )


@web.command("seal-doses")
@data_dir_option
@click.option("--study", required=True, help="Code of the study.")
@click.option("--arm", "arms", multiple=True, required=True, help="ARM=PROTOCOL, once for each arm of the list.")
@click.option("--by", required=True, help="Who says so; goes into the record.")
def seal_doses(data_dir: Path, study: str, arms: tuple[str, ...], by: str) -> None:
    """Say what each arm of a blinded study holds, and seal it beside the list. The pharmacy's page reads it.

    The arms' protocols may differ from one another and from the study's own in the drug only; anything else would
    show at the bedside and is refused. After an amendment of the dose, seal again: the newest version counts.

    Example: kerp web seal-doses --data-dir /srv/kerp --study kerp-b --arm ketamine=ketamine.toml
    --arm midazolam=midazolam-erp --by "Trial statistics unit"
    """
    require_web()
    from kerp.protocol.load import load_protocol

    named = dict(arm.partition("=")[::2] for arm in arms)
    found = {arm: load_protocol(Path(name) if Path(name).is_file() else name).protocol for arm, name in named.items()}
    _start(data_dir)
    from kerp.web.actions.study import in_force
    from kerp.web.models import Study
    from kerp.web.protocols import from_text
    from kerp.web.vault import doses

    made = Study.objects.filter(code=study).first()
    version = in_force(made) if made else None
    if version is None:
        raise KerpError(Fault("there is no such study with a signed protocol", field="study", found=study))
    sealed = doses.seal_doses(study_code=study, arms=found, shared=from_text(version.resolved), by=by)
    said = f"version {sealed.number} of the doses of {study} is sealed. Print and sign this digest:"
    click.echo(f"{said} {sealed.digest}")


@click.command()
@data_dir_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@click.option("--with-keys", is_flag=True, help="Put the keys in: whoever has the file can then read everything.")
def backup(data_dir: Path, out: Path, with_keys: bool) -> None:
    """Back up both databases, text packs and stimuli into one file that only this account can read.

    Every chain is checked and every log replayed first. The keys are left out: allocation lists and stimuli stay
    unreadable to whoever finds the file. Copy the keys directory once, keep it apart, and name it when restoring
    (--keys). Without the keys a backup cannot be restored. --with-keys makes a file as secret as the server.

    \b
    Example: kerp backup --data-dir /srv/kerp --out /backup/kerp-monday.tar.gz
    Example: kerp restore /backup/kerp-monday.tar.gz --data-dir /srv/kerp-new --keys /safe/kerp-keys
    """  # noqa: D301  click reads the backspace
    require_web()
    _start(data_dir, migrate=False)
    from kerp.web.backup import backup as make

    held = make(out, with_keys=with_keys)
    click.echo(f"{out}: {held.logs} logs, {held.entries} entries; audit head {held.audit_head[:16]}")
    if not with_keys:
        click.echo(f"The keys are not in it. Keep a copy of {data_dir / 'keys'} in another safe place.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_dir_option
@click.option(
    "--keys",
    type=click.Path(path_type=Path),
    help="The keys directory; asked for unless the backup was made --with-keys.",
)
def restore(file: Path, data_dir: Path, keys: Path | None) -> None:
    """Restore a backup into a new data directory, and prove it by replay.

    Chains, heads and replayed states must be what the backup held; otherwise nothing is left behind.

    Example: kerp restore /backup/kerp-monday.tar.gz --data-dir /srv/kerp-restored --keys /safe/kerp-keys
    """
    require_web()
    from kerp.web import restoring

    held = restoring.restore(file, data_dir, keys)
    click.echo(f"{data_dir}: {held.logs} logs, {held.entries} entries restored; every chain holds, every log replays")


def _start(data_dir: Path, *, migrate: bool = True) -> None:
    import os

    from kerp.web.datadir import is_installation, prepare

    if migrate:
        prepare(data_dir)
    elif not is_installation(data_dir):
        ways = ("name the --data-dir that kerp serve was started with", "kerp serve makes a new one")
        raise KerpError(Fault("there is no installation of kerp here", where=str(data_dir), ways_out=ways))
    os.environ["KERP_DATA_DIR"] = str(data_dir.absolute())
    os.environ["DJANGO_SETTINGS_MODULE"] = "kerp.web.settings"
    from kerp.web import logs
    from kerp.web.start import reach, start

    logs.set_up(None, to_screen=False)
    start(migrate=migrate)
    reach()
