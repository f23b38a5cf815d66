"""What `make run` shows: one whole session of the protocol, as a log that replays and a report with pictures."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent
KERP = str(Path(sys.executable).parent / "kerp")
OUT = ROOT / "out" / "demo"
DATA = OUT / "web"
FIRST_PORT, SPEED, STOP_WITHIN_S = 8000, "10", 20
ACCOUNTS = (
    "administrator", "coordinator", "prescriber", "nurse", "therapist", "rater", "pharmacist", "data-manager",
    "statistician", "monitor",
)  # fmt: skip
WELCOME = """
----------------------------------------------------------------------------------------------
A demonstration study is served at      {url}
Sign in as  nurse  (password: demonstration), open "Sessions" and look on: a simulated
participant goes through the day of the dose right now, at ten times the speed of a clock.

Accounts    {accounts}
Password    demonstration   (all of them; known on purpose, refused outside a demonstration)
Stop        Ctrl-C          (stops the simulated team and the server)
----------------------------------------------------------------------------------------------
"""
LOG, REPORT, TABLES = OUT / "session.kerplog", OUT / "session.html", OUT / "tables"


def kerp(*arguments: str) -> None:
    """Run one command as a user would, and show it."""
    print(f"\n$ kerp {' '.join(arguments)}", flush=True)
    subprocess.run([KERP, *arguments], cwd=ROOT, check=True)


def shown(path: Path) -> str:
    """A path as a user in this folder would type it."""
    return str(path.relative_to(ROOT))


def main() -> None:
    """Check the protocol, play the course, verify the log, look at it, export it, report it; then serve."""
    OUT.mkdir(parents=True, exist_ok=True)
    protocol = "bottemanne2021-iv"
    kerp("protocol", "check", protocol)
    kerp("dose", "--protocol", protocol, "--weight-kg", "70")
    kerp("session", "simulate", "--protocol", protocol, "--seed", "10", "--out", shown(LOG))
    kerp("session", "verify", shown(LOG))
    kerp("session", "replay", shown(LOG), "--at", "35")
    kerp("records", "tables", shown(LOG), "--out", shown(TABLES))
    kerp("session", "report", shown(LOG), "--out", shown(REPORT))
    print(f"\nThe report:  {shown(REPORT)}   (open it in a browser; it needs no network)")
    print(f"The log:     {shown(LOG)}\nThe tables:  {shown(TABLES)}")
    if os.environ.get("ONCE"):
        return
    raise SystemExit(served())


# --- the working study ---


def served() -> int:
    """Serve a demonstration study in which a simulated participant goes through a session, until Ctrl-C."""
    port = free_port(int(os.environ.get("PORT", FIRST_PORT)))
    url = f"http://127.0.0.1:{port}"
    shutil.rmtree(DATA, ignore_errors=True)  # a demonstration begins anew each time; nobody's record is in it
    running: list[subprocess.Popen[bytes]] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)
    try:
        serve = (KERP, "serve", "--demo", "--port", str(port), "--data-dir", shown(DATA))
        running.append(started(*serve, quiet=True))
        if not answers(url, running[0]):
            print(f"\nkerp: the server did not start; see {shown(DATA)}/log/kerp.jsonl", file=sys.stderr)
            return 1
        print(WELCOME.format(url=url, accounts=", ".join(ACCOUNTS)), flush=True)
        running.append(started(KERP, "demo", "--url", url, "--speed", SPEED, "--again"))
        while all(one.poll() is None for one in running):
            time.sleep(0.3)
        return next(one.returncode for one in running if one.poll() is not None)
    except KeyboardInterrupt:
        print("\nkerp: stopping; what was acknowledged is kept", flush=True)
        return 0
    finally:
        stop(running)


def started(*command: str, quiet: bool = False) -> "subprocess.Popen[bytes]":
    """A process of its own group: Ctrl-C is ours to pass on, in the right order."""
    print(f"\n$ kerp {' '.join(command[1:])}", flush=True)
    out = subprocess.DEVNULL if quiet else None
    return subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)


def stop(running: "list[subprocess.Popen[bytes]]") -> None:
    """The simulated team goes home first, then the server; neither is left behind."""
    for one in reversed(running):
        if one.poll() is None:
            one.send_signal(signal.SIGINT)
            try:
                one.wait(timeout=STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


def free_port(first: int) -> int:
    """The first port that nobody listens on."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise SystemExit(f"kerp: no free port from {first} on; name one with PORT=")


def answers(url: str, server: "subprocess.Popen[bytes]") -> bool:
    """Whether the server answers within a minute."""
    for _ in range(240):
        if server.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310  our own address
                return True
        except OSError:
            time.sleep(0.25)
    return False


if __name__ == "__main__":
    main()
