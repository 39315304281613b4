"""Runs simulated seasons on several processes; results do not depend on their number."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from arena.progress import Step

Job = TypeVar("Job")
Result = TypeVar("Result")

PART_SEASONS = 25
"""Seasons per task of a process, with five agents: about a second of work."""

PART_SIZE = 125
"""Seasons times agents per task."""

PART_TIMEOUT_S = 900.0
"""Longest time to wait for a task; one that takes longer hangs."""

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

Count = Callable[[int], None]
"""Callback that gets the number of additional seasons that were judged."""


@contextmanager
def progress(total: int) -> Iterator[Count]:
    """Yield a callback that shows how many of `total` seasons were judged."""
    from arena.progress_bars import draw_progress

    with draw_progress() as show:
        done = 0

        def count(part: int) -> None:
            nonlocal done
            done += part
            text = f"{done:,} of {total:,} seasons"
            show(Step("verdict check", text, done, total, finished=done == total))

        count(0)
        yield count


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes ignore Ctrl-C and end with the context."""
    # The processes already use every core; their BLAS threads would only compete for them.
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupts)
    try:
        yield pool
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()  # its result is no longer needed
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def gather(
    pool: ProcessPoolExecutor,
    run: Callable[[Job, int, range], list[Result]],
    jobs: Sequence[tuple[Job, int]],
    seed: int,
    count: Count,
    part_seasons: Callable[[Job], int] = lambda _: PART_SEASONS,
) -> list[tuple[Job, list[Result]]]:
    """Run every job and return it with the results of its seasons, in order.

    Args:
        pool: Pool that runs the jobs.
        run: Function that judges a range of seasons.
        jobs: Each job with its number of seasons.
        seed: Seed of the check.
        count: Callback for each finished part.
        part_seasons: Returns the number of seasons of a job that one task runs.
    """
    submitted = []
    for job, seasons in jobs:
        size = part_seasons(job)
        parts = [range(i, min(i + size, seasons)) for i in range(0, seasons, size)]
        submitted.append((job, [(part, pool.submit(run, job, seed, part)) for part in parts]))
    gathered: list[tuple[Job, list[Result]]] = []
    for job, futures in submitted:
        results: list[Result] = []
        for part, future in futures:
            results += future.result(timeout=PART_TIMEOUT_S)
            count(len(part))
        gathered.append((job, results))
    return gathered
