"""The tail of a topic: what was published last, whoever published it."""

import asyncio
from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record
from arena.errors import BrokerUnavailable
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.topics import partition_of

READ_TIMEOUT_S: Final = 30.0
SNAPSHOTS_BACK: Final = 16
"""Read besides the snapshots that are looked for: room for what is no snapshot."""
GROWTH: Final = 4
"""Of what is read back next, if that was not room enough."""


async def snapshots_back(node: Node, venue: str, count: int) -> tuple[list[MarketSnapshot], int]:
    """The newest snapshots of a venue in the log, oldest first, and the offset of the next.

    Args:
        node: The process.
        venue: Whose.
        count: How many are looked for.

    Raises:
        BrokerUnavailable: They did not come in time.
    """
    name = topics.SNAPSHOTS.name
    partition = partition_of(venue, await node.bus.partitions(name))
    reader = await node.bus.partition_reader(name, partition, EARLIEST)
    found: list[MarketSnapshot] = []
    try:
        # While the arena was stopped its retention may have deleted some, or all.
        first = reader.position(name, partition)
        end = until = (await reader.end_offsets())[name, partition]
        chunk = count + SNAPSHOTS_BACK
        while until > first and len(found) < count:
            begin = max(first, until - chunk)
            reader.seek(name, partition, begin)
            records = [r for r in await read_to_end(reader) if r.offset < until]
            messages = [await node.read_message(record) for record in records]
            found[:0] = [m for m in messages if isinstance(m, MarketSnapshot) and m.venue == venue]
            until, chunk = begin, chunk * GROWTH
        return found, end
    finally:
        await reader.close()


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
