"""One simulated process: it starts, crashes, freezes, is cut off, and starts again."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar

from arena.checkpoint import STORE
from arena.node import Node, Serve, serve_node
from arena.settings import Settings
from operations.one_process import Member, command_of, entry_of, kind_of
from operations.simulation.bus import SimulatedBus
from operations.simulation.checks import is_unexpected
from operations.simulation.cluster import WORLD, SimulatedCluster
from operations.simulation.disk import SimulatedDisk
from operations.simulation.groups import expire_session
from operations.simulation.loop import PROCESS, Incarnation, SimulationLoop

Result = TypeVar("Result")
WORK_S_MAX = 0.05
"""The longest that blocking work of a process takes."""


class HostClock:
    """The clock of one host: the loop's time, and a wall time that may be wrong.

    Attributes:
        shift_s: Seconds that its wall time is ahead.
    """

    def __init__(self, loop: SimulationLoop, start: datetime, shift_s: float) -> None:
        """Take the loop and the wall time at its time zero."""
        self.shift_s = shift_s
        self._loop = loop
        self._start = start

    def now(self) -> datetime:
        """The wall time of this host."""
        return self._start + timedelta(seconds=self._loop.time() + self.shift_s)

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


class SimulatedThreads:
    """Blocking work takes a moment, in which other tasks run.

    Args:
        random: Decides how long.
    """

    def __init__(self, random: Random) -> None:
        """Take the source of the draws."""
        self._draw = random.random

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run the work after a moment."""
        await asyncio.sleep(self._draw() * WORK_S_MAX)
        return work()

    async def run_daemon(
        self,
        work: Callable[[], Result],
        *,
        name: str = "",
        on_late_end: Callable[[], None] | None = None,
    ) -> Result:
        """Run the work after a moment."""
        return await self.run(work)


@dataclass
class Ends:
    """How the lives of processes ended.

    Attributes:
        errors: Name of the process and its error.
        unexpected: Set by an error that no simulated fault explains.
    """

    errors: list[tuple[str, BaseException]] = field(default_factory=list)
    unexpected: asyncio.Event = field(default_factory=asyncio.Event)


class SimulatedProcess:
    """A process and its host.

    Args:
        member: What it runs; called at each start.
        settings: Settings of the process.
        loop: The loop of the simulation.
        cluster: The brokers.
        clock: The clock of its host.
        random: The source of its draws.
        ends: Gets its errors.
        serve: Does its work; None for what its kind names.
        on_gone: Called with its name when one of its lives has ended.

    Attributes:
        life: Its present life; None while it does not run.
        wanted: False once it shall not be started again.
        on_end: Called when its work ended without an error.
    """

    def __init__(
        self,
        member: Callable[[], Member],
        name: str,
        settings: Settings,
        loop: SimulationLoop,
        cluster: SimulatedCluster,
        clock: HostClock,
        random: Random,
        ends: Ends,
        *,
        serve: Serve[Any] | None = None,
        on_gone: Callable[[str], None] | None = None,
    ) -> None:
        """Take what it runs on; `start` starts it."""
        self.name = name
        self.clock = clock
        self.disk = SimulatedDisk()
        self.life: Incarnation | None = None
        self.bus: SimulatedBus | None = None
        self.wanted = True
        self.starts = 0
        self._member = member
        self._settings = settings
        self._loop = loop
        self._cluster = cluster
        self._random = random
        self._ends = ends
        self.on_end: Callable[[], None] | None = None
        self._serve = serve
        self._on_gone = on_gone

    def start(self) -> None:
        """Start a new life, unless it runs."""
        if self.life is not None or not self.wanted:
            return
        member = self._member()
        kind = kind_of(member)
        self.starts += 1
        number = self._cluster.new_number()
        life = self.life = Incarnation(self.name, number)
        threads = SimulatedThreads(self._random)
        self.bus = SimulatedBus(self._cluster, self.clock, threads)
        node = Node(
            command_of(kind),
            member.name,
            self._settings,
            self.bus,
            self.clock,
            rng=Random(f"{self._random.random()} {self.name}"),
            threads=threads,
            pid=number,
            # A host of its own for each life: a process must not look for the others' ids.
            host=f"host-{self.name}-{self.starts}",
        )
        context = Context()
        context.run(PROCESS.set, life)
        context.run(STORE.set, self.disk)
        work = serve_node(node, self._serve or entry_of(kind), member.options)
        task = context.run(
            partial(self._loop.create_task, work, name=f"{self.name}/{number}", context=context)
        )
        self._cluster.note("start", self.name)
        task.add_done_callback(partial(self._ended, life), context=WORLD)

    def _ended(self, life: Incarnation, task: "asyncio.Task[None]") -> None:
        if life.dead or life is not self.life:
            return
        error = None if task.cancelled() else task.exception()
        kind = type(error).__name__ if error else "done"
        self._cluster.note("end", self.name, f"{kind}: {error}".encode())
        self._gone(life)
        if error is not None:
            self._ends.errors.append((self.name, error))
            if is_unexpected(error):
                self._ends.unexpected.set()
            self._loop.call_later(1.0 + 4.0 * self._random.random(), self.restart, context=WORLD)
        elif self.on_end is not None:
            self.wanted = False
            self.on_end()

    def restart(self) -> None:
        """Start again, if it does not run."""
        if self.life is None and self.wanted:
            self.start()

    def _gone(self, life: Incarnation) -> None:
        assert self.bus is not None, "it was started"
        bus = self.bus
        life.dead = True
        life.held.clear()
        bus.die()
        expire_session(self._cluster, lambda: True, bus.number)
        self.life = None
        if self._on_gone is not None:
            self._on_gone(self.name)

    def crash(self, down_s: float, *, power: bool = False) -> None:
        """End at once, without any clean-up; start again later.

        Args:
            down_s: Seconds until the next start.
            power: The host lost its power: what was not on disk is gone.
        """
        if self.life is None:
            return
        self._cluster.note("crash", self.name)
        self._gone(self.life)
        if power:
            self.disk.lose_power(self._random)
        self._loop.call_later(down_s, self.restart, context=WORLD)

    def freeze(self, seconds: float) -> None:
        """Stop for a while, and wake as if nothing had happened."""
        life = self.life
        if life is None or life.frozen:
            return
        assert self.bus is not None, "it was started"
        self._cluster.note("freeze", self.name)
        life.frozen = True
        expire_session(self._cluster, lambda: life.frozen or life.dead, self.bus.number)
        self._loop.call_later(seconds, self._wake, life, context=WORLD)

    def _wake(self, life: Incarnation) -> None:
        if life.frozen and not life.dead:
            self._cluster.note("wake", self.name)
            self._loop.release(life)

    def cut(self, seconds: float) -> None:
        """Nothing gets through to the brokers or back for a while."""
        if self.life is None or self.bus is None:
            return
        self._cluster.note("cut", self.name)
        bus = self.bus
        bus.cut_until_s = self._loop.time() + seconds
        expire_session(self._cluster, lambda: bus.is_cut or bus.is_dead, bus.number)

    def heal(self) -> None:
        """End its faults."""
        if self.bus is not None:
            self.bus.cut_until_s = 0.0
        if self.life is not None:
            self._wake(self.life)
        self.disk.heal()
        self.restart()
