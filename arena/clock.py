"""The clock seam: wall time for stamps, monotonic time for ages and deadlines."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from; a test or a simulator brings its own."""

    def now(self) -> datetime:
        """The wall time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` seconds of this clock."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The wall time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """`time.monotonic()`."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """`asyncio.sleep`."""
        await asyncio.sleep(delay_s)


class ManualClock:
    """A clock that moves only when told to; `sleep` moves it.

    Args:
        start: The wall time it starts at (aware UTC).
    """

    def __init__(self, start: datetime) -> None:
        """Start at a wall time, with the monotonic clock at zero."""
        self._start = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """Start plus everything the clock was advanced by."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Seconds the clock was advanced by."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._elapsed_s += seconds

    async def sleep(self, delay_s: float) -> None:
        """Advance by the delay and give other tasks a turn."""
        self.advance(delay_s)
        await asyncio.sleep(0)
