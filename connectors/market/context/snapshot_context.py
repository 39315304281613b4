"""The context of the next snapshot, and the files that a connector publishes before its first.

Reads and writes `market.context`.
"""

from collections.abc import Collection, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

from arena import topics
from arena.bus.base import EARLIEST
from arena.context.visible import VisibleContext
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.read_topic import read_to_ends
from connectors.market.context.publisher import ContextPublisher, Market
from connectors.market.context.topic import ContextTopic


class SnapshotContext:
    """Gives the writer of snapshots what is visible.

    Args:
        node: The process.
        files: Files that are published before the first snapshot; items that are in the topic
            already are not published again.
    """

    def __init__(self, node: Node, files: Sequence[Path] = ()) -> None:
        """Take the process and the files."""
        self._node = node
        self._files = files
        self._topic = ContextTopic(node)
        self._published = not files

    async def at(
        self, as_of: datetime, product_ids: Collection[str], *, simulated: bool
    ) -> VisibleContext:
        """Read the topic to its end, and return what is visible at a venue time.

        Args:
            as_of: Venue time of the snapshot, later than that of the one before.
            product_ids: Products of the snapshot.
            simulated: True if the market is simulated or recorded.

        Raises:
            BrokerUnavailable: The log gives no records before its end.
        """
        await self.read(as_of, simulated=simulated)
        return self.visible(as_of, product_ids)

    async def read(self, venue_now: datetime, *, simulated: bool) -> None:
        """Read the topic to its end; publish the files before the first snapshot.

        Args:
            venue_now: Venue time: that of the first snapshot if there is none yet.
            simulated: True if the market is simulated or recorded.

        Raises:
            BrokerUnavailable: The log gives no records before its end.
        """
        if not self._published:
            first = await first_as_of(self._node) or venue_now
            await self.publish_files(Market(simulated, first))
        await self._topic.read()

    def visible(self, as_of: datetime, product_ids: Collection[str]) -> VisibleContext:
        """What is visible at a venue time, of what was read."""
        return VisibleContext(self._topic.book.visible(as_of, product_ids), self._topic.offsets)

    async def publish_files(self, market: Market) -> None:
        """Publish the files now.

        Raises:
            UsageError: A file cannot be read.
        """
        self._published = True
        await self._topic.read()
        publisher = ContextPublisher(self._node, self._topic)
        for path in self._files:
            await publisher.publish_file(path, market)

    async def close(self) -> None:
        """Stop reading."""
        await self._topic.close()


async def first_as_of(node: Node) -> datetime | None:
    """Venue time of the oldest snapshot in the log, or None if there is none."""
    reader = await node.bus.log_reader(topics.SNAPSHOTS.name, start=EARLIEST)
    try:
        async with aclosing(read_to_ends(reader, max_records=10)) as batches:
            async for records in batches:
                for record in records:
                    message = record.message_or_none()
                    if isinstance(message, MarketSnapshot):
                        return message.as_of
        return None
    finally:
        await reader.close()
