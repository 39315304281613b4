"""Reads an export: the manifest and the records, and checks the files against the manifest.

A bundle from an untrusted source can contain anything. A manifest names plain files beside it, each
once; all are read within the limits of `arena.bounded_parquet`. `arena.exports` writes exports.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from arena import __version__
from arena.bounded_files import NotReadable, is_plain_name, open_regular, read_regular
from arena.bounded_json import TEXT_CHARS_MAX, check_counts, first_error, validate_each
from arena.bounded_parquet import FILE_BYTES_MAX, BoundedParquet, open_parquet
from arena.bus.base import Record
from arena.errors import BrokenLog, UsageError
from arena.unknown_names import listed

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
MANIFEST_FILE = "manifest.json"
MANIFEST_BYTES_MAX = 16 << 20
TOPICS_MAX = 10_000
PARTITIONS_MAX = 10_000
OFFSET_MAX = 2**63 - 1
READ_ROWS_MAX = 1_024
COLUMNS = ("partition", "offset", "timestamp_ms", "key", "value", "headers")
REMEDY = "export the run again"

MARKERS_MAX = 100_000
"""Limit per partition; further markers look like missing records."""
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


class PartitionSpan(BaseModel):
    """One partition in an export.

    Attributes:
        first: Offset of the oldest record that the broker still had.
        end: Offset after the newest record, at the end of the export.
        count: Number of records; fewer than `end - first` in a compacted topic.
        markers: Offsets of transaction markers, which are not records. In a topic that is not
            compacted, every offset without a record is a marker.
    """

    model_config = ConfigDict(frozen=True)

    first: int = Field(ge=0, le=OFFSET_MAX)
    end: int = Field(ge=0, le=OFFSET_MAX)
    count: int = Field(ge=0, le=OFFSET_MAX)
    markers: tuple[int, ...] = Field(default=(), max_length=MARKERS_MAX)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        taken = self.count + len(self.markers)
        if self.first > self.end or taken > self.end - self.first:
            raise ValueError(f"{taken:,} records from offset {self.first} to {self.end}")
        return self


class TopicFile(BaseModel):
    """One topic in an export.

    Attributes:
        file: Name of the file in the folder.
        sha256: SHA-256 of the file, in hex.
        size_bytes: Size of the file.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str = Field(max_length=TEXT_CHARS_MAX)
    size_bytes: int
    partitions: Annotated[
        dict[int, PartitionSpan], BeforeValidator(validate_each(PartitionSpan, PARTITIONS_MAX))
    ]

    @model_validator(mode="after")
    def _is_beside(self) -> Self:
        if not is_plain_name(self.file):
            raise ValueError(f"the file {self.file[:80]!r} is not a plain name in the same folder")
        if any(not 0 <= partition < 2**31 for partition in self.partitions):
            raise ValueError("a partition has a number below 0 or above 2147483647")
        return self

    @property
    def count(self) -> int:
        """Number of records in all partitions."""
        return sum(span.count for span in self.partitions.values())


class Manifest(BaseModel):
    """The content of an export: `manifest.json`.

    Attributes:
        format: Format of the files; readers refuse a newer one.
        version: Version of the arena that wrote it.
        prefix: Prefix of the topics on the broker.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    version: str = Field(default=__version__, max_length=TEXT_CHARS_MAX)
    prefix: str = Field(default="", max_length=TEXT_CHARS_MAX)
    topics: Annotated[dict[str, TopicFile], BeforeValidator(validate_each(TopicFile, TOPICS_MAX))]

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        for topic in self.topics:
            if not _TOPIC.fullmatch(topic):
                raise ValueError(f"{topic[:80]!r} is not the name of a topic")
        named = Counter(found.file for found in self.topics.values())
        if twice := [name for name, count in named.items() if count > 1]:
            raise ValueError(f"the file {twice[0]} is named by {named[twice[0]]} topics")
        return self

    def ends(self) -> dict[str, dict[int, int]]:
        """Topic -> partition -> end offset of the export."""
        return {
            topic: {p: span.end for p, span in found.partitions.items()}
            for topic, found in self.topics.items()
        }


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an export.

    Raises:
        UsageError: The folder has no export, one of a newer format, or an invalid manifest.
    """
    path = folder / MANIFEST_FILE
    try:
        content = read_regular(path, MANIFEST_BYTES_MAX, inside=folder)
        check_counts(content)
        manifest = Manifest.model_validate_json(content)
    except FileNotFoundError:
        raise UsageError(f"{folder} has no {MANIFEST_FILE}", remedy="export the run") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise UsageError(f"{path} cannot be read: {first_error(error)}", remedy=REMEDY) from None
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}", remedy=REMEDY) from None
    if manifest.format != FORMAT:
        raise UsageError(
            f"{path} has format {manifest.format}, this arena reads {FORMAT}",
            remedy=f"it was written by arena {manifest.version[:40]}",
        )
    return manifest


