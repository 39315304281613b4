"""Stores a judge's season so that a restarted judge can continue.

Reads and writes `<home>/checkpoints/<prefix>/judge` (the head) and the segments in `judge.segments`
next to it. A checkpoint only saves time: `arena.fold_checkpoint` compares it with the logs before
it is used. `judge.season.checkpoint_format` defines the bytes.
"""

import contextlib
from functools import partial

from arena.bus.base import Bus, LogReader, Record
from arena.checkpoint import ChecksummedFile
from arena.errors import Malformed
from arena.fold_checkpoint import (
    CheckpointFile,
    FoldPositions,
    no_garbage_collection,
    resume_fold,
    why_shards_differ,
)
from arena.logs import Log
from arena.pass_overs import PassedOver, read_passed_over
from arena.settings import Settings
from arena.threads import Threads, WorkerThreads
from judge.evaluations.check_fold import TurnChecks
from judge.season import SeasonBuilder
from judge.season.checkpoint_format import (
    CHECKPOINT_TOPICS,
    CheckpointHead,
    SeasonPacker,
    read_head,
    restore,
)

CHECKPOINT_RECORDS = 5_000
"""Records between two checkpoints; a restart folds at most this many again."""


class SeasonCheckpoint:
    """A season that is folded and regularly written to disk.

    Attributes:
        checks: The checks of its turns.
        builder: The fold of the season.
    """

    def __init__(self, settings: Settings, log: Log, threads: Threads | None = None) -> None:
        """Create an empty season.

        Args:
            settings: Settings of the arena; its home holds the checkpoint.
            log: Log for a refused or failed checkpoint.
            threads: Reads and writes files; None for threads of this process.
        """
        self.checks = TurnChecks()
        self.builder = SeasonBuilder(take_turn=self.checks.take)
        self._threads = threads or WorkerThreads()
        self.file = CheckpointFile(settings, "judge", log, threads=self._threads)
        self._segments = self.file.file.path.with_name("judge.segments")
        self._places = FoldPositions()
        self._packer = SeasonPacker()

    async def open(self, reader: LogReader, bus: Bus) -> None:
        """Load the stored season if it matches the logs; the reader continues after it.

        Args:
            reader: A reader at the first records of the season's topics.
            bus: A started bus; the account log is checked with separate readers.
        """
        passed_over = await read_passed_over(bus)
        await self._resume(reader, bus, passed_over)
        self.builder.folds.accounts.pass_over(passed_over)

    async def _resume(self, reader: LogReader, bus: Bus, passed_over: PassedOver) -> None:
        packed = await self.file.read()
        if packed is None:
            return
        try:
            with no_garbage_collection():
                head = read_head(packed)
            segments = await self._threads.run(partial(self._read, head))
            with no_garbage_collection():
                builder, places, checks = restore(head, segments)
            shards = builder.folds.accounts.shards
            images = await self.file.read_images(shards)
            disprove = partial(why_shards_differ, bus, shards, images, passed_over)
            why = await resume_fold(reader, places, shards, disprove, partial(_note_lost, bus))
        except Malformed as error:
            why = str(error)
        if why:
            self.file.discard(why)
            return
        self.builder, self._places, self.checks = builder, places, checks
        self._packer = SeasonPacker(head.segments, builder.snapshots)

    def apply(self, record: Record) -> None:
        """Fold one record."""
        self.builder.apply(record)
        if record.topic in CHECKPOINT_TOPICS:
            self._places.note(record)
            if self._places.is_due(CHECKPOINT_RECORDS) and not self.file.is_writing:
                self._write()

    async def close(self) -> None:
        """Wait until the checkpoint being written is on disk."""
        await self.file.wait_until_written()

    def _write(self) -> None:
        if self.file.failed:
            return
        packed = self._packer.pack(self.builder, self._places, self.checks)
        if packed is None:
            self.file.failed = True
            return
        segment = ChecksummedFile(self._segments / packed.segment_name)
        images = self.builder.folds.accounts.take_attested()
        self.file.write(packed.head, first=(segment, packed.segment), images=images)

    def _read(self, head: CheckpointHead) -> list[bytes]:
        """Return the segments; remove those that the head does not name."""
        with contextlib.suppress(OSError):
            for path in self._segments.iterdir():
                if path.name not in head.segments:
                    path.unlink()
        found = [ChecksummedFile(self._segments / name).read() for name in head.segments]
        if None in found:
            raise Malformed(f"{found.count(None)} segments of the season are missing or damaged")
        return [payload for payload in found if payload is not None]


def _note_lost(bus: Bus, topic: str, partition: int, why: str) -> None:
    bus.note_lost(topic, partition, "judge", why)
