"""A database that never answers does not keep a ledger from exiting."""

import asyncio
import subprocess
import sys
import threading

import pytest

from ledger.daemon_thread import run_in_daemon_thread

PROGRAM = """
import asyncio, threading
from ledger.daemon_thread import run_in_daemon_thread
async def main():
    await asyncio.wait_for(run_in_daemon_thread(threading.Event().wait), 0.05)
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
        await run_in_daemon_thread(lambda: 3),
        await run_in_daemon_thread(lambda: nothing.get("x")),
    ]
    with pytest.raises(LookupError, match="x"):
        await run_in_daemon_thread(fail)


async def test_late_result_is_dropped() -> None:
    """Work that ends after its caller was cancelled has no effect."""
    release, ended = threading.Event(), threading.Event()

    def work() -> None:
        release.wait(10)
        ended.set()

    task = asyncio.ensure_future(run_in_daemon_thread(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    release.set()
    await asyncio.to_thread(ended.wait, 10)
    await asyncio.sleep(0)

    assert task.cancelled()


def test_process_exits_while_its_database_hangs() -> None:
    """A thread that waits for a frozen server does not block the exit."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False
    )

    assert (0, "ended\n", "") == (done.returncode, done.stdout, done.stderr)
