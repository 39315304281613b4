"""Reads one partition up to an offset, record by record. Writes nothing."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from arena.bus.base import LogReader, Record
from arena.read_topic import read_to_ends

STALL_S = 30.0
"""Longest time without a record before the end."""


async def records_until(
    reader: LogReader, topic: str, partition: int, end: int
) -> AsyncIterator[Record]:
    """The records of a partition from the reader's position to before an offset.

    Args:
        reader: A reader of this partition.
        topic: The topic.
        partition: The partition.
        end: The offset to stop at.

    Raises:
        BrokerUnavailable: No record came for `STALL_S`.
    """
    batches = read_to_ends(reader, {(topic, partition): end}, stall_s=STALL_S)
    async with aclosing(batches):
        async for records in batches:
            for record in records:
                if record.offset < end:
                    yield record
