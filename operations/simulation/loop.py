"""An event loop on virtual time that runs one ready callback per step, in an order drawn by a seed.

asyncio runs all ready callbacks of a round before it looks for new ones, so tasks stay in
lock-step, and most orders that a machine can produce never occur. Here every step chooses one of
all ready callbacks. Nothing else decides the order: not the time of the machine, nor addresses of
objects, nor `PYTHONHASHSEED`. Time moves to the next timer when nothing is ready.

Callbacks belong to the simulated process in whose context they were scheduled (`PROCESS`). Those of
a frozen process are held back until it wakes; those of a dead process never run.
"""

import asyncio
import heapq
import selectors
from array import array
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from hashlib import sha256
from random import Random
from typing import Any

from arena.errors import ArenaError
from arena.virtual_time import Deadlock

STEPS_MAX = 2_000_000
"""Steps after which a run is stopped: it would probably never end."""
TRACE_CHUNK = 4_096
INDEX_BITS = 20
CANCELLED_MAX = 500
"""Cancelled timers that are kept until they are removed at once."""


class TooManySteps(ArenaError):
    """The loop ran more steps than allowed."""


class Incarnation:
    """One life of a simulated process, from a start to its end.

    Attributes:
        name: Name of the process.
        number: Number of this life among all lives of all processes, from 1.
        dead: Its callbacks never run again.
        frozen: Its callbacks are held back.
    """

    def __init__(self, name: str, number: int) -> None:
        """Take the name and the number."""
        self.name = name
        self.number = number
        self.dead = self.frozen = False
        self.held: list[asyncio.Handle] = []


PROCESS: ContextVar[Incarnation | None] = ContextVar("process", default=None)
"""The simulated process that the running callback belongs to; None for the world around them."""

# Any: a loop runs coroutines of every type.
AnyCoroutine = Coroutine[Any, Any, Any] | Generator[Any, None, Any]


class _NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks have the same order in every run."""

    def __init__(self, number: int, coro: AnyCoroutine, **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class _Handle(asyncio.Handle):
    """A callback that is created in half the time of asyncio's own."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: Any, loop: Any, context: Context | None
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _NoInput(selectors.SelectSelector):
    """Waits for nothing: a simulation has no sockets."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return []


class SimulationLoop(asyncio.SelectorEventLoop):
    """An event loop for simulations.

    Args:
        seed: Decides the order of the steps.
        steps_max: Most steps.

    Attributes:
        steps: Number of steps so far.

    Raises:
        Deadlock: From the running loop, if nothing is ready and no timer is set.
        TooManySteps: From the running loop, after `steps_max` steps.
    """

    def __init__(self, seed: int | str, steps_max: int = STEPS_MAX) -> None:
        """Start at time zero."""
        self.steps = 0
        self._now_s = 0.0
        self._draw = Random(f"order {seed}").random
        self._steps_max = steps_max
        self._tasks_made = self._timers_made = 0
        # Any: the attributes of timers that asyncio uses itself.
        self._timers: list[tuple[float, int, Any]] = []
        self._choices = array("Q")
        self._trace = sha256()
        super().__init__(_NoInput())
        # A list: the chosen callback's place is taken by the last one, without moving the others.
        self._ready: list[asyncio.Handle] = []

    def call_soon(  # type: ignore[override]  # a type of its arguments is not needed
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Make a callback ready."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # a type of its arguments is not needed
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Make a callback ready after seconds of virtual time."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # a type of its arguments is not needed
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Make a callback ready at a virtual time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]
        self._timers_made += 1
        # Tuples: comparing timers themselves takes ten times as long.
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        return timer

    def time(self) -> float:
        """Seconds of virtual time since the start."""
        return self._now_s

    def create_task(
        self, coro: AnyCoroutine, *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """Create a task with a number of its own."""
        self._check_closed()  # type: ignore[attr-defined]  # of BaseEventLoop
        self._tasks_made += 1
        number = self._tasks_made
        return _NumberedTask(
            number, coro, loop=self, name=name or f"task-{number}", context=context
        )

    def note(self, *parts: bytes) -> None:
        """Add something that happened to the digest of the trace."""
        for part in parts:
            self._trace.update(b"%d:" % len(part))
            self._trace.update(part)

    def digest(self) -> str:
        """A hash of every choice, the process it concerned, and what was noted, so far."""
        self._flush()
        return self._trace.hexdigest()

    def release(self, process: Incarnation) -> None:
        """Wake a frozen process: what was held back is ready now."""
        process.frozen = False
        held, process.held = process.held, []
        self._ready += held

    def _flush(self) -> None:
        self._trace.update(self._choices.tobytes())
        self._choices = array("Q")

    def _run_once(self) -> None:
        """Run steps until the loop is to stop."""
        ready, draw = self._ready, self._draw
        choices = self._choices
        while not self._stopping:  # type: ignore[attr-defined]  # of BaseEventLoop
            if not ready:
                self._move_time()
            count = len(ready)
            chosen = 0 if count == 1 else int(draw() * count)
            last = ready.pop()
            if chosen == count - 1:
                handle = last
            else:
                handle = ready[chosen]
                ready[chosen] = last
            if handle._cancelled:
                continue
            process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
            if process is None:
                choices.append(chosen)
            elif process.dead:
                continue
            elif process.frozen:
                process.held.append(handle)
                continue
            else:
                choices.append(process.number << INDEX_BITS | chosen)
            self.steps += 1
            if len(choices) >= TRACE_CHUNK:
                self._flush()
                choices = self._choices
                if self.steps > self._steps_max:
                    text = f"{self.steps:,} steps after {self._now_s:g} s of virtual time"
                    raise TooManySteps(text)
            handle._run()

    def _move_time(self) -> None:
        """Move the time to the next timer, and make all timers of that time ready."""
        timers = self._timers
        # asyncio counts the cancelled ones.
        if self._timer_cancelled_count > CANCELLED_MAX:  # type: ignore[has-type]
            self._timer_cancelled_count = 0
            timers = self._timers = [row for row in timers if not row[2]._cancelled]
            heapq.heapify(timers)
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)[2]._scheduled = False
            self._timer_cancelled_count -= 1
        if not timers:
            raise Deadlock(f"all tasks wait for each other after {self._now_s:g} s")
        self._now_s = now_s = max(self._now_s, timers[0][0])
        while timers and timers[0][0] <= now_s:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1
            else:
                self._ready.append(timer)
