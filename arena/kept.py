"""A fold of several topics kept between two lives, for those who only read.

Reads and writes `<home>/checkpoints/<prefix>/<name>`. What is kept holds all that was folded, and
for every partition the place behind the last record, with the digest of that record. It is a
saving and never the truth: before it is used, those records are read again from the logs, and a
log that ends earlier, begins later, or holds another record there is not the one that was folded.
For `account.events` the chain is asked (`arena.checkpoint.is_head_of`): one record proves all
before it. What does not fit is thrown away, and the fold begins at the first record.
"""

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256

import msgspec

from arena import topics
from arena.accounts import Shard
from arena.bus.base import LogReader, Record
from arena.checkpoint import SealedFile, is_head_of
from arena.logs import Log
from arena.settings import Settings

NO_PREFIX = "_"
KEEP_BYTES = 16 << 20
"""Bytes of records between two checkpoints: a turn may be as long as a hundred orders."""
PROOF_TIMEOUT_S = 20.0
"""A log that does not give a record for so long proves nothing."""

Pair = tuple[str, int]


@contextmanager
def uncollected() -> Iterator[None]:
    """Unpack without looking for cycles: what was kept has none, and there is a lot of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Place(msgspec.Struct, array_like=True, frozen=True):
    """Behind the last folded record of a partition, and the SHA-256 of that record's value."""

    next_offset: int
    digest: bytes


class Places:
    """Where a fold stands in every partition it read.

    Attributes:
        kept: The places it began at.
        records, size_bytes: What was folded since `packed` was called.
    """

    def __init__(self, kept: Mapping[str, Mapping[int, Place]] | None = None) -> None:
        """Begin at places that were kept, or nowhere."""
        self._last: dict[Pair, Record] = {}
        self.records = 0
        self.size_bytes = 0
        self.kept: dict[Pair, Place] = {
            (topic, partition): place
            for topic, found in (kept or {}).items()
            for partition, place in found.items()
        }

    def note(self, record: Record) -> None:
        """A record was folded."""
        self._last[record.topic, record.partition] = record
        self.records += 1
        self.size_bytes += len(record.value or b"")

    def is_due(self, records: int) -> bool:
        """True where so many records were folded since the last time, or many bytes."""
        return self.records >= records or self.size_bytes >= KEEP_BYTES

    def packed(self) -> dict[str, dict[int, Place]]:
        """The places by topic and partition, to be kept; counts anew."""
        self.records = self.size_bytes = 0
        now = self.kept | {pair: _place(record) for pair, record in self._last.items()}
        found: dict[str, dict[int, Place]] = {}
        for (topic, partition), place in now.items():
            found.setdefault(topic, {})[partition] = place
        return found


def _place(record: Record) -> Place:
    return Place(record.offset + 1, sha256(record.value or b"").digest())


async def resume(reader: LogReader, places: Places, shards: Mapping[int, Shard]) -> str:
    """Let a reader go on at the places of a kept fold, if its logs are those that were folded.

    Args:
        reader: Just opened at the first records, none of them compacted away.
        places: Of the fold.
        shards: Of the fold, by partition of `account.events`.

    Returns:
        Why the fold does not fit, and the reader stands where it stood; "" where it does.
    """
    ends = await reader.end_offsets()
    begins = {pair: reader.position(*pair) for pair in ends}
    proofs = {pair: _proof_offset(pair, place, shards) for pair, place in places.kept.items()}
    why = _unreachable(places.kept, proofs, begins, ends)
    if not why:
        for pair, offset in proofs.items():
            reader.seek(*pair, offset)
        why = await _disprove(reader, places.kept, proofs, shards)
    for pair, begin in begins.items():
        kept = None if why else places.kept.get(pair)
        reader.seek(*pair, begin if kept is None else kept.next_offset)
    return why


