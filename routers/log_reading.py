"""Reads one partition up to an offset, with a deadline. Writes nothing."""

from collections.abc import AsyncIterator

from arena.bus.base import LogReader, Record
from arena.errors import BrokerUnavailable
from arena.node import Node

READ_TIMEOUT_S = 30.0
POLL_S = 0.5


async def records_until(
    node: Node, reader: LogReader, topic: str, partition: int, end: int
) -> AsyncIterator[Record]:
    """The records of a partition from the reader's position to before an offset.

    Args:
        node: Its clock measures the deadline.
        reader: A reader of this partition.
        topic: The topic.
        partition: The partition.
        end: The offset to stop at.

    Raises:
        BrokerUnavailable: The records did not come in `READ_TIMEOUT_S`.
    """
    deadline_s = node.clock.monotonic() + READ_TIMEOUT_S
    while reader.position(topic, partition) < end:
        records = await reader.read(timeout_s=POLL_S)
        for record in records:
            if record.offset < end:
                yield record
        if not records and node.clock.monotonic() > deadline_s:
            raise BrokerUnavailable(
                f"{topic}[{partition}] gave no record for {READ_TIMEOUT_S:g} s before its end {end}"
            )
