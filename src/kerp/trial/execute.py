"""Who computes the blocks: this process, local processes, or a Dask cluster. All give the same answer, bit by bit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kerp.base.errors import Fault, KerpError
from kerp.trial.tally import Tally
from kerp.trial.work import Work, run_work

Executor = Callable[[Sequence[Work]], Iterator[tuple[int, Tally]]]
PATIENCE = "10 s"
MOST_WORKERS = 256
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def serial(tasks: Sequence[Work]) -> Iterator[tuple[int, Tally]]:
    """One block after the other, here."""
    for index, task in enumerate(tasks):
        yield index, run_work(task)


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Local processes, each with one thread for linear algebra. One worker computes here."""
    if not 1 <= workers <= MOST_WORKERS:
        allowed = f"1 to {MOST_WORKERS}"
        message = "there is no such number of workers"
        raise KerpError(Fault(message, field="workers", found=str(workers), allowed=allowed))
    if workers == 1:
        yield serial
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    context = get_context("spawn")
    # workers do not hear Ctrl-C: stopping is up to this process, and no traceback comes from them
    pool = ProcessPoolExecutor(workers, context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    with _one_thread(), pool:

        def run(tasks: Sequence[Work]) -> Iterator[tuple[int, Tally]]:
            waiting = {pool.submit(run_work, task): index for index, task in enumerate(tasks)}
            for done in as_completed(waiting):
                yield waiting[done], done.result()

        try:
            yield run
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def dask_cluster(address: str) -> Iterator[Executor]:
    """A Dask scheduler at `tcp://host:port`; its workers need the same kerp."""
    try:
        from distributed import Client, as_completed
    except ModuleNotFoundError:
        raise KerpError(Fault("a cluster needs an extra", ways_out=("pip install kerp[lab]",))) from None
    try:
        client = Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        ways = ("start one with `dask scheduler`, then `dask worker ADDRESS`", "or leave --cluster out")
        message = f"no Dask scheduler answers: {type(error).__name__}"
        raise KerpError(Fault(message, field="cluster", found=address, ways_out=ways)) from None

    def run(tasks: Sequence[Work]) -> Iterator[tuple[int, Tally]]:
        waiting = {client.submit(run_work, task, pure=False): index for index, task in enumerate(tasks)}
        for done, tally in as_completed(list(waiting), with_results=True):  # type: ignore[no-untyped-call]
            yield waiting[done], tally

    with client:
        yield run


@contextmanager
def _one_thread() -> Iterator[None]:
    """Workers inherit one linear-algebra thread each: blocks are small, more threads would only wait."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
