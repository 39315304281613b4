"""A sealed bundle: exported records, a hash of every one of them, and one digest over all.

    <bundle>/records/            the export (`arena.exports`)
    <bundle>/hashes/<topic>.parquet   partition, offset, sha256 of each record
    <bundle>/seal.json           chain head per partition, hashes of every file, who signed
    <bundle>/seal.json.sig       ed25519 over the bytes of seal.json, in hex, where it is signed

A record's hash covers timestamp, key, headers and value, each with its length in front. The chain
of a partition is sha256(head || offset || record hash), so its head alone proves every record and
its place. The hashes of single records (32 bytes each) are there to *name* the one that is not what
was sealed: blocks of records would be smaller and name a block only, and a changed dollar should be
found at its offset. No wall time is sealed: the same log gives the same bytes.
"""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from arena import __version__
from arena.bus.base import Record
from arena.errors import BrokenLog, UsageError
from arena.exports import MANIFEST_FILE, read_manifest, read_records
from arena.localbroker.progress import Progress, Step, no_progress
from ledger.audit.signing import Signer
from ledger.audit.sources import RECORDS, SEAL_FILE, Source

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
HASHES = "hashes"
SIGNATURE_FILE = "seal.json.sig"
BATCH_ROWS = 8_192
STEP = "seal"
NOTHING = b"\xff" * 8
"""Stands for the length of a key or value that is not there."""


class SealedPartition(BaseModel):
    """One partition: what of it was sealed, and the head of its chain, in hex."""

    model_config = ConfigDict(frozen=True)

    first: int
    end: int
    count: int
    head: str


class SealedTopic(BaseModel):
    """One topic: the SHA-256 of its two files, and its partitions."""

    model_config = ConfigDict(frozen=True)

    records_file: str
    records_sha256: str
    hashes_file: str
    hashes_sha256: str
    partitions: dict[int, SealedPartition]


class Seal(BaseModel):
    """What seal.json holds.

    Attributes:
        source: What was sealed, for people. prefix: of the topics on their broker.
        manifest_sha256: Of records/manifest.json.
        signed_by: The ed25519 public key, in hex; "" where nobody signed.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    version: str = __version__
    source: str
    prefix: str = ""
    manifest_sha256: str
    topics: dict[str, SealedTopic]
    signed_by: str = ""

    @property
    def count(self) -> int:
        """Records of all topics."""
        return sum(p.count for t in self.topics.values() for p in t.partitions.values())


def record_sha256(record: Record) -> bytes:
    """Hash of what a record holds: timestamp, key, headers and value, but not its place."""
    digest = hashlib.sha256(record.timestamp_ms.to_bytes(8, "big", signed=True))
    parts = [record.key, record.value]
    for name, value in record.headers.items():
        parts += [name.encode(), value]
    for part in parts:
        digest.update(NOTHING if part is None else len(part).to_bytes(8, "big") + part)
    return digest.digest()


def genesis(topic: str, partition: int) -> bytes:
    """The head of the chain of a partition before its first record."""
    return hashlib.sha256(f"{topic}[{partition}]".encode()).digest()


def link(head: bytes, offset: int, content: bytes) -> bytes:
    """The next head: over the last one, the record's offset and its hash."""
    return hashlib.sha256(head + offset.to_bytes(8, "big") + content).digest()


def seal(
    source: Source, folder: Path, *, signer: Signer | None = None, progress: Progress = no_progress
) -> tuple[Seal, str]:
    """Write a bundle.

    Args:
        source: What to seal.
        folder: Made by this; it must not hold anything yet.
        signer: Who signs, or None.
        progress: Told of records hashed.

    Returns:
        The seal, and the SHA-256 of seal.json: the one figure to write down elsewhere.

    Raises:
        UsageError: The folder is there already.
        OSError: It cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already", remedy="name a folder that is not")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(source.records, draft / RECORDS)
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


def _seal(draft: Path, source: Source, signer: Signer | None, progress: Progress) -> Seal:
    records = draft / RECORDS
    manifest = read_manifest(records)
    total, done = source.count(), 0
    topics: dict[str, SealedTopic] = {}
    for topic, held in manifest.topics.items():
        hashes_file = f"{topic}.parquet"
        heads = {p: genesis(topic, p) for p in held.partitions}
        with HashWriter(draft / HASHES / hashes_file) as writer:
            for record in read_records(records, [topic]):
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
    """The seal of a bundle, and the bytes of its file.

    Raises:
        UsageError: There is none, or one of a newer format.
    """
    path = bundle / SEAL_FILE
    try:
        content = path.read_bytes()
        found = Seal.model_validate_json(content)
    except FileNotFoundError:
        raise UsageError(f"{bundle} holds no {SEAL_FILE}") from None
    except (OSError, ValidationError) as error:
        raise BrokenLog(f"{path} cannot be read: {str(error)[:200]}") from None
    if found.format > FORMAT:
        raise UsageError(f"{path} has format {found.format}, this arena reads {FORMAT}")
    return found, content


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex; "" where there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


class HashWriter:
    """Writes the hashes of a topic's records, a batch of rows at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        import pyarrow.parquet as pq

        self._rows: list[tuple[int, int, bytes]] = []
        self._schema = _schema()
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def __enter__(self) -> "HashWriter":
        """Nothing more to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write the rest."""
        self._write()
        self._writer.close()

    def add(self, partition: int, offset: int, content: bytes) -> None:
        """One record's hash."""
        self._rows.append((partition, offset, content))
        if len(self._rows) >= BATCH_ROWS:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        if not self._rows:
            return
        columns = [list(column) for column in zip(*self._rows, strict=True)]
        arrays = [pa.array(c, field.type) for c, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []


def read_hashes(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Partition, offset and hash of every record of a topic, as they were sealed.

    Raises:
        BrokenLog: The file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
    except (OSError, ValueError, pa.ArrowException) as error:
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
