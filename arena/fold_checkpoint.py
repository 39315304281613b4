"""Checkpoints of processes that fold several topics and write none: dashboard and judge.

Reads and writes `<home>/checkpoints/<prefix>/<name>`. A checkpoint holds the folded state and, for
every partition, the offset after the last record and the digest of that record. It only saves time;
the logs stay the truth. Before a checkpoint is used, those records are read again: a log that ends
earlier, begins later, or holds another record at that offset is not the log that was folded. For
`account.events` the chain is checked (`arena.checkpoint.is_head_of`): one record proves all records
before it. A checkpoint that does not match is discarded, and the fold starts at the first record.

A process that can write the file could write other balances into it. So the shards in it are folded
again from the newest state whose digest is in the log (`arena.checkpoint.why_unproven`), or from
offset 0, and must give the same state. The rest (seasons, equity curves, turns) has a checksum,
which protects against accidents only.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
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
from arena.threads import Threads, WorkerThreads

CHECKPOINT_BYTES = 16 << 20
"""Bytes of records between two checkpoints: a turn can be as large as a hundred orders."""
PROOF_TIMEOUT_S = 20.0
"""How long to wait for a record that proves a log."""

Pair = tuple[str, int]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector: a fold has many objects and no reference cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class FoldPosition(msgspec.Struct, array_like=True, frozen=True):
    """The offset after the last folded record of a partition, and the SHA-256 of its value."""

    next_offset: int
    digest: bytes


class FoldPositions:
    """The positions of a fold in the partitions it reads.

    Attributes:
        restored: The positions it started at.
        records, size_bytes: Amount folded since the last call of `packed`.
    """

    def __init__(self, restored: Mapping[str, Mapping[int, FoldPosition]] | None = None) -> None:
        """Take the positions of a checkpoint; None if there is none."""
        self._last: dict[Pair, Record] = {}
        self.records = 0
        self.size_bytes = 0
        self.restored: dict[Pair, FoldPosition] = {
            (topic, partition): position
            for topic, found in (restored or {}).items()
            for partition, position in found.items()
        }

    def note(self, record: Record) -> None:
        """Note that a record was folded."""
        self._last[record.topic, record.partition] = record
        self.records += 1
        self.size_bytes += len(record.value or b"")

    def is_due(self, records: int) -> bool:
        """True if enough records or bytes were folded since the last checkpoint."""
        return self.records >= records or self.size_bytes >= CHECKPOINT_BYTES

    def packed(self) -> dict[str, dict[int, FoldPosition]]:
        """Return the positions by topic and partition for a checkpoint, and restart the counts."""
        self.records = self.size_bytes = 0
        now = self.restored | {pair: _position_after(record) for pair, record in self._last.items()}
        found: dict[str, dict[int, FoldPosition]] = {}
        for (topic, partition), position in now.items():
            found.setdefault(topic, {})[partition] = position
        return found


def _position_after(record: Record) -> FoldPosition:
    return FoldPosition(record.offset + 1, sha256(record.value or b"").digest())


async def resume_fold(
    reader: LogReader,
    positions: FoldPositions,
    shards: Mapping[int, Shard],
    check_shards: Callable[[], Awaitable[str]] | None = None,
    report_lost: Callable[[str, int, str], None] | None = None,
) -> str:
    """Seek a reader to the positions of a checkpoint, if its logs are those that were folded.

    Args:
        reader: Just opened, at the first records, on topics that are not compacted.
        positions: The positions in the checkpoint.
        shards: The shards in the checkpoint, by partition of `account.events`.
        check_shards: Returns why the shards differ from the log (`why_shards_differ`), or "".
        report_lost: Called with topic, partition and reason if a log was cut or created again.

    Returns:
        "" if the checkpoint matches; else the reason, and the reader stays where it was.
    """
    ends = await reader.end_offsets()
    begins = {pair: reader.position(*pair) for pair in ends}
    proofs = {
        pair: _proof_offset(pair, position, shards) for pair, position in positions.restored.items()
    }
    why, lost = _unreachable(positions.restored, proofs, begins, ends)
    if not why:
        for pair, offset in proofs.items():
            reader.seek(*pair, offset)
        why, lost = await _why_logs_differ(reader, positions.restored, proofs, shards)
    if lost is not None and report_lost is not None:
        report_lost(*lost, f"{why}: it was cut, or created again; what is left is folded again")
    if not why and check_shards is not None:
        why = await check_shards()
    for pair, begin in begins.items():
        position = None if why else positions.restored.get(pair)
        reader.seek(*pair, begin if position is None else position.next_offset)
    return why


def _unreachable(
    restored: Mapping[Pair, FoldPosition],
    proofs: Mapping[Pair, int],
    begins: Mapping[Pair, int],
    ends: Mapping[Pair, int],
) -> tuple[str, Pair | None]:
    """Why a position cannot be reached, and the partition that lost records."""
    for (topic, partition), position in sorted(restored.items()):
        where, end = f"{topic}[{partition}]", ends.get((topic, partition))
        if end is None:
            return f"{where} does not exist", (topic, partition)
        if end < position.next_offset:
            why = f"{where} ends at {end}, before offset {position.next_offset}"
            return why, (topic, partition)
        begin, proof = begins[topic, partition], proofs[topic, partition]
        if begin > proof:
            return f"{where} begins at {begin}, after offset {proof}", None
    return "", None


def _proof_offset(pair: Pair, position: FoldPosition, shards: Mapping[int, Shard]) -> int:
    head = _shard_of(pair, shards)
    return position.next_offset - 1 if head is None else head.head_offset


def _shard_of(pair: Pair, shards: Mapping[int, Shard]) -> Shard | None:
    """The shard whose chain proves a partition; None if no record counted, or it has no chain."""
    shard = shards.get(pair[1]) if pair[0] == topics.EVENTS.name else None
    return shard if shard is not None and shard.head_offset >= 0 else None


async def _why_logs_differ(
    reader: LogReader,
    restored: Mapping[Pair, FoldPosition],
    proofs: dict[Pair, int],
    shards: Mapping[int, Shard],
) -> tuple[str, Pair | None]:
    """Why the logs are not those that were folded, and the partition that differs."""
    try:
        async with reader.clock.timeout(PROOF_TIMEOUT_S):
            while proofs:
                for record in await reader.read(timeout_s=0.5, max_records=len(proofs)):
                    pair = (record.topic, record.partition)
                    offset = proofs.pop(pair, None)
                    if offset is not None and not _proves(record, restored[pair], offset, shards):
                        why = f"{record.topic}[{record.partition}]@{offset} is another record"
                        return why, pair
    except TimeoutError:
        (topic, partition), offset = next(iter(proofs.items()))
        why = f"{topic}[{partition}]@{offset} was not read in {PROOF_TIMEOUT_S:.0f} s"
        return why, None
    return "", None


def _proves(
    record: Record, position: FoldPosition, offset: int, shards: Mapping[int, Shard]
) -> bool:
    shard = _shard_of((record.topic, record.partition), shards)
    if shard is None:
        return record.offset == offset and _position_after(record).digest == position.digest
    return is_head_of(shard, record.kind, record.value or b"", record.offset)


async def why_shards_differ(
    bus: Bus,
    shards: Mapping[int, Shard],
    images: Mapping[int, Sequence[bytes]],
    passed_over: PassedOver,
) -> str:
    """Fold the shards of a checkpoint again, from the newest state that the log proves.

    Args:
        bus: The bus to read `account.events` from.
        shards: The shards of the checkpoint, whose heads `resume_fold` found in the log.
        images: Partition -> packed states that the log may prove.
        passed_over: Records of the log to pass over.

    Returns:
        Why a shard differs from the log, or "".
    """
    for partition, restored in shards.items():
        named = passed_over.get(partition, {})
        again = Shard(passed_over=named)
        for image in images.get(partition, ()):
            found = await _proved(bus, partition, image)
            if found is not None and again.next_offset < found.next_offset <= restored.next_offset:
                again = found
                again.passed_over = named
        try:
            await _fold_to(bus, partition, again, restored.next_offset)
            if pack_shard(again) != pack_shard(restored):
                return f"the checkpoint's accounts of shard {partition} differ from the log"
        except (BrokenLog, TimeoutError) as error:
            return f"shard {partition} could not be folded again: {error}"
    return ""


async def _proved(bus: Bus, partition: int, image: bytes) -> Shard | None:
    try:
        shard = unpack_shard(image)
    except Malformed:
        return None
    pair = (topics.EVENTS.name, partition)
    reader = await bus.partition_reader(*pair, Start(offsets={pair: shard.next_offset}))
    try:
        if (await reader.end_offsets())[pair] <= shard.next_offset:
            return None
        record = await reader.record_at(*pair, shard.next_offset, timeout_s=PROOF_TIMEOUT_S)
    except BrokenLog:
        return None
    finally:
        await reader.close()
    if record is None:
        return None
    why = why_unproven(image, shard, record.kind, record.value or b"", record.offset)
    return None if why else shard


async def _fold_to(bus: Bus, partition: int, shard: Shard, offset: int) -> None:
    pair = (topics.EVENTS.name, partition)
    reader = await bus.partition_reader(*pair, Start(offsets={pair: shard.next_offset}))
    try:
        while shard.next_offset < offset:
            async with bus.clock.timeout(PROOF_TIMEOUT_S):
                while not (records := await reader.read(timeout_s=0.5)):
                    pass
            for record in records:
                if record.offset < offset:
                    shard.apply(record.kind, record.value, record.offset)
            await bus.clock.sleep(0)
    finally:
        await reader.close()


class CheckpointFile:
    """The checkpoint file of one fold: read once at the start, then replaced in the background.

    Attributes:
        file: The file.
        failed: True if the last write failed.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        log: Log,
        *,
        threads: Threads | None = None,
        logs_failures: bool = True,
    ) -> None:
        """Take the folder of the settings, and the file's name in it.

        Args:
            settings: The settings with the folder.
            name: Name of the file.
            log: Gets a warning if a checkpoint is discarded.
            threads: Reads and writes; None for threads of this process.
            logs_failures: Also log a warning if the file cannot be written.
        """
        self._folder = settings.checkpoints
        self.file = ChecksummedFile(self._folder / name)
        self.failed = False
        self._log = log
        self._threads = threads or WorkerThreads()
        self._logs_failures = logs_failures
        self._writing: asyncio.Task[None] | None = None

    async def read(self) -> bytes | None:
        """Return the payload; None without an intact file."""
        return await self._threads.run(self.file.read)

    def discard(self, why: str) -> None:
        """Delete the file and log why."""
        self._log.warning("checkpoint discarded", path=str(self.file.path), why=why)
        self.file.discard()

    @property
    def is_writing(self) -> bool:
        """True while the file is being written."""
        return self._writing is not None and not self._writing.done()

    def write(
        self,
        payload: bytes,
        *,
        first: tuple[ChecksummedFile, bytes] | None = None,
        images: Mapping[int, bytes] = MappingProxyType({}),
    ) -> None:
        """Start to replace the file in the background.

        Args:
            payload: The new content.
            first: Another file to write before this one, which names it.
            images: Partition -> packed shard whose digest is in the log, new since the last call.
        """
        files = [] if first is None else [first]
        files += [(self._image(partition), image) for partition, image in images.items()]
        self._writing = asyncio.create_task(self._write([*files, (self.file, payload)]))

    async def read_images(self, partitions: Iterable[int]) -> dict[int, list[bytes]]:
        """Read packed shards that the log may prove: our own, and an executor's on this host."""
        return await self._threads.run(partial(self._read_images, list(partitions)))

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

    async def wait_until_written(self) -> None:
        """Wait for a write in progress."""
        if self._writing is not None:
            await self._writing

    async def _write(self, files: list[tuple[ChecksummedFile, bytes]]) -> None:
        try:
            for file, payload in files:
                await self._threads.run(partial(file.write, payload))
            self.failed = False
        except OSError as error:  # The checkpoint only saves time.
            self.failed = True
            if self._logs_failures:
                path = str(self.file.path)
                self._log.warning("checkpoint not written", path=path, why=str(error))


def _image_name(partition: int) -> str:
    return f"{topics.EVENTS.name}-{partition}"
