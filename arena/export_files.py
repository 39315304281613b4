"""An export as it is read: the manifest, the records, and whether the files are those it names.

A bundle from elsewhere can hold anything. A manifest names plain files beside it, each once; all of
them are read within the bounds of `arena.bounded_parquet`. `arena.exports` writes them.
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
"""Named per partition; further ones look like missing records."""
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


class PartitionSpan(BaseModel):
    """One partition in an export.

    Attributes:
        first: Offset of the oldest record the broker still had.
        end: Offset behind the newest record; where the export ended.
        count: Records in between; fewer than `end - first` in a compacted topic.
        markers: Offsets in between that hold the end of a transaction and no record; what a reader
            of a log that is not compacted finds between records can be nothing else.
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
        file: Name in the folder.
        sha256: Of the whole file, in hex. size_bytes: of it.
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
            raise ValueError(f"the file {self.file[:80]!r} is not a plain name of a file beside it")
        if any(not 0 <= partition < 2**31 for partition in self.partitions):
            raise ValueError("a partition has a number below 0 or above 2147483647")
        return self

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
        """Topic -> partition -> the offset it was exported up to."""
        return {
            topic: {p: span.end for p, span in found.partitions.items()}
            for topic, found in self.topics.items()
        }


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export.

    Raises:
        UsageError: There is no export, one of a newer format, or one whose manifest names what an
            export does not hold.
    """
    path = folder / MANIFEST_FILE
    try:
        content = read_regular(path, MANIFEST_BYTES_MAX, inside=folder)
        check_counts(content)
        manifest = Manifest.model_validate_json(content)
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no {MANIFEST_FILE}", remedy="export the run") from None
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
    """The records of an export, a bounded batch in memory at a time.

    Args:
        folder: The export.
        topics: Which, in this order; all in the manifest's order if none are given. Within a
            topic: partition 0 in offset order, then partition 1, and so on.
        exact: The records must be those that the manifest counts, in order; False gives whatever
            the files hold.
        manifest: Of the export, where it was read before.

    Raises:
        UsageError: There is no such export, a topic is not in it, or a file is above a limit.
        BrokenLog: A file cannot be read as Parquet, or holds other records.
    """
    manifest = manifest or read_manifest(folder)
    for topic in manifest.topics if topics is None else topics:
        found = manifest.topics.get(topic)
        if found is None:
            raise UsageError(
                f"{folder} holds no topic {topic}", remedy=f"it holds {listed(manifest.topics)}"
            )
        records = _read_file(folder, found.file, topic)
        yield from _counted(records, folder / found.file, found) if exact else records


def changed_files(folder: Path) -> dict[str, str]:
    """Topic -> what is wrong with its file, for every file that is not what the manifest says.

    Raises:
        UsageError: There is no such export.
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
                said = found.sha256[:64]
                wrong[topic] = f"{found.file} has SHA-256 {digest}, the manifest says {said}"
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
    """See that a file has the columns of an export, of their types.

    Raises:
        BrokenLog: It has others.
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
    """The records of a file, held against the spans that the manifest gives."""
    counts = Counter[int]()
    last = (-1, -1)
    for record in records:
        place = (record.partition, record.offset)
        span = file.partitions.get(record.partition)
        where = f"{path} holds {record.topic}[{record.partition}]@{record.offset}"
        if span is None or not span.first <= record.offset < span.end:
            raise BrokenLog(f"{where}, which its manifest does not count", remedy=REMEDY)
        if place <= last:
            raise BrokenLog(f"{where} after offset {last[1]}, not in order", remedy=REMEDY)
        last = place
        counts[record.partition] += 1
        yield record
    for partition, span in file.partitions.items():
        if counts[partition] != span.count:
            found = f"{counts[partition]:,} records of partition {partition}"
            raise BrokenLog(
                f"{path} holds {found}, its manifest says {span.count:,}", remedy=REMEDY
            )


def file_sha256(path: Path, *, inside: Path | None = None, bytes_max: int = FILE_BYTES_MAX) -> str:
    """SHA-256 of a regular file, in hex; for errors see `arena.bounded_files.open_regular`."""
    with open_regular(path, bytes_max, inside=inside) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
