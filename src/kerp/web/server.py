"""`kerp serve`: prepare the data directory, migrate, collect static files, serve until told to stop."""

from __future__ import annotations

import fcntl
import gc
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kerp.base.errors import Fault, KerpError
from kerp.web.datadir import prepare

GRACE_S = 10  # how long open requests may take after the signal to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the command line said."""

    host: str
    port: int
    data_dir: Path
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    demo: bool = False

    @property
    def https(self) -> bool:
        """Whether browsers reach this server by TLS, ours or the proxy's."""
        return self.behind_proxy or self.tls_cert is not None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check(serving: Serving) -> None:
    """Refuse an address that others can reach without TLS, and half a certificate."""
    faults = []
    if not 0 <= serving.port <= 65_535:
        faults.append(Fault("this is no port", field="--port", found=str(serving.port), allowed="0 to 65535"))
    if (serving.tls_cert is None) != (serving.tls_key is None):
        faults.append(Fault("certificate and key go together", field="--tls-cert --tls-key"))
    for field, path in (("--tls-cert", serving.tls_cert), ("--tls-key", serving.tls_key)):
        if path is not None and not path.is_file():
            faults.append(Fault("there is no such file", where=str(path), field=field))
    if not faults and (fault := _unfit_certificate(serving)):
        faults.append(fault)
    if not is_loopback(serving.host) and not serving.https:
        faults.append(
            Fault(
                "other machines can reach this address, and without TLS browsers give them no offline storage",
                field="--host",
                found=serving.host,
                allowed="127.0.0.1, ::1, localhost",
                ways_out=("--tls-cert FILE --tls-key FILE", "--behind-proxy, with a proxy that speaks TLS"),
            )
        )
    if serving.demo and not is_loopback(serving.host):
        message = "a demonstration has known passwords: only this machine may reach it"
        faults.append(Fault(message, field="--host", found=serving.host, allowed="127.0.0.1, ::1, localhost"))
    if faults:
        raise KerpError(*faults)


def _unfit_certificate(serving: Serving) -> Fault | None:
    """A certificate and a key that a browser could not be answered with."""
    if serving.tls_cert is None or serving.tls_key is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(serving.tls_cert, serving.tls_key, password="")
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        message = "this certificate and this key cannot be used: both in PEM, the key without a password, of one pair"
        return Fault(message, field="--tls-cert --tls-key", found=f"{serving.tls_cert}, {serving.tls_key}")
    return None


def check_address(serving: Serving) -> None:
    """Refuse an address that is taken, or not of this machine, before anything is made for it."""
    try:
        found = socket.getaddrinfo(serving.host, serving.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        asked = f"{serving.host}, {serving.port}"
        message = f"this address cannot be listened on: {error.strerror}"
        raise KerpError(Fault(message, field="--host --port", found=asked, ways_out=("another --port",))) from None


@contextmanager
def _alone(serving: Serving) -> Iterator[None]:
    """With SQLite one server writes: a second one in the same data directory is refused."""
    if os.environ.get("KERP_DATABASE_URL"):
        yield
        return
    with (serving.data_dir / "serving.lock").open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            ways = ("stop it first", "PostgreSQL (KERP_DATABASE_URL) serves from several processes")
            message = "another kerp serve works in this data directory"
            raise KerpError(Fault(message, where=str(serving.data_dir), field="--data-dir", ways_out=ways)) from None
        yield


def environment(serving: Serving, current: MutableMapping[str, str]) -> None:
    """Tell the settings what the command line said."""
    current["DJANGO_SETTINGS_MODULE"] = "kerp.web.settings"
    current["KERP_DATA_DIR"] = str(serving.data_dir.absolute())
    current["KERP_HTTPS"] = "1" if serving.https else "0"
    if serving.demo:
        current["KERP_DEMO"] = "1"
    current["KERP_BEHIND_PROXY"] = "1" if serving.behind_proxy else "0"
    if not current.get("KERP_HOSTS"):
        named = "" if is_loopback(serving.host) or serving.host in {"0.0.0.0", "::"} else f",{serving.host}"  # noqa: S104
        current["KERP_HOSTS"] = "localhost,127.0.0.1,[::1]" + named


def prepare_installation(serving: Serving) -> None:
    """Keys, settings, logs, both databases, static files. Safe to repeat."""
    layout = prepare(serving.data_dir)
    environment(serving, os.environ)
    from kerp.web.logs import set_up
    from kerp.web.start import start

    set_up(layout.logs)
    start(migrate=True, collect=True)
    from kerp.web.vault import doses, store

    store.verify_all()
    doses.verify_doses()
    if serving.demo:
        _seed_once()
    _refuse_known_passwords()


def _refuse_known_passwords() -> None:
    """The data of a demonstration are served as a demonstration only."""
    from django.conf import settings

    from kerp.web import demo

    if not settings.KERP.demo and (open_to_all := demo.known_passwords()):
        message = "these are the data of a demonstration: everybody knows the password of its accounts"
        ways = ("kerp serve --demo", "a new --data-dir for a study")
        raise KerpError(Fault(message, field="--data-dir", found=", ".join(open_to_all), ways_out=ways))


def _seed_once() -> None:
    """The demonstration's study, unless it is there already."""
    from kerp.web import demo
    from kerp.web.models import Person, Study

    if not Person.objects.exists():
        demo.seed()
    elif not Study.objects.filter(code="demo").exists():
        ways = ("choose an empty --data-dir",)
        raise KerpError(Fault("this installation holds real work and cannot be a demonstration", ways_out=ways))


def serve(serving: Serving) -> None:
    """Serve until SIGTERM or SIGINT; open requests get ten seconds to end."""
    check(serving)
    check_address(serving)
    prepare(serving.data_dir)
    with _alone(serving):
        prepare_installation(serving)
        _run(serving)


def _run(serving: Serving) -> None:
    import structlog
    import uvicorn

    config = uvicorn.Config(
        "kerp.web.asgi:application",
        host=serving.host,
        port=serving.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ssl_certfile=serving.tls_cert,
        ssl_keyfile=serving.tls_key,
        proxy_headers=serving.behind_proxy,
        forwarded_allow_ips="127.0.0.1,::1",
        timeout_graceful_shutdown=GRACE_S,
    )
    structlog.get_logger("kerp.server").info("serving", host=serving.host, port=serving.port)
    _look_for_garbage_seldom()
    uvicorn.Server(config).run()


def _look_for_garbage_seldom() -> None:
    """Every request waits while all that is kept between requests is looked through; what was imported never goes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
