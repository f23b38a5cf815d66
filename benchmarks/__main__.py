"""`make bench`: every benchmark module of this package, as a table or as JSON.

Example: python -m benchmarks --only drug --json
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import platform
import sys
from importlib import import_module

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.row import Row


def modules() -> list[str]:
    """Names of the benchmark modules: those with a `run() -> list[Row]`."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in {"__main__", "row"})


def measured(names: list[str]) -> list[tuple[str, Row]]:
    rows = []
    for name in names:
        print(f"kerp: measuring {name}", file=sys.stderr)
        rows += [(name, row) for row in import_module(f"benchmarks.{name}").run()]
    return rows


def table(rows: list[tuple[str, Row]]) -> Table:
    shown = Table("room", "what", "ours", "peer", "peer's", "times faster", "target", "reached", "note")
    for name, row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        target = "" if row.target is None else (f"{row.target:.3g} x" if row.peer else f"{_time(row.target)}")
        reached = {None: "", True: "yes", False: "NO"}[row.reached]
        peer_s = "" if row.peer_s is None else _time(row.peer_s)
        shown.add_row(name, row.name, _time(row.ours_s), row.peer, peer_s, ratio, target, reached, row.note)
    return shown


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=modules(), nargs="*", help="these modules only")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    chosen = parser.parse_args()
    rows = measured(chosen.only or modules())
    if chosen.json:
        machine = {"python": platform.python_version(), "processor": platform.processor(), "cores": os.cpu_count()}
        print(json.dumps({"machine": machine, "rows": [{"room": n} | row.as_dict() for n, row in rows]}, indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 190).print(table(rows))
    return 1 if any(row.reached is False for _, row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
