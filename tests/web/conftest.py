"""Web tests: Django is set up here, on a throw-away data directory, so that no other test pays for it.

`KERP_DATABASE_URL` in the environment makes the same tests run on PostgreSQL (`test_on_postgresql.py` does that).
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # web_crawl.py is shared by several test files
_DATA = Path(tempfile.mkdtemp(prefix="kerp-web-tests-"))
atexit.register(shutil.rmtree, _DATA, ignore_errors=True)
os.environ["KERP_DATA_DIR"] = str(_DATA)
os.environ["DJANGO_SETTINGS_MODULE"] = "kerp.web.settings"

from kerp.web.datadir import prepare  # noqa: E402  after the environment

prepare(_DATA)

import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast, for tests only
settings.STORAGES = settings.STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
django.setup()

from django.test import Client  # noqa: E402

from kerp.protocol.load import load_protocol  # noqa: E402
from kerp.web.access import matrix  # noqa: E402
from kerp.web.actions import participants, people, study  # noqa: E402
from kerp.web.models import Log, Participant, Person, Site, Study  # noqa: E402

PASSWORD = "a long sentence for tests"
HERE = Path(__file__).parent
BOTH = {"databases": ["default", "allocation"]}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here may use both databases, inside a transaction that is rolled back."""
    for item in items:
        if HERE in item.path.parents and not item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.django_db(**BOTH))


@dataclass
class Team:
    """A study that is ready to work."""

    people: dict[str, Person]
    site: Site
    study: Study
    participant: Participant

    @property
    def log(self) -> Log:
        return Log.objects.select_related("participant__study", "participant__site", "participant__version").get(
            participant=self.participant
        )

    def __getitem__(self, role: str) -> Person:
        return self.people[role]


@pytest.fixture
def team() -> Team:
    """One person per role, a site, a study on the shipped intravenous protocol, one participant with an open log."""
    members = {}
    for role, entry in matrix().roles.items():
        members[role] = people.create(username=role, full_name=f"{entry.title} Example", actor="", password=PASSWORD)
        people.grant(person=members[role], role=role, actor=None)
    admin = members["administrator"]
    site = study.create_site(code="par", name="Paris", zone="Europe/Paris", actor=admin)
    trial = study.create_study(code="kerp-1", title="A study", blinded=False, target=12, actor=admin)
    version = study.add_version(
        study=trial,
        resolved=load_protocol("bottemanne2021-iv"),
        source_text='inherits = "bottemanne2021-iv"',
        warnings=[],
        why="",
        actor=admin,
    )
    study.sign_rules(version=version, actor=members["prescriber"])
    registered = participants.register(study=trial, site=site, code="S1-001", actor=members["coordinator"])
    return Team(members, site, trial, registered)


@pytest.fixture
def signed_in(client, team, settings):
    """`signed_in("nurse")`: a client of that role, second factor not asked for."""
    settings.KERP = replace(settings.KERP, demo=True)

    def sign_in(role: str) -> Client:
        browser = Client()
        browser.force_login(team[role])
        return browser

    return sign_in


ARMS = {"verum-q7": 1, "placebo-x9": 1}  # names that appear nowhere else, so that a page that shows one is caught
SEED = "7f3a91c2e5d8406bb1a4c7e9d2f80356"


@pytest.fixture
def blinded(team) -> Team:
    """The same team in a blinded study with a sealed list; S1-001 is eligible, registered, and has a kit."""
    from kerp.allocation.blocks import ArmShare, Factor, Plan, generate
    from kerp.allocation.chance import Seed
    from kerp.allocation.release import Register, Release
    from kerp.web.vault import store

    admin = team["administrator"]
    trial = study.create_study(code="kerp-b", title="A blinded study", blinded=True, target=20, actor=admin)
    version = study.add_version(
        study=trial, resolved=load_protocol("midazolam-erp"), source_text="", warnings=[], why="", actor=admin
    )
    study.sign_rules(version=version, actor=team["prescriber"])
    registered = participants.register(study=trial, site=team.site, code="B1-001", actor=team["coordinator"])
    plan = Plan(
        study="kerp-b",
        arms=tuple(ArmShare(name, share) for name, share in ARMS.items()),
        block_rounds=(1, 2),
        factors=(Factor("site", ("par", "lyo")),),
        per_stratum=8,
    )
    store.seal(made=generate(plan, Seed(SEED)), active=["verum-q7"], by="statistics unit")
    register = Register(subject="B1-001", stratum=("par",), eligibility_signed=True, by="coordinator", at_ms=1)
    store.perform("kerp-b", register)
    store.perform("kerp-b", Release(subject="B1-001", by="pharmacist", at_ms=2))
    return Team(team.people, team.site, trial, registered)


