"""The interface of a bus: `KafkaBus` for the arena, `MemoryBus` for tests and one-process runs.

Names of topics and groups are always without the arena's prefix; the bus adds and removes it.
There are two ways to read. A `LogReader` has fixed partitions and keeps its own offsets (accounts,
inboxes, read models). A `GroupReader` shares partitions with the members of its group and commits
offsets (agents on snapshots, chat nodes and tools on work).
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, Protocol
from weakref import WeakSet

from arena.bus.losses import Losses
from arena.clock import Clock, SystemClock
from arena.errors import Malformed, MessageTooLarge
from arena.messages import Message
from arena.threads import Threads, WorkerThreads
from arena.topics import RECORD_BYTES_MAX, TopicSpec, partition_of
from arena.wire import Headers, decode, encode

Assignment = frozenset[tuple[str, int]]
"""Pairs of topic and partition."""


class AppendAck(Protocol):
    """The broker's ack of an append."""

    @property
    def partition(self) -> int:
        """Partition of the record."""

    @property
    def offset(self) -> int:
        """Offset of the record."""

    @property
    def timestamp(self) -> int:
        """Timestamp of the record; Unix milliseconds."""

    @property
    def timestamp_type(self) -> int:
        """`BROKER_TIME` if the broker set the timestamp."""


BROKER_TIME = 1
"""Timestamp type of records with the time of their append by the broker's clock."""
KIND_CACHED_MAX = 64
SURELY_SHORT = RECORD_BYTES_MAX // 8
"""Bytes of a value up to which its record is not too large."""


class Record(NamedTuple):
    """One record; `topic` is without the prefix.

    A tuple, because one is created for every record that any process reads.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = MappingProxyType({})

    def message(self) -> Message:
        """Decode the message in the record.

        Raises:
            Malformed: The bytes are not an arena message.
        """
        return decode(self.value, self.headers)

    def message_or_none(self) -> Message | None:
        """Decode the message in the record, or return None if it cannot be read."""
        try:
            return self.message()
        except Malformed:
            return None

    @property
    def key_text(self) -> str:
        """The key as text; "" without a key."""
        return (self.key or b"").decode("utf-8", "replace")

    @property
    def kind(self) -> str:
        """Value of the `type` header; "" without it."""
        name = self.headers.get("type", b"")
        return _text_of(name) if len(name) <= KIND_CACHED_MAX else name.decode("utf-8", "replace")


@lru_cache(maxsize=256)
def _text_of(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def plain_headers(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, bytes]:
    """Headers for a `Record`: null values become empty, the last value of a name counts."""
    return {name: b"" if value is None else value for name, value in headers}


@dataclass(frozen=True, slots=True)
class Start:
    """Start position of a reader, for every partition it reads.

    Attributes:
        at: "earliest", "latest" or "time".
        time_ms: For "time": start at the first record that is not older; Unix milliseconds.
        offsets: (topic, partition) -> offset; overrides `at` for these partitions.
    """

    at: str = "earliest"
    time_ms: int = 0
    offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def since(cls, time_ms: int) -> "Start":
        """Start at the first record that is not older than a Unix time in milliseconds."""
        return cls(at="time", time_ms=time_ms)


EARLIEST = Start("earliest")
LATEST = Start("latest")


class ReaderPosition(NamedTuple):
    """A reader's next offset in a partition, and the end offset of the log."""

    position: int
    end: int


class Reader(ABC):
    """Base of both readers, with the facts that `arena.bus.stuck_readers` checks.

    Attributes:
        reads_asked: Number of calls of `read`.
        reads_waiting: Number of calls of `read` that have not returned.
        closed: True after `close`.
        partition_counts: Topic -> number of partitions when they were opened; empty for a reader
            of one partition.
        clock: The clock of its process.
    """

    clock: Clock = SystemClock()
    reads_asked = 0
    reads_waiting = 0
    closed = False
    partition_counts: Mapping[str, int] = MappingProxyType({})

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Count a read while it waits for records."""
        self.reads_asked += 1
        self.reads_waiting += 1
        try:
            yield
        finally:
            self.reads_waiting -= 1

    @abstractmethod
    async def positions(self) -> dict[tuple[str, int], ReaderPosition]:
        """Positions in all partitions that may deliver now, without paused ones."""


class LogReader(Reader):
    """Reads partitions from a chosen offset, keeps its own position, commits nothing."""

    @abstractmethod
    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records, oldest first within a partition; empty after the timeout.

        Raises:
            BrokenLog: An offset is missing in a topic that is not compacted.
        """

    @abstractmethod
    def position(self, topic: str, partition: int) -> int:
        """Offset of the next record to read."""

    @abstractmethod
    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """For every partition of the reader: the offset after its last record."""

    @abstractmethod
    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue reading a partition at an offset."""

    @abstractmethod
    async def close(self) -> None:
        """Stop reading."""

    async def record_at(
        self, topic: str, partition: int, offset: int, *, timeout_s: float
    ) -> Record | None:
        """Seek to an offset and read the first record at or after it.

        Returns:
            None after the timeout.
        """
        if self.position(topic, partition) != offset:
            self.seek(topic, partition, offset)
        with contextlib.suppress(TimeoutError):
            async with self.clock.timeout(timeout_s):
                while True:
                    if records := await self.read(timeout_s=timeout_s, max_records=1):
                        return records[0]
        return None

    async def lag(self) -> int:
        """Number of records between the positions and the ends of the log."""
        ends = await self.end_offsets()
        return sum(max(0, end - self.position(t, p)) for (t, p), end in ends.items())

    async def positions(self) -> dict[tuple[str, int], ReaderPosition]:
        """Positions in all partitions."""
        ends = await self.end_offsets()
        return {(t, p): ReaderPosition(self.position(t, p), end) for (t, p), end in ends.items()}


class GroupReader(Reader):
    """Reads the partitions that the group assigns to it, and commits offsets.

    Attributes:
        committed: Partition -> the group's committed offset when this member was assigned the
            partition; without partitions that have none.
        resumed: The same, only for partitions whose log is the one that the group handled.
    """

    committed: Mapping[tuple[str, int], int] = MappingProxyType({})
    resumed: Mapping[tuple[str, int], int] = MappingProxyType({})

    @abstractmethod
    async def read(self, *, timeout_s: float = 0.5, max_records: int = 500) -> list[Record]:
        """The next records of the assigned partitions that are not paused."""

    @abstractmethod
    def assignment(self) -> Assignment:
        """The partitions that this member owns now; empty for a hot standby."""

    @abstractmethod
    async def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit the next offset to read, per partition; partitions no longer owned are ignored."""

    @abstractmethod
    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Deliver nothing from these partitions until `resume`."""

    @abstractmethod
    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Deliver from these partitions again."""

    @abstractmethod
    async def lag(self) -> int:
        """Number of records after the positions in the assigned partitions."""

    @abstractmethod
    async def close(self) -> None:
        """Leave the group at once."""


