"""Exports the records of a run from Kafka, unchanged, to one Parquet file per topic.

Reads every partition of the given topics up to its end at the start of the export. Writes
`<folder>/<topic>.parquet` (zstd; partition, offset, timestamp_ms, key, headers, value; bytes
unchanged) and `<folder>/manifest.json`. If a topic's retention deletes records before they are
read, the topic is read again from its new first offset, which the manifest records. The files are
written to a draft folder that then replaces the target, so a folder with a manifest is a complete
export. A file has partition 0, then 1, and so on, and its row groups depend only on the records:
the same log gives the same bytes.

The first call that needs `pyarrow` loads it, not the import of this module.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from arena.atomic_files import disk_full_named
from arena.bus.base import EARLIEST, LATEST, Bus, Record, Start
from arena.draft_files import clear_drafts
from arena.errors import BrokenLog, BrokerUnavailable, UsageError
from arena.export_files import (
    FORMAT,
    MANIFEST_FILE,
    MARKERS_MAX,
    Manifest,
    PartitionSpan,
    TopicFile,
    changed_files,
    file_sha256,
    read_manifest,
    read_records,
    schema,
)
from arena.optional_imports import start_pyarrow
from arena.progress import Progress, Step, no_progress
from arena.topics import spec_of

if TYPE_CHECKING:
    import pyarrow.parquet as pq

ROW_GROUP_RECORDS_MAX = 8_192
ROW_GROUP_BYTES_MAX = 16 << 20
READ_RECORDS_MAX = 1_000
HEADER_BYTES = 64
"""Bytes that a header counts in addition to its value: about its overhead in memory."""
READ_TIMEOUT_S = 0.5
STALL_DEADLINE_S = 30.0
BEGIN_TRIES_MAX = 5
"""How often a topic is read again after retention deleted the next records."""
STEP = "records"

__all__ = [
    "FORMAT",
    "MANIFEST_FILE",
    "Manifest",
    "PartitionSpan",
    "TopicFile",
    "changed_files",
    "export_topics",
    "read_manifest",
    "read_records",
]


async def export_topics(
    bus: Bus,
    folder: Path,
    topics: Sequence[str],
    *,
    prefix: str = "",
    progress: Progress = no_progress,
) -> Manifest:
    """Write the records of topics to a folder, and replace its old content.

    Args:
        bus: The bus with the topics.
        folder: Usually `<run>/records`.
        topics: Names without prefix, in the order for the manifest.
        prefix: The arena's prefix, for the manifest.
        progress: Called with the records done and in total.

    Returns:
        The manifest that was written.

    Raises:
        BrokerUnavailable: A topic does not exist, or the broker stopped answering.
        BrokenLog: An offset is missing in a topic that is not compacted, or retention deletes the
            records faster than they are read.
    """
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    await bus.threads.run(partial(clear_drafts, folder))
    draft.mkdir(parents=True)
    try:
        spans = await _spans(bus, topics)
        counter = _Counter(progress, sum(end - first for first, end in spans.values()))
        with disk_full_named(folder):
            files = {t: await _export_left(bus, draft, t, spans, counter) for t in topics}
            manifest = Manifest(prefix=prefix, topics=files)
            _write_durably(draft / MANIFEST_FILE, manifest.model_dump_json(indent=2) + "\n")
        _replace(folder, draft)
        counter.finish(len(topics))
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


async def _spans(bus: Bus, topics: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """First and end offset of every partition; all ends are read at once, then all beginnings."""
    last = await bus.log_reader(*topics, start=LATEST)
    try:
        counts = await bus.all_partitions_now(topics)
        pairs = [(t, p) for t in topics for p in range(counts[t])]
        ends = {pair: last.position(*pair) for pair in pairs}
    finally:
        await last.close()
    first = await bus.log_reader(*topics, start=EARLIEST)
    try:
        return {pair: (min(first.position(*pair), ends[pair]), ends[pair]) for pair in pairs}
    finally:
        await first.close()


async def _begin(bus: Bus, topic: str, partition: int, end: int) -> int:
    """Offset of the oldest remaining record; the export's end if all earlier ones are gone."""
    reader = await bus.partition_reader(topic, partition, EARLIEST)
    try:
        return min(reader.position(topic, partition), end)
    finally:
        await reader.close()


