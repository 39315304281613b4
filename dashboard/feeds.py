"""Reading the topics into the view: two readers, so a flood of prices delays no trade.

Reads every topic of `dashboard.view.WINDOWS` from where its window begins, and `market.tickers`
of the last ten minutes. Writes nothing: no heartbeat, no commit, no dead letter.
"""

import asyncio
import time

from arena import topics
from arena.bus.base import Bus, LogReader, Start
from arena.clock import Clock
from dashboard.rows import Link
from dashboard.view import TICKERS_BACK_S, WINDOWS, ArenaView

READ_TIMEOUT_S = 0.5
RECORDS_PER_READ = 500
SLICE_S = 0.02
"""Longest time a batch is folded before other tasks get a turn."""
ASK_EVERY_S = 2.0
ASK_TIMEOUT_S = 4.0


class Feeds:
    """Follows the topics and keeps the view up to date.

    Attributes:
        view: What is folded. changed: set after every batch.
        behind: Records between this reader and the ends of the topics, as last asked.
        silent_since: Monotonic time since when the broker gave no answer; None while it does.
    """

    def __init__(self, bus: Bus, clock: Clock, view: ArenaView) -> None:
        """Remember where to read from; nothing is read yet."""
        self._bus = bus
        self._clock = clock
        self.view = view
        self.changed = asyncio.Event()
        self.behind = 0
        self.to_read = 0
        self.silent_since: float | None = None
        self._readers: list[LogReader] = []
        self._ends: list[dict[tuple[str, int], int]] = []

    async def open(self) -> None:
        """Go to where each window begins, and note the ends as they are now."""
        await self._bus.ensure_topics(topics.fixed_topics())
        since_ms = int((self._clock.now().timestamp() - TICKERS_BACK_S) * 1000)
        prices = await self._bus.log_reader(topics.TICKERS.name, start=Start.since(since_ms))
        self._readers.append(prices)
        log = await self._bus.log_reader(*WINDOWS)
        self._readers.append(log)
        for (topic, partition), end in (await log.end_offsets()).items():
            window = WINDOWS[topic]
            if window is not None and end - window > log.position(topic, partition):
                log.seek(topic, partition, end - window)
        self._ends = [await reader.end_offsets() for reader in self._readers]
        self.to_read = self.behind = self.left

    async def close(self) -> None:
        """Stop reading."""
        for reader in self._readers:
            await reader.close()
        self._readers.clear()

    @property
    def left(self) -> int:
        """Records not yet read of those that were there when the reading began."""
        return sum(
            max(0, end - reader.position(topic, partition))
            for reader, ends in zip(self._readers, self._ends, strict=True)
            for (topic, partition), end in ends.items()
        )

    @property
    def caught_up(self) -> bool:
        """True when everything was read that was there when the reading began."""
        return self.left == 0

    def link(self) -> Link:
        """How the reading goes, for the header of the screen."""
        left, since = self.left, self.silent_since
        return Link(
            read_share=1 - left / self.to_read if left else None,
            behind=self.behind,
            silent_s=None if since is None else self._clock.monotonic() - since,
        )

    async def follow(self) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reader in self._readers:
                group.create_task(self._follow(reader))
            group.create_task(self._ask())

    async def _follow(self, reader: LogReader) -> None:
        while True:
            records = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=RECORDS_PER_READ)
            began = time.perf_counter()
            for record in records:
                self.view.apply(record)
                if time.perf_counter() - began > SLICE_S:
                    await asyncio.sleep(0)
                    began = time.perf_counter()
            if records:
                self.changed.set()

    async def _ask(self) -> None:
        """Ask for the ends of the logs: whether the broker answers, and how far behind we are."""
        while True:
            try:
                async with asyncio.timeout(ASK_TIMEOUT_S):
                    self.behind = sum([await reader.behind() for reader in self._readers])
                self.silent_since = None
            except (TimeoutError, OSError, RuntimeError):  # every Kafka error is a RuntimeError
                if self.silent_since is None:
                    self.silent_since = self._clock.monotonic()
            await self._clock.sleep(ASK_EVERY_S)
