"""A fold of several topics kept between two lives, for those who only read.

Reads and writes `<home>/checkpoints/<prefix>/<name>`. What is kept holds all that was folded, and
for every partition the place behind the last record, with the digest of that record. It is a
saving and never the truth: before it is used, those records are read again from the logs, and a
log that ends earlier, begins later, or holds another record there is not the one that was folded.
For `account.events` the chain is asked (`arena.checkpoint.is_head_of`): one record proves all
before it. What does not fit is thrown away, and the fold begins at the first record.

Whoever can write the file could write other balances into it. So the shards in it are folded again
from the newest state whose digest is in the log (`arena.checkpoint.why_unproven`), or from offset
0, and must come out the same. What else is kept (seasons, equity curves, turns) is sealed against
accidents only.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from types import MappingProxyType

import msgspec

from arena import topics
from arena.accounts import Shard
from arena.bus.base import Bus, LogReader, Record, Start
from arena.checkpoint import (
    ChecksummedFile,
    is_head_of,
    pack_shard,
    unpack_shard,
    why_unproven,
)
from arena.errors import BrokenLog, Malformed
from arena.logs import Log
from arena.pass_overs import PassedOver
from arena.settings import Settings

CHECKPOINT_BYTES = 16 << 20
"""Bytes of records between two checkpoints: a turn may be as long as a hundred orders."""
PROOF_TIMEOUT_S = 20.0
"""A log that does not give a record for so long proves nothing."""

Pair = tuple[str, int]


@contextmanager
def without_gc() -> Iterator[None]:
    """Unpack without looking for cycles: what was kept has none, and there is a lot of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class FoldPosition(msgspec.Struct, array_like=True, frozen=True):
    """Behind the last folded record of a partition, and the SHA-256 of that record's value."""

    next_offset: int
    digest: bytes


