"""What a bus does, whichever it is: Kafka for the arena, memory for tests and simulators.

Names of topics and groups are always without the arena's prefix; the bus adds it and takes it off.
Two ways to read: a `LogReader` is assigned partitions and keeps its own place (accounts, inboxes,
read models); a `GroupReader` shares partitions with others of its group and commits (agents on
snapshots, chat nodes and tools on work).
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
from arena.errors import MessageTooLarge
from arena.messages import Message
from arena.topics import RECORD_BYTES_MAX, TopicSpec, partition_of
from arena.wire import Headers, decode, encode

Assignment = frozenset[tuple[str, int]]
"""Pairs of topic and partition."""


class AppendAck(Protocol):
    """Where an append stands in the log."""

    @property
    def partition(self) -> int:
        """The partition it went to."""

    @property
    def offset(self) -> int:
        """Its offset there."""

    @property
    def timestamp(self) -> int:
        """Its time; Unix milliseconds."""

    @property
    def timestamp_type(self) -> int:
        """`BROKER_TIME` if the broker put its own time on it."""


BROKER_TIME = 1
"""The timestamp type of a record that carries the time of its append, by the broker's clock."""
KIND_CACHED_MAX = 64


class Record(NamedTuple):
    """One record as it was read; `topic` is without the prefix.

    A tuple, because one is made for every record that any process reads.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = MappingProxyType({})

    def message(self) -> Message:
        """The message in it.

        Raises:
            Malformed: The bytes are no message of the arena.
        """
        return decode(self.value, self.headers)

    @property
    def key_text(self) -> str:
        """The key as text, "" where there is none."""
        return (self.key or b"").decode("utf-8", "replace")

    @property
    def kind(self) -> str:
        """What the `type` header says, "" where there is none."""
        name = self.headers.get("type", b"")
        return _text_of(name) if len(name) <= KIND_CACHED_MAX else name.decode("utf-8", "replace")


@lru_cache(maxsize=256)
def _text_of(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def plain_headers(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, bytes]:
    """Headers as `Record` has them: a null value is an empty one, the last of a name counts."""
    return {name: b"" if value is None else value for name, value in headers}


@dataclass(frozen=True, slots=True)
class Start:
    """Where a log reader begins, in every partition it reads.

    Attributes:
        at: "earliest", "latest" or "time".
        time_ms: For "time": the first record whose timestamp is not older.
        offsets: (topic, partition) -> offset; overrides `at` for those.
    """

    at: str = "earliest"
    time_ms: int = 0
    offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def since(cls, time_ms: int) -> "Start":
        """From the first record not older than a Unix time in milliseconds."""
        return cls(at="time", time_ms=time_ms)


EARLIEST = Start("earliest")
LATEST = Start("latest")


class ReaderPosition(NamedTuple):
    """Where a reader stands in a partition: its next offset, and the end of the log."""

    position: int
    end: int


class Reader(ABC):
    """What both ways of reading have in common, for `arena.bus.stuck_readers` that watches over them.

    Attributes:
        reads_asked: How often records were asked for. reads_waiting: reads that have not returned.
        closed: True behind `close`.
        partition_counts: Topic -> partitions it had when all of them were opened; empty for one partition.
    """

    reads_asked = 0
    reads_waiting = 0
    closed = False
    partition_counts: Mapping[str, int] = MappingProxyType({})

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Note that records are asked for, while they are waited for."""
        self.reads_asked += 1
        self.reads_waiting += 1
        try:
            yield
        finally:
            self.reads_waiting -= 1

    @abstractmethod
    async def positions(self) -> dict[tuple[str, int], ReaderPosition]:
        """Where it stands in every partition that may deliver now: none that is paused."""


