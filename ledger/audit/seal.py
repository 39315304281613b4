"""A sealed bundle: exported records, a hash of every record, and one digest over all.

    <bundle>/records/            the export (`arena.exports`)
    <bundle>/hashes/<topic>.parquet   partition, offset, sha256 of each record
    <bundle>/seal.json           head of the chain per partition, hash of every file, signer
    <bundle>/seal.json.sig       ed25519 over the bytes of seal.json, in hex, if it is signed

A record's hash covers timestamp, key, headers and value, each after its length. The chain of a
partition is sha256(head || offset || record hash), so its head alone proves every record and its
offset. The hashes of single records (32 bytes each) serve to *name* a record that was changed;
hashes of blocks would be smaller, but would name only the block. No wall time is sealed: the same
log gives the same bytes.
"""

import hashlib
import shutil
from collections.abc import Iterator
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
from arena.atomic_files import disk_full_named
from arena.bounded_files import is_plain_name, open_regular, read_regular
from arena.bounded_json import TEXT_CHARS_MAX, check_counts, first_error, validate_each
from arena.bounded_parquet import FILE_BYTES_MAX, open_parquet
from arena.bus.base import Record
from arena.errors import BrokenLog, UsageError
from arena.export_files import (
    MANIFEST_BYTES_MAX,
    PARTITIONS_MAX,
    TOPICS_MAX,
    PartitionSpan,
    file_sha256,
)
from arena.exports import MANIFEST_FILE, read_manifest, read_records
from arena.optional_imports import start_pyarrow
from arena.progress import Progress, Step, no_progress
from arena.runs import RECORDS
from ledger.audit.signing import Signer
from ledger.audit.sources import SEAL_FILE, RecordSource

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]
HASHES = "hashes"
SIGNATURE_FILE = "seal.json.sig"
BATCH_ROWS = 8_192
READ_BYTES = 1 << 20
STEP = "seal"
ABSENT = b"\xff" * 8
"""Replaces the length of a missing key or value."""


class SealedPartition(PartitionSpan):
    """One partition: the sealed offsets, and the head of its chain, in hex."""

    head: Text


class SealedTopic(BaseModel):
    """One topic: its two files with their SHA-256, and its partitions."""

    model_config = ConfigDict(frozen=True)

    records_file: str
    records_sha256: Text
    hashes_file: str
    hashes_sha256: Text
    partitions: Annotated[
        dict[int, SealedPartition], BeforeValidator(validate_each(SealedPartition, PARTITIONS_MAX))
    ]

    @model_validator(mode="after")
    def _files_are_plain_names(self) -> Self:
        for name in (self.records_file, self.hashes_file):
            if not is_plain_name(name):
                raise ValueError(
                    f"the file {name[:80]!r} is not a plain file name in the same folder"
                )
        return self


class Seal(BaseModel):
    """The content of seal.json.

    Attributes:
        source: The name of what was sealed. prefix: the prefix of its topics.
        manifest_sha256: The SHA-256 of records/manifest.json.
        signed_by: The ed25519 public key, in hex; "" if it is not signed.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    version: Text = __version__
    source: Text
    prefix: Text = ""
    manifest_sha256: Text
    topics: Annotated[
        dict[str, SealedTopic], BeforeValidator(validate_each(SealedTopic, TOPICS_MAX))
    ]
    signed_by: Text = ""

    @property
    def count(self) -> int:
        """The number of records of all topics."""
        return sum(p.count for t in self.topics.values() for p in t.partitions.values())


def record_sha256(record: Record) -> bytes:
    """Return the hash of a record: timestamp, key, headers and value, but not its offset."""
    digest = hashlib.sha256(record.timestamp_ms.to_bytes(8, "big", signed=True))
    parts = [record.key, record.value]
    for name, value in record.headers.items():
        parts += [name.encode(), value]
    for part in parts:
        digest.update(ABSENT if part is None else len(part).to_bytes(8, "big") + part)
    return digest.digest()


def genesis(topic: str, partition: int) -> bytes:
    """Return the head of a partition's chain before its first record."""
    return hashlib.sha256(f"{topic}[{partition}]".encode()).digest()


def link(head: bytes, offset: int, content: bytes) -> bytes:
    """Return the next head: the hash of the last one, the record's offset and its hash."""
    return hashlib.sha256(head + offset.to_bytes(8, "big") + content).digest()


