"""Reads the newest snapshots of a venue back from the log, whichever process published them."""

import asyncio
from collections import deque
from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record
from arena.errors import BrokerUnavailable, Malformed, UsageError
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.topics import partition_of

READ_TIMEOUT_S: Final = 30.0
SNAPSHOTS_BACK: Final = 16
"""Records read in addition to the wanted snapshots: room for records that are not snapshots."""
GROWTH: Final = 4
"""Factor by which the next read back is longer, if that was not enough."""
LOOK_BACK_MAX: Final = 10_000
"""Most records that are read back in addition to the wanted snapshots."""
BATCH_MAX: Final = 500


async def newest_snapshots(node: Node, venue: str, count: int) -> tuple[list[MarketSnapshot], int]:
    """Return the newest snapshots of a venue in the log, oldest first, and the log's end offset.

    Args:
        node: The process; its bus is read.
        venue: Name of the venue.
        count: Number of snapshots wanted.

    Raises:
        BrokerUnavailable: They could not be read within `READ_TIMEOUT_S`.
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
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            while (position := reader.position(*pair)) < until:
                batch = min(BATCH_MAX, until - position)
                for record in await reader.read(timeout_s=0.2, max_records=batch):
                    try:
                        message = record.message() if record.offset < until else None
                    except Malformed:
                        node.counters["unreadable_backlog"] += 1
                        continue
                    if isinstance(message, MarketSnapshot) and message.venue == venue:
                        found.append(message)
    except TimeoutError:
        raise BrokerUnavailable(f"the log was not read in {READ_TIMEOUT_S:.0f} s") from None
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


async def read_to_end(reader: LogReader) -> list[Record]:
    """Read from a reader's positions to the present ends of its partitions.

    Raises:
        BrokerUnavailable: The ends were not reached within `READ_TIMEOUT_S`.
    """
    ends = await reader.end_offsets()
    records: list[Record] = []
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            while any(reader.position(*pair) < end for pair, end in ends.items()):
                records += await reader.read(timeout_s=0.2)
    except TimeoutError:
        raise BrokerUnavailable(f"the log was not read in {READ_TIMEOUT_S:.0f} s") from None
    return records
