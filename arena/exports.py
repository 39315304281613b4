"""Records of a run, taken out of Kafka as they lay there: one Parquet file a topic.

Reads every partition of the asked topics up to where they ended when the export began. Writes
`<folder>/<topic>.parquet` (zstd; partition, offset, timestamp_ms, key, headers, value: the bytes
untouched) and `<folder>/manifest.json`. The files are made beside the folder and moved into its
place whole, so a folder with a manifest is a whole export. A file holds partition 0, then 1, and so
on, and its row groups depend on the records alone: the same log gives the same bytes.

`pyarrow` is loaded by the first call that needs it, not by who imports this module.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from arena import __version__
from arena.bus.base import EARLIEST, LATEST, Bus, Record, Start
from arena.errors import BrokenLog, BrokerUnavailable, UsageError
from arena.localbroker.progress import Progress, Step, no_progress

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FORMAT = 1
MANIFEST_FILE = "manifest.json"
ROW_GROUP_RECORDS_MAX = 8_192
ROW_GROUP_BYTES_MAX = 16 << 20
READ_RECORDS_MAX = 1_000
READ_ROWS_MAX = 1_024
READ_TIMEOUT_S = 0.5
STALL_DEADLINE_S = 30.0
STEP = "records"


class Span(BaseModel):
    """One partition in an export.

    Attributes:
        first: Offset of the oldest record the broker still had.
        end: Offset behind the newest record; where the export ended.
        count: Records in between; fewer than `end - first` in a compacted topic.
    """

    model_config = ConfigDict(frozen=True)

    first: int
    end: int
    count: int


class TopicFile(BaseModel):
    """One topic in an export.

    Attributes:
        file: Name in the folder.
        sha256: Of the whole file, in hex. size_bytes: of it.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str
    size_bytes: int
    partitions: dict[int, Span]

    @property
    def count(self) -> int:
        """Records of all partitions."""
        return sum(span.count for span in self.partitions.values())


class Manifest(BaseModel):
    """What an export holds: `manifest.json`.

    Attributes:
        format: Of the files; readers refuse a newer one.
        version: Of the arena that wrote it.
        prefix: What stood before the topics' names on the broker.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    version: str = __version__
    prefix: str = ""
    topics: dict[str, TopicFile]

    def ends(self) -> dict[str, dict[int, int]]:
        """Topic -> partition -> the offset it was exported up to."""
        return {
            topic: {p: span.end for p, span in found.partitions.items()}
            for topic, found in self.topics.items()
        }


async def export_topics(
    bus: Bus,
    folder: Path,
    topics: Sequence[str],
    *,
    prefix: str = "",
    progress: Progress = no_progress,
) -> Manifest:
    """Write the records of topics to a folder; what was there before is replaced.

    Args:
        bus: Where they lie.
        folder: Usually `<run>/records`.
        topics: Names without prefix; their order is kept in the manifest.
        prefix: The arena's, for the manifest.
        progress: Told of records done and in total.

    Returns:
        The manifest that was written.

    Raises:
        BrokerUnavailable: A topic does not exist, or the broker stopped answering.
        BrokenLog: An offset is missing in a topic that is not compacted.
    """
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        spans = await _spans(bus, topics)
        counter = _Counter(progress, sum(end - first for first, end in spans.values()))
        files = {topic: await _export(bus, draft, topic, spans, counter) for topic in topics}
        manifest = Manifest(prefix=prefix, topics=files)
        _write_durably(draft / MANIFEST_FILE, manifest.model_dump_json(indent=2) + "\n")
        _replace(folder, draft)
        counter.finish(len(topics))
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export.

    Raises:
        UsageError: There is no export, or one of a newer format.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no {MANIFEST_FILE}", remedy="export the run") from None
    except (OSError, ValidationError) as error:
        raise UsageError(f"{path} cannot be read: {str(error)[:200]}") from None
    if manifest.format > FORMAT:
        raise UsageError(
            f"{path} has format {manifest.format}, this arena reads {FORMAT}",
            remedy=f"it was written by arena {manifest.version}",
        )
    return manifest


def read_records(folder: Path, topics: Sequence[str] | None = None) -> Iterator[Record]:
    """The records of an export, a bounded batch in memory at a time.

    Args:
        folder: The export.
        topics: Which, in this order; all in the manifest's order where none are given. Within a
            topic: partition 0 in offset order, then partition 1, and so on.

    Raises:
        UsageError: There is no such export, or a topic is not in it.
        BrokenLog: A file cannot be read as Parquet.
    """
    manifest = read_manifest(folder)
    for topic in manifest.topics if topics is None else topics:
        found = manifest.topics.get(topic)
        if found is None:
            raise UsageError(
                f"{folder} holds no topic {topic}", remedy=f"it holds {', '.join(manifest.topics)}"
            )
        yield from _read_file(folder / found.file, topic)


def changed_files(folder: Path) -> dict[str, str]:
    """Topic -> what is wrong with its file, for every file that is not what the manifest says.

    Raises:
        UsageError: There is no such export.
    """
    wrong: dict[str, str] = {}
    for topic, found in read_manifest(folder).topics.items():
        path = folder / found.file
        if not path.is_file():
            wrong[topic] = f"{found.file} is missing"
        elif (digest := _sha256(path)) != found.sha256:
            wrong[topic] = f"{found.file} has SHA-256 {digest}, the manifest says {found.sha256}"
    return wrong


async def _spans(bus: Bus, topics: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """First and end offset of every partition; the ends are taken together."""
    last = await bus.log_reader(*topics, start=LATEST)
    try:
        pairs = [(t, p) for t in topics for p in range(await bus.partitions(t))]
        ends = {pair: last.position(*pair) for pair in pairs}
    finally:
        await last.close()
    spans = {}
    for topic, partition in pairs:
        reader = await bus.partition_reader(topic, partition, EARLIEST)
        try:
            spans[topic, partition] = (reader.position(topic, partition), ends[topic, partition])
        finally:
            await reader.close()
    return spans


class _Counter:
    """Tells the progress callback of each batch."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, topic: str, count: int) -> None:
        self._done += count
        self._progress(Step(STEP, topic, self._done, self._total))

    def finish(self, topics: int) -> None:
        text = f"{self._done:,} of {topics} topics"
        self._progress(Step(STEP, text, self._done, self._total, finished=True))


