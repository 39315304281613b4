"""Threads for blocking work: the one place where the rooms start them.

A process of its own runs blocking work in threads. Many processes in one loop on virtual time run
it at once, in the loop's own thread: then nothing depends on the order in which threads run.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Threads(Protocol):
    """Runs blocking work."""

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run blocking work that ends by itself; return its result or raise its error."""
        ...

    async def run_daemon(
        self,
        work: Callable[[], Result],
        *,
        name: str = "",
        on_late_end: Callable[[], None] | None = None,
    ) -> Result:
        """Run blocking work that may never end, and then must not keep the process alive.

        If this is cancelled, the work continues; its result is dropped.

        Args:
            work: The work.
            name: Name of its thread.
            on_late_end: Called in the loop if the work ends after this was cancelled.
        """
        ...


class WorkerThreads:
    """Threads of this process."""

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run the work in a thread of the loop's pool; the process waits for it at exit."""
        return await asyncio.to_thread(work)

    async def run_daemon(
        self,
        work: Callable[[], Result],
        *,
        name: str = "",
        on_late_end: Callable[[], None] | None = None,
    ) -> Result:
        """Run the work in a new daemon thread, which Python does not wait for at exit."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def settle(result: Result | None, error: BaseException | None) -> None:
            if done.done():
                if on_late_end is not None:
                    on_late_end()
            elif error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]  # None is a result too

        def run() -> None:
            result, failure = None, None
            try:
                result = work()
            except BaseException as error:  # raised again in the caller
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, result, failure)

        threading.Thread(target=run, name=name or None, daemon=True).start()
        try:
            return await done
        except asyncio.CancelledError:
            if not done.cancelled() and on_late_end is not None:  # ended just before
                loop.call_soon(on_late_end)
            raise


class OneWorker:
    """One thread of its own, which runs one piece of work at a time.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        """Create the worker; its thread starts with the first work."""
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run the work when the work before it has ended; it does not start if this is cancelled.

        Args:
            work: The work; a cancellation does not stop it.
        """
        return await asyncio.wrap_future(self._pool.submit(work))

    async def close(self) -> None:
        """Drop work that has not started, and wait for the running one."""
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)


class InlineThreads:
    """No threads: the work runs in the loop's thread, at once."""

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run the work now."""
        return work()

    async def run_daemon(
        self,
        work: Callable[[], Result],
        *,
        name: str = "",
        on_late_end: Callable[[], None] | None = None,
    ) -> Result:
        """Run the work now."""
        return work()
