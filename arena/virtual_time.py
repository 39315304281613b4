"""An event loop whose time jumps to the next timer: hours of waiting take no time.

All coroutines of the loop share one time. When none of them can continue, time moves to the
earliest timer. A loop in which nothing can ever continue is an error instead of a hang.

Sockets, child processes and threads need real time, and do not work on such a loop by themselves.
`arena.outside` runs them in another thread: within `standing_still` virtual time does not move, and
the loop waits in real time until that thread calls it.
"""

import asyncio
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from arena.errors import ArenaError

LOOK_EVERY_S = 0.1
"""Seconds between two checks whether to stop, while the loop waits in real time."""


class Deadlock(ArenaError):
    """All coroutines wait for each other: no timer can wake one of them."""


class _JumpingSelector(selectors.SelectSelector):
    """Moves the loop's time forward instead of waiting.

    Attributes:
        elapsed_s: Virtual time since the start.
        outside: Number of running pieces of work that take real time; `elapsed_s` stays meanwhile.
    """

    def __init__(self, on_round: Callable[[], None]) -> None:
        super().__init__()
        self.elapsed_s = 0.0
        self.outside = 0
        self._on_round = on_round

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._on_round()
        if self.outside and timeout != 0:
            return super().select(LOOK_EVERY_S)
        if timeout is None:
            raise Deadlock(f"all tasks wait for each other after {self.elapsed_s:g} s")
        self.elapsed_s += max(0.0, timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, which begins at zero.

    Args:
        on_round: Called in each round of the loop, between callbacks; it must return quickly.

    Raises:
        Deadlock: From the running loop, if no task can continue.
    """

    def __init__(self, on_round: Callable[[], None] = lambda: None) -> None:
        """Start at time zero."""
        self._selector_of_time = _JumpingSelector(on_round)
        super().__init__(self._selector_of_time)

    def time(self) -> float:
        """Seconds of virtual time since the start."""
        return self._selector_of_time.elapsed_s

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Within the block time does not move: the loop waits for calls of other threads."""
        self._selector_of_time.outside += 1
        try:
            yield
        finally:
            self._selector_of_time.outside -= 1


class VirtualClock:
    """The clock of processes on a `VirtualTimeLoop`.

    Args:
        loop: The loop.
        start: Wall time (aware UTC) at the loop's time zero.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime) -> None:
        """Take the loop and the start."""
        self._loop = loop
        self._start = start
        self._newest = 0.0, start

    def now(self) -> datetime:
        """The start plus the loop's time."""
        elapsed_s = self._loop.time()
        if elapsed_s != self._newest[0]:
            self._newest = elapsed_s, self._start + timedelta(seconds=elapsed_s)
        return self._newest[1]

    def monotonic(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def boot_s(self) -> float:
        """The loop's time."""
        return self._loop.time()

    async def sleep(self, delay_s: float) -> None:
        """Return when the loop's time is `delay_s` later."""
        await asyncio.sleep(delay_s)

    def timeout(self, delay_s: float | None) -> asyncio.Timeout:
        """Limit a block to seconds of the loop's time."""
        return asyncio.timeout(delay_s)
