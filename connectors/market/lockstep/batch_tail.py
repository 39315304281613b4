"""Reads the end of a topic: what follows the batch of the newest snapshot."""

from arena.node import Node
from arena.read_topic import read_list


async def batch_tail(
    node: Node, topic: str, offsets: dict[int, int]
) -> tuple[dict[int, list[bytes]], dict[int, int]]:
    """Read what is in a topic after a snapshot's batch.

    Args:
        node: Its bus is read.
        topic: `market.tickers` or `market.candles`.
        offsets: Partition -> the offset after the batch; 0 for a partition without one.

    Returns:
        Partition -> values from its offset on, and partition -> the offset they start at: the one
        that was given, or the end of a log that does not reach it.
    """
    reader = await node.bus.log_reader(topic)
    try:
        ends = {partition: end for (_, partition), end in (await reader.end_offsets()).items()}
        starts = {p: min(offsets.get(p, 0), end) for p, end in ends.items()}
        for partition, start in starts.items():
            reader.seek(topic, partition, max(start, reader.position(topic, partition)))
        found: dict[int, list[bytes]] = {p: [] for p in ends}
        for record in await read_list(reader):
            found[record.partition].append(record.value or b"")
        return found, starts
    finally:
        await reader.close()
