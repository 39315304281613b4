"""Runs blocking database work in a daemon thread, so that it cannot keep the process from exiting.

A frozen server answers neither a statement nor a cancel, so such a thread may never end. Python
waits at exit for the threads that `asyncio.to_thread` uses; it does not wait for daemon threads.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def run_in_daemon_thread(work: Callable[[], Result]) -> Result:
    """Run blocking work in a new daemon thread; return its result or raise its error.

    If this is cancelled, the thread keeps running. What it still does is committed or not, as if
    the process had been killed at that moment.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None is a result too

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # re-raised in the caller
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="ledger-database", daemon=True).start()
    return await done
