"""A whole simulated trial, end to end: virtual patients of the mechanism, 60 per trial, six visits, MMRM.

Time per stage on one core, then the run with one and two local processes and on a Dask cluster of two workers. The
patients are the expensive part; analysis comes second.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from benchmarks.row import Row
from kerp.trial import course
from kerp.trial.block import Task, simulate_block, tasks, trials_per_block
from kerp.trial.bounds import bounds, equal_information
from kerp.trial.execute import Executor, dask_cluster, processes, serial
from kerp.trial.load import load_design, load_planning
from kerp.trial.regression import estimate
from kerp.trial.scenario import Layers, Scenario
from kerp.trial.world import world_of

TRIALS = int(os.environ.get("KERP_BENCH_TRIALS", "1000"))
MINUTE = 60.0


def run() -> list[Row]:
    scenario = bench_scenario()
    blocks: list[Task] = list(tasks(scenario, 1, TRIALS, (0.0,)))
    alone = timed(serial, blocks[: max(1, len(blocks) // 8)]) * len(blocks) / max(1, len(blocks) // 8)
    with processes(2) as two:
        timed(two, blocks[:2])  # workers have started and imported
        both = timed(two, blocks)
    label = f"{TRIALS:,} trials end to end, 60 virtual patients, six visits, MMRM"
    rows = [*stages(scenario)]
    rows.append(
        Row(f"{label}, 1 process", alone, note=f"{alone / TRIALS * 1000:.1f} ms per trial; scaled from an eighth")
    )
    target = MINUTE * TRIALS / 1000
    rows.append(
        Row(f"{label}, 2 processes", both, "1 process", alone, note=f"{both / TRIALS * 1000:.1f} ms per trial")
    )
    rows.append(Row(f"{label}, a minute on 2 cores", both, target=target, note="bound in seconds"))
    return [*rows, dask_row(label, blocks, alone), *closed_forms()]


def bench_scenario() -> Scenario:
    """The two-arm timing design with 60 patients and six visits."""
    design = load_design("timing-two-arm")
    days = (7.0, 14.0, 21.0, 28.0, 35.0, 42.0)
    design = replace(
        design, size=replace(design.size, n_total=60), endpoint=replace(design.endpoint, visit_days=days)
    )
    planning = load_planning(design.planning)
    return Scenario(name="bench", design=design, planning=planning, effect_points=0.0, model="core", layers=Layers())


def timed(executor: Executor, blocks: list[Task]) -> float:
    start = time.perf_counter()
    assert len(list(executor(blocks))) == len(blocks)
    return time.perf_counter() - start


def stages(scenario: Scenario) -> list[Row]:
    """One block, stage by stage, on one core."""
    count = trials_per_block(scenario)
    world = world_of(scenario)
    simulate_block(Task(scenario, 1, 0, count, (0.0,)))  # files are read, tables are warm

    def clocked(name: str, job: object) -> tuple[Row, object]:
        assert callable(job)
        start = time.perf_counter()
        made = job()
        seconds = time.perf_counter() - start
        return Row(f"stage: {name}, {count} trials", seconds, note=f"{seconds / count * 1000:.2f} ms per trial"), made

    drawn, _ = clocked("draw people and drug response", lambda: world.draw(scenario, 1, 1, count, 60))
    chance, _ = clocked("events, belief, dropout", lambda: course.draw_chance(scenario, 1, 1, count, 60))
    whole, trials = clocked(
        "people, courses and ratings together", lambda: simulate_block(Task(scenario, 1, 1, count, (0.0,)))
    )
    fitted, _ = clocked("MMRM, unstructured, Satterthwaite", lambda: estimate(scenario.design, trials.tables))
    return [drawn, chance, whole, fitted]


def dask_row(label: str, blocks: list[Task], alone: float) -> Row:
    """The same on a local Dask scheduler with two workers."""
    from distributed import LocalCluster

    part = blocks[: max(2, len(blocks) // 4)]
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        dask_cluster(cluster.scheduler_address) as two,
    ):
        timed(two, blocks[:2])
        seconds = timed(two, part) * len(blocks) / len(part)
    return Row(f"{label}, Dask with 2 workers", seconds, "1 process", alone, note="scaled from a quarter")


def closed_forms() -> list[Row]:
    start = time.perf_counter()
    for kind in ("obf", "pocock", "ldof", "ldpocock"):
        for looks in (2, 3, 4, 5):
            bounds(kind, equal_information(looks), 0.025)
    return [Row("16 group-sequential designs, bounds, inflation, sizes", time.perf_counter() - start)]
