"""Follows `market.candles` for the tools that use candles.

Starts at most `READ_BACK_MAX` records per product before the end, and keeps a bounded number of
them. Reads `market.snapshots` for the names of the indicators in the newest snapshot.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, Bus, LogReader, Record
from arena.messages import ClosedCandle, MarketSnapshot
from arena.read_topic import read_backwards, read_list
from trading_tools.candle_store import KEPT, CandleStore, CandleView

CANDLES: Final = topics.CANDLES.name
SNAPSHOTS: Final = topics.SNAPSHOTS.name
CHUNK: Final = 2_000
READ_BACK_MAX: Final = 2 * KEPT
"""Most records per known product that are read at the start, of each partition."""
SNAPSHOTS_BACK: Final = 16
SHOWN_S: Final = 60.0
READ_TIMEOUT_S: Final = 0.5


class CandleFollower:
    """The candles of the tool server.

    Args:
        bus: The bus; it must be started.
    """

    def __init__(self, bus: Bus) -> None:
        """Create the follower; nothing is read before `run`."""
        self._bus = bus
        self._store = CandleStore()
        self._positions: dict[int, int] = {}
        self._changed = asyncio.Condition()
        self._shown: dict[str, tuple[str, ...]] = {}
        self._shown_until_s = -1.0

    async def run(self) -> None:
        """Read what is kept, then follow until cancelled."""
        reader = await self._bus.log_reader(CANDLES)
        try:
            await self._load(reader)
            while True:
                await self._note(reader)
                records = await reader.read(timeout_s=READ_TIMEOUT_S)
                for record in records:
                    self._take(record)
        finally:
            await reader.close()

    async def load(self) -> None:
        """Read what is kept, up to the present end of the log, and follow nothing."""
        reader = await self._bus.log_reader(CANDLES)
        try:
            await self._load(reader)
            await self._note(reader)
        finally:
            await reader.close()

    async def view(self, offsets: Mapping[int, int]) -> CandleView:
        """The candles of a snapshot, once the log was read up to there.

        Args:
            offsets: `MarketSnapshot.candle_offsets`; empty for all that was read.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._has(offsets))
        return self._store.view(offsets)

    async def shown(self) -> dict[str, tuple[str, ...]]:
        """Granularity -> names of the values in snapshots; empty before the first.

        The newest snapshot is read, at most every `SHOWN_S`: the set changes only if a connector is
        started with another one.
        """
        now_s = self._bus.clock.monotonic()
        if not self._shown or now_s >= self._shown_until_s:
            self._shown, self._shown_until_s = await self._newest_names(), now_s + SHOWN_S
        return self._shown

    async def _newest_names(self) -> dict[str, tuple[str, ...]]:
        reader = await self._bus.log_reader(SNAPSHOTS)
        try:
            ends = await reader.end_offsets()
            for pair, end in ends.items():
                reader.seek(*pair, max(reader.position(*pair), end - SNAPSHOTS_BACK))
            records = await read_list(reader, ends)
        finally:
            await reader.close()
        messages = (record.message_or_none() for record in reversed(records))
        newest = next((m for m in messages if isinstance(m, MarketSnapshot)), None)
        found: dict[str, tuple[str, ...]] = {}
        for product in newest.products if newest is not None else ():
            for granularity, window in product.indicators.items():
                found.setdefault(granularity, tuple(window.values))
        return found

    def _has(self, offsets: Mapping[int, int]) -> bool:
        if not self._positions:
            return False
        return all(self._positions.get(p, 0) >= offset for p, offset in offsets.items())

    async def _note(self, reader: LogReader) -> None:
        """Wake the calls that wait for what was read."""
        ends = {p: reader.position(CANDLES, p) for p in range(await self._bus.partitions(CANDLES))}
        if ends != self._positions:
            async with self._changed:
                self._positions = ends
                self._changed.notify_all()

    def _take(self, record: Record) -> None:
        message = record.message_or_none()
        if isinstance(message, ClosedCandle):
            self._store.add(record.partition, record.offset, message)

    async def _load(self, reader: LogReader) -> None:
        """Read each partition backwards, until every product has enough records."""
        for pair, end in (await reader.end_offsets()).items():
            await self._load_partition(pair, end)
            reader.seek(*pair, end)

    async def _load_partition(self, pair: tuple[str, int], end: int) -> None:
        reader = await self._bus.partition_reader(*pair, EARLIEST)
        partition, read = pair[1], 0
        try:
            async with aclosing(read_backwards(reader, pair, end, chunk=CHUNK)) as chunks:
                async for records in chunks:
                    found = [(record.offset, record.message_or_none()) for record in records]
                    older = [(at, m) for at, m in found if isinstance(m, ClosedCandle)]
                    self._store.add_older(partition, older)
                    read += len(records)
                    most = READ_BACK_MAX * max(1, len(self._store.products()))
                    if self._store.is_full(partition) or read >= most:
                        break
        finally:
            await reader.close()
