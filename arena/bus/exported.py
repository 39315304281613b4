"""A read-only bus over an export: a finished run's topics, from its files, without a broker.

Reads the folder that `arena.exports` writes. Appends and groups are refused. A reader merges its
partitions by record time; per file one batch is in memory, and the offset and time of every record
(16 bytes).
"""

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from heapq import heapify, heappop, heapreplace
from operator import itemgetter
from pathlib import Path

from arena.bounded_parquet import BoundedParquet, open_parquet
from arena.bus.base import (
    EARLIEST,
    AppendAck,
    Assignment,
    Bus,
    GroupReader,
    LogReader,
    Record,
    Start,
)
from arena.errors import ArenaError, BrokenLog, BrokerUnavailable
from arena.export_files import (
    COLUMNS,
    PARTITIONS_MAX,
    READ_ROWS_MAX,
    REMEDY,
    Manifest,
    PartitionSpan,
    check_columns,
    read_manifest,
)
from arena.topics import TopicSpec
from arena.unknown_names import listed
from arena.wire import Headers

INDEX_COLUMNS = ("partition", "offset", "timestamp_ms")
EMPTY = PartitionSpan(first=0, end=0, count=0)


@dataclass(slots=True)
class _RecordIndex:
    """Index of the records of a partition.

    Attributes:
        offsets, times_ms: Offset and time of each record, in order.
        groups: Number of each row group with such records, and the index of its first record.
    """

    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    times_ms: "array[int]" = field(default_factory=lambda: array("q"))
    groups: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class _File:
    """A topic's open file, with the index of its records by partition."""

    topic: str
    path: Path
    places: dict[int, _RecordIndex]
    parquet: BoundedParquet | None = None

    @classmethod
    def empty(cls, topic: str) -> "_File":
        """The file of a topic that the export lacks: one partition without records."""
        return cls(topic, Path(), {0: _RecordIndex()})

    @classmethod
    def read(
        cls, topic: str, path: Path, parquet: BoundedParquet, spans: Mapping[int, PartitionSpan]
    ) -> "_File":
        """Index a file and check it against the manifest.

        Raises:
            BrokenLog: The records differ from the manifest.
        """
        check_columns(path, parquet)
        found = cls(topic, path, {partition: _RecordIndex() for partition in spans}, parquet)
        for number in parquet.row_groups():
            for batch in parquet.batches(INDEX_COLUMNS, READ_ROWS_MAX, group=number):
                columns = [batch.column(name).to_pylist() for name in INDEX_COLUMNS]
                for partition, offset, time_ms in zip(*columns, strict=True):
                    found._note(number, partition, offset, time_ms)
        for partition, span in spans.items():
            offsets = found.places[partition].offsets
            if len(offsets) != span.count:
                raise found._differs(f"{partition} has {len(offsets):,} records of {span.count:,}")
            if offsets and not span.first <= offsets[0] <= offsets[-1] < span.end:
                raise found._differs(f"{partition} has other offsets")
        return found

    def _note(self, group: int, partition: int, offset: int, time_ms: int) -> None:
        places = self.places.get(partition)
        if places is None or (places.offsets and offset <= places.offsets[-1]):
            raise self._differs(f"{partition} has a record at {offset}")
        if not places.groups or places.groups[-1][0] != group:
            places.groups.append((group, len(places.offsets)))
        places.offsets.append(offset)
        places.times_ms.append(time_ms)

    def records(self, partition: int, index: int) -> Iterator[Record]:
        """The records of a partition, starting at an index."""
        assert self.parquet is not None, "a topic without a file has no records"
        groups = self.places[partition].groups
        at = max(0, bisect_right(groups, index, key=itemgetter(1)) - 1)
        for number, first in groups[at:]:
            seen = first
            for batch in self.parquet.batches(COLUMNS, READ_ROWS_MAX, group=number):
                owners = batch.column("partition").to_pylist()
                rows = [row for row, owner in enumerate(owners) if owner == partition]
                skipped = max(0, index - seen)
                seen += len(rows)
                if not (rows := rows[skipped:]):
                    continue
                part = batch.slice(rows[0], rows[-1] - rows[0] + 1)
                columns = [part.column(name).to_pylist() for name in COLUMNS]
                for owner, offset, time_ms, key, value, headers in zip(*columns, strict=True):
                    if owner == partition:
                        at_ms, plain = time_ms, dict(headers)
                        yield Record(self.topic, partition, offset, at_ms, key, value, plain)

    def _differs(self, what: str) -> BrokenLog:
        text = f"{self.path} differs from its manifest: partition {what}"
        return BrokenLog(text, remedy=REMEDY)