class Served:
    """A running `kerp serve`."""

    def __init__(self, data_dir: Path, port: int, process: subprocess.Popen[str], *, https: bool) -> None:
        self.data_dir, self.port, self.process, self.https = data_dir, port, process, https
        self.url = f"{'https' if https else 'http'}://localhost:{port}"

    def get(self, path: str) -> Any:
        import json
        from urllib.request import urlopen

        with urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def wait(self) -> None:
        """Until the port answers; what the server said otherwise."""
        import socket
        import time

        for _ in range(900):
            if self.process.poll() is not None:
                raise AssertionError(self.process.stderr.read() if self.process.stderr else "")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the server did not answer within 90 s")

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=30)

    def said(self, text: str) -> bool:
        return text in (self.data_dir / "log" / "kerp.jsonl").read_text()


@pytest.fixture
def serving() -> Iterator[Callable[..., Served]]:
    """`serving(data_dir, "--demo")`: a real `kerp serve` in a process of its own, on a free port."""
    import socket

    running: list[Served] = []

    def start(data_dir: Path, *options: str, **more: str) -> Served:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERP_", "DJANGO_"))}
        command = [sys.executable, "-c", "from kerp.cli.main import main; main()", "serve", "--port", str(port)]
        process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir), *options], env=kept | more, stderr=subprocess.PIPE, text=True
        )
        running.append(Served(data_dir, port, process, https="--tls-cert" in options))
        running[-1].wait()
        return running[-1]

    yield start
    for server in running:
        server.process.kill()
        server.process.wait()
        if server.process.stderr:
            server.process.stderr.close()


@pytest.fixture
def underway(blinded) -> Team:
    """The blinded study with a session: kit, dose, a guess that was corrected, and a rater; today is in day 7."""
    import uuid
    from datetime import timedelta

    from django.utils import timezone

    from kerp.base.elapsed import MS_PER_DAY, MS_PER_MIN
    from kerp.session import events as ev
    from kerp.web.actions import record
    from kerp.web.vault import store

    Log.objects.filter(id=blinded.log.id).update(opened_at=timezone.now() - timedelta(days=10))
    kit = str(dict(store.state("kerp-b").kits)["B1-001"])
    start, said = 2 * MS_PER_DAY, ev.ArmGuess(by=ev.Guesser.NURSE, guess="comparison", reason="belief-w3")
    guess = uuid.uuid4()
    course = [
        (start - 3_600_000, "", ev.Dispensed(kit=kit)),
        (start - 60_000, "dosing-1", ev.SessionOpened(plan="dosing")),
        (start - 50_000, "dosing-1", ev.Weighed(weight_kg=72.0)),
        (start - 40_000, "dosing-1", ev.DoseComputed(kit=kit, volume_ml=50.0, rate_ml_per_h=75.0)),
        (start, "dosing-1", ev.AdministrationStarted(route="iv")),
        (start + 40 * MS_PER_MIN, "dosing-1", ev.AdministrationEnded()),
        (start + 50 * MS_PER_MIN, "dosing-1", said),
        (start + 51 * MS_PER_MIN, "dosing-1", ev.Corrected(entry=str(guess), reason="belief-w3", replacement=said)),
    ]
    for at_ms, session, event in course:
        identifier = guess if event is said else uuid.uuid4()
        one = record.Submitted(id=identifier, event=event, occurred_ms=at_ms, session=session, role="nurse")
        record.append(log_id=blinded.log.id, actor="nurse", submitted=one)
    for role in ("therapist", "rater"):
        participants.assign(
            participant=blinded.participant, person=blinded[role], role=role, actor=blinded["coordinator"]
        )
    return blinded
