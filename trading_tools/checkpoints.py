"""Saves the fold of a shard in a file, so that a restarted executor folds less.

Reads and writes `<home>/checkpoints/<prefix>/account.events-<shard>`. The file only saves time and
is never the truth: `arena.checkpoint` says how it is checked against the log.
"""

import asyncio
from functools import partial

from arena import topics
from arena.accounts import Shard
from arena.checkpoint import ChecksummedFile, pack_shard, unpack_shard
from arena.errors import Malformed
from arena.node import Node


class ShardCheckpoint:
    """The checkpoint of one shard.

    Attributes:
        file: The checkpoint on disk.
    """

    def __init__(self, node: Node, partition: int) -> None:
        """Name the file; `load` reads it."""
        self.file = ChecksummedFile(node.settings.checkpoints / f"{topics.EVENTS.name}-{partition}")
        self._log = node.log
        self._threads = node.threads
        self._events_between = node.settings.checkpoint_events
        self._saved_to = 0
        self._writing: asyncio.Task[None] | None = None

    def load(self) -> tuple[bytes, Shard] | None:
        """Load the saved shard, packed and unpacked, not yet checked against the log, or None."""
        packed = self.file.read()
        if packed is None:
            return None
        try:
            shard = unpack_shard(packed)
        except Malformed as error:
            self.discard(str(error))
            return None
        self._saved_to = shard.next_offset
        return packed, shard

    def discard(self, why: str) -> None:
        """Delete the checkpoint: it does not fit the log."""
        self._log.warning("checkpoint discarded", path=str(self.file.path), why=why)
        self.file.discard()
        self._saved_to = 0

    def is_due(self, shard: Shard) -> bool:
        """True if enough events were folded since the last checkpoint."""
        return shard.next_offset - self._saved_to >= self._events_between

    def pack(self, shard: Shard) -> bytes:
        """Pack a shard for saving; the next checkpoint is due after as many events again."""
        self._saved_to = shard.next_offset
        return pack_shard(shard)

    def save(self, packed: bytes) -> None:
        """Start writing a packed shard whose digest is in the log, in the background."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(packed))

    def report_mismatch(self, shard: Shard, offset: int) -> None:
        """Log that this fold differs from the owner's."""
        self._log.error(
            "this fold of the account log differs from its owner's; no checkpoint is saved",
            path=str(self.file.path),
            offset=offset,
            epoch=shard.epoch,
            owner=shard.owner,
            remedy="run the same version of the arena in every executor",
        )

    async def settle(self) -> None:
        """Wait until a checkpoint that is being written is complete."""
        if self._writing is not None:
            await self._writing

    async def _write(self, packed: bytes) -> None:
        try:
            await self._threads.run(partial(self.file.write, packed))
        except OSError as error:
            self._log_failure(error)

    def _log_failure(self, error: Exception) -> None:
        """Log a failed write; a full disk only costs a longer fold at the next start."""
        self._log.warning("checkpoint not written", path=str(self.file.path), why=str(error))
