"""Blocking work that never ends does not keep a process from exiting."""

import asyncio
import subprocess
import sys
import threading

import pytest

from arena.threads import InlineThreads, OneWorker, WorkerThreads

PROGRAM = """
import asyncio, threading
from arena.threads import WorkerThreads
async def main():
    await asyncio.wait_for(WorkerThreads().run_daemon(threading.Event().wait), 0.05)
try:
    asyncio.run(main())
except TimeoutError:
    print("ended")
"""


async def test_results_and_errors_reach_the_caller() -> None:
    """The caller gets what the work returns or raises, including None."""

    def fail() -> None:
        raise LookupError("x")

    nothing: dict[str, int] = {}

    assert [3, None] == [
        await WorkerThreads().run_daemon(lambda: 3),
        await WorkerThreads().run_daemon(lambda: nothing.get("x")),
    ]
    with pytest.raises(LookupError, match="x"):
        await WorkerThreads().run_daemon(fail)


async def test_late_end_is_reported() -> None:
    """The result of work that ends after its caller was cancelled is dropped; its end is not."""
    release, late = threading.Event(), asyncio.Event()
    work = WorkerThreads().run_daemon(lambda: release.wait(10), on_late_end=late.set)
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not late.is_set()
    release.set()
    await asyncio.wait_for(late.wait(), 10)

    assert task.cancelled()


async def test_end_just_before_a_cancellation_is_reported() -> None:
    """Work that has ended when its waiting caller is cancelled also counts as late."""
    ended, late = threading.Event(), asyncio.Event()
    work = WorkerThreads().run_daemon(ended.set, on_late_end=late.set)
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    ended.wait(10)
    asyncio.get_running_loop().call_soon(task.cancel)
    await asyncio.gather(task, return_exceptions=True)

    if task.cancelled():
        await asyncio.wait_for(late.wait(), 10)


async def test_one_worker_runs_one_at_a_time() -> None:
    """Work that waits for the worker does not start if it is cancelled."""
    worker, release, ran = OneWorker("test"), threading.Event(), list[str]()
    running = asyncio.ensure_future(worker.run(lambda: release.wait(10)))
    waiting = asyncio.ensure_future(worker.run(lambda: ran.append("cancelled")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    release.set()
    await worker.run(lambda: ran.append("last"))
    await worker.close()

    assert (True, ["last"]) == (await running, ran)


async def test_inline_work_runs_at_once() -> None:
    """Without threads, work has ended before the caller waits."""
    assert [1, 2] == [
        await InlineThreads().run(lambda: 1),
        await InlineThreads().run_daemon(lambda: 2),
    ]


def test_process_exits_while_its_work_hangs() -> None:
    """A daemon thread that never ends does not block the exit."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False
    )

    assert (0, "ended\n", "") == (done.returncode, done.stdout, done.stderr)
