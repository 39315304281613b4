"""Work on a database in a thread that does not hold up the end of its process.

A frozen server answers no statement and no cancel, so such a thread may never end. Python waits
for the threads of its own pool when it exits; it does not wait for these.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def run_in_daemon_thread(work: Callable[[], Result]) -> Result:
    """Do blocking work in a thread of its own; its result or error.

    If this is cancelled, the work is left alone: what it does then counts, or does not, as if the
    process had been killed in it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None is a result, too

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # told to the caller, whatever it is
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="ledger-database", daemon=True).start()
    return await done
