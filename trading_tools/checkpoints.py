"""Where an executor keeps the fold of its shard between two lives.

Reads and writes `<home>/checkpoints/<prefix>/account.events-<shard>`. What is kept is a saving and
never the truth: `arena.checkpoint` says how it is held against the log.
"""

import asyncio

from arena import topics
from arena.accounts import Shard
from arena.checkpoint import SealedFile, pack_shard, unpack_shard
from arena.errors import Malformed
from arena.node import Node


class ShardCheckpoint:
    """The checkpoint of one shard.

    Attributes:
        file: The checkpoint on disk.
    """

    def __init__(self, node: Node, partition: int) -> None:
        """Name the file; `load` reads it."""
        self.file = SealedFile(node.settings.checkpoints / f"{topics.EVENTS.name}-{partition}")
        self._log = node.log
        self._events_between = node.settings.checkpoint_events
        self._saved_to = 0
        self._writing: asyncio.Task[None] | None = None

    def load(self) -> tuple[bytes, Shard] | None:
        """What was kept, not yet held against the log, as bytes too; None if there is none."""
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
        """Throw it away: it does not fit the log."""
        self._log.warning("checkpoint thrown away", path=str(self.file.path), why=why)
        self.file.discard()
        self._saved_to = 0

    def is_due(self, shard: Shard) -> bool:
        """True where enough was folded since the last one."""
        return shard.next_offset - self._saved_to >= self._events_between

    def pack(self, shard: Shard) -> bytes:
        """A shard as it would be kept. The next one is due later."""
        self._saved_to = shard.next_offset
        return pack_shard(shard)

    def save(self, packed: bytes) -> None:
        """Begin to write what the log has the digest of, aside."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(packed))

    def report_mismatch(self, shard: Shard, offset: int) -> None:
        """Say that this fold is not the owner's."""
        self._log.error(
            "this fold of the account log is not its owner's; no checkpoint is kept",
            path=str(self.file.path),
            offset=offset,
            epoch=shard.epoch,
            owner=shard.owner,
            remedy="run the same version of the arena in every executor",
        )

    async def settle(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write(self, packed: bytes) -> None:
        try:
            await asyncio.to_thread(self.file.write, packed)
        except OSError as error:
            self._log_failure(error)

    def _log_failure(self, error: Exception) -> None:
        """A full disk costs only the saving."""
        self._log.warning("checkpoint not written", path=str(self.file.path), why=str(error))
