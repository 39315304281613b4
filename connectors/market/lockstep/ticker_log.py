"""Reads the end of `market.tickers`: what follows the batch of the newest snapshot."""

from arena import topics
from arena.node import Node
from arena.read_topic import read_list


async def tickers_after(
    node: Node, offsets: dict[int, int]
) -> tuple[dict[int, list[bytes]], dict[int, int]]:
    """Read what is in `market.tickers` after a snapshot's batch.

    Args:
        node: Its bus is read.
        offsets: Partition -> the offset after the batch; 0 for a partition without one.

    Returns:
        Partition -> values from its offset on, and partition -> the offset they start at: the one
        that was given, or the end of a log that does not reach it.
    """
    name = topics.TICKERS.name
    reader = await node.bus.log_reader(name)
    try:
        ends = {partition: end for (_, partition), end in (await reader.end_offsets()).items()}
        starts = {p: min(offsets.get(p, 0), end) for p, end in ends.items()}
        for partition, start in starts.items():
            reader.seek(name, partition, max(start, reader.position(name, partition)))
        found: dict[int, list[bytes]] = {p: [] for p in ends}
        for record in await read_list(reader):
            found[record.partition].append(record.value or b"")
        return found, starts
    finally:
        await reader.close()
