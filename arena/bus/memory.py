"""The bus in memory, for tests and for runs in one process: the same rooms without a broker.

It keeps every record, older ones in a file if a run is long, and behaves like Kafka in what rooms
can observe: contiguous offsets, one owner per partition in a group, commits that survive a reader.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from arena.bus.base import (
    BROKER_TIME,
    EARLIEST,
    AppendAck,
    Assignment,
    Bus,
    GroupReader,
    LogReader,
    Reader,
    ReaderPosition,
    Record,
    Start,
    plain_headers,
)
from arena.bus.commit_marks import CommitMark, why_not_resumable
from arena.bus.memory_cursor import MARKER, Logs, MemoryCursor, Waiters, first_offset
from arena.bus.memory_logs import MemoryRecord, SpilledLog, SpillFile
from arena.clock import Clock, SystemClock
from arena.errors import BrokerUnavailable
from arena.messages import Message
from arena.threads import Threads
from arena.topics import TopicSpec
from arena.wire import Headers

logger = logging.getLogger(__name__)

Watched = TypeVar("Watched", bound=Reader)


class MemoryAck(NamedTuple):
    """The ack of an append."""

    partition: int
    offset: int
    timestamp: int
    timestamp_type: int = BROKER_TIME


@dataclass
class _Group:
    members: list["MemoryGroupReader"] = field(default_factory=list)
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    handled: dict[tuple[str, int], Record] = field(default_factory=dict)


def milliseconds_of(clock: Clock) -> Callable[[], int]:
    """A function that returns the wall time of a clock; Unix milliseconds."""
    return lambda: int(clock.now().timestamp() * 1000)


class MemoryCluster:
    """Records that several `MemoryBus` share, as processes share a broker.

    Args:
        clock_ms: Returns the timestamp for a record, Unix milliseconds; None for system time.
        folder: Older records go to a temporary file in this folder (`arena.bus.memory_logs`);
            None to keep all in memory.

    Attributes:
        newest: The newest record.
    """

    def __init__(
        self, clock_ms: Callable[[], int] | None = None, folder: Path | None = None
    ) -> None:
        """Start without topics."""
        self.clock_ms = clock_ms or milliseconds_of(SystemClock())
        self._file = SpillFile(folder) if folder is not None else None
        self.logs: Logs = {}
        self.partitions: dict[str, int] = {}
        self.groups: dict[str, _Group] = defaultdict(_Group)
        self.waiters = Waiters()
        self.newest: MemoryRecord | None = None
        self._decoded: deque[MemoryRecord] = deque()

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]],
    ) -> MemoryAck:
        """Append one record and return its ack."""
        log, now_ms, plain = self._log(topic, partition), self.clock_ms(), plain_headers(headers)
        offset = len(log)
        record = MemoryRecord(topic, partition, offset, now_ms, key, value, plain)
        record.kept, self.newest = self._decoded, record
        log.append(record)
        self.waiters.wake((topic, partition))
        return MemoryAck(partition, offset, now_ms)

    def append_marker(self, topic: str, partition: int) -> None:
        """Append a transaction marker: readers skip its offset."""
        self._log(topic, partition).append(MARKER)

    def grow(self, topic: str, partitions: int) -> None:
        """Add partitions to a topic, or a topic; groups assign them at their next rebalance."""
        for p in range(self.partitions.get(topic, 0), partitions):
            self.logs[(topic, p)] = self.new_log(topic, p)
        self.partitions[topic] = partitions

    def new_log(self, topic: str, partition: int) -> MutableSequence[Record]:
        """The empty log of a new partition."""
        return SpilledLog(topic, partition, self._file, self._decoded) if self._file else []

    def close(self) -> None:
        """Remove the file with older records."""
        if self._file is not None:
            self._file.close()

    def _log(self, topic: str, partition: int) -> MutableSequence[Record]:
        log = self.logs.get((topic, partition))
        if log is None:
            raise BrokerUnavailable(f"topic {topic} has no partition {partition}")
        return log

    def rebalance(self, name: str) -> None:
        """Assign each partition of the group's topics to one member, by range."""
        group = self.groups[name]
        shares: dict[MemoryGroupReader, set[tuple[str, int]]] = {m: set() for m in group.members}
        for topic in {t for m in group.members for t in m.topics}:
            members = [m for m in group.members if topic in m.topics]
            count = self.partitions[topic]
            for p in range(count):
                shares[members[p * len(members) // count]].add((topic, p))
        for member, share in shares.items():
            member.assign(frozenset(share))


class MemoryBus(Bus):
    """A connection to a `MemoryCluster`.

    Args:
        cluster: The cluster to share; None for a new one, with the time of `clock`.
        clock: The clock of the process; None for the system's.
        threads: Runs blocking work of the process; None for threads of this process.
    """

    def __init__(
        self,
        cluster: MemoryCluster | None = None,
        clock: Clock | None = None,
        threads: Threads | None = None,
    ) -> None:
        """Take a cluster to share, or create a new one."""
        super().__init__()
        self.clock = clock or self.clock
        self.threads = threads or self.threads
        self.cluster = cluster or MemoryCluster(milliseconds_of(self.clock))

    async def start(self) -> None:
        """Create the future for failures."""
        self.failed = asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Do nothing: records in memory need no connection."""

    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Create missing topics."""
        for spec in specs:
            if spec.name not in self.cluster.partitions:
                self.cluster.grow(spec.name, spec.partitions)

    async def partitions(self, topic: str) -> int:
        """Number of partitions of an existing topic."""
        if topic not in self.cluster.partitions:
            raise BrokerUnavailable(f"no such topic: {topic}")
        return self.cluster.partitions[topic]

    async def existing_topics(self, topics: Iterable[str]) -> list[str]:
        """The given topics that exist."""
        return [topic for topic in topics if topic in self.cluster.partitions]

    async def send(
        self, topic: str, message: Message, *, key: str = "", partition: int | None = None
    ) -> "asyncio.Future[AppendAck]":
        """As `Bus.send`; the readers get this object, and nothing is decoded."""
        sent = await super().send(topic, message, key=key, partition=partition)
        if sent.done() and not sent.cancelled() and sent.exception() is None:
            record, acked = self.cluster.newest, sent.result()
            if record is not None and (record.topic, record.offset) == (topic, acked.offset):
                record.keep(message)
        return sent

    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[AppendAck]":
        """Append at once."""
        future: asyncio.Future[AppendAck] = asyncio.get_running_loop().create_future()
        acked = self.cluster.append(topic, partition, key, value, headers)
        self.note_acked(topic, partition, acked.offset)
        future.set_result(acked)
        return future

    async def log_reader(self, *topics: str, start: Start = EARLIEST) -> LogReader:
        """A reader of all partitions of the topics."""
        counts = await self.all_partitions_now(topics)
        pairs = [(t, p) for t in topics for p in range(counts[t])]
        return self._watched(MemoryLogReader(self.cluster, pairs, start, self.clock), counts)

    def _watched(self, reader: Watched, counts: dict[str, int]) -> Watched:
        reader.partition_counts = counts
        self.readers.add(reader)
        return reader

    async def partition_reader(self, topic: str, partition: int, start: Start) -> LogReader:
        """A reader of one partition."""
        return MemoryLogReader(self.cluster, [(topic, partition)], start, self.clock)

    async def group_reader(
        self,
        group: str,
        *topics: str,
        start: Start = EARLIEST,
        on_change: Callable[[Assignment], None] | None = None,
        old_group: str = "",
    ) -> GroupReader:
        """A member of a group; `old_group` is ignored, because memory has no older version."""
        counts = await self.all_partitions_now(topics)
        reader = MemoryGroupReader(
            self.cluster, self.clock, group, topics, start, on_change, self.note_lost
        )
        self.cluster.groups[group].members.append(reader)
        self.cluster.rebalance(group)
        return self._watched(reader, counts)


class MemoryLogReader(LogReader):
    """Reads logs of the cluster."""

    def __init__(
        self,
        cluster: MemoryCluster,
        pairs: list[tuple[str, int]],
        start: Start,
        clock: Clock | None = None,
    ) -> None:
        """Take the partitions, the start position and the clock; None for the system's."""
        self.clock = clock or self.clock
        self._cursor = MemoryCursor(cluster.logs, cluster.waiters)
        self._cursor.next = {pair: first_offset(cluster.logs, pair, start) for pair in pairs}

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records."""
        cursor = self._cursor
        await cursor.wait(lambda: cursor.next, timeout_s)
        cursor.prove(cursor.next)
        return cursor.take(list(cursor.next), max_records)

    def position(self, topic: str, partition: int) -> int:
        """The next offset of a partition."""
        return self._cursor.next[(topic, partition)]

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """End offsets of the logs."""
        return {pair: len(self._cursor.logs[pair]) for pair in self._cursor.next}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue at an offset."""
        self._cursor.next[(topic, partition)] = offset
        self._cursor.last.pop((topic, partition), None)

    async def close(self) -> None:
        """Mark the reader as closed."""
        self.closed = True


class MemoryGroupReader(GroupReader):
    """A member of a group in memory."""

    def __init__(
        self,
        cluster: MemoryCluster,
        clock: Clock,
        group: str,
        topics: tuple[str, ...],
        start: Start,
        on_change: Callable[[Assignment], None] | None,
        note_lost: Callable[[str, int, str, str], None],
    ) -> None:
        """Take the group and its topics; the cluster assigns partitions later."""
        self.topics = topics
        self._note_lost = note_lost
        self.clock = clock
        self._cluster = cluster
        self._cursor = MemoryCursor(cluster.logs, cluster.waiters)
        self._group = group
        self._start = start
        self._on_change = on_change
        self._assignment: Assignment = frozenset()
        self._paused: set[tuple[str, int]] = set()
        self.resumed = self._resumed = dict[tuple[str, int], int]()
        self.committed = self._committed = dict[tuple[str, int], int]()

    def assign(self, assignment: Assignment) -> None:
        """Take partitions at the group's committed offsets."""
        for pair in assignment - self._assignment:
            self._cursor.next[pair] = self._first(pair)
        changed = assignment != self._assignment
        self._assignment = assignment
        self._cursor.wake()
        if changed and self._on_change is not None:
            self._on_change(assignment)

    def _first(self, pair: tuple[str, int]) -> int:
        """The group's committed offset, if the log is the one that it handled."""
        cluster, group = self._cluster, self._cluster.groups[self._group]
        committed, log = group.committed.get(pair), cluster.logs[pair]
        self._resumed.pop(pair, None)
        self._committed.pop(pair, None)
        self._cursor.last.pop(pair, None)
        if committed is None:
            return first_offset(cluster.logs, pair, self._start)
        self._committed[pair] = committed
        record = group.handled.get(pair)
        handled, at = (CommitMark.of(record), record.offset) if record else (None, -1)
        now = CommitMark.of(log[at]) if 0 <= at < len(log) else None
        why = why_not_resumable(committed, 0, len(log), handled, now)
        if not why:
            self._resumed[pair] = committed
            return committed
        start = self._start if record is None else Start.since(record.timestamp_ms)
        first = first_offset(cluster.logs, pair, start)
        words = "group {} was at offset {} of {}[{}], but {}; it continues at offset {}".format(
            self._group, committed, *pair, why, first
        )
        logger.warning(words)
        self._note_lost(*pair, self._group, words)
        return first

    def _readable(self) -> list[tuple[str, int]]:
        return sorted(self._assignment - self._paused)

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 500) -> list[Record]:
        """The next records of assigned partitions that are not paused.

        Raises:
            BrokenLog: A log is not the one that was read.
        """
        cursor = self._cursor
        await cursor.wait(self._readable, timeout_s)
        cursor.prove(self._readable())
        return cursor.take(self._readable(), max_records)

    def assignment(self) -> Assignment:
        """The partitions that this member owns now."""
        return self._assignment

    async def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Store the offsets for the group."""
        group = self._cluster.groups[self._group]
        for pair, offset in offsets.items():
            if pair in self._assignment:
                group.committed[pair] = offset
                log = self._cursor.logs[pair]
                before = log[min(offset, len(log)) - 1] if log and offset else MARKER
                if before is not MARKER:
                    group.handled[pair] = before

    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Stop delivering from partitions."""
        self._paused |= set(partitions)

    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Deliver from partitions again."""
        self._paused -= set(partitions)
        self._cursor.wake()

    async def lag(self) -> int:
        """Number of records after the positions."""
        logs = self._cursor.logs
        return sum(len(logs[p]) - self._cursor.next[p] for p in self._assignment)

    async def positions(self) -> dict[tuple[str, int], ReaderPosition]:
        """Positions in the partitions that are not paused."""
        logs = self._cursor.logs
        return {p: ReaderPosition(self._cursor.next[p], len(logs[p])) for p in self._readable()}

    async def close(self) -> None:
        """Leave the group; its other members take over."""
        self.closed = True
        group = self._cluster.groups[self._group]
        group.members.remove(self)
        self._assignment = frozenset()
        self._cluster.rebalance(self._group)