@dataclass(slots=True)
class _Cursor:
    """A read position in a partition.

    Attributes:
        position: The next offset.
        index: Index of the next record.
    """

    file: _File
    partition: int
    span: PartitionSpan
    position: int = 0
    index: int = 0
    _records: Iterator[Record] | None = None

    @property
    def places(self) -> _RecordIndex:
        """Index of the partition's records."""
        return self.file.places[self.partition]

    def begin(self, start: Start) -> None:
        """Move to a reader's start position."""
        offset = start.offsets.get((self.file.topic, self.partition))
        if offset is not None:
            self.seek(offset)
        elif start.at == "latest":
            self.seek(self.span.end)
        elif start.at == "time":
            times = self.places.times_ms
            index = next((i for i, at in enumerate(times) if at >= start.time_ms), len(times))
            self.seek(self.places.offsets[index] if index < len(times) else self.span.end)
        else:
            self.seek(self.span.first)

    def seek(self, offset: int) -> None:
        """Move to an offset, or to the next one that exists."""
        if offset > self.span.end:
            name = f"{self.file.topic}[{self.partition}]"
            text = f"{name} has no offset {offset}; its export ends at {self.span.end}"
            raise BrokenLog(text, remedy=REMEDY)
        self.position = max(offset, self.span.first)
        self.index = bisect_left(self.places.offsets, self.position)
        self._records = None
        if self.index == len(self.places.offsets):
            self.position = self.span.end

    def next_ms(self) -> int | None:
        """Time of the next record; None at the end."""
        times = self.places.times_ms
        return times[self.index] if self.index < len(times) else None

    def take(self) -> Record:
        """The next record; the caller checks that there is one."""
        if self._records is None:
            self._records = self.file.records(self.partition, self.index)
        record = next(self._records)
        self.index += 1
        at_end = self.index == len(self.places.offsets)
        self.position = self.span.end if at_end else record.offset + 1
        return record


class ExportedReader(LogReader):
    """Reads partitions of an export, merged by record time.

    Args:
        cursors: One per partition.
        start: Start position.
    """

    def __init__(self, cursors: Iterable[_Cursor], start: Start) -> None:
        """Take the cursors and move them to the start position."""
        self._cursors = {(c.file.topic, c.partition): c for c in cursors}
        for cursor in self._cursors.values():
            cursor.begin(start)

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records; at the end it waits for the timeout, like a reader of a quiet topic."""
        with self.reading():
            heap = [
                (time_ms, pair)
                for pair, cursor in self._cursors.items()
                if (time_ms := cursor.next_ms()) is not None
            ]
            heapify(heap)
            found: list[Record] = []
            while heap and len(found) < max_records:
                pair = heap[0][1]
                cursor = self._cursors[pair]
                found.append(cursor.take())
                if (time_ms := cursor.next_ms()) is None:
                    heappop(heap)
                else:
                    heapreplace(heap, (time_ms, pair))
            await self.clock.sleep(0 if found else timeout_s)
            return found

    def position(self, topic: str, partition: int) -> int:
        """The next offset of a partition."""
        return self._cursors[(topic, partition)].position

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """End offset of the export of each partition."""
        return {pair: cursor.span.end for pair, cursor in self._cursors.items()}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue at an offset."""
        self._cursors[(topic, partition)].seek(offset)

    async def close(self) -> None:
        """Mark it as closed; the bus keeps the files."""
        self.closed = True


