"""The clock interface: wall time for timestamps, monotonic time for ages and deadlines.

`ARENA_FAULT_CLOCK=FOLDER` is for fault injection (`arena storm`): a process adds the seconds in
`FOLDER/<process id>` to its wall time and reads the file five times a second. Unset, it costs one
comparison.
"""

import asyncio
import math
import os
import time
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

SHIFT_VARIABLE = "ARENA_FAULT_CLOCK"
SHIFT_LOOKUP_S = 0.2
SHIFT_S_MAX = 1e8


class Clock(Protocol):
    """A source of time; tests and simulators have their own."""

    def now(self) -> datetime:
        """The wall time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences are meaningful."""
        ...

    def boot_s(self) -> float:
        """Like `monotonic`, but also counts while the machine is suspended, if it can."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` seconds on this clock; 0 lets other tasks run."""
        ...

    def timeout(self, delay_s: float | None) -> AbstractAsyncContextManager[object]:
        """Limit a block to `delay_s` seconds; None for no limit.

        Raises:
            TimeoutError: From the block, if it takes longer.
        """
        ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        """Read `ARENA_FAULT_CLOCK`."""
        folder = os.environ.get(SHIFT_VARIABLE)
        self._shift = _Shift(Path(folder) / str(os.getpid())) if folder else None

    def now(self) -> datetime:
        """The wall time, aware, UTC."""
        if self._shift is None:
            return datetime.now(UTC)
        return datetime.now(UTC) + timedelta(seconds=self._shift.seconds())

    def monotonic(self) -> float:
        """`time.monotonic()`."""
        return time.monotonic()

    def boot_s(self) -> float:
        """Seconds of a clock that also runs while the machine is suspended, if there is one."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """`asyncio.sleep`."""
        await asyncio.sleep(delay_s)

    def timeout(self, delay_s: float | None) -> asyncio.Timeout:
        """`asyncio.timeout`."""
        return asyncio.timeout(delay_s)


class ManualClock:
    """A clock that only `advance` and `sleep` move.

    Args:
        start: The wall time at the start (aware UTC).
    """

    def __init__(self, start: datetime) -> None:
        """Start at a wall time, with the monotonic clock at zero."""
        self._start = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """The start plus the sum of all advances."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """The sum of all advances, in seconds."""
        return self._elapsed_s

    def boot_s(self) -> float:
        """The sum of all advances, in seconds."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._elapsed_s += seconds

    async def sleep(self, delay_s: float) -> None:
        """Advance by the delay and let other tasks run."""
        self.advance(delay_s)
        await asyncio.sleep(0)

    def timeout(self, delay_s: float | None) -> asyncio.Timeout:
        """Limit a block to seconds of the machine's clock: this clock does not move by itself."""
        return asyncio.timeout(delay_s)


class _Shift:
    """Seconds by which a test has moved this process's wall clock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked_at = -math.inf
        self._seconds = 0.0

    def seconds(self) -> float:
        now = time.monotonic()
        if now - self._looked_at >= SHIFT_LOOKUP_S:
            self._looked_at = now
            try:
                found = float(self._path.read_text(encoding="ascii"))
            except (OSError, ValueError):
                found = 0.0
            self._seconds = found if abs(found) <= SHIFT_S_MAX else 0.0
        return self._seconds
