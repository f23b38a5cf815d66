"""Everything marked `both_engines` once more on PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_storage_and_permission_tests_hold_on_postgresql_too(postgres_url):
    environment = os.environ | {
        "KERP_DATABASE_URL": postgres_url,
        "KERP_ALLOCATION_DATABASE_URL": postgres_url.replace("/kerp?", "/allocation?"),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(HERE),
        "-m",
        "both_engines",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) passed", done.stdout + done.stderr)
    shown = int(counted.group(1)) if counted else done.stdout.count(".")
    assert shown >= 27
    assert "skipped" not in done.stdout