class LogReader(Reader):
    """Reads partitions from a chosen place, keeps its own position, commits nothing."""

    @abstractmethod
    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records, oldest first within a partition; empty after the timeout.

        Raises:
            BrokenLog: An offset is missing in a topic that is not compacted.
        """

    @abstractmethod
    def position(self, topic: str, partition: int) -> int:
        """The offset of the next record that will be read."""

    @abstractmethod
    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """For every partition that is read: the offset behind its last record."""

    @abstractmethod
    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on reading a partition at an offset."""

    @abstractmethod
    async def close(self) -> None:
        """Stop reading."""

    async def record_at(
        self, topic: str, partition: int, offset: int, *, timeout_s: float
    ) -> Record | None:
        """Seek to an offset and read one record: the first that is there or behind it.

        Returns:
            None if none came in time.
        """
        if self.position(topic, partition) != offset:
            self.seek(topic, partition, offset)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    if records := await self.read(timeout_s=timeout_s, max_records=1):
                        return records[0]
        return None

    async def lag(self) -> int:
        """Records between the positions and the ends of the log."""
        ends = await self.end_offsets()
        return sum(max(0, end - self.position(t, p)) for (t, p), end in ends.items())

    async def positions(self) -> dict[tuple[str, int], ReaderPosition]:
        """Where it stands in every partition."""
        ends = await self.end_offsets()
        return {(t, p): ReaderPosition(self.position(t, p), end) for (t, p), end in ends.items()}


class GroupReader(Reader):
    """Reads the partitions that the group gives it, and commits what is done.

    Attributes:
        committed: Partition -> the offset that the group had committed when this member was given
            it; not in it if the group had committed nothing.
        resumed: The same, but only where the log is the one that the group handled.
    """

    committed: Mapping[tuple[str, int], int] = MappingProxyType({})
    resumed: Mapping[tuple[str, int], int] = MappingProxyType({})

    @abstractmethod
    async def read(self, *, timeout_s: float = 0.5, max_records: int = 500) -> list[Record]:
        """The next records of the assigned partitions that are not paused."""

    @abstractmethod
    def assignment(self) -> Assignment:
        """The partitions this member owns now; empty for a hot standby."""

    @abstractmethod
    async def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit the next offset to read, per partition. A lost partition is passed over."""

    @abstractmethod
    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Deliver nothing from these partitions until `resume`."""

    @abstractmethod
    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Deliver from these partitions again."""

    @abstractmethod
    async def lag(self) -> int:
        """Records in the assigned partitions behind the position."""

    @abstractmethod
    async def close(self) -> None:
        """Leave the group at once."""


class Bus(Losses, ABC):
    """A connection to the topics of one arena.

    Attributes:
        failed: Resolves with the error when an append failed for good: the process must end.
        readers: Those that are in use, perhaps closed.
        other_arenas: Which other arenas the brokers have, in words, if `ensure_topics` began a new one.
    """

    def __init__(self) -> None:
        """Nothing is connected before `start`."""
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
        """Send what is buffered and disconnect."""

    @abstractmethod
    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Create the topics that do not exist; an existing one is left as it is."""

    @abstractmethod
    async def partitions(self, topic: str) -> int:
        """Number of partitions of an existing topic."""

    async def partitions_now(self, topic: str) -> int:
        """The same, asked again: partitions may have been added."""
        return (await self.all_partitions_now([topic]))[topic]

    async def all_partitions_now(self, topics: Iterable[str]) -> dict[str, int]:
        """The same for several topics in one question."""
        return {topic: await self.partitions(topic) for topic in topics}

    @abstractmethod
    async def existing_topics(self, topics: Iterable[str]) -> list[str]:
        """Those of the topics that exist, in their order."""

    @abstractmethod
    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[AppendAck]":
        """Hand over one record; the future resolves when the brokers have it.

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
            topics: What the group reads; co-partitioned topics are assigned alike.
            start: Where the group begins where it has committed nothing.
            on_change: Called with the new assignment after each change, also with an empty one.
            old_group: What older versions called the group. What that one has committed and this
                one has not is committed first, once no member of it reads the topics.
        """

    async def send(
        self, topic: str, message: Message, *, key: str = "", partition: int | None = None
    ) -> "asyncio.Future[AppendAck]":
        """Encode and hand over a message; the future resolves when the brokers have it.

        Args:
            topic: Name without prefix.
            message: What to send.
            key: Decides the partition where none is given; "" sends no key, to partition 0.
            partition: The partition, where the caller knows it.

        Raises:
            MessageTooLarge: The record would exceed `RECORD_BYTES_MAX`; nothing was sent.
            AppendFailed: An earlier append failed.
        """
        encoded = encode(message)
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
        """`send`, and wait until the brokers have it."""
        return await (await self.send(topic, message, key=key, partition=partition))
