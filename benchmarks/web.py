"""Fifty bedside sessions at once, ten times as fast as in a clinic, on the default database: who waits how long?

Two bedside pages are open at each session and look on as real ones do: a stream each, and how the session stands
after every entry and every 5 s. Sessions begin over a minute, as no clinic begins fifty in the same second; counted
is what was sent when the last one had begun. The simulated teams and pages run on the same cores as the server.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.row import Row

SESSIONS, SPEED, FOR_S = 50, 10, 180
PAGES, OVER_S = 2, 60
TARGET_S = 0.25
KERP = (sys.executable, "-c", "from kerp.cli.main import main; main()")


def run() -> list[Row]:
    """One row: the 99th percentile of the time from sending an entry or request to its acknowledgement."""
    return [row(driven(SESSIONS, SPEED, FOR_S, PAGES, OVER_S), SESSIONS, SPEED)]


def row(found: dict[str, Any], sessions: int, speed: int) -> Row:
    """The row of one run. Sessions that broke off make it a failure, however quick the rest was."""
    broken = [one["fault"] for one in found["sessions"] if one["fault"]]
    started = sum(one["entries"] > 1 for one in found["sessions"])
    if broken or started < sessions:
        raise SystemExit(f"kerp: {len(broken)} sessions broke off, {started} of {sessions} started: {broken[:3]}")
    entries = sum(one["entries"] for one in found["sessions"])
    note = f"p50 {found['acknowledged_p50_ms']} ms, longest {found['acknowledged_max_ms']} ms; {found['sent']} sent, "
    note += f"{entries} entries read back, no error"
    if "looks" in found:
        note += f"; {found['looks']} looks of {PAGES * sessions} open pages, p99 {found['looked_p99_ms']} ms"
    if found.get("streams_broken"):
        raise SystemExit(f"kerp: {found['streams_broken']} streams of open pages broke off")
    name = f"web: p99 acknowledgement, {sessions} sessions x{speed}, SQLite"
    return Row(name=name, ours_s=found["acknowledged_p99_ms"] / 1000, target=TARGET_S, note=note)


def driven(sessions: int, speed: int, for_s: float, pages: int = 0, over_s: float = 0) -> dict[str, Any]:
    """What `kerp demo` measured at a server of its own."""
    with tempfile.TemporaryDirectory(prefix="kerp-bench-") as folder:
        url, server = serving(Path(folder))
        try:
            asked = ("--sessions", str(sessions), "--speed", str(speed), "--for-s", str(for_s))
            asked += ("--pages", str(pages), "--over-s", str(over_s), "--json")
            done = subprocess.run([*KERP, "demo", "--url", url, *asked], capture_output=True, text=True, check=False)
            if not done.stdout:
                raise SystemExit(done.stderr)
            found: dict[str, Any] = json.loads(done.stdout)
            return found
        finally:
            server.terminate()
            server.wait(30)


def serving(folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    """A demonstration server on a free port, answering."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*KERP, "serve", "--demo", "--port", str(port), "--data-dir", str(folder)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERP_", "DJANGO_"))}
    server = subprocess.Popen(command, env=kept, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return f"http://127.0.0.1:{port}", server
        except OSError:
            time.sleep(0.1)
    server.kill()
    raise SystemExit("kerp: the server did not start within a minute")
