"""The two kinds of work a run sends out, each a pure function of its task."""

from __future__ import annotations

from kerp.trial.block import Task, run_block
from kerp.trial.tally import Tally
from kerp.trial.truth import TruthTask, run_truth

Work = Task | TruthTask


def run_work(work: Work) -> Tally:
    """Do one piece of work."""
    match work:
        case Task():
            return run_block(work)
        case TruthTask():
            return run_truth(work)
