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

EVENTS_BETWEEN = 50_000
"""So many events are folded again at most: well under a second."""
NO_PREFIX = "_"


class ShardCheckpoint:
    """The checkpoint of one shard.

    Attributes:
        file: Where it lies.
    """

    def __init__(self, node: Node, partition: int) -> None:
        """Nothing is read yet."""
        home = node.settings.home / "checkpoints" / (node.settings.prefix or NO_PREFIX)
        self.file = SealedFile(home / f"{topics.EVENTS.name}-{partition}")
        self._log = node.log
        self._kept_to = 0
        self._writing: asyncio.Task[None] | None = None

    def load(self) -> Shard | None:
        """The shard as it was kept, not yet held against the log; None where there is none."""
        packed = self.file.read()
        if packed is None:
            return None
        try:
            shard = unpack_shard(packed)
        except Malformed as error:
            self._log.warning("checkpoint passed over", path=str(self.file.path), why=str(error))
            return None
        self._kept_to = shard.next_offset
        return shard

    def refuse(self, why: str) -> None:
        """Throw it away: it does not fit the log."""
        self._log.warning("checkpoint thrown away", path=str(self.file.path), why=why)
        self.file.discard()
        self._kept_to = 0

    def is_due(self, shard: Shard) -> bool:
        """True where enough was folded since the last one."""
        return shard.next_offset - self._kept_to >= EVENTS_BETWEEN

    def keep(self, shard: Shard) -> None:
        """Begin to write one, aside; every event in the shard must be acked."""
        if self._writing is not None and not self._writing.done():
            return
        self._kept_to = shard.next_offset
        try:
            packed = pack_shard(shard)
        except OverflowError as error:
            self._complain(error)
            return
        self._writing = asyncio.create_task(self._write(packed))

    async def settle(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write(self, packed: bytes) -> None:
        try:
            await asyncio.to_thread(self.file.write, packed)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        """A full disk costs only the saving."""
        self._log.warning("checkpoint not written", path=str(self.file.path), why=str(error))
