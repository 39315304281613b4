"""Reads what wakes an agent: fills outside its own turns, halts and resumes.

Reads the agent's partition of `account.events`, and `arena.control`, and only those that `wake_on`
asks for. Both are read to their ends before a decision, so in lock-step every run decides the same.
"""

from collections.abc import Sequence

from arena import ids, topics
from arena.bus.base import EARLIEST, LogReader, Record
from arena.messages import AskedFor, Gates, Halt, OrderDecided, Resume, TurnStarted
from arena.node import Node
from arena.read_topic import read_list
from routers.gates import WakeCause

CAUSES_MAX = 100
"""Most causes that are kept until the agent is asked; further ones change nothing."""


class WakeCauses:
    """Causes since the agent's last turn.

    Args:
        node: The process.
        agent: The agent.
        gates: Its gates.
    """

    def __init__(self, node: Node, agent: str, gates: Gates | None) -> None:
        """Create the reader; `restart` says where it begins."""
        self._node = node
        self._agent = agent
        wanted = () if gates is None else gates.wake_on
        self._wanted = frozenset(wanted)
        control = AskedFor.HALT in wanted or AskedFor.RESUME in wanted
        self._topics = [topics.EVENTS.name] if AskedFor.FILL in wanted else []
        self._topics += [topics.CONTROL.name] if control else []
        self._readers: dict[str, LogReader] = {}
        self._read_to: dict[str, int] = {}
        self._starts: dict[str, int] = {}
        self._at_start: set[str] = set()
        self._pending: list[WakeCause] = []

    def restart(self, last: TurnStarted | None) -> None:
        """Begin after what the last turn had read, or at the ends if there was none."""
        self._starts = {} if last is None else dict(last.read_to)
        self._at_start.clear()
        self._pending.clear()

    async def read(self) -> Sequence[WakeCause]:
        """The causes up to the ends of the topics, oldest first, since the last `take`."""
        for topic in self._topics:
            await self._read(topic)
        return tuple(self._pending)

    def take(self) -> dict[str, int]:
        """Forget the causes; returns topic -> offset up to which it was read."""
        self._pending.clear()
        return dict(self._read_to)

    async def close(self) -> None:
        """Close the readers."""
        for reader in self._readers.values():
            await reader.close()
        self._readers.clear()

    async def _read(self, topic: str) -> None:
        count = await self._node.bus.partitions(topic)
        partition = topics.partition_of(self._agent, count) if topic == topics.EVENTS.name else 0
        if topic not in self._readers:
            self._readers[topic] = await self._node.bus.partition_reader(topic, partition, EARLIEST)
        reader = self._readers[topic]
        if topic not in self._at_start:
            self._at_start.add(topic)
            end = (await reader.end_offsets())[(topic, partition)]
            reader.seek(topic, partition, min(self._starts.get(topic, end), end))
        for record in await read_list(reader):
            if (cause := self._cause_of(record)) and len(self._pending) < CAUSES_MAX:
                self._pending.append(cause)
        self._read_to[topic] = reader.position(topic, partition)

    def _cause_of(self, record: Record) -> WakeCause | None:
        message, reason = record.message_or_none(), None
        if isinstance(message, OrderDecided):
            moved = message.outcome in ("filled", "part_filled")
            filled = moved and message.agent == self._agent
            own = message.turn_id == ids.turn_id(self._agent, message.snapshot_id)
            reason = AskedFor.FILL if filled and not own else None
        elif isinstance(message, Halt | Resume) and message.agent in (None, self._agent):
            reason = AskedFor.HALT if isinstance(message, Halt) else AskedFor.RESUME
        if reason not in self._wanted:
            return None
        return WakeCause(str(reason), f"{record.topic}[{record.partition}]@{record.offset}")
