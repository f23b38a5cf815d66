"""What every test shares. The browser driver keeps an event loop in the thread that tests run in; Django takes that
for asynchronous code and refuses the database. The tests are not asynchronous, so it is told to go on.
"""

import os

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # system_browser.py is shared by several folders
_LONG = ("tests/browser/", "tests/web/test_on_postgresql.py", "tests/web/test_office_in_a_browser.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker begins two minutes of browser when the other has nothing left."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.fixture(scope="session")
def playing() -> Iterator[Any]:
    """The browser driver; one process can hold only one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A throw-away PostgreSQL cluster, run by an unprivileged user, reached through a socket only."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="kerp-pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        subprocess.run(command, user=user, check=True, capture_output=True, cwd="/", env={"LC_ALL": "C.UTF-8"})

    data = folder / "data"
    run(
        f"{binaries}/initdb",
        "-D",
        str(data),
        "-U",
        "kerp",
        "--auth=trust",
        "--no-sync",
        "--data-checksums",
        "-E",
        "UTF8",
    )
    options = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_connections=80"
    run(f"{binaries}/pg_ctl", "-D", str(data), "-w", "-o", options, "-l", f"{folder}/log", "start")
    run(f"{binaries}/createdb", "-h", str(folder), "-U", "kerp", "kerp")
    run(f"{binaries}/createdb", "-h", str(folder), "-U", "kerp", "allocation")
    try:
        yield f"postgresql://kerp@/kerp?host={folder}"
    finally:
        run(f"{binaries}/pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
