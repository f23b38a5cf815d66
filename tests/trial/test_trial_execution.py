"""The same digits from one process, many, a Dask cluster, or a run that was stopped; and the command around it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from kerp.base.errors import KerpError
from kerp.cli.trial import trial
from kerp.trial.block import trials_per_block
from kerp.trial.cache import BlockCache, key_of
from kerp.trial.design import Design
from kerp.trial.execute import dask_cluster, processes, serial
from kerp.trial.load import load_design, load_planning
from kerp.trial.run import normal_scenarios, simulate
from kerp.trial.scenario import NO_LAYERS, Layers
from kerp.trial.tally import Tally
from kerp.trial.work import Work

PLANNING = load_planning("ybocs-ocd")


def fast(name: str = "timing-two-arm") -> Design:
    found = load_design(name)
    return replace(found, endpoint=replace(found.endpoint, analysis="ancova"))


SCENARIOS = normal_scenarios(fast(), PLANNING, 1.0, Layers())
REPLICATES = 600


@pytest.fixture(scope="module")
def alone() -> tuple[Tally, ...]:
    return simulate(SCENARIOS, 7, REPLICATES, serial).tallies


def test_two_processes_give_the_digits_of_one(alone: tuple[Tally, ...]) -> None:
    with processes(2) as run:
        assert simulate(SCENARIOS, 7, REPLICATES, run).tallies == alone


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_with_two_workers_gives_the_digits_of_one_process(alone: tuple[Tally, ...]) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        dask_cluster(cluster.scheduler_address) as run,
    ):
        assert simulate(SCENARIOS, 7, REPLICATES, run).tallies == alone


def test_blocks_done_in_any_order_give_the_same_digits(alone: tuple[Tally, ...]) -> None:
    def backwards(tasks: Sequence[Work]) -> Iterator[tuple[int, Tally]]:
        yield from reversed(list(serial(tasks)))

    assert simulate(SCENARIOS, 7, REPLICATES, backwards).tallies == alone


def test_a_run_stopped_in_the_middle_goes_on_to_the_same_digits(alone: tuple[Tally, ...], tmp_path: Path) -> None:
    computed: list[int] = []

    def stopping(tasks: Sequence[Work]) -> Iterator[tuple[int, Tally]]:
        for index, tally in serial(tasks):
            if len(computed) == 11:
                raise KeyboardInterrupt
            computed.append(index)
            yield index, tally

    def counting(tasks: Sequence[Work]) -> Iterator[tuple[int, Tally]]:
        computed.extend(range(len(tasks)))
        yield from serial(tasks)

    cache = BlockCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        simulate(SCENARIOS, 7, REPLICATES, stopping, cache)
    assert simulate(SCENARIOS, 7, REPLICATES, counting, cache).tallies == alone
    assert len(computed) == 14  # eight parts of the truths, six blocks, none twice
    assert simulate(SCENARIOS, 7, REPLICATES, counting, cache).tallies == alone
    assert len(computed) == 14


def test_a_damaged_block_is_computed_again(alone: tuple[Tally, ...], tmp_path: Path) -> None:
    cache = BlockCache(tmp_path)
    simulate(SCENARIOS, 7, REPLICATES, serial, cache)
    paths = sorted(tmp_path.glob("??/*.json"))
    paths[0].write_text("{", encoding="utf-8")
    content = json.loads(paths[1].read_text(encoding="utf-8"))
    figure = next(name for name, value in content["tally"].items() if not isinstance(value, list))
    content["tally"][figure] += 1
    paths[1].write_text(json.dumps(content), encoding="utf-8")
    assert simulate(SCENARIOS, 7, REPLICATES, serial, cache).tallies == alone


def test_more_replicates_begin_with_the_same_trials() -> None:
    few, many = (simulate(SCENARIOS[:1], 7, count, serial) for count in (250, 500))
    assert few.worlds[0].blocks[0] == many.worlds[0].blocks[0]
    assert trials_per_block(SCENARIOS[0]) == 250


def test_a_block_is_known_by_everything_that_shapes_it() -> None:
    task = simulate(SCENARIOS, 7, 2, serial).worlds[0].blocks[0]
    changes = [
        replace(task, root=8),
        replace(task, number=1),
        replace(task, wanted=1),
        replace(task, truth=(0.0,)),
        replace(task, scenario=replace(task.scenario, effect_points=1.0)),
        replace(task, scenario=replace(task.scenario, layers=NO_LAYERS)),
        replace(task, scenario=replace(task.scenario, design=fast("timing-pilot"))),
    ]
    assert len({key_of(task), *(key_of(change) for change in changes)}) == len(changes) + 1


def test_progress_counts_blocks_from_the_cache_as_done(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    cache = BlockCache(tmp_path)
    simulate(SCENARIOS, 7, 500, serial, cache, lambda done, due: seen.append((done, due)))
    assert seen == [(0, 12), *((done, 12) for done in range(1, 9)), (8, 12), *((done, 12) for done in range(9, 13))]
    seen.clear()
    simulate(SCENARIOS, 7, 500, serial, cache, lambda done, due: seen.append((done, due)))
    assert seen == [(8, 12), (12, 12)]


def test_every_fault_of_a_run_is_named() -> None:
    with pytest.raises(KerpError) as caught:
        simulate(SCENARIOS, -1, 1, serial)
    assert [fault.field for fault in caught.value.faults] == ["seed", "replicates"]
    with pytest.raises(KerpError, match="number of workers"), processes(0):
        pass


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("kerp.trial.execute.PATIENCE", "1 s")
    with pytest.raises(KerpError, match="no Dask scheduler answers"), dask_cluster("tcp://127.0.0.1:9"):
        pass


def test_simulate_writes_result_report_and_blocks(tmp_path: Path) -> None:
    design = tmp_path / "mine.toml"
    design.write_text('extends = "timing-two-arm"\nid = "mine"\n[endpoint]\nanalysis = "ancova"\n', encoding="utf-8")
    arguments = [
        "simulate",
        str(design),
        "--replicates",
        "60",
        "--seed",
        "3",
        "--workers",
        "1",
        "--model",
        "normal",
        "--out",
    ]
    first = CliRunner().invoke(trial, [*arguments, str(tmp_path / "a")], catch_exceptions=False)
    words = " ".join(first.output.split())
    assert "16 times as much where the interaction is half the size" in words
    assert "Computed over the whole prior of the core model" in words
    again = CliRunner().invoke(trial, [*arguments, str(tmp_path / "b"), "--json"], catch_exceptions=False)
    written = json.loads((tmp_path / "a" / "result.json").read_text(encoding="utf-8"))
    assert json.loads(again.stdout) == written
    assert written["seed"] == 3
    assert written["scenarios"][0]["trials"] == 60
    assert written["scenarios"][0]["contrasts"][0]["power"]["mcse"] > 0
    assert written["scenarios"][1]["contrasts"][0]["bias"] is None
    page = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons", ""
    )
    assert "Y-BOCS at least 35 % below baseline" in page
    assert "farris2013.response" in page
    assert list((tmp_path / "a" / "blocks").glob("??/*.json"))


def test_simulate_refuses_bad_requests_before_writing(tmp_path: Path) -> None:
    out = tmp_path / "none"
    for extra, message in (
        (["--workers", "1", "--cluster", "tcp://x:1"], "not both"),
        (["--replicates", "1"], "too few or too many trials"),
        (["--model", "telepathy"], "telepathy"),
        (["--layers", "weather"], "no such layer"),
    ):
        result = CliRunner().invoke(
            trial, ["simulate", "timing-two-arm", "--replicates", "5", "--seed", "1", "--out", str(out), *extra]
        )
        assert message in str(result.exception)
    assert not out.exists()


@pytest.mark.parametrize("extra", [["--workers", "0"], ["--cluster", "tcp://127.0.0.1:1"]])
def test_a_run_that_cannot_start_leaves_the_blocks_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: list[str]
) -> None:
    monkeypatch.setattr("kerp.trial.execute.PATIENCE", "1 s")
    kept = tmp_path / "blocks" / "ab" / "abc.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    command = ["simulate", "timing-two-arm", "--replicates", "5", "--seed", "1", "--out", str(tmp_path), *extra]
    assert isinstance(CliRunner().invoke(trial, command).exception, KerpError)
    assert kept.is_file()