def read_records(
    folder: Path,
    topics: Sequence[str] | None = None,
    *,
    exact: bool = True,
    manifest: Manifest | None = None,
) -> Iterator[Record]:
    """Yield the records of an export, with a bounded batch in memory at a time.

    Args:
        folder: The export.
        topics: Topics in this order; None for all, in the manifest's order. Within a topic:
            partition 0 in offset order, then partition 1, and so on.
        exact: True if the records must match the manifest; False yields all records of the files.
        manifest: The manifest, if it was read before.

    Raises:
        UsageError: The export does not exist, a topic is not in it, or a file is above a limit.
        BrokenLog: A file is not readable Parquet, or its records do not match the manifest.
    """
    manifest = manifest or read_manifest(folder)
    for topic in manifest.topics if topics is None else topics:
        found = manifest.topics.get(topic)
        if found is None:
            raise UsageError(
                f"{folder} has no topic {topic}", remedy=f"it has {listed(manifest.topics)}"
            )
        records = _read_file(folder, found.file, topic)
        yield from _counted(records, folder / found.file, found) if exact else records


def changed_files(folder: Path) -> dict[str, str]:
    """Topic -> the difference, for every file that differs from the manifest.

    Raises:
        UsageError: The export does not exist.
    """
    wrong: dict[str, str] = {}
    for topic, found in read_manifest(folder).topics.items():
        try:
            digest = file_sha256(folder / found.file, inside=folder)
        except FileNotFoundError:
            wrong[topic] = f"{found.file} is missing"
        except (OSError, NotReadable) as error:
            wrong[topic] = f"{found.file} cannot be read: {error}"
        else:
            if digest != found.sha256:
                stated = found.sha256[:64]
                wrong[topic] = f"{found.file} has SHA-256 {digest}, the manifest says {stated}"
    return wrong


def schema() -> "pa.Schema":
    """The columns of an export's files."""
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


def _read_file(folder: Path, name: str, topic: str) -> Iterator[Record]:
    path = folder / name
    try:
        with open_parquet(path, inside=folder) as file:
            check_columns(path, file)
            for batch in file.batches(COLUMNS, READ_ROWS_MAX):
                columns = [batch.column(column).to_pylist() for column in COLUMNS]
                for partition, offset, timestamp_ms, key, value, headers in zip(
                    *columns, strict=True
                ):
                    yield Record(topic, partition, offset, timestamp_ms, key, value, dict(headers))
    except (OSError, TypeError, ValueError) as error:
        raise BrokenLog(f"{path} cannot be read: {str(error)[:200]}", remedy=REMEDY) from None


def check_columns(path: Path, file: BoundedParquet) -> None:
    """Check that a file has the columns of an export, with their types.

    Raises:
        BrokenLog: It has other columns.
    """
    wanted = schema()
    for name in COLUMNS:
        index = file.schema.get_all_field_indices(name)
        if len(index) != 1:
            raise BrokenLog(f"{path} has {len(index)} columns {name}, not one", remedy=REMEDY)
        kind = file.schema.field(index[0]).type
        if kind != wanted.field(name).type:
            raise BrokenLog(
                f"{path} has a column {name} of {str(kind)[:80]}, not of {wanted.field(name).type}",
                remedy=REMEDY,
            )


def _counted(records: Iterator[Record], path: Path, file: TopicFile) -> Iterator[Record]:
    """Yield the records of a file and check them against the manifest."""
    counts = Counter[int]()
    last = (-1, -1)
    for record in records:
        position = (record.partition, record.offset)
        span = file.partitions.get(record.partition)
        where = f"{path} has {record.topic}[{record.partition}]@{record.offset}"
        if span is None or not span.first <= record.offset < span.end:
            raise BrokenLog(f"{where}, which is not in its manifest", remedy=REMEDY)
        if position <= last:
            raise BrokenLog(f"{where} after offset {last[1]}, not in order", remedy=REMEDY)
        last = position
        counts[record.partition] += 1
        yield record
    for partition, span in file.partitions.items():
        if counts[partition] != span.count:
            found = f"{counts[partition]:,} records of partition {partition}"
            raise BrokenLog(f"{path} has {found}, its manifest says {span.count:,}", remedy=REMEDY)


def file_sha256(path: Path, *, inside: Path | None = None, bytes_max: int = FILE_BYTES_MAX) -> str:
    """SHA-256 of a regular file, in hex; raises as `arena.bounded_files.open_regular`."""
    with open_regular(path, bytes_max, inside=inside) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
