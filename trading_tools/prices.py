"""Follows `market.tickers` into the executor's state of the market.

Reads `market.tickers` from `BACKLOG_S` before now, or from its beginning if the market may have
been still for longer. Of each batch only the newest record per product is decoded; market data that
is already replaced need not be read. An unreadable record replaces nothing; it is dead-lettered
when it comes, and skipped in the backlog of a start.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record, Start
from arena.errors import BrokerUnavailable, Malformed
from arena.node import Node
from trading_tools.quotes import MarketState

BACKLOG_S = 600
"""The newest price and listing of a live product are at most this old at a start."""
BATCH_MAX = 2_000
LOAD_TIMEOUT_S = 30.0
ASK_TIMEOUT_S = 2.0
"""How long to wait for the end offsets of the topic."""
TOPIC = topics.TICKERS.name


class PriceFeed:
    """Follows `market.tickers` into a `MarketState`.

    Attributes:
        market: The newest quotes and listings.
        watchers: Each is called with every batch of records, once the market has them.

    Args:
        node: Its bus is read, its counters count.
        whole: Read the topic from its beginning.
    """

    def __init__(self, node: Node, *, whole: bool = False) -> None:
        """Start with an empty market; `open` reads it."""
        self.market = MarketState()
        self.watchers: list[Callable[[Sequence[Record]], None]] = []
        self._whole = whole
        self._node = node
        self._reader: LogReader | None = None
        self._next: dict[int, int] = {}
        self._timed_out: dict[int, tuple[int, int]] = {}
        self._advanced = asyncio.Event()
        self._loaded = False

    async def open(self) -> None:
        """Read the backlog up to now.

        Raises:
            BrokerUnavailable: It did not come in time.
        """
        bus = self._node.bus
        since_ms = int((self._node.clock.now().timestamp() - BACKLOG_S) * 1000)
        start = EARLIEST if self._whole else Start.since(since_ms)
        self._reader = await bus.log_reader(TOPIC, start=start)
        partitions = range(await bus.partitions(TOPIC))
        self._next = {p: self._reader.position(TOPIC, p) for p in partitions}
        ends = await self._reader.end_offsets()
        try:
            async with self._node.clock.timeout(LOAD_TIMEOUT_S):
                while not self.covers({p: ends[TOPIC, p] for p in partitions}):
                    await self._read_once()
                self._loaded = True
        except TimeoutError:
            raise BrokerUnavailable(
                f"the backlog of {TOPIC} did not come in {LOAD_TIMEOUT_S:.0f} s"
            ) from None

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        while True:
            await self._read_once()

    def read_to(self) -> dict[int, int]:
        """Partition -> offset before which every record was read."""
        return dict(self._next)

    async def advanced(self) -> None:
        """Wait until further records were read."""
        await self._advanced.wait()

    def covers(self, offsets: Mapping[int, int]) -> bool:
        """True if everything before these offsets (partition -> offset) was read."""
        return all(self._next.get(p, -1) >= offset for p, offset in offsets.items())

    async def catch_up(self, offsets: Mapping[int, int], timeout_s: float) -> bool:
        """Wait until everything before these offsets was read.

        The end of the topic proves nothing: a new leader learns it late.

        Returns:
            False if it was not in time, or the topic has no such partition.
        """
        if not offsets.keys() <= self._next.keys():
            return False
        try:
            async with self._node.clock.timeout(timeout_s):
                while not self.covers(offsets):
                    await self._advanced.wait()
        except TimeoutError:
            return False
        return True

    def note_timeout(self, offsets: Mapping[int, int]) -> None:
        """Note that these offsets did not come in time, for `cannot_catch_up`."""
        for partition, offset in offsets.items():
            place = self._next.get(partition, 0)
            if place < offset:
                _, least = self._timed_out.get(partition, (place, offset))
                self._timed_out[partition] = place, min(least, offset)

    async def cannot_catch_up(self, offsets: Mapping[int, int]) -> bool:
        """True if waiting for these offsets, which are not all read, is useless.

        Either the topic has no such partition; or it ends before them, and an earlier wait timed
        out and the topic has not grown since, or has not reached the offsets of that wait.
        """
        if not offsets.keys() <= self._next.keys():
            return True
        for partition, (_, least) in list(self._timed_out.items()):
            if self._next[partition] >= least:
                del self._timed_out[partition]
        if not offsets.keys() & self._timed_out.keys():
            return False
        ends = await self._ends()
        for partition in offsets.keys() & self._timed_out.keys() & ends.keys():
            (place, least), end = self._timed_out[partition], ends[partition]
            if end < offsets[partition] and (end <= place or offsets[partition] >= least):
                return True
        return False

    async def is_too_short(self, offsets: Mapping[int, int]) -> bool:
        """True if the topic, according to the brokers, ends before these offsets."""
        ends = await self._ends()
        return any(ends[p] < offset for p, offset in offsets.items() if p in ends)

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def _ends(self) -> dict[int, int]:
        """Partition -> its end offset, according to the brokers; empty without an answer."""
        assert self._reader is not None, "the feed is not open"
        try:
            async with self._node.clock.timeout(ASK_TIMEOUT_S):
                ends = await self._reader.end_offsets()
        except (BrokerUnavailable, TimeoutError):
            return {}
        return {partition: end for (_, partition), end in ends.items()}

    async def _read_once(self) -> None:
        assert self._reader is not None, "the feed is not open"
        records = await self._reader.read(timeout_s=0.5, max_records=BATCH_MAX)
        for same in newest_first(records):
            for record in same:
                if await self._note(record):
                    break
        for watcher in self.watchers:
            watcher(records)
        # By the reader's position: the end marker of a transaction has an offset, but no record.
        places = {p: self._reader.position(TOPIC, p) for p in self._next}
        if places != self._next:
            self._next = places
            self._advanced.set()
            self._advanced = asyncio.Event()

    async def _note(self, record: Record) -> bool:
        """Apply one record; False if it cannot be read, and the record before it counts."""
        try:
            self.market.note(record.message(), record.partition, record.offset)
        except (Malformed, ArithmeticError) as error:
            await self._pass_over(record, str(error))
            return False
        return True

    async def _pass_over(self, record: Record, error: str) -> None:
        if self._loaded:
            await self._node.dead_letter(record, error)
        else:  # The executor of that time dead-lettered it when it came.
            self._node.counters["unreadable_backlog"] += 1


def newest_first(records: Iterable[Record]) -> list[list[Record]]:
    """Group records by key and type, newest first, ordered by the newest of each group.

    A key may have moved to another partition, whose offsets say nothing about the record's age.
    """
    found: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        found.setdefault((record.key, record.kind, record.partition), []).append(record)
    return sorted(
        (same[::-1] for same in found.values()),
        key=lambda same: (same[0].timestamp_ms, same[0].offset),
    )
