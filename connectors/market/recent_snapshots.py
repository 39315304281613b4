"""Reads the newest snapshots of a venue back from the log, whichever process published them."""

from collections import deque
from contextlib import aclosing
from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, LogReader
from arena.errors import Malformed, UsageError
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.read_topic import read_to_ends
from arena.topics import partition_of

SNAPSHOTS_BACK: Final = 16
"""Records read in addition to the wanted snapshots: room for records that are not snapshots."""
GROWTH: Final = 4
"""Factor by which the next read back is longer, if that was not enough."""
LOOK_BACK_MAX: Final = 10_000
"""Most records that are read back in addition to the wanted snapshots."""


async def newest_snapshots(node: Node, venue: str, count: int) -> tuple[list[MarketSnapshot], int]:
    """Return the newest snapshots of a venue in the log, oldest first, and the log's end offset.

    Args:
        node: The process; its bus is read.
        venue: Name of the venue.
        count: Number of snapshots wanted.

    Raises:
        BrokerUnavailable: The log gives no records before its end.
        UsageError: Too many of the newest records are not snapshots of the venue.
    """
    name = topics.SNAPSHOTS.name
    pair = name, partition_of(venue, await node.bus.partitions(name))
    reader = await node.bus.partition_reader(*pair, EARLIEST)
    found: list[MarketSnapshot] = []
    try:
        # Retention may have deleted some or all of them while the arena was stopped.
        first = reader.position(*pair)
        end = until = (await reader.end_offsets())[pair]
        furthest = max(first, end - count - LOOK_BACK_MAX)
        chunk = count + SNAPSHOTS_BACK
        while until > furthest and len(found) < count:
            begin = max(furthest, until - chunk)
            reader.seek(*pair, begin)
            found = [*await _newest_before(node, reader, pair, venue, until, count), *found]
            until, chunk = begin, chunk * GROWTH
        if len(found) < count and furthest > first:
            raise UsageError(
                f"the newest {end - furthest:,} records of {name} hold {len(found):,} snapshots of"
                f" {venue}, and {count:,} are needed to continue: another program writes there",
                remedy="stop it, and start a new arena under another ARENA_PREFIX",
            )
        return found[-count:], end
    finally:
        await reader.close()


async def _newest_before(
    node: Node, reader: LogReader, pair: tuple[str, int], venue: str, until: int, count: int
) -> deque[MarketSnapshot]:
    """The newest snapshots between a reader's position and an offset, at most `count`.

    Unreadable records are skipped: the processes that follow the topic write them to
    `dead_letters`.
    """
    found: deque[MarketSnapshot] = deque(maxlen=count)
    async with aclosing(read_to_ends(reader, {pair: until})) as batches:
        async for records in batches:
            for record in records:
                try:
                    message = record.message() if record.offset < until else None
                except Malformed:
                    node.counters["unreadable_backlog"] += 1
                    continue
                if isinstance(message, MarketSnapshot) and message.venue == venue:
                    found.append(message)
    return found


async def starts_at_offset_zero(node: Node, venue: str) -> bool:
    """True if no record of the venue's partition was deleted: it starts at offset 0."""
    name = topics.SNAPSHOTS.name
    partition = partition_of(venue, await node.bus.partitions(name))
    reader = await node.bus.partition_reader(name, partition, EARLIEST)
    try:
        return reader.position(name, partition) == 0
    finally:
        await reader.close()
