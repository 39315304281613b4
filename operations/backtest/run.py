"""Plays the members of a backtest on virtual time, and exports what they wrote.

Everything but calls of models outside runs in one thread: a run depends only on its members, their
settings, the seed and the models' answers.
"""

import asyncio
import gc
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from arena import topics
from arena.bus.base import Bus
from arena.bus.memory import MemoryBus, MemoryCluster, milliseconds_of
from arena.exports import Manifest, export_topics
from arena.outside import OutsideThread
from arena.progress import Progress, no_progress
from arena.settings import Settings
from arena.threads import InlineThreads
from arena.virtual_time import VirtualClock, VirtualTimeLoop
from operations.commands.export_run import with_shadow_inboxes, without_missing_inboxes
from operations.one_process import Member, run_members

GC_THRESHOLDS = (50_000, 20, 50)
"""Records stay until the export, so frequent collections would free nothing."""


def peak_memory_mib() -> int:
    """The most memory that this process has had so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit >> 20


class Stopped(Exception):
    """The caller asked to stop before the last snapshot."""


@dataclass
class Backtest:
    """One run of members in this process.

    Args:
        members: The members; the run ends with the first.
        settings: Settings of all members.
        start: Wall time of the members at the start (aware UTC).
        seed: Seed of the members' randomness.
        on_round: Called between callbacks; True asks to stop.

    Attributes:
        cluster: Every record of the run.
    """

    members: Sequence[Member]
    settings: Settings
    start: datetime
    seed: int = 0
    on_round: Callable[[], bool] = lambda: False
    cluster: MemoryCluster = field(init=False)
    _runner: asyncio.Runner = field(init=False)
    _main: "asyncio.Task[None] | None" = None
    _is_stopped: bool = False

    def __post_init__(self) -> None:
        """Create the loop, its clock and the bus."""
        loop = VirtualTimeLoop(self._between)
        self._clock = VirtualClock(loop, self.start)
        self._threads = InlineThreads()
        self._outside = OutsideThread(loop)
        self.cluster = MemoryCluster(milliseconds_of(self._clock), self.settings.home)
        self._runner = asyncio.Runner(loop_factory=lambda: loop)

    def play(self) -> None:
        """Run the members to their end.

        Raises:
            ArenaError: A member failed, or another than the first one ended.
            Deadlock: All members wait for each other.
            Stopped: `on_round` asked to stop.
        """
        before = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            self._runner.run(self._play())
        except asyncio.CancelledError:
            if not self._is_stopped:
                raise
            raise Stopped from None
        finally:
            gc.set_threshold(*before)

    def export(
        self, folder: Path, names: Sequence[str], progress: Progress = no_progress
    ) -> Manifest:
        """Write the records of topics to a folder, as from a broker."""
        return self._runner.run(self._export(folder, names, progress))

    def close(self) -> None:
        """Close the loop, end calls of models, and remove the file with older records."""
        self._runner.close()
        self._outside.close()
        self.cluster.close()

    async def _play(self) -> None:
        self._main = asyncio.current_task()
        try:
            await run_members(
                self.members,
                self.settings,
                lambda _: self._bus(),
                self._clock,
                self._threads,
                outside=self._outside,
                seed=self.seed,
            )
        finally:
            self._main = None

    def _between(self) -> None:
        if self.on_round() and self._main is not None and not self._is_stopped:
            self._is_stopped = True
            self._main.cancel()

    def _bus(self) -> Bus:
        return MemoryBus(self.cluster, self._clock, self._threads)

    async def _export(self, folder: Path, names: Sequence[str], progress: Progress) -> Manifest:
        bus = self._bus()
        await bus.start()
        await bus.ensure_topics([topics.spec_of(name) for name in names])
        found = await with_shadow_inboxes(bus, await without_missing_inboxes(bus, names))
        return await export_topics(
            bus, folder, found, prefix=self.settings.prefix, progress=progress
        )
