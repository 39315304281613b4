"""The bus of one simulated process: a connection to the simulated brokers."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from arena.bus.base import (
    EARLIEST,
    AppendAck,
    Assignment,
    Bus,
    GroupReader,
    LogReader,
    Start,
)
from arena.clock import Clock
from arena.error_causes import append_failed
from arena.errors import BrokerUnavailable
from arena.threads import Threads
from arena.topics import TopicSpec
from arena.wire import Headers
from operations.simulation.cluster import Pair, Sent, SimulatedCluster
from operations.simulation.groups import Group
from operations.simulation.readers import (
    SimulatedGroupReader,
    SimulatedLogReader,
    start_offsets,
)


class SimulatedBus(Bus):
    """A connection to a `SimulatedCluster`.

    Args:
        cluster: The brokers.
        clock: The clock of the process.
        threads: Runs blocking work of the process; None for threads of this process.

    Attributes:
        number: Tells it apart from other connections; also the id of its producer.
        is_dead: The process died, or closed the connection: nothing more happens on it.
        cut_until_s: Until when nothing gets through, by the loop's time.
        on_their_way: Records that were sent and have not arrived.
    """

    def __init__(
        self, cluster: SimulatedCluster, clock: Clock, threads: Threads | None = None
    ) -> None:
        """Take the brokers and what the process runs on."""
        super().__init__()
        self.cluster = cluster
        self.clock = clock
        self.threads = threads or self.threads
        self.number = cluster.new_number()
        self.is_dead = False
        self.cut_until_s = 0.0
        self.on_their_way: dict[Sent, None] = {}
        self._unacked: dict[asyncio.Future[AppendAck], None] = {}

    @property
    def is_cut(self) -> bool:
        """True while nothing gets through."""
        return self.cut_until_s > asyncio.get_running_loop().time()

    async def healed(self) -> None:
        """Return when the process is not cut off any more."""
        left_s = self.cut_until_s - asyncio.get_running_loop().time()
        if left_s > 0:
            await asyncio.sleep(left_s)

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: The process is cut off.
        """
        self.failed = asyncio.get_running_loop().create_future()
        await self._request()

    async def _request(self) -> None:
        """Wait for an answer of the brokers.

        Raises:
            BrokerUnavailable: The process is cut off for too long.
        """
        await asyncio.sleep(self.cluster.draws.latency())
        for _ in range(30):
            if not self.is_cut:
                return
            await asyncio.sleep(1.0)
        raise BrokerUnavailable("the broker did not answer")

    async def close(self) -> None:
        """Send what is buffered, wait for its acks, and disconnect."""
        if self._unacked and not self.is_dead:
            await asyncio.wait(list(self._unacked))
        self.die()

    def die(self) -> None:
        """Disconnect without waiting; the groups notice later, unless members left before."""
        if not self.is_dead:
            self.is_dead = True
            self.cluster.drop(self)

    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Create missing topics."""
        await self._request()
        for spec in specs:
            self.cluster.create(spec)

    async def partitions(self, topic: str) -> int:
        """Number of partitions of an existing topic."""
        if topic not in self.cluster.counts:
            raise BrokerUnavailable(f"no such topic: {topic}")
        return self.cluster.counts[topic]

    async def all_partitions_now(self, topics: Iterable[str]) -> dict[str, int]:
        """Number of partitions of topics, asked for in one request."""
        names = list(topics)
        await self._request()
        return {topic: await self.partitions(topic) for topic in names}

    async def existing_topics(self, topics: Iterable[str]) -> list[str]:
        """The given topics that exist."""
        names = list(topics)
        await self._request()
        return [topic for topic in names if topic in self.cluster.counts]

    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[AppendAck]":
        """Send one record; it is in the log, and acked, later."""
        assert self.failed is not None, "the bus is not started"
        if self.failed.done():
            raise append_failed("an earlier append failed", self.failed.result())
        if self.is_dead:
            raise BrokerUnavailable("the connection is closed")
        if self.cluster.draws.pauses():
            await asyncio.sleep(self.cluster.draws.latency())
        acked: asyncio.Future[AppendAck] = asyncio.get_running_loop().create_future()
        acked.add_done_callback(lambda done: self._note_ack(done, topic))
        self._unacked[acked] = None
        self.cluster.send((topic, partition), Sent(self, topic, key, value, headers, acked))
        return acked

    def _note_ack(self, done: "asyncio.Future[AppendAck]", topic: str) -> None:
        self._unacked.pop(done, None)
        if not done.cancelled() and done.exception() is None:
            ack = done.result()
            self.note_acked(topic, ack.partition, ack.offset)

    async def log_reader(self, *topics: str, start: Start = EARLIEST) -> LogReader:
        """A reader of all partitions of the topics."""
        counts = await self.all_partitions_now(topics)
        pairs = [(topic, number) for topic in topics for number in range(counts[topic])]
        reader = self._log_reader(pairs, start)
        reader.partition_counts = counts
        self.readers.add(reader)
        return reader

    async def partition_reader(self, topic: str, partition: int, start: Start) -> LogReader:
        """A reader of one partition."""
        await self._request()
        return self._log_reader([(topic, partition)], start)

    def _log_reader(self, pairs: list[Pair], start: Start) -> SimulatedLogReader:
        return SimulatedLogReader(self, start_offsets(self.cluster, pairs, start))

    async def group_reader(
        self,
        group: str,
        *topics: str,
        start: Start = EARLIEST,
        on_change: Callable[[Assignment], None] | None = None,
        old_group: str = "",
    ) -> GroupReader:
        """A member of a group; `old_group` is ignored, because nothing older was simulated."""
        counts = await self.all_partitions_now(topics)
        found = self.cluster.groups.get(group)
        if found is None:
            found = self.cluster.groups[group] = Group(self.cluster, group)
        reader = SimulatedGroupReader(self, found, topics, start, on_change)
        await reader.joined()
        reader.partition_counts = counts
        self.readers.add(reader)
        return reader
