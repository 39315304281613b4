"""Restores an agent's history from its newest records in `agent.turns`, in growing chunks.

Reads the agent's partition of `agent.turns`, and the partitions that had its records before
partitions were added; writes nothing.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from arena import topics
from arena.bus.base import EARLIEST, LogReader
from arena.messages import Gates, SkippedSnapshots, Turn, TurnStarted
from arena.node import Node
from routers.gates import DAY, HOUR
from routers.log_reading import records_until
from routers.memory import TURNS_REMEMBERED, AgentHistory, fold_history

CHUNKS = (200, 1_000, 3_000)
"""How many records to read back from the end, until all that the agent remembers is found."""
TurnRecord = Turn | TurnStarted | SkippedSnapshots
GROWTH = 4
"""By how much each further chunk grows if the history must be complete."""


GATED_RECORDS_MAX = 200_000
"""Most records that are read back for what the gates of an agent need."""


async def read_history(
    node: Node, agent: str, *, complete: bool = False, gates: Gates | None = None
) -> AgentHistory:
    """Read the history of an agent as far back as it matters.

    Args:
        node: The process; its bus is read.
        agent: The agent.
        complete: Read on after the last chunk if needed, back to the first record: the agent then
            remembers the same as one whose process never stopped.
        gates: The agent's gates: what they need is read, too, up to `GATED_RECORDS_MAX` records.

    Raises:
        BrokerUnavailable: The records did not come in time.
    """
    counts = await node.bus.partitions_now(topics.TURNS.name)
    readers = [
        await node.bus.partition_reader(topics.TURNS.name, partition, EARLIEST)
        for partition in partitions_of(agent, counts)
    ]
    try:
        tails = [await _PartitionTail.of(node, agent, reader) for reader in readers]
        history = AgentHistory()
        for chunk in _chunks(complete=complete, gated=gates is not None):
            found = [await tail.read(chunk) for tail in tails]
            history = fold_history(agent, merge_by_time(found))
            history.complete = all(chunk >= tail.records for tail in tails)
            remembered = len(history.lines) >= TURNS_REMEMBERED and knows_gates(history, gates)
            if remembered or history.complete:
                break
        return history
    finally:
        for reader in readers:
            await reader.close()


def partitions_of(agent: str, count: int) -> list[int]:
    """Partitions that may hold records of an agent, those with the oldest records first.

    Args:
        agent: The key of its records.
        count: Partitions that the topic has now; `arena.topics` says how many it began with.
    """
    counts = range(min(topics.TURNS.partitions, count), count + 1)
    return list(dict.fromkeys(topics.partition_of(agent, n) for n in counts))


def merge_by_time(
    partitions: Sequence[Sequence[TurnRecord]],
) -> Iterator[TurnRecord]:
    """Merge the records of several partitions by venue time; each partition keeps its order."""
    return heapq.merge(*partitions, key=lambda record: record.as_of)


async def report_lost_turns(
    node: Node, agent: str, history: AgentHistory, committed: Mapping[tuple[str, int], int]
) -> None:
    """Report lost turns in the heartbeat, by the last snapshot whose turn was recorded.

    Args:
        node: The process.
        agent: The agent.
        history: Folded to the end of the log.
        committed: Topic and partition -> offset that the agent's group has committed.
    """
    answered = committed.get((topics.SNAPSHOTS.name, 0), 0) - 1
    if text := lost_turns_text(history, answered):
        name = topics.TURNS.name
        partition = topics.partition_of(agent, await node.bus.partitions(name))
        node.report_lost(name, partition, agent, text)


def lost_turns_text(history: AgentHistory, answered: int) -> str:
    """Describe which of an agent's turns are lost; "" if none are known to be.

    Args:
        history: Folded to the end of the log.
        answered: Offset in `market.snapshots` up to which the agent's group has committed: the
            turn on it had ended, and was in the log. -1 if unknown.
    """
    last, open_turn = history.covered, history.open_turn
    if answered < 0 or (last < 0 and not history.complete):
        return ""
    if last >= answered and (open_turn is None or open_turn.snapshot_offset != answered):
        return ""  # A frozen router may write the start of an older turn late.
    known = f"the newest it holds is on offset {last}" if last < answered else "its end is gone"
    return (
        f"the turn on offset {answered} of {topics.SNAPSHOTS.name} was answered, and {known}: the"
        " log was cut, or created again; what was ordered counts as it was decided, and the agent"
        " does not remember the turns that are gone"
    )


@dataclass(frozen=True, slots=True)
class _PartitionTail:
    """The newest records of a partition.

    Attributes:
        first: The partition's first offset.
        end: The offset after its last record.
    """

    node: Node
    agent: str
    reader: LogReader
    partition: int
    first: int
    end: int

    @classmethod
    async def of(cls, node: Node, agent: str, reader: LogReader) -> "_PartitionTail":
        """The tail of one partition, from a reader that was just opened at its beginning."""
        (((topic, partition), end),) = (await reader.end_offsets()).items()
        return cls(node, agent, reader, partition, reader.position(topic, partition), end)

    @property
    def records(self) -> int:
        """How many records the partition has."""
        return self.end - self.first

    async def read(self, chunk: int) -> list[TurnRecord]:
        """The agent's records among the newest `chunk` ones."""
        self.reader.seek(topics.TURNS.name, self.partition, max(self.first, self.end - chunk))
        found = []
        async for record in records_until(self.reader, topics.TURNS.name, self.partition, self.end):
            if record.key_text == self.agent:
                message = await self.node.read_message(record)
                if isinstance(message, TurnRecord):
                    found.append(message)
        return found


def knows_gates(history: AgentHistory, gates: Gates | None) -> bool:
    """True if the records that were read hold all that the gates need."""
    if gates is None:
        return True
    last = history.last_turn
    if last is None or history.last_started is None:
        return False
    if gates.decisions_max is not None and history.turns < gates.decisions_max:
        return False
    for most, window in ((gates.calls_per_hour_max, HOUR), (gates.calls_per_day_max, DAY)):
        if most is not None and (history.since is None or last.as_of - history.since < window):
            made = sum(one.calls for one in history.calls if last.as_of - one.as_of < window)
            if made < most:
                return False
    return True


def _chunks(*, complete: bool, gated: bool) -> Iterator[int]:
    yield from CHUNKS
    size = CHUNKS[-1]
    while complete or (gated and size < GATED_RECORDS_MAX):
        size *= GROWTH
        yield size
