"""Appends batches of tickers and candles, and the snapshots made from them, at expected offsets.

Writes `market.tickers`, `market.candles` and `market.snapshots`; tracks their acknowledged ends.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from arena import topics
from arena.bus.base import AppendAck, Bus
from arena.errors import BrokenLog, Fenced
from arena.messages import MarketSnapshot, Message
from arena.topics import partition_of
from arena.wire import Encoded, encode
from connectors.market.lockstep.batch_prefix import already_appended


class BatchWriter:
    """Appends batches of keyed messages to one topic.

    Args:
        bus: The bus; it must be started.
        topic: Name of the topic.
        count: Called for each acknowledged record.

    Attributes:
        offsets: Partition -> offset after the last batch.
    """

    def __init__(self, bus: Bus, topic: str, count: Callable[[], None]) -> None:
        """Create a writer for an empty topic; call `resume` for any other."""
        self.offsets: dict[int, int] = {}
        self._bus = bus
        self._topic = topic
        self._count = count
        self._tails: Mapping[int, list[bytes]] = {}

    def resume(self, offsets: Mapping[int, int], tails: Mapping[int, list[bytes]]) -> None:
        """Continue after what is in the log.

        Args:
            offsets: Partition -> offset after the last snapshot's batch.
            tails: Partition -> values from there on: what a kill has left of the next batch.
        """
        self.offsets = dict(offsets)
        self._tails = tails

    async def append(self, messages: Iterable[tuple[str, Message]]) -> None:
        """Append keyed messages, except those that a killed run left there."""
        batches: dict[int, list[tuple[str, Encoded]]] = {}
        for key, message in messages:
            partition = partition_of(key, await self._bus.partitions(self._topic))
            batches.setdefault(partition, []).append((key, encode(message)))
        if not batches:
            return
        tails, self._tails = self._tails, {}
        futures: list[asyncio.Future[AppendAck]] = []
        for partition, batch in batches.items():
            tail = tails.get(partition, [])
            there = already_appended([it.value for _, it in batch], tail)
            self.offsets[partition] = self.offsets.get(partition, 0) + len(tail)
            for key, it in batch[there:]:
                sent = self._bus.send_bytes(
                    self._topic, it.value, key=key.encode(), partition=partition, headers=it.headers
                )
                futures.append(await sent)
        for future in futures:
            acked = await future
            self.offsets[acked.partition] = acked.offset + 1
            self._count()


class BatchPublisher:
    """The single writer of a replay's market.

    Args:
        bus: The bus; it must be started.
        counters: Gets `tickers`, which also counts the rules of products, and `candles`.

    Attributes:
        tickers: Writes `market.tickers`.
        candles: Writes `market.candles`.
    """

    def __init__(self, bus: Bus, counters: Counter[str]) -> None:
        """Create a publisher for an empty log; call `resume` for any other."""
        self.tickers = BatchWriter(bus, topics.TICKERS.name, lambda: _add_one(counters, "tickers"))
        self.candles = BatchWriter(bus, topics.CANDLES.name, lambda: _add_one(counters, "candles"))
        self._bus = bus
        self._next_snapshot = 0

    def resume(self, next_snapshot: int) -> None:
        """Continue at an offset of `market.snapshots`; the writers are resumed on their own."""
        self._next_snapshot = next_snapshot

    async def append_snapshot(self, snapshot: MarketSnapshot) -> None:
        """Append a snapshot after the last one.

        Raises:
            Fenced: Its offset is after the expected one: another process appends snapshots.
            BrokenLog: Its offset is before the expected one: the log lost its end.
        """
        acked = await self._bus.append(topics.SNAPSHOTS.name, snapshot, key=snapshot.venue)
        if acked.offset < self._next_snapshot:
            raise BrokenLog(
                f"a snapshot is at offset {acked.offset} instead of {self._next_snapshot}: the log"
                " was cut, or created again",
                remedy="start again: the replay continues after the newest snapshot that is left",
            )
        if acked.offset != self._next_snapshot:
            raise Fenced(
                f"a snapshot is at offset {acked.offset} instead of {self._next_snapshot}: "
                "another process also publishes",
                remedy="run one `arena connector` per prefix",
            )
        self._next_snapshot = acked.offset + 1


def _add_one(counters: Counter[str], name: str) -> None:
    counters[name] += 1
