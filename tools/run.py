"""What `make run` shows: one whole session of the protocol, as a log that replays and a report with pictures."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
KERP = str(Path(sys.executable).parent / "kerp")
OUT = ROOT / "out" / "demo"
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
    kerp("session", "simulate", "--protocol", protocol, "--seed", "2", "--out", shown(LOG))
    kerp("session", "verify", shown(LOG))
    kerp("session", "replay", shown(LOG), "--at", "35")
    kerp("records", "tables", shown(LOG), "--out", shown(TABLES))
    kerp("session", "report", shown(LOG), "--out", shown(REPORT))
    print(f"\nThe report:  {shown(REPORT)}   (open it in a browser; it needs no network)")
    print(f"The log:     {shown(LOG)}\nThe tables:  {shown(TABLES)}")
    if os.environ.get("ONCE"):
        return
    serve = [KERP, "web", "demo"]
    known = subprocess.run([*serve, "--help"], capture_output=True, check=False)
    if known.returncode == 0:
        print("\n$ kerp web demo   (Ctrl-C stops it)", flush=True)
        raise SystemExit(subprocess.run(serve, cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
