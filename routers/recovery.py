"""Where an agent stood: its newest records of `agent.turns`, read backwards in growing chunks.

Reads the agent's partition of `agent.turns`, writes nothing.
"""

from collections.abc import Iterator

from arena import topics
from arena.bus.base import EARLIEST, LogReader
from arena.errors import BrokerUnavailable
from arena.messages import Message
from arena.node import Node
from routers.memory import TURNS_REMEMBERED, History, fold_history

CHUNKS = (200, 1_000, 3_000)
"""Records read back from the end, until all that the agent remembers is found."""
GROWTH = 4
"""Of the chunks behind the last one, where the history must be whole."""
READ_TIMEOUT_S = 30.0


async def read_history(node: Node, agent: str, *, whole: bool = False) -> History:
    """The history of an agent as far back as it matters.

    Args:
        node: Its bus is read.
        agent: Whose history.
        whole: Look beyond the last chunk too, down to the first record: the agent then remembers
            the same as a process that was there all the time.

    Raises:
        BrokerUnavailable: The records did not come in time.
    """
    topic = topics.TURNS.name
    partition = topics.partition_of(agent, await node.bus.partitions(topic))
    reader = await node.bus.partition_reader(topic, partition, EARLIEST)
    try:
        first = reader.position(topic, partition)
        end = (await reader.end_offsets())[(topic, partition)]
        history = History()
        for chunk in _chunks(whole=whole):
            begin = max(first, end - chunk)
            reader.seek(topic, partition, begin)
            found = await _read_until(node, reader, agent, partition, end)
            history = fold_history(agent, found)
            if len(history.lines) >= TURNS_REMEMBERED or begin == first:
                break
        return history
    finally:
        await reader.close()


def _chunks(*, whole: bool) -> Iterator[int]:
    yield from CHUNKS
    size = CHUNKS[-1]
    while whole:
        size *= GROWTH
        yield size


async def _read_until(
    node: Node, reader: LogReader, agent: str, partition: int, end: int
) -> list[Message]:
    topic = topics.TURNS.name
    deadline_s = node.clock.monotonic() + READ_TIMEOUT_S
    found: list[Message] = []
    while reader.position(topic, partition) < end:
        records = await reader.read(timeout_s=0.5)
        for record in records:
            if record.offset < end and record.key_text == agent:
                message = await node.read_message(record)
                if message is not None:
                    found.append(message)
        if not records and node.clock.monotonic() > deadline_s:
            raise BrokerUnavailable(
                f"{topic}[{partition}] gave no record for {READ_TIMEOUT_S:g} s before its end {end}"
            )
    return found
