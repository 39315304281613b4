"""The tail of a topic: what was published last, whoever published it."""

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
"""Read besides the snapshots that are looked for: room for what is no snapshot."""
GROWTH: Final = 4
"""Of what is read back next, if that was not room enough."""
LOOK_BACK_MAX: Final = 10_000
"""Records that are read back at most, beside the snapshots that are looked for."""
BATCH_MAX: Final = 500


async def snapshots_back(node: Node, venue: str, count: int) -> tuple[list[MarketSnapshot], int]:
    """The newest snapshots of a venue in the log, oldest first, and the offset of the next.

    Args:
        node: The process.
        venue: Whose.
        count: How many are looked for.

    Raises:
        BrokerUnavailable: They did not come in time.
        UsageError: Too many other records are in their place.
    """
    name = topics.SNAPSHOTS.name
    pair = name, partition_of(venue, await node.bus.partitions(name))
    reader = await node.bus.partition_reader(*pair, EARLIEST)
    found: list[MarketSnapshot] = []
    try:
        # While the arena was stopped its retention may have deleted some, or all.
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
    """The newest snapshots between a reader's place and an offset, at most `count`.

    What cannot be read is passed over: those who follow the topic bury it when it comes.
    """
    found: deque[MarketSnapshot] = deque(maxlen=count)
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            while (place := reader.position(*pair)) < until:
                batch = min(BATCH_MAX, until - place)
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


async def holds_from_the_first(node: Node, venue: str) -> bool:
    """True if no snapshot of a venue's partition was deleted: it begins at offset 0."""
    name = topics.SNAPSHOTS.name
    partition = partition_of(venue, await node.bus.partitions(name))
    reader = await node.bus.partition_reader(name, partition, EARLIEST)
    try:
        return reader.position(name, partition) == 0
    finally:
        await reader.close()


async def read_to_end(reader: LogReader) -> list[Record]:
    """Everything between a reader's place and the present end of its partitions.

    Raises:
        BrokerUnavailable: It did not come in time.
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