class FoldPositions:
    """Where a fold stands in every partition it read.

    Attributes:
        kept: The places it began at.
        records, size_bytes: What was folded since `packed` was called.
    """

    def __init__(self, kept: Mapping[str, Mapping[int, FoldPosition]] | None = None) -> None:
        """Begin at places that were kept, or nowhere."""
        self._last: dict[Pair, Record] = {}
        self.records = 0
        self.size_bytes = 0
        self.kept: dict[Pair, FoldPosition] = {
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
        return self.records >= records or self.size_bytes >= CHECKPOINT_BYTES

    def packed(self) -> dict[str, dict[int, FoldPosition]]:
        """The places by topic and partition, to be kept; counts anew."""
        self.records = self.size_bytes = 0
        now = self.kept | {pair: _place(record) for pair, record in self._last.items()}
        found: dict[str, dict[int, FoldPosition]] = {}
        for (topic, partition), place in now.items():
            found.setdefault(topic, {})[partition] = place
        return found


def _place(record: Record) -> FoldPosition:
    return FoldPosition(record.offset + 1, sha256(record.value or b"").digest())


async def resume_fold(
    reader: LogReader,
    places: FoldPositions,
    shards: Mapping[int, Shard],
    disprove: Callable[[], Awaitable[str]] | None = None,
    tell_lost: Callable[[str, int, str], None] | None = None,
) -> str:
    """Let a reader go on at the places of a kept fold, if its logs are those that were folded.

    Args:
        reader: Just opened at the first records, none of them compacted away.
        places: Of the fold.
        shards: Of the fold, by partition of `account.events`.
        disprove: Says why the shards are not what the log gives (`why_shards_differ`).
        tell_lost: Told the topic and partition of a log that was cut or created again, and why.

    Returns:
        Why the fold does not fit, and the reader stands where it stood; "" where it does.
    """
    ends = await reader.end_offsets()
    begins = {pair: reader.position(*pair) for pair in ends}
    proofs = {pair: _proof_offset(pair, place, shards) for pair, place in places.kept.items()}
    why, lost = _unreachable(places.kept, proofs, begins, ends)
    if not why:
        for pair, offset in proofs.items():
            reader.seek(*pair, offset)
        why, lost = await _disprove(reader, places.kept, proofs, shards)
    if lost is not None and tell_lost is not None:
        tell_lost(*lost, f"{why}: it was cut, or created again; what is left is folded again")
    if not why and disprove is not None:
        why = await disprove()
    for pair, begin in begins.items():
        kept = None if why else places.kept.get(pair)
        reader.seek(*pair, begin if kept is None else kept.next_offset)
    return why


def _unreachable(
    kept: Mapping[Pair, FoldPosition],
    proofs: Mapping[Pair, int],
    begins: Mapping[Pair, int],
    ends: Mapping[Pair, int],
) -> tuple[str, Pair | None]:
    """Why a place cannot be reached, and the partition that lost records."""
    for (topic, partition), place in sorted(kept.items()):
        where, end = f"{topic}[{partition}]", ends.get((topic, partition))
        if end is None:
            return f"{where} is not there", (topic, partition)
        if end < place.next_offset:
            why = f"{where} ends at {end}, before offset {place.next_offset}"
            return why, (topic, partition)
        begin, proof = begins[topic, partition], proofs[topic, partition]
        if begin > proof:
            return f"{where} begins at {begin}, behind offset {proof}", None
    return "", None


def _proof_offset(pair: Pair, place: FoldPosition, shards: Mapping[int, Shard]) -> int:
    head = _shard_of(pair, shards)
    return place.next_offset - 1 if head is None else head.head_offset


def _shard_of(pair: Pair, shards: Mapping[int, Shard]) -> Shard | None:
    """The shard whose chain proves a partition; None where nothing counted, or no chain is."""
    shard = shards.get(pair[1]) if pair[0] == topics.EVENTS.name else None
    return shard if shard is not None and shard.head_offset >= 0 else None


async def _disprove(
    reader: LogReader,
    kept: Mapping[Pair, FoldPosition],
    proofs: dict[Pair, int],
    shards: Mapping[int, Shard],
) -> tuple[str, Pair | None]:
    """Why the logs are not those that were folded, and the partition that is another one."""
    try:
        async with asyncio.timeout(PROOF_TIMEOUT_S):
            while proofs:
                for record in await reader.read(timeout_s=0.5, max_records=len(proofs)):
                    pair = (record.topic, record.partition)
                    offset = proofs.pop(pair, None)
                    if offset is not None and not _proves(record, kept[pair], offset, shards):
                        why = f"{record.topic}[{record.partition}]@{offset} is another record"
                        return why, pair
    except TimeoutError:
        (topic, partition), offset = next(iter(proofs.items()))
        why = f"{topic}[{partition}]@{offset} was not read in {PROOF_TIMEOUT_S:.0f} s"
        return why, None
    return "", None


def _proves(record: Record, place: FoldPosition, offset: int, shards: Mapping[int, Shard]) -> bool:
    shard = _shard_of((record.topic, record.partition), shards)
    if shard is None:
        return record.offset == offset and _place(record).digest == place.digest
    return is_head_of(shard, record.kind, record.value or b"", record.offset)


async def why_shards_differ(
    bus: Bus,
    shards: Mapping[int, Shard],
    images: Mapping[int, Sequence[bytes]],
    passed_over: PassedOver,
) -> str:
    """Fold the shards of a kept fold again, from the newest state that the log proves.

    Args:
        bus: Its `account.events` is read.
        shards: As they were kept; `resume_fold` found their heads in the log.
        images: Partition -> packed states that may be proved by the log.
        passed_over: Records of the log that an operator named.

    Returns:
        Why a shard is not what the log gives, or "".
    """
    for partition, kept in shards.items():
        named = passed_over.get(partition, {})
        again = Shard(passed_over=named)
        for image in images.get(partition, ()):
            found = await _proved(bus, partition, image)
            if found is not None and again.next_offset < found.next_offset <= kept.next_offset:
                again = found
                again.passed_over = named
        try:
            await _fold_to(bus, partition, again, kept.next_offset)
            if pack_shard(again) != pack_shard(kept):
                return f"the accounts kept of shard {partition} are not what the log gives"
        except (BrokenLog, TimeoutError) as error:
            return f"shard {partition} could not be folded again: {error}"
    return ""


async def _proved(bus: Bus, partition: int, image: bytes) -> Shard | None:
    try:
        shard = unpack_shard(image)
    except Malformed:
        return None
    place = (topics.EVENTS.name, partition)
    reader = await bus.partition_reader(*place, Start(offsets={place: shard.next_offset}))
    try:
        if (await reader.end_offsets())[place] <= shard.next_offset:
            return None
        record = await reader.record_at(*place, shard.next_offset, timeout_s=PROOF_TIMEOUT_S)
    except BrokenLog:
        return None
    finally:
        await reader.close()
    if record is None:
        return None
    why = why_unproven(image, shard, record.kind, record.value or b"", record.offset)
    return None if why else shard


async def _fold_to(bus: Bus, partition: int, shard: Shard, offset: int) -> None:
    place = (topics.EVENTS.name, partition)
    reader = await bus.partition_reader(*place, Start(offsets={place: shard.next_offset}))
    try:
        while shard.next_offset < offset:
            async with asyncio.timeout(PROOF_TIMEOUT_S):
                while not (records := await reader.read(timeout_s=0.5)):
                    pass
            for record in records:
                if record.offset < offset:
                    shard.apply(record.kind, record.value, record.offset)
            await asyncio.sleep(0)
    finally:
        await reader.close()


class CheckpointFile:
    """The file of one fold: read once, then written aside now and then.

    Attributes:
        file: Where it lies. failed: True where the last one could not be written.
    """

    def __init__(self, settings: Settings, name: str, log: Log) -> None:
        """Nothing is read yet."""
        self._folder = settings.checkpoints
        self.file = ChecksummedFile(self._folder / name)
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

    def write(
        self,
        payload: bytes,
        *,
        first: tuple[ChecksummedFile, bytes] | None = None,
        images: Mapping[int, bytes] = MappingProxyType({}),
    ) -> None:
        """Begin to replace the file, aside.

        Args:
            payload: Of the file.
            first: Another file that must be whole before this one names it.
            images: Partition -> packed shard whose digest is in the log, new since the last time.
        """
        files = [] if first is None else [first]
        files += [(self._image(partition), image) for partition, image in images.items()]
        self._writing = asyncio.create_task(self._write([*files, (self.file, payload)]))

    async def read_images(self, partitions: Iterable[int]) -> dict[int, list[bytes]]:
        """Packed shards that the log may prove: kept here, or by an executor of this host."""
        return await asyncio.to_thread(self._read_images, list(partitions))

    def _read_images(self, partitions: list[int]) -> dict[int, list[bytes]]:
        found = {}
        for partition in partitions:
            files = (self._image(partition), ChecksummedFile(self._folder / _image_name(partition)))
            packed = [file.read() for file in files]
            found[partition] = [image for image in packed if image is not None]
        return found

    def _image(self, partition: int) -> ChecksummedFile:
        path = self.file.path
        return ChecksummedFile(path.with_name(f"{path.name}.{_image_name(partition)}"))

    async def settle(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write(self, files: list[tuple[ChecksummedFile, bytes]]) -> None:
        try:
            for file, payload in files:
                await asyncio.to_thread(file.write, payload)
            self.failed = False
        except OSError as error:  # A full disk costs only the saving.
            self.failed = True
            self._log.warning("checkpoint not written", path=str(self.file.path), why=str(error))


def _image_name(partition: int) -> str:
    return f"{topics.EVENTS.name}-{partition}"