class Bus(Losses, ABC):
    """A connection to the topics of one arena.

    Attributes:
        failed: Resolves with the error of a failed append: the process must end.
        readers: Open readers, and closed ones that still exist.
        other_arenas: A sentence about the other arenas on the brokers, if `ensure_topics` created
            a new arena; else "".
        clock: The clock of its process.
        threads: Runs blocking work of its process.
    """

    clock: Clock = SystemClock()
    threads: Threads = WorkerThreads()

    def __init__(self) -> None:
        """Create the bus; `start` connects it."""
        super().__init__()
        self.other_arenas = ""
        self.failed: asyncio.Future[BaseException] | None = None
        self.readers: WeakSet[Reader] = WeakSet()

    @abstractmethod
    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers at the configured address.
        """

    @abstractmethod
    async def close(self) -> None:
        """Send buffered records and disconnect."""

    @abstractmethod
    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Create missing topics; existing ones are not changed."""

    @abstractmethod
    async def partitions(self, topic: str) -> int:
        """Number of partitions of an existing topic."""

    async def partitions_now(self, topic: str) -> int:
        """Current number of partitions, without a cache: partitions may have been added."""
        return (await self.all_partitions_now([topic]))[topic]

    async def all_partitions_now(self, topics: Iterable[str]) -> dict[str, int]:
        """`partitions_now` for several topics in one request."""
        return {topic: await self.partitions(topic) for topic in topics}

    @abstractmethod
    async def existing_topics(self, topics: Iterable[str]) -> list[str]:
        """The given topics that exist, in their order."""

    @abstractmethod
    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[AppendAck]":
        """Send one record; the future resolves with the ack.

        Raises:
            AppendFailed: An earlier append failed; nothing more is sent.
        """

    @abstractmethod
    async def log_reader(self, *topics: str, start: Start = EARLIEST) -> LogReader:
        """A reader of all partitions of the topics."""

    @abstractmethod
    async def partition_reader(self, topic: str, partition: int, start: Start) -> LogReader:
        """A reader of one partition."""

    @abstractmethod
    async def group_reader(
        self,
        group: str,
        *topics: str,
        start: Start = EARLIEST,
        on_change: Callable[[Assignment], None] | None = None,
        old_group: str = "",
    ) -> GroupReader:
        """A member of a group on the topics.

        Args:
            group: Name without prefix.
            topics: Topics of the group; co-partitioned topics are assigned alike.
            start: Start position for partitions without a committed offset.
            on_change: Called with each new assignment, also with an empty one.
            old_group: Name of the group in older versions. Its committed offsets are adopted first
                for partitions without one, as soon as none of its members reads the topics.
        """

    async def send(
        self, topic: str, message: Message, *, key: str = "", partition: int | None = None
    ) -> "asyncio.Future[AppendAck]":
        """Encode and send a message; the future resolves with the ack.

        Args:
            topic: Name without prefix.
            message: The message.
            key: Record key, which decides the partition if none is given; "" sends a record
                without a key to partition 0.
            partition: The partition; None to derive it from the key.

        Raises:
            MessageTooLarge: The record would exceed `RECORD_BYTES_MAX`; nothing was sent.
            AppendFailed: An earlier append failed.
        """
        encoded = encode(message)
        # The ids in the key and headers are in the value, too: a short value has short headers.
        if len(encoded.value) > SURELY_SHORT:
            size = len(encoded.value) + len(key) + sum(len(k) + len(v) for k, v in encoded.headers)
            if size > RECORD_BYTES_MAX:
                raise MessageTooLarge(
                    f"a {message.type_name()} for {topic} has {size:,} bytes",
                    remedy=f"a record may have {RECORD_BYTES_MAX:,}",
                )
        if partition is None:
            partition = partition_of(key, await self.partitions(topic)) if key else 0
        key_bytes = key.encode() or None
        return await self.send_bytes(
            topic, encoded.value, key=key_bytes, partition=partition, headers=encoded.headers
        )

    async def append(
        self, topic: str, message: Message, *, key: str = "", partition: int | None = None
    ) -> AppendAck:
        """`send` a message and wait for the ack."""
        return await (await self.send(topic, message, key=key, partition=partition))
