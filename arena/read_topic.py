"""Reads a topic from its first record to its current end, for state that is read once."""

from collections.abc import Callable

from arena.bus.base import Bus, Record
from arena.errors import BrokerUnavailable
from arena.topics import TopicSpec

READ_TIMEOUT_S = 1.0
STALL_READS = 20
"""Limit of empty reads in a row from a topic that has more records."""


async def read_whole(bus: Bus, spec: TopicSpec, take: Callable[[Record], object]) -> None:
    """Call a function with every record of a topic, oldest first within a partition.

    Args:
        bus: The bus.
        spec: The topic, which is created if it does not exist.
        take: Called with each record; records that are appended meanwhile may be included.

    Raises:
        BrokerUnavailable: The reader receives nothing before the end of the topic.
    """
    await bus.ensure_topics([spec])
    reader = await bus.log_reader(spec.name)
    try:
        ends, idle = await reader.end_offsets(), 0
        while True:
            left = [pair for pair, end in ends.items() if reader.position(*pair) < end]
            if not left:
                return
            records = await reader.read(timeout_s=READ_TIMEOUT_S)
            idle = 0 if records else idle + 1
            if idle == STALL_READS:
                topic, number = left[0]
                raise BrokerUnavailable(
                    f"{topic}[{number}] gave no record after offset {reader.position(*left[0])},"
                    f" but ends at {ends[left[0]]}",
                    remedy="check that all brokers run (`arena broker status`), then try again",
                )
            for record in records:
                take(record)
    finally:
        await reader.close()
