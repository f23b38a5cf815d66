"""Backup, destroy, restore, replay: on both engines. A damaged or half backup restores nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from kerp.base.errors import KerpError
from kerp.web.archive import MANIFEST, pack, unpack

SEED = """
    import sys
    from pathlib import Path
    from kerp.web.datadir import prepare
    prepare(Path(sys.argv[1]))
    from kerp.web.start import start
    start(migrate=True)
    from kerp.web import demo
    demo.seed()
    from kerp.web.models import Log
    print(*Log.objects.order_by("id").values_list("head_hash", flat=True))
"""


def clean_environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERP_", "DJANGO_"))}
    return kept | {"DJANGO_SETTINGS_MODULE": "kerp.web.settings", "KERP_DEMO": "1"} | more


def kerp(environment, *arguments):
    command = [sys.executable, "-c", "from kerp.cli.main import main; main()", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)


def seeded(folder, environment):
    command = [sys.executable, "-c", textwrap.dedent(SEED), str(folder)]
    environment = environment | {"KERP_DATA_DIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live") / "data"
    return folder, seeded(folder, clean_environment())


def test_what_was_backed_up_is_restored_whole_after_everything_was_destroyed(installation, tmp_path):
    live, heads = installation
    data = tmp_path / "data"
    shutil.copytree(live, data)
    environment = clean_environment()
    file, safe = tmp_path / "backup.tar.gz", tmp_path / "safe"
    made = kerp(environment, "backup", "--data-dir", data, "--out", file)
    assert made.returncode == 0, made.stderr
    assert "3 logs" in made.stdout
    assert "keys are not in it" in made.stdout
    assert file.stat().st_mode & 0o077 == 0
    shutil.copytree(data / "keys", safe)
    secrets = [key.read_text().strip() for key in safe.glob("*.key")]
    shutil.rmtree(data)
    without = kerp(environment, "restore", file, "--data-dir", data)
    assert without.returncode == 2
    assert "made without keys" in without.stderr
    restored = kerp(environment, "restore", file, "--data-dir", data, "--keys", safe)
    assert restored.returncode == 0, restored.stderr
    with tarfile.open(file) as archive:
        assert not [name for name in archive.getnames() if "key" in name]
    held_text = b"".join(path.read_bytes() for path in unpacked_files(file, tmp_path / "look"))
    assert not any(secret.encode() in held_text for secret in secrets)
    again = kerp(environment, "backup", "--data-dir", data, "--out", tmp_path / "again.tar.gz")
    assert re.findall(r"\d+ entries", again.stdout) == re.findall(r"\d+ entries", made.stdout)
    first, second = tmp_path / "first", tmp_path / "second"
    held = unpack(file, first)["held"], unpack(tmp_path / "again.tar.gz", second)["held"]
    assert held[0] == held[1]
    assert sorted(held[0]["heads"].values()) == sorted(heads)
    refused = kerp(environment, "restore", file, "--data-dir", data)
    assert refused.returncode == 2
    assert "not empty" in refused.stderr


def test_a_backup_that_is_made_while_people_enter_things_can_be_restored(installation, tmp_path):
    live, _ = installation
    data, file = tmp_path / "data", tmp_path / "backup.tar.gz"
    shutil.copytree(live, data)
    environment = clean_environment()
    with closing(sqlite3.connect(data / "database" / "kerp.sqlite3")) as database:
        log = database.execute("SELECT id FROM kerp_log ORDER BY id").fetchone()[0]
    command = [sys.executable, Path(__file__).with_name("writer.py"), log, "nurse", "100000"]
    held = environment | {"KERP_DATA_DIR": str(data)}
    with subprocess.Popen(command, env=held, stdout=subprocess.PIPE, text=True) as writer:
        writer.stdout.readline()
        made = kerp(environment, "backup", "--data-dir", data, "--out", file, "--with-keys")
        still_writing = writer.poll() is None
        writer.kill()
    assert made.returncode == 0, made.stderr
    assert still_writing
    restored = kerp(environment, "restore", file, "--data-dir", tmp_path / "restored")
    assert restored.returncode == 0, restored.stderr
    entries = [re.search(r"\d+ entries", done.stdout).group() for done in (made, restored)]
    assert entries[0] == entries[1]


def test_another_state_from_the_same_entries_is_noticed(installation, tmp_path):
    live, _ = installation
    environment = clean_environment()
    file, opened = tmp_path / "backup.tar.gz", tmp_path / "opened"
    assert kerp(environment, "backup", "--data-dir", live, "--out", file, "--with-keys").returncode == 0
    manifest = unpack(file, opened)
    log = min(manifest["held"]["states"])
    assert manifest["held"]["states"][log].startswith("sha256:")
    manifest["held"]["states"][log] = "sha256:" + "0" * 64
    (opened / MANIFEST).write_text(json.dumps(manifest))
    pack(opened, file)
    refused = kerp(environment, "restore", file, "--data-dir", tmp_path / "restored")
    assert refused.returncode == 2
    assert "states: what was restored is not what was backed up" in refused.stderr
    assert not (tmp_path / "restored").exists()
    (opened / MANIFEST).write_text(json.dumps(manifest | {"kerp": "0.0.1"}))
    pack(opened, file)
    assert kerp(environment, "restore", file, "--data-dir", tmp_path / "restored").returncode == 0


@pytest.mark.parametrize("command", [("backup", "--out", "b.tar.gz"), ("web", "check")])
def test_where_no_installation_is_that_is_said_and_nothing_is_made(tmp_path, command):
    refused = kerp(clean_environment(), *command, "--data-dir", tmp_path / "nothing")
    assert refused.returncode == 2
    assert "there is no installation of kerp here" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


def unpacked_files(file, folder):
    unpack(file, folder)
    return [path for path in folder.rglob("*") if path.is_file()]


def test_other_keys_are_refused_before_anything_is_restored(installation, tmp_path):
    from kerp.web.datadir import prepare

    live, _ = installation
    environment = clean_environment()
    file = tmp_path / "backup.tar.gz"
    assert kerp(environment, "backup", "--data-dir", live, "--out", file).returncode == 0
    other = prepare(tmp_path / "other").keys
    refused = kerp(environment, "restore", file, "--data-dir", tmp_path / "restored", "--keys", other)
    assert refused.returncode == 2
    assert "not the keys of this backup" in refused.stderr
    assert not (tmp_path / "restored").exists()


def test_a_record_changed_in_the_backup_is_found_by_replay_and_nothing_is_restored(installation, tmp_path):
    live, _ = installation
    environment = clean_environment()
    file = tmp_path / "backup.tar.gz"
    assert kerp(environment, "backup", "--data-dir", live, "--out", file, "--with-keys").returncode == 0
    opened = tmp_path / "opened"
    unpack(file, opened)
    with sqlite3.connect(opened / "database.dump") as database:
        database.execute("DROP TRIGGER kerp_entry_no_update")
        database.execute("UPDATE kerp_entry SET record = replace(record, '\"suds\":50', '\"suds\":5')")
    database.close()
    _sign_again(opened)
    pack(opened, file)
    refused = kerp(environment, "restore", file, "--data-dir", tmp_path / "restored")
    assert refused.returncode == 2
    assert "the record was changed" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [path.name for path in tmp_path.iterdir() if "restored" in path.name] == []


def _sign_again(folder):
    """What somebody who changes a backup would do: make its manifest fit."""
    from kerp.web.archive import digest

    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["database.dump"] = digest(folder / "database.dump")
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_a_truncated_file_something_else_and_a_missing_file_are_refused(tmp_path):
    file = tmp_path / "backup.tar.gz"
    source = tmp_path / "source"
    source.mkdir()
    (source / MANIFEST).write_text('{"format": 2, "files": {"gone": "0"}}')
    pack(source, file)
    with pytest.raises(KerpError, match="damaged"):
        unpack(file, tmp_path / "a")
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(KerpError, match="damaged"):
        unpack(file, tmp_path / "b")
    with pytest.raises(KerpError, match="no such file"):
        unpack(tmp_path / "nothing", tmp_path / "c")


def test_a_file_that_would_write_outside_its_folder_is_refused(tmp_path):
    evil = tmp_path / "evil.tar.gz"
    (tmp_path / "x").write_text("x")
    with tarfile.open(evil, "w:gz") as archive:
        archive.add(tmp_path / "x", arcname="../../outside")
    with pytest.raises(KerpError, match="damaged"):
        unpack(evil, tmp_path / "in" / "side")
    assert not (tmp_path / "outside").exists()


@pytest.mark.slow
def test_a_postgresql_installation_is_restored_into_an_empty_database(postgres_url, tmp_path):
    from urllib.parse import parse_qs, urlsplit

    socket = parse_qs(urlsplit(postgres_url).query)["host"][0]
    binaries = max(Path("/usr/lib/postgresql").iterdir(), key=lambda path: int(path.name))

    def on(prefix):
        for name in ("kerp", "allocation"):
            create = [f"{binaries}/bin/createdb", "-h", socket, "-U", "kerp", f"{prefix}_{name}"]
            subprocess.run(create, check=True, capture_output=True)
        url = f"postgresql://kerp@/{prefix}_%s?host={socket}"
        return clean_environment(KERP_DATABASE_URL=url % "kerp", KERP_ALLOCATION_DATABASE_URL=url % "allocation")

    old, new = on("old"), on("new")
    seeded(tmp_path / "data", old)
    file = tmp_path / "backup.tar.gz"
    made = kerp(old, "backup", "--data-dir", tmp_path / "data", "--out", file, "--with-keys")
    assert made.returncode == 0, made.stderr
    restored = kerp(new, "restore", file, "--data-dir", tmp_path / "restored")
    assert restored.returncode == 0, restored.stderr
    assert "3 logs" in restored.stdout
    wrong = kerp(clean_environment(), "restore", file, "--data-dir", tmp_path / "sqlite")
    assert wrong.returncode == 2
    assert "another database engine" in wrong.stderr