def _unreachable(
    kept: Mapping[Pair, Place],
    proofs: Mapping[Pair, int],
    begins: Mapping[Pair, int],
    ends: Mapping[Pair, int],
) -> str:
    for (topic, partition), place in sorted(kept.items()):
        where, end = f"{topic}[{partition}]", ends.get((topic, partition))
        if end is None:
            return f"{where} is not there"
        if end < place.next_offset:
            return f"{where} ends at {end}, before offset {place.next_offset}"
        begin, proof = begins[topic, partition], proofs[topic, partition]
        if begin > proof:
            return f"{where} begins at {begin}, behind offset {proof}"
    return ""


def _proof_offset(pair: Pair, place: Place, shards: Mapping[int, Shard]) -> int:
    head = _shard_of(pair, shards)
    return place.next_offset - 1 if head is None else head.head_offset


def _shard_of(pair: Pair, shards: Mapping[int, Shard]) -> Shard | None:
    """The shard whose chain proves a partition; None where nothing counted, or no chain is."""
    shard = shards.get(pair[1]) if pair[0] == topics.EVENTS.name else None
    return shard if shard is not None and shard.head_offset >= 0 else None


async def _disprove(
    reader: LogReader,
    kept: Mapping[Pair, Place],
    proofs: dict[Pair, int],
    shards: Mapping[int, Shard],
) -> str:
    try:
        async with asyncio.timeout(PROOF_TIMEOUT_S):
            while proofs:
                for record in await reader.read(timeout_s=0.5, max_records=len(proofs)):
                    pair = (record.topic, record.partition)
                    offset = proofs.pop(pair, None)
                    if offset is not None and not _proves(record, kept[pair], offset, shards):
                        return f"{record.topic}[{record.partition}]@{offset} is another record"
    except TimeoutError:
        (topic, partition), offset = next(iter(proofs.items()))
        return f"{topic}[{partition}]@{offset} was not read in {PROOF_TIMEOUT_S:.0f} s"
    return ""


def _proves(record: Record, place: Place, offset: int, shards: Mapping[int, Shard]) -> bool:
    shard = _shard_of((record.topic, record.partition), shards)
    if shard is None:
        return record.offset == offset and _place(record).digest == place.digest
    kind = record.headers.get("type", b"").decode("utf-8", "replace")
    return is_head_of(shard, kind, record.value or b"", record.offset)


class KeptFile:
    """The file of one fold: read once, then written aside now and then.

    Attributes:
        file: Where it lies. failed: True where the last one could not be written.
    """

    def __init__(self, settings: Settings, name: str, log: Log) -> None:
        """Nothing is read yet."""
        folder = settings.home / "checkpoints" / (settings.prefix or NO_PREFIX)
        self.file = SealedFile(folder / name)
        self.failed = False
        self._log = log
        self._writing: asyncio.Task[None] | None = None

    async def read(self) -> bytes | None:
        """What was kept; None where there is nothing, or nothing whole."""
        return await asyncio.to_thread(self.file.read)

    def refuse(self, why: str) -> None:
        """Throw it away."""
        self._log.warning("checkpoint thrown away", path=str(self.file.path), why=why)
        self.file.discard()

    @property
    def busy(self) -> bool:
        """True while one is being written."""
        return self._writing is not None and not self._writing.done()

    def write(self, payload: bytes, *, first: tuple[SealedFile, bytes] | None = None) -> None:
        """Begin to replace the file, aside.

        Args:
            payload: Of the file.
            first: Another file that must be whole before this one names it.
        """
        files = [] if first is None else [first]
        self._writing = asyncio.create_task(self._write([*files, (self.file, payload)]))

    async def settle(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write(self, files: list[tuple[SealedFile, bytes]]) -> None:
        try:
            for file, payload in files:
                await asyncio.to_thread(file.write, payload)
            self.failed = False
        except OSError as error:  # A full disk costs only the saving.
            self.failed = True
            self._log.warning("checkpoint not written", path=str(self.file.path), why=str(error))