def seal(
    source: RecordSource,
    folder: Path,
    *,
    signer: Signer | None = None,
    progress: Progress = no_progress,
) -> tuple[Seal, str]:
    """Write a bundle.

    Args:
        source: The records to seal.
        folder: The folder of the bundle; created, and must be empty if it exists.
        signer: The key to sign with, or None.
        progress: Receives the records hashed.

    Returns:
        The seal, and the SHA-256 of seal.json, which should be kept elsewhere.

    Raises:
        UsageError: The folder exists and is not empty.
        OSError: It cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} already exists", remedy="name a new folder")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with disk_full_named(folder):
            _copy_export(source.records, draft / RECORDS)
            (draft / HASHES).mkdir()
            found = _seal(draft, source, signer, progress)
            content = found.model_dump_json(indent=2).encode() + b"\n"
            (draft / SEAL_FILE).write_bytes(content)
            if signer is not None:
                (draft / SIGNATURE_FILE).write_text(signer.sign(content).hex() + "\n")
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found, hashlib.sha256(content).hexdigest()


def _copy_export(source: Path, target: Path) -> None:
    """Copy the manifest and the files it names, and nothing else in the folder."""
    target.mkdir(parents=True)
    named = [found.file for found in read_manifest(source).topics.values()]
    for name in (MANIFEST_FILE, *named):
        with (
            open_regular(source / name, FILE_BYTES_MAX, inside=source) as file,
            (target / name).open("wb") as copy,
        ):
            shutil.copyfileobj(file, copy, READ_BYTES)


def _seal(draft: Path, source: RecordSource, signer: Signer | None, progress: Progress) -> Seal:
    records = draft / RECORDS
    manifest = read_manifest(records)
    total, done = source.count(), 0
    topics: dict[str, SealedTopic] = {}
    for topic, held in manifest.topics.items():
        hashes_file = f"{topic}.parquet"
        heads = {p: genesis(topic, p) for p in held.partitions}
        with HashWriter(draft / HASHES / hashes_file) as writer:
            for record in read_records(records, [topic], manifest=manifest):
                content = record_sha256(record)
                heads[record.partition] = link(heads[record.partition], record.offset, content)
                writer.add(record.partition, record.offset, content)
        done += held.count
        progress(Step(STEP, topic, done, total))
        topics[topic] = SealedTopic(
            records_file=held.file,
            records_sha256=file_sha256(records / held.file),
            hashes_file=hashes_file,
            hashes_sha256=file_sha256(draft / HASHES / hashes_file),
            partitions={
                p: SealedPartition(
                    first=span.first, end=span.end, count=span.count, head=heads[p].hex()
                )
                for p, span in held.partitions.items()
            },
        )
    progress(Step(STEP, f"{done:,} records", done, total, finished=True))
    return Seal(
        source=source.name,
        prefix=manifest.prefix,
        manifest_sha256=file_sha256(records / MANIFEST_FILE),
        topics=topics,
        signed_by="" if signer is None else signer.public_hex,
    )


def read_seal(bundle: Path) -> tuple[Seal, bytes]:
    """Return the seal of a bundle, and the bytes of its file.

    Raises:
        UsageError: There is no seal, or one of a newer format.
        BrokenLog: The seal cannot be read.
    """
    path = bundle / SEAL_FILE
    try:
        content = read_regular(path, MANIFEST_BYTES_MAX, inside=bundle)
        check_counts(content)
        found = Seal.model_validate_json(content)
    except FileNotFoundError:
        raise UsageError(f"{bundle} has no {SEAL_FILE}") from None
    except ValidationError as error:
        raise BrokenLog(f"{path} cannot be read: {first_error(error)}") from None
    except ValueError as error:
        raise BrokenLog(f"{path} cannot be read: {error}") from None
    except OSError as error:
        raise BrokenLog(f"{path} cannot be read: {error.strerror}") from None
    if found.format > FORMAT:
        raise UsageError(f"{path} has format {found.format}, this arena reads {FORMAT}")
    return found, content


class HashWriter:
    """Writes the hashes of a topic's records, one batch of rows at a time."""

    def __init__(self, path: Path) -> None:
        """Create a file.

        Args:
            path: The file.
        """
        import pyarrow.parquet as pq

        self._rows: list[tuple[int, int, bytes]] = []
        self._schema = _schema()
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def __enter__(self) -> "HashWriter":
        """Return this writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write the last batch and close the file."""
        self._write()
        self._writer.close()

    def add(self, partition: int, offset: int, content: bytes) -> None:
        """Add the hash of one record."""
        self._rows.append((partition, offset, content))
        if len(self._rows) >= BATCH_ROWS:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        if not self._rows:
            return
        start_pyarrow()
        columns = [list(column) for column in zip(*self._rows, strict=True)]
        arrays = [pa.array(c, field.type) for c, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []


def read_hashes(path: Path, *, inside: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield partition, offset and hash of every sealed record of a topic.

    Args:
        path: The file.
        inside: The folder it must be in.

    Raises:
        BrokenLog: The file cannot be read.
    """
    names = _schema().names
    try:
        with open_parquet(path, inside=inside) as file:
            if not file.schema.equals(_schema()):
                raise BrokenLog(f"{path} has other columns than {', '.join(names)}")
            for batch in file.batches(names, BATCH_ROWS):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
    except (OSError, ValueError) as error:
        raise BrokenLog(f"{path} cannot be read: {str(error)[:200]}") from None


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("partition", pa.int32(), nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
            pa.field("sha256", pa.binary(32), nullable=False),
        ]
    )
