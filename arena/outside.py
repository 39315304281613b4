"""Work that takes real time, in a process on virtual time: requests to servers, local models.

Such work runs in a thread with an event loop of its own, so sockets, threads and time-outs are the
machine's. Virtual time stands still until its result is there: what a run does next does not depend
on how long the work took.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from arena.clock import Clock, SystemClock
from arena.virtual_time import VirtualTimeLoop

Result = TypeVar("Result")
# Any: the types that a coroutine exchanges with its loop.
Work = Callable[[], Coroutine[Any, Any, Result]]
CLOSE_TIMEOUT_S = 5.0


class Outside(Protocol):
    """Runs work that takes real time.

    Attributes:
        clock: The machine's clock, for measuring the work.
    """

    clock: Clock

    async def run(self, work: Work[Result]) -> Result:
        """Run a coroutine and return its result; a cancellation cancels it, too."""
        ...


class OutsideThread:
    """A thread with an event loop on the machine's time, beside a loop on virtual time.

    Args:
        loop: The loop whose time stands still while work runs.
    """

    def __init__(self, loop: VirtualTimeLoop) -> None:
        """Take the loop; the first work starts the thread."""
        self.clock: Clock = SystemClock()
        self._virtual = loop
        self._real: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def run(self, work: Work[Result]) -> Result:
        """Run a coroutine in the thread; pieces of work run at the same time."""
        real = self._started()
        with self._virtual.standing_still():
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), real))

    def close(self) -> None:
        """Cancel running work, and end the thread."""
        real, thread = self._real, self._thread
        if real is None or thread is None:
            return
        self._real = self._thread = None
        real.call_soon_threadsafe(real.stop)
        thread.join(CLOSE_TIMEOUT_S)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._real is None:
            self._real = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(self._real,), name="outside", daemon=True
            )
            self._thread.start()
        return self._real


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped; then cancel its tasks and close it."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()
