"""Reading the topics into the view: two readers, so a flood of prices delays no trade.

Reads every topic of `dashboard.view.WINDOWS` from where its window begins, and `market.tickers`
of the last ten minutes. Writes nothing: no heartbeat, no commit, no dead letter. Topics that are
not there yet are created, so that a dashboard may be started first.
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

Ends = dict[tuple[str, int], int]
"""Topic and partition -> the offset behind its last record."""


class Feeds:
    """Follows the topics and keeps the view up to date.

    Attributes:
        view: What is folded. changed: set after every batch.
        silent_since: Monotonic time since when the broker gave no answer; None while it does.
    """

    def __init__(self, bus: Bus, clock: Clock, view: ArenaView) -> None:
        """Remember where to read from; nothing is read yet."""
        self._bus = bus
        self._clock = clock
        self.view = view
        self.changed = asyncio.Event()
        self.to_read = 0
        self.silent_since: float | None = None
        self._readers: list[LogReader] = []
        self._ends: list[Ends] = []
        self._newest_ends: list[Ends] = []
        self._unfolded = 0

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
        self._newest_ends = self._ends
        self.to_read = self.left

    async def close(self) -> None:
        """Stop reading."""
        for reader in self._readers:
            await reader.close()
        self._readers.clear()

    @property
    def left(self) -> int:
        """Records not yet read of those that were there when the reading began."""
        return self._short_of(self._ends) + self._unfolded

    def _short_of(self, ends_of_all: list[Ends]) -> int:
        return sum(
            max(0, end - reader.position(topic, partition))
            for reader, ends in zip(self._readers, ends_of_all, strict=True)
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
            behind=self._short_of(self._newest_ends),
            silent_s=None if since is None else self._clock.monotonic() - since,
        )

    async def follow(self) -> None:
        """Read until cancelled."""
        work = [*(self._follow(reader) for reader in self._readers), self._ask()]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, reader: LogReader) -> None:
        while True:
            records = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=RECORDS_PER_READ)
            self._unfolded += len(records)
            began = time.perf_counter()
            for record in records:
                self.view.apply(record)
                self._unfolded -= 1
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
                    self._newest_ends = [await r.end_offsets() for r in self._readers]
                self.silent_since = None
            except (TimeoutError, OSError, RuntimeError):  # every Kafka error is a RuntimeError
                if self.silent_since is None:
                    self.silent_since = self._clock.monotonic()
            await self._clock.sleep(ASK_EVERY_S)
