"""Simulated brokers: logs with a committed part, appends on their way, changes of leaders.

What Kafka promises is promised here, and nothing more:

* A record is acked when it is committed, and what was committed stays, at its offset. Readers see
  only committed records.
* A new leader may lack records that were not committed. A producer that still lives sends them
  again, in order; one that died does not, and then they are gone.
* A producer is idempotent: a record whose ack was lost is sent again and recognized, never doubled.
* What a process sent before it died may still arrive, or not.
* Nothing stops a process that was replaced from appending.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from arena.bus.base import BROKER_TIME, AppendAck, Record, plain_headers
from arena.errors import BrokerUnavailable
from arena.topics import TopicSpec
from arena.wire import Headers
from operations.simulation.network import QUIET, Draws, Network

if TYPE_CHECKING:
    from operations.simulation.bus import SimulatedBus
    from operations.simulation.groups import Group

Pair = tuple[str, int]
"""Topic and partition."""
WORLD = Context()
"""The context of what happens outside of the processes."""


class SimulatedAck(NamedTuple):
    """The ack of an append."""

    partition: int
    offset: int
    timestamp: int
    timestamp_type: int = BROKER_TIME


class Sent:
    """A record that a producer sent and that is not acked yet.

    Attributes:
        producer: The connection that sent it.
        acked: Resolves with its ack.
        lost: It never arrives: its producer died before.
    """

    __slots__ = ("acked", "headers", "key", "lost", "producer", "topic", "value")

    def __init__(
        self,
        producer: "SimulatedBus",
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Headers,
        acked: "asyncio.Future[AppendAck]",
    ) -> None:
        """Take the record."""
        self.producer = producer
        self.topic = topic
        self.key = key
        self.value = value
        self.headers = headers
        self.acked = acked
        self.lost = False


class Partition:
    """One partition on its leader.

    Attributes:
        log: Its records, also those that are not committed.
        end: The offset after its last committed record.
        has_leader: False during an election.
        waiting: Records that wait for a leader.
        readers: Called when more is committed.
    """

    def __init__(self, topic: str, number: int) -> None:
        """Start empty."""
        self.pair = (topic, number)
        self.log: list[Record] = []
        self.end = 0
        self.has_leader = True
        self.term = 0
        self.waiting: deque[Sent] = deque()
        self.readers: dict[int, Callable[[], None]] = {}
        self.unacked: deque[Sent] = deque()
        self.committed_at_s = 0.0


class SimulatedCluster:
    """Records that the processes of a simulation share.

    Args:
        clock_ms: Returns the brokers' time; Unix milliseconds.
        network: Delays between processes and brokers.
        random: The source of all draws; None for a fixed one.
        note: Called with what happens, for the trace: a kind, a place, and bytes.

    Attributes:
        appended: Number of records that arrived, also those that were lost later.
        acked: Topic, partition and offset -> the value that its producer got an ack for.
    """

    def __init__(
        self,
        clock_ms: Callable[[], int],
        network: Network = QUIET,
        random: Random | None = None,
        note: Callable[[str, str, bytes], None] | None = None,
    ) -> None:
        """Start without topics."""
        self.draws = Draws(network, random or Random(0))
        self.clock_ms = clock_ms
        self.partitions: dict[Pair, Partition] = {}
        self.counts: dict[str, int] = {}
        self.groups: dict[str, Group] = {}
        self.appended = 0
        self.acked: dict[tuple[str, int, int], bytes] = {}
        self.on_append: Callable[[], None] = lambda: None
        self._note = note
        self._arrivals: dict[tuple[int, Pair], float] = {}
        self._numbers = 0

    @property
    def logs(self) -> dict[Pair, list[Record]]:
        """The committed records of each partition."""
        return {pair: part.log[: part.end] for pair, part in self.partitions.items()}

    def create(self, spec: TopicSpec, partitions: int | None = None) -> None:
        """Create a topic if it does not exist."""
        if spec.name not in self.counts:
            count = partitions or spec.partitions
            for number in range(count):
                self.partitions[spec.name, number] = Partition(spec.name, number)
            self.counts[spec.name] = count

    def partition(self, topic: str, number: int) -> Partition:
        """A partition.

        Raises:
            BrokerUnavailable: It does not exist.
        """
        found = self.partitions.get((topic, number))
        if found is None:
            raise BrokerUnavailable(f"topic {topic} has no partition {number}")
        return found

    def new_number(self) -> int:
        """A number that nothing else has."""
        self._numbers += 1
        return self._numbers

    def note(self, kind: str, place: str, content: bytes = b"") -> None:
        """Add an event to the trace."""
        if self._note is not None:
            self._note(kind, place, content)

    # --- appends ---

    def send(self, pair: Pair, sent: Sent) -> None:
        """A producer sends a record; it arrives after those that it sent before."""
        part = self.partition(*pair)
        loop = asyncio.get_running_loop()
        now = loop.time()
        channel = (sent.producer.number, pair)
        at = max(now + self.draws.latency(), sent.producer.cut_until_s)
        at = max(at, self._arrivals.get(channel, 0.0))
        sent.producer.on_their_way[sent] = None
        if at <= now:
            self._arrive(part, sent)
            return
        # A later record of the channel must not arrive at the same time: steps have no order.
        self._arrivals[channel] = at + 1e-6
        loop.call_at(at, self._arrive, part, sent, context=WORLD)

    def _arrive(self, part: Partition, sent: Sent) -> None:
        sent.producer.on_their_way.pop(sent, None)
        if sent.lost:
            return
        if not part.has_leader or part.waiting:
            part.waiting.append(sent)
        else:
            self._append(part, sent)

    def _append(self, part: Partition, sent: Sent) -> None:
        topic, number = part.pair
        record = Record(
            topic,
            number,
            len(part.log),
            self.clock_ms(),
            sent.key,
            sent.value,
            plain_headers(sent.headers),
        )
        part.log.append(record)
        part.unacked.append(sent)
        self.appended += 1
        self.note("append", f"{topic}[{number}]@{record.offset}", sent.value)
        self._commit_later(part, len(part.log))
        self.on_append()

    def _commit_later(self, part: Partition, end: int) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        at = max(now + self.draws.latency(), part.committed_at_s)
        part.committed_at_s = at
        if at <= now:
            self._commit(part, end, part.term)
        else:
            loop.call_at(at, self._commit, part, end, part.term, context=WORLD)

    def _commit(self, part: Partition, end: int, term: int) -> None:
        if term != part.term or end <= part.end:
            return
        loop = asyncio.get_running_loop()
        for offset in range(part.end, end):
            sent = part.unacked.popleft()
            record = part.log[offset]
            ack = SimulatedAck(record.partition, offset, record.timestamp_ms)
            if sent.acked.done():
                continue
            delay = self.draws.latency() + self.draws.retry()
            delay = max(delay, sent.producer.cut_until_s - loop.time())
            if delay <= 0:
                self._ack(sent, ack)
            else:
                loop.call_later(delay, self._ack, sent, ack, context=WORLD)
        part.end = end
        for wake in list(part.readers.values()):
            wake()

    def _ack(self, sent: Sent, ack: SimulatedAck) -> None:
        """The ack reaches the producer, if it still lives."""
        if not sent.acked.done() and not sent.producer.is_dead:
            sent.acked.set_result(ack)
            self.acked[sent.topic, ack.partition, ack.offset] = sent.value

    def drop(self, producer: "SimulatedBus") -> None:
        """A producer died or closed: what is on its way arrives or not, and nothing is repeated."""
        cut = producer.cut_until_s > asyncio.get_running_loop().time()
        lost = cut or self.draws.share() < 0.5
        for sent in producer.on_their_way:
            sent.lost = sent.lost or lost
        for part in self.partitions.values():
            part.waiting = deque(s for s in part.waiting if s.producer is not producer)

    # --- leaders ---

    def change_leader(self, pair: Pair, election_s: float, *, keeps: bool) -> None:
        """The leader of a partition fails; after a while another one takes over.

        Args:
            pair: Topic and partition.
            election_s: Seconds without a leader.
            keeps: True if the new leader has the records that were not committed.
        """
        part = self.partitions[pair]
        part.term += 1
        part.has_leader = False
        self.note("leader", "{}[{}]".format(*pair), b"keeps" if keeps else b"cuts")
        if not keeps:
            del part.log[part.end :]
            again = [sent for sent in part.unacked if not sent.producer.is_dead]
            part.unacked.clear()
            part.waiting.extendleft(reversed(again))
        loop = asyncio.get_running_loop()
        loop.call_later(election_s, self._elect, part, part.term, context=WORLD)

    def _elect(self, part: Partition, term: int) -> None:
        if term != part.term:
            return
        part.has_leader = True
        if len(part.log) > part.end:
            self._commit_later(part, len(part.log))
        waiting, part.waiting = part.waiting, deque()
        for sent in waiting:
            if not sent.producer.is_dead:
                self._append(part, sent)
        for wake in list(part.readers.values()):
            wake()
