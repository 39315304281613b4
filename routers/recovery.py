"""Where an agent stood: its newest records of `agent.turns`, read backwards in growing chunks.

Reads the agent's partition of `agent.turns`, and those in which its records were before the topic
was given more; writes nothing.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from arena import topics
from arena.bus.base import EARLIEST, LogReader
from arena.errors import BrokerUnavailable
from arena.messages import Message, Turn, TurnStarted
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
    counts = await node.bus.partitions_now(topics.TURNS.name)
    readers = [
        await node.bus.partition_reader(topics.TURNS.name, partition, EARLIEST)
        for partition in partitions_of(agent, counts)
    ]
    try:
        tails = [await _Tail.of(node, agent, reader) for reader in readers]
        history = History()
        for chunk in _chunks(whole=whole):
            found = [await tail.read(chunk) for tail in tails]
            history = fold_history(agent, merge(found))
            history.whole = all(chunk >= tail.records for tail in tails)
            if len(history.lines) >= TURNS_REMEMBERED or history.whole:
                break
        return history
    finally:
        for reader in readers:
            await reader.close()


def partitions_of(agent: str, count: int) -> list[int]:
    """Partitions that may hold records of an agent, its oldest ones first.

    Args:
        agent: The key of its records.
        count: Partitions that the topic has; more than the table says where it was given some.
    """
    counts = range(min(topics.TURNS.partitions, count), count + 1)
    return list(dict.fromkeys(topics.partition_of(agent, n) for n in counts))


def merge(partitions: Sequence[Sequence[Turn | TurnStarted]]) -> Iterator[Turn | TurnStarted]:
    """Records of several partitions by venue time; those of one stay in their order."""
    return heapq.merge(*partitions, key=lambda record: record.as_of)


def turns_gone(history: History, answered: int) -> str:
    """What is lost of an agent's turns, in words; "" where nothing is known to be.

    Args:
        history: Folded to the end of the log.
        answered: Offset in `market.snapshots` up to which the agent's group has committed: the
            turn on it had ended, and was in the log. -1 where nothing is known.
    """
    last, open_turn = history.last_offset, history.open_turn
    if answered < 0 or (last < 0 and not history.whole):
        return ""
    if last >= answered and (open_turn is None or open_turn.snapshot_offset != answered):
        return ""  # a frozen router may write the start of an older turn late
    known = f"the newest it holds is on offset {last}" if last < answered else "its end is gone"
    return (
        f"the turn on offset {answered} of {topics.SNAPSHOTS.name} was answered, and {known}: the"
        " log was cut, or created again; what was ordered counts as it was decided, and the agent"
        " does not remember the turns that are gone"
    )


@dataclass(frozen=True, slots=True)
class _Tail:
    """The end of a partition.

    Attributes:
        first: Its first offset. end: behind its last record.
    """

    node: Node
    agent: str
    reader: LogReader
    partition: int
    first: int
    end: int

    @classmethod
    async def of(cls, node: Node, agent: str, reader: LogReader) -> "_Tail":
        """The tail behind a reader of one partition, which was just opened at its beginning."""
        (((topic, partition), end),) = (await reader.end_offsets()).items()
        return cls(node, agent, reader, partition, reader.position(topic, partition), end)

    @property
    def records(self) -> int:
        """How many records there are."""
        return self.end - self.first

    async def read(self, chunk: int) -> list[Turn | TurnStarted]:
        """The agent's records among the newest `chunk` ones."""
        self.reader.seek(topics.TURNS.name, self.partition, max(self.first, self.end - chunk))
        found = await _read_until(self.node, self.reader, self.agent, self.partition, self.end)
        return [record for record in found if isinstance(record, Turn | TurnStarted)]


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
