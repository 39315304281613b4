"""Reads a topic from its first record to where it ends now, for what is needed once, at a start."""

from collections.abc import Callable

from arena.bus.base import Bus, Record
from arena.errors import BrokerUnavailable
from arena.topics import TopicSpec

READ_TIMEOUT_S = 1.0
STALL_READS = 20
"""Empty reads in a row of a topic that has more records."""


async def read_whole(bus: Bus, spec: TopicSpec, take: Callable[[Record], object]) -> None:
    """Hand over every record of a topic, oldest first within a partition, and keep none.

    Args:
        bus: The topic is created if it does not exist.
        spec: Of the topic.
        take: Called with each record. What is written meanwhile may be among them.

    Raises:
        BrokerUnavailable: The topic gives nothing although it does not end here.
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
                    f"{topic}[{number}] gives nothing after offset {reader.position(*left[0])}, but"
                    f" ends at {ends[left[0]]}",
                    remedy="see whether all brokers run (`arena broker status`), then try again",
                )
            for record in records:
                take(record)
    finally:
        await reader.close()
