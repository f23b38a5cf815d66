"""`kerp serve` as a process: refuses what is unsafe, answers, logs nobody's data, stops gracefully."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kerp.base.errors import KerpError
from kerp.web.config import database, from_environment
from kerp.web.datadir import key, prepare
from kerp.web.embedded import check_journal, wal_is_unsafe
from kerp.web.models import Study
from kerp.web.server import Serving, check, check_address, environment, is_loopback


def kerp(*arguments, **more):
    command = [sys.executable, "-c", "from kerp.cli.main import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)


def clean_environment(**more):
    return {name: value for name, value in os.environ.items() if not name.startswith(("KERP_", "DJANGO_"))} | more


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "clinic.example"])
def test_an_address_that_others_can_reach_is_refused_without_tls(tmp_path, host):
    with pytest.raises(KerpError, match="other machines can reach"):
        check(Serving(host=host, port=8000, data_dir=tmp_path))
    check(Serving(host=host, port=8000, data_dir=tmp_path, behind_proxy=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_a_loopback_address_needs_no_tls(tmp_path, host):
    assert is_loopback(host)
    check(Serving(host=host, port=8000, data_dir=tmp_path))


def test_a_demonstration_is_never_served_to_other_machines(tmp_path):
    with pytest.raises(KerpError, match="known passwords"):
        check(Serving(host="0.0.0.0", port=8000, data_dir=tmp_path, behind_proxy=True, demo=True))


def test_half_a_certificate_a_missing_file_and_a_bad_port_are_all_named(tmp_path):
    with pytest.raises(KerpError) as refused:
        check(Serving(host="0.0.0.0", port=99_999, data_dir=tmp_path, tls_cert=tmp_path / "none.pem"))
    assert len(refused.value.faults) == 3


def test_a_certificate_that_cannot_be_used_is_named_before_anything_is_made(certificate, tmp_path):
    check(Serving(host="0.0.0.0", port=0, data_dir=tmp_path, **pair(certificate / "c.pem", certificate / "k.pem")))
    (tmp_path / "torn.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    for wrong in (pair(tmp_path / "torn.pem", certificate / "k.pem"), pair(*[certificate / "c.pem"] * 2)):
        with pytest.raises(KerpError, match="cannot be used"):
            check(Serving(host="0.0.0.0", port=0, data_dir=tmp_path, **wrong))


def pair(certificate, private):
    return {"tls_cert": certificate, "tls_key": private}


def test_an_address_that_is_taken_or_elsewhere_is_refused(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(KerpError, match="cannot be listened on: Address already in use"):
            check_address(Serving(host="127.0.0.1", port=port, data_dir=tmp_path))
    check_address(Serving(host="127.0.0.1", port=port, data_dir=tmp_path))
    with pytest.raises(KerpError, match="cannot be listened on"):
        check_address(Serving(host="192.0.2.7", port=port, data_dir=tmp_path, behind_proxy=True))


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path):
    nobody = "postgresql://kerp:secret@127.0.0.1:9/kerp"
    done = kerp("serve", "--port", "0", "--data-dir", str(tmp_path), env=clean_environment(KERP_DATABASE_URL=nobody))
    assert done.returncode == 2
    assert "KERP_DATABASE_URL: the database does not answer" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_says_what_is_wrong_and_writes_nothing(tmp_path):
    done = kerp("serve", "--host", "0.0.0.0", "--data-dir", str(tmp_path / "data"), env=clean_environment())
    assert done.returncode == 2
    assert "--behind-proxy" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_keys_are_made_once_are_private_and_are_kept(tmp_path):
    prepare(tmp_path)
    first = {name: key(tmp_path, name) for name in ("secret", "field", "allocation")}
    prepare(tmp_path)
    assert first == {name: key(tmp_path, name) for name in first}
    assert len(set(first.values())) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in [tmp_path / "keys", *(tmp_path / "keys").iterdir()])


def test_a_data_directory_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(KerpError, match="cannot be used"):
        prepare(tmp_path / "file")


@pytest.mark.parametrize(
    ("version", "unsafe"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_wal_is_refused_on_the_sqlite_versions_with_the_reset_race(version, unsafe):
    assert wal_is_unsafe(version) is unsafe
    check_journal("DELETE", version)
    if unsafe:
        with pytest.raises(KerpError, match="can lose committed entries"):
            check_journal("WAL", version)
    else:
        check_journal("WAL", version)


def test_an_unknown_journal_is_refused():
    with pytest.raises(KerpError, match="not used"):
        check_journal("OFF", (3, 51, 3))


def test_sqlite_follows_the_storage_rules():
    from django.db import connection

    if connection.vendor != "sqlite":
        pytest.fail("this test is for the default engine")
    with connection.cursor() as cursor:
        found = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "recursive_triggers")
        }
        foreign_keys = cursor.execute("PRAGMA foreign_keys").fetchone()[0]
    assert found == {"synchronous": 3, "recursive_triggers": 1}
    assert foreign_keys == 1


def test_a_database_file_uses_the_rollback_journal():
    options = database("", sqlite_file=Path("x.sqlite3"))["OPTIONS"]
    assert "journal_mode=DELETE" in options["init_command"]
    assert options["transaction_mode"] == "IMMEDIATE"


@pytest.mark.parametrize("url", ["mysql://u:secret@h/db", "postgresql://u:secret@h/", "secret"])
def test_a_database_address_that_cannot_be_used_is_refused_without_showing_the_password(url):
    with pytest.raises(KerpError) as refused:
        database(url, sqlite_file=Path("x"))
    assert "secret" not in str(refused.value).replace("secret://", "")


def test_a_postgresql_address_is_read():
    found = database("postgresql://k%40:p%2F@db.example:5433/study?sslmode=require", sqlite_file=Path("x"))
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == ("k@", "p/", "db.example", "5433")
    assert found["OPTIONS"]["sslmode"] == "require"
    assert "synchronous_commit=on" in found["OPTIONS"]["options"]


def test_every_bad_setting_is_named_at_once():
    with pytest.raises(KerpError) as refused:
        from_environment({"KERP_HTTPS": "perhaps", "KERP_IDLE_MIN": "-3"})
    assert {fault.field for fault in refused.value.faults} == {"KERP_HTTPS", "KERP_IDLE_MIN"}


def test_hosts_follow_what_is_served(tmp_path):
    said: dict[str, str] = {}
    environment(Serving(host="clinic.example", port=443, data_dir=tmp_path, behind_proxy=True), said)
    assert said["KERP_HOSTS"].endswith(",clinic.example")
    assert said["KERP_HTTPS"] == "1"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder = tmp_path_factory.mktemp("tls")
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime.fromisoformat("2020-01-01")
    made = x509.CertificateBuilder(name, name, private.public_key(), 1, start, start + timedelta(days=36_500))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    (folder / "c.pem").write_bytes(made.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "k.pem").write_bytes(private.private_bytes(*form))
    return folder


def test_it_serves_by_tls_with_secure_cookies_and_logs_routes_never_addresses(serving, certificate, tmp_path):
    context = ssl.create_default_context(cafile=certificate / "c.pem")
    tls = ("--tls-cert", str(certificate / "c.pem"), "--tls-key", str(certificate / "k.pem"))
    server = serving(tmp_path / "data", *tls)
    base = f"https://localhost:{server.port}"
    with urllib.request.urlopen(f"{base}/account/login/", context=context) as answer:
        assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
        cookie = answer.headers["Set-Cookie"]
    assert "__Host-kerp-csrf" in cookie
    assert "Secure" in cookie
    assert "SameSite=Strict" in cookie
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{base}/participants/Anna-Muster/?name=Muster", context=context)
    server.stop()
    log = (tmp_path / "data" / "log" / "kerp.jsonl").read_text()
    assert "Muster" not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"route": "account/login/", "status": 200}.items() <= next(x for x in lines if x.get("route")).items()


def test_it_stops_gracefully_when_told_to_and_starts_again_and_knows_its_own_host(serving, tmp_path):
    first = serving(tmp_path / "data")
    assert first.get("/health") == {"status": "ok", "version": first.get("/health")["version"]}
    assert first.stop() in {0, -signal.SIGTERM}
    assert first.said("Finished server process")
    again = serving(tmp_path / "data")
    assert again.get("/health")["status"] == "ok"
    second = kerp("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), env=clean_environment())
    assert second.returncode == 2
    assert "another kerp serve works in this data directory" in second.stderr
    elsewhere = urllib.request.Request(f"http://127.0.0.1:{again.port}/health", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(elsewhere)


def test_the_deployment_check_names_what_is_not_fit_for_participants(tmp_path):
    data = str(tmp_path / "data")
    secret = "horses know nothing of it"
    made = kerp(
        "web", "create-admin", "--data-dir", data, "--username", "ada", "--full-name", "Ada Example",
        input=f"{secret}\n{secret}\n", env=clean_environment(),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    good = kerp("web", "check", "--data-dir", data, "--json", env=clean_environment())
    assert good.returncode == 0, good.stderr
    found = {row["check"]: row["result"] for row in json.loads(good.stdout)}
    assert found["append-only"] == found["chains"] == found["administrator"] == "good"
    assert found["transport"] == found["second factors"] == "note"
    (tmp_path / "data" / "keys" / "field.key").chmod(0o644)
    bad = kerp("web", "check", "--data-dir", data, env=clean_environment(KERP_DEMO="1"))
    assert bad.returncode == 2
    assert "chmod 600" in bad.stderr
    assert "known passwords" in bad.stderr


def test_the_data_of_a_demonstration_are_served_as_one_only(team, monkeypatch):
    from django.conf import settings

    from kerp.web import demo, server
    from kerp.web.config import Config
    from kerp.web.deployment import _passwords

    server._refuse_known_passwords()
    Study.objects.filter(id=team.study.id).update(code="demo")
    assert _passwords().result == "good"
    team["nurse"].set_password(demo.PASSWORD)
    team["nurse"].save()
    assert _passwords().result == "wrong"
    with pytest.raises(KerpError, match="everybody knows the password") as refused:
        server._refuse_known_passwords()
    assert refused.value.faults[0].found == "nurse"
    monkeypatch.setattr(settings, "KERP", Config(demo=True))
    server._refuse_known_passwords()


def test_the_first_administrator_gets_no_weak_password(tmp_path):
    made = kerp(
        "web", "create-admin", "--data-dir", str(tmp_path), "--username", "ada", "--full-name", "Ada",
        input="password\npassword\n", env=clean_environment(),
    )  # fmt: skip
    assert made.returncode == 2
    assert "too short" in made.stderr
