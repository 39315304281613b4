"""Where a judge keeps its season between two lives.

Reads and writes `<home>/checkpoints/<prefix>/judge` (the head) and the segments in `judge.segments`
beside it. What is kept is a saving and never the truth: `arena.fold_checkpoint` says how it is held against
the logs, `judge.season.checkpoint_format` what it holds.
"""

import asyncio
import contextlib
from functools import partial

from arena.bus.base import Bus, LogReader, Record
from arena.checkpoint import SealedFile
from arena.errors import Malformed
from arena.fold_checkpoint import KeptFile, Places, disprove_shards, resume, uncollected
from arena.logs import Log
from arena.pass_overs import PassedOver, read_passed_over
from arena.settings import Settings
from judge.season import SeasonBuilder
from judge.season.checkpoint_format import (
    CHECKPOINT_TOPICS,
    CheckpointHead,
    SeasonPacker,
    read_head,
    restore,
)

CHECKPOINT_RECORDS = 5_000
"""Records of the kept topics between two checkpoints: so many are folded again at most."""


class SeasonCheckpoint:
    """A season that is folded, and kept now and then.

    Attributes:
        builder: The season.
    """

    def __init__(self, settings: Settings, log: Log) -> None:
        """Nothing is read yet; the season is empty."""
        self.builder = SeasonBuilder()
        self.file = KeptFile(settings, "judge", log)
        self._segments = self.file.file.path.with_name("judge.segments")
        self._places = Places()
        self._packer = SeasonPacker()

    async def open(self, reader: LogReader, bus: Bus) -> None:
        """Take the season that was kept where it fits the logs; the reader goes on behind it.

        Args:
            reader: Just opened at the first records of the season's topics.
            bus: Started; the account log is folded again on readers of its own.
        """
        passed_over = await read_passed_over(bus)
        await self._resume(reader, bus, passed_over)
        self.builder.folds.accounts.pass_over(passed_over)

    async def _resume(self, reader: LogReader, bus: Bus, passed_over: PassedOver) -> None:
        packed = await self.file.read()
        if packed is None:
            return
        try:
            with uncollected():
                head = read_head(packed)
            segments = await asyncio.to_thread(self._read, head)
            with uncollected():
                builder, places = restore(head, segments)
            shards = builder.folds.accounts.shards
            images = await self.file.read_images(shards)
            disprove = partial(disprove_shards, bus, shards, images, passed_over)
            why = await resume(reader, places, shards, disprove, partial(_note_lost, bus))
        except Malformed as error:
            why = str(error)
        if why:
            self.file.refuse(why)
            return
        self.builder, self._places = builder, places
        self._packer = SeasonPacker(head.segments, builder.snapshots)

    def apply(self, record: Record) -> None:
        """Fold one record."""
        self.builder.apply(record)
        if record.topic in CHECKPOINT_TOPICS:
            self._places.note(record)
            if self._places.is_due(CHECKPOINT_RECORDS) and not self.file.busy:
                self._keep()

    async def close(self) -> None:
        """See what is being kept onto the disk."""
        await self.file.settle()

    def _keep(self) -> None:
        if self.file.failed:
            return
        packed = self._packer.pack(self.builder, self._places)
        if packed is None:
            self.file.failed = True
            return
        segment = SealedFile(self._segments / packed.segment_name)
        images = self.builder.folds.accounts.take_attested()
        self.file.write(packed.head, first=(segment, packed.segment), images=images)

    def _read(self, head: CheckpointHead) -> list[bytes]:
        """The segments; those that no head names any more are removed."""
        with contextlib.suppress(OSError):
            for path in self._segments.iterdir():
                if path.name not in head.segments:
                    path.unlink()
        found = [SealedFile(self._segments / name).read() for name in head.segments]
        if None in found:
            raise Malformed(f"{found.count(None)} segments of the season are not whole")
        return [payload for payload in found if payload is not None]


def _note_lost(bus: Bus, topic: str, partition: int, why: str) -> None:
    bus.note_lost(topic, partition, "judge", why)
