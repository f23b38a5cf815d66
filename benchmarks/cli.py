"""What it costs to start: `kerp --help` beside a bare Python that does nothing."""

import resource
import subprocess
import sys

from benchmarks.row import Row

HELP = "from kerp.cli.main import main; main(['--help'])"
REPEATS = 15
MOST_S = 0.3  # of interpreter work more than bare Python


def work_s(code: str) -> float:
    """Least processor time of one interpreter that runs `code`: the least is what the machine's other work spares."""
    found = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(found)


def run() -> list[Row]:
    """Interpreter work of `kerp --help` beyond bare Python."""
    bare, help_s = work_s("pass"), work_s(HELP)
    note = f"kerp --help {help_s:.3f} s, bare Python {bare:.3f} s of processor time, least of {REPEATS}"
    return [Row("kerp --help beyond bare Python", help_s - bare, target=MOST_S, note=note)]