class _Counter:
    """Calls the progress callback for each batch."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self.done = 0

    def add(self, topic: str, count: int) -> None:
        self.done += count
        self._progress(Step(STEP, topic, self.done, self._total))

    def read_again(self, done: int, total: int) -> None:
        """Return to the start of a topic; `total` is without the deleted records."""
        self.done, self._total = done, total

    def finish(self, topics: int) -> None:
        text = f"{self.done:,} of {topics} topics"
        self._progress(Step(STEP, text, self.done, self._total, finished=True))


class _BeginMoved(Exception):
    """Retention deleted the records that were to be read next."""

    def __init__(self, error: BrokenLog) -> None:
        super().__init__(str(error))
        self.error = error


async def _export_left(
    bus: Bus,
    draft: Path,
    topic: str,
    spans: dict[tuple[str, int], tuple[int, int]],
    counter: _Counter,
) -> TopicFile:
    """Export a topic; start again at its new first offset if retention overtook the reader.

    The whole file is written again, because it may have row groups with deleted records.
    """
    done = counter.done
    tries = 0
    while True:
        try:
            return await _export(bus, draft, topic, spans, counter)
        except _BeginMoved as moved:
            tries += 1
            if tries > BEGIN_TRIES_MAX:
                raise moved.error from None
            for pair, (first, end) in spans.items():
                if pair[0] == topic:
                    spans[pair] = (max(first, await _begin(bus, *pair, end)), end)
            counter.read_again(done, sum(end - first for first, end in spans.values()))


async def _export(
    bus: Bus,
    draft: Path,
    topic: str,
    spans: dict[tuple[str, int], tuple[int, int]],
    counter: _Counter,
) -> TopicFile:
    path = draft / f"{topic}.parquet"
    partitions: dict[int, PartitionSpan] = {}
    writer = _Writer(path)
    try:
        for partition in (p for t, p in spans if t == topic):
            first, end = spans[topic, partition]
            count, finder = 0, _Markers(first, _is_compacted(topic))
            async for batch in _read_partition(bus, topic, partition, first, end):
                for group in writer.add(batch):
                    await bus.threads.run(partial(writer.write, group))
                count += len(batch)
                finder.pass_records(batch)
                counter.add(topic, len(batch))
            markers = tuple(finder.until(end))
            partitions[partition] = PartitionSpan(
                first=first, end=end, count=count, markers=markers
            )
        await bus.threads.run(partial(writer.write, writer.rows))
    finally:
        writer.close()
    digest = await bus.threads.run(partial(file_sha256, path))
    return TopicFile(
        file=path.name, sha256=digest, size_bytes=path.stat().st_size, partitions=partitions
    )


class _Markers:
    """Finds the offsets without a record in a partition that is not compacted: markers.

    They are markers because the bus's readers raise an error if a record is missing.
    """

    def __init__(self, first: int, compacted: bool) -> None:
        self._next = first
        self._compacted = compacted
        self._found: list[int] = []

    def pass_records(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.offset != self._next:
                self.until(record.offset)
            self._next = record.offset + 1

    def until(self, end: int) -> list[int]:
        if not self._compacted:
            room = MARKERS_MAX - len(self._found)
            self._found += range(self._next, min(end, self._next + room))
        self._next = max(self._next, end)
        return self._found


def _is_compacted(topic: str) -> bool:
    """True for a compacted topic, and for one that is not in the topic table."""
    try:
        return spec_of(topic).compacted
    except UsageError:
        return True


async def _read_partition(
    bus: Bus, topic: str, partition: int, first: int, end: int
) -> AsyncIterator[list[Record]]:
    """Yield batches of one partition up to its end."""
    if first >= end:
        return
    reader = await bus.partition_reader(
        topic, partition, Start(offsets={(topic, partition): first})
    )
    heard = bus.clock.monotonic()
    try:
        while (at := reader.position(topic, partition)) < end:
            try:
                batch = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=READ_RECORDS_MAX)
            except BrokenLog as error:
                if await _begin(bus, topic, partition, end) <= at:
                    raise
                raise _BeginMoved(error) from error
            if batch:
                heard = bus.clock.monotonic()
                yield [record for record in batch if record.offset < end]
            elif bus.clock.monotonic() - heard > STALL_DEADLINE_S:
                raise BrokerUnavailable(
                    f"{topic}[{partition}]: no record for {STALL_DEADLINE_S:.0f} s at {at} of {end}"
                )
    finally:
        await reader.close()


@dataclass
class _Writer:
    """Splits records into row groups by number and bytes, and writes them."""

    path: Path
    rows: list[Record] = field(default_factory=list)
    _size_bytes: int = 0
    _writer: "pq.ParquetWriter | None" = None

    def add(self, records: Iterable[Record]) -> Iterator[list[Record]]:
        """Add records; yield each full row group."""
        for record in records:
            self.rows.append(record)
            self._size_bytes += len(record.key or b"") + len(record.value or b"")
            self._size_bytes += HEADER_BYTES * len(record.headers)
            self._size_bytes += sum(map(len, filter(None, record.headers.values())))
            if len(self.rows) >= ROW_GROUP_RECORDS_MAX or self._size_bytes >= ROW_GROUP_BYTES_MAX:
                full, self.rows, self._size_bytes = self.rows, [], 0
                yield full

    def write(self, rows: list[Record]) -> None:
        """Append one row group; the first call creates the file, even without rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        start_pyarrow()
        columns_schema = schema()
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self.path,
                columns_schema,
                compression="zstd",
                use_dictionary=["key"],
                write_statistics=False,
            )
        if not rows:
            return
        columns = {
            "partition": [r.partition for r in rows],
            "offset": [r.offset for r in rows],
            "timestamp_ms": [r.timestamp_ms for r in rows],
            "key": [r.key for r in rows],
            "headers": [list(r.headers.items()) for r in rows],
            "value": [r.value for r in rows],
        }
        self._writer.write_table(pa.table(columns, schema=columns_schema), row_group_size=len(rows))

    def close(self) -> None:
        """Write the file's footer."""
        if self._writer is not None:
            self._writer.close()


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _replace(folder: Path, draft: Path) -> None:
    """Rename the draft to the folder's name; an older export is moved away first."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