class ExportedBus(Bus):
    """The topics of an export.

    Args:
        folder: Folder of the export: `<run>/records`.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder; `start` reads its manifest."""
        super().__init__()
        self.folder = folder
        self._manifest = Manifest(topics={})
        self._files: dict[str, _File] = {}
        self._empty: set[str] = set()
        self._open = ExitStack()

    @property
    def topics(self) -> list[str]:
        """Topics in the export."""
        return list(self._manifest.topics)

    async def start(self) -> None:
        """Read the manifest.

        Raises:
            UsageError: The run has no export, or it cannot be read.
        """
        self.failed = asyncio.get_running_loop().create_future()
        self._manifest = await self.threads.run(partial(read_manifest, self.folder))

    async def close(self) -> None:
        """Close the files."""
        self._files.clear()
        self._open.close()

    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Treat missing topics as empty: an older arena did not have them."""
        self._empty |= {spec.name for spec in specs} - self._manifest.topics.keys()

    async def partitions(self, topic: str) -> int:
        """Number of partitions of a topic of the export.

        Raises:
            BrokerUnavailable: The export does not have it.
        """
        count = max(self._spans(topic), default=0) + 1
        if count > PARTITIONS_MAX:
            raise BrokenLog(f"{self.folder}: {topic} has {count:,} partitions", remedy=REMEDY)
        return count

    async def existing_topics(self, topics: Iterable[str]) -> list[str]:
        """The given topics that are in the export."""
        return [topic for topic in topics if topic in self._manifest.topics]

    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[AppendAck]":
        """Refuse.

        Raises:
            ArenaError: Always.
        """
        raise ArenaError(
            f"{topic} cannot be written: this is the export of a finished run",
            remedy="give a broker with --bootstrap-servers",
        )

    async def log_reader(self, *topics: str, start: Start = EARLIEST) -> LogReader:
        """A reader of all partitions of the topics."""
        counts = await self.all_partitions_now(topics)
        pairs = [(topic, p) for topic in topics for p in range(counts[topic])]
        reader = await self._reader(pairs, start)
        reader.partition_counts = counts
        return reader

    async def partition_reader(self, topic: str, partition: int, start: Start) -> LogReader:
        """A reader of one partition."""
        return await self._reader([(topic, partition)], start)

    async def group_reader(
        self,
        group: str,
        *topics: str,
        start: Start = EARLIEST,
        on_change: Callable[[Assignment], None] | None = None,
        old_group: str = "",
    ) -> GroupReader:
        """Refuse.

        Raises:
            ArenaError: Always.
        """
        raise ArenaError(
            f"group {group} cannot read the export of a finished run",
            remedy="give a broker with --bootstrap-servers",
        )

    def _spans(self, topic: str) -> dict[int, PartitionSpan]:
        if topic in self._empty:
            return {0: EMPTY}
        if topic not in self._manifest.topics:
            remedy = f"it has {listed(self._manifest.topics)}"
            raise BrokerUnavailable(f"{self.folder} has no topic {topic}", remedy=remedy)
        return self._manifest.topics[topic].partitions

    async def _reader(self, pairs: list[tuple[str, int]], start: Start) -> ExportedReader:
        cursors = []
        for topic, partition in pairs:
            span = self._spans(topic).get(partition, EMPTY)
            file = await self._file(topic)
            file.places.setdefault(partition, _RecordIndex())
            cursors.append(_Cursor(file, partition, span))
        return ExportedReader(cursors, start)

    async def _file(self, topic: str) -> _File:
        """A topic's file, opened and indexed on first use."""
        if topic not in self._files:
            spans = self._spans(topic)
            self._files[topic] = await self.threads.run(partial(self._opened, topic, spans))
        return self._files[topic]

    def _opened(self, topic: str, spans: Mapping[int, PartitionSpan]) -> _File:
        if topic in self._empty:
            return _File.empty(topic)
        path = self.folder / self._manifest.topics[topic].file
        try:
            parquet = self._open.enter_context(open_parquet(path, inside=self.folder))
        except OSError as error:
            text = f"{path} cannot be read: {error.strerror or error}"
            raise BrokenLog(text, remedy=REMEDY) from None
        return _File.read(topic, path, parquet, spans)
