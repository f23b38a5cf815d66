"""Several processes and a `kill -9`: nothing acknowledged is lost, nothing is there twice. On both engines."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SET_UP = """
    import sys, django
    from pathlib import Path
    from kerp.web.datadir import prepare
    prepare(Path(sys.argv[1]))
    from kerp.web.start import start
    start(migrate=True)
    from kerp.protocol.load import load_protocol
    from kerp.web.actions import participants, people, study
    ada = people.create_administrator(username="ada", full_name="Ada", password="x")
    site = study.create_site(code="a", name="A", zone="UTC", actor=ada)
    trial = study.create_study(code="t", title="T", blinded=False, target=0, actor=ada)
    resolved = load_protocol("bottemanne2021-iv")
    version = study.add_version(study=trial, resolved=resolved, source_text="", warnings=[], why="", actor=ada)
    study.sign_rules(version=version, actor=ada)
    print(participants.register(study=trial, site=site, code="S1-001", actor=ada).log.id)
"""
LOOK = """
    import django, sys, uuid
    django.setup()
    from kerp.web.integrity import check_everything
    from kerp.web.models import Log
    log = Log.objects.get()
    assert check_everything() == []
    print(*log.entries.filter(seq__gt=1).values_list("entry_id", flat=True))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request, tmp_path):
    environment = os.environ | {"KERP_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "kerp.web.settings"}
    environment |= {"KERP_DATABASE_URL": "", "KERP_ALLOCATION_DATABASE_URL": ""}
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        environment |= {
            "KERP_DATABASE_URL": url,
            "KERP_ALLOCATION_DATABASE_URL": url.replace("/kerp?", "/allocation?"),
        }
    return environment | {"LOG": run(SET_UP, environment, str(tmp_path)).strip()}


def run(program, environment, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def start(environment, name, count):
    command = [sys.executable, str(HERE / "writer.py"), environment["LOG"], name, str(count)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_parallel_writers_and_a_kill_lose_no_acknowledged_entry_and_double_none(installation):
    writers = [start(installation, f"tablet-{number}", 15) for number in range(2)]
    doomed = start(installation, "tablet-killed", 100_000)
    acknowledged = [doomed.stdout.readline().strip() for _ in range(5)]
    time.sleep(0.05)
    doomed.kill()
    acknowledged += doomed.stdout.read().split()
    doomed.wait()
    doomed.stdout.close()
    doomed.stderr.close()
    for writer in writers:
        out, wrong = writer.communicate(timeout=120)
        assert writer.returncode == 0, wrong
        acknowledged += out.split()
    stored = run(LOOK, installation).split()
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)
    assert len(stored) - len(acknowledged) <= 1  # the one that was in flight when the process was killed