async def _export(
    bus: Bus,
    draft: Path,
    topic: str,
    spans: dict[tuple[str, int], tuple[int, int]],
    counter: _Counter,
) -> TopicFile:
    path = draft / f"{topic}.parquet"
    partitions: dict[int, Span] = {}
    writer = _Writer(path)
    try:
        for partition in (p for t, p in spans if t == topic):
            first, end = spans[topic, partition]
            count = 0
            async for batch in _read_partition(bus, topic, partition, first, end):
                for group in writer.add(batch):
                    await asyncio.to_thread(writer.write, group)
                count += len(batch)
                counter.add(topic, len(batch))
            partitions[partition] = Span(first=first, end=end, count=count)
        await asyncio.to_thread(writer.write, writer.rows)
    finally:
        writer.close()
    digest = await asyncio.to_thread(_sha256, path)
    return TopicFile(
        file=path.name, sha256=digest, size_bytes=path.stat().st_size, partitions=partitions
    )


async def _read_partition(
    bus: Bus, topic: str, partition: int, first: int, end: int
) -> AsyncIterator[list[Record]]:
    """Batches of one partition up to its end; nothing behind it."""
    if first >= end:
        return
    reader = await bus.partition_reader(
        topic, partition, Start(offsets={(topic, partition): first})
    )
    loop = asyncio.get_running_loop()
    heard = loop.time()
    try:
        while (at := reader.position(topic, partition)) < end:
            batch = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=READ_RECORDS_MAX)
            if batch:
                heard = loop.time()
                yield [record for record in batch if record.offset < end]
            elif loop.time() - heard > STALL_DEADLINE_S:
                raise BrokerUnavailable(
                    f"{topic}[{partition}]: no record for {STALL_DEADLINE_S:.0f} s at {at} of {end}"
                )
    finally:
        await reader.close()


@dataclass
class _Writer:
    """Cuts records into row groups by their number and bytes, and writes those."""

    path: Path
    rows: list[Record] = field(default_factory=list)
    _size_bytes: int = 0
    _writer: "pq.ParquetWriter | None" = None

    def add(self, records: Iterable[Record]) -> Iterator[list[Record]]:
        """Take records in; yield each row group that is full."""
        for record in records:
            self.rows.append(record)
            self._size_bytes += len(record.key or b"") + len(record.value or b"")
            if len(self.rows) >= ROW_GROUP_RECORDS_MAX or self._size_bytes >= ROW_GROUP_BYTES_MAX:
                full, self.rows, self._size_bytes = self.rows, [], 0
                yield full

    def write(self, rows: list[Record]) -> None:
        """Append one row group; the first call makes the file, an empty one has no rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _schema()
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self.path,
                schema,
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
        self._writer.write_table(pa.table(columns, schema=schema), row_group_size=len(rows))

    def close(self) -> None:
        """Write the file's foot."""
        if self._writer is not None:
            self._writer.close()


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("partition", pa.int32(), nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
            pa.field("timestamp_ms", pa.int64(), nullable=False),
            pa.field("key", pa.binary()),
            pa.field("headers", pa.map_(pa.string(), pa.binary()), nullable=False),
            pa.field("value", pa.binary()),
        ],
        metadata={"arena.format": str(FORMAT)},
    )


def _read_file(path: Path, topic: str) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ("partition", "offset", "timestamp_ms", "key", "value", "headers")
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=READ_ROWS_MAX, columns=list(names)):
                columns = [batch.column(name).to_pylist() for name in names]
                for partition, offset, timestamp_ms, key, value, headers in zip(
                    *columns, strict=True
                ):
                    yield Record(topic, partition, offset, timestamp_ms, key, value, dict(headers))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise BrokenLog(
            f"{path} cannot be read: {str(error)[:200]}", remedy="export the run again"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _replace(folder: Path, draft: Path) -> None:
    """Move the draft to the folder's name; an older export goes first, whole."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
