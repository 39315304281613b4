"""Recovers a shard at a start: folds its account log to the end, then claims it by an epoch.

Reads `account.events`, appends one `Epoch` to it per claim. The fold starts at a checkpoint if
there is one that fits the log, else at the first record.
"""

from hashlib import sha256

from arena import topics
from arena.account_log import StateDigestEvent
from arena.accounts import Shard
from arena.bus.base import LogReader, Record, Start
from arena.checkpoint import FORMAT, is_head_of, why_unproven
from arena.errors import BrokenLog
from arena.fault_points import fault_point
from arena.fold_checkpoint import no_garbage_collection
from arena.messages import Rules
from arena.node import Node
from arena.pass_overs import read_passed_over
from arena.wire import encode
from trading_tools.checkpoints import ShardCheckpoint
from trading_tools.events import PendingEvent, epoch_of, state_digest_of
from trading_tools.outbox import within_ack_timeout

STALL_S = 20.0
"""If a reader is behind the end and gets nothing for so long, the log is damaged."""
SHORT_S = 10.0
"""How long a log may seem to end before the folded offset: a new leader learns its end late."""
SHORT_POLL_S = 0.1
START_AGAIN = (
    "start again: the rest of the log is folded, and lost events are looked for in the inboxes of"
    " its agents"
)
BATCH_MAX = 100
"""Small enough that a batch is still in the processor's cache when it is folded."""
TOPIC = topics.EVENTS.name


class EventLog:
    """One partition of `account.events`, folded as far as it was read.

    Attributes:
        shard: The state.
        owner: The id of this process in its epochs.
    """

    def __init__(self, node: Node, partition: int) -> None:
        """Start with an empty state; `open` and the fold fill it."""
        self.shard = Shard()
        self.owner = f"{node.id}/{node.new_name()}"
        self._node = node
        self._partition = partition
        self._reader: LogReader | None = None
        self._checkpoint = ShardCheckpoint(node, partition)
        self._short_since: float | None = None

    async def open(self) -> None:
        """Start after the checkpoint, or at the first record: the topic is kept forever."""
        passed_over = (await read_passed_over(self._node.bus)).get(self._partition, {})
        saved = await self._node.threads.run(self._checkpoint.load)
        if saved is not None:
            await self._resume(*saved)
        self.shard.passed_over = passed_over
        self._reader = await self._reader_at(self.shard.next_offset)

    async def _reader_at(self, offset: int) -> LogReader:
        start = Start(offsets={(TOPIC, self._partition): offset})
        return await self._node.bus.partition_reader(TOPIC, self._partition, start)

    async def _resume(self, packed: bytes, saved: Shard) -> None:
        """Use the saved state if the log has its last event, followed by its digest."""
        # A separate reader: a broker holds the fetch that a seek replaces for half a second.
        reader = await self._reader_at(max(0, saved.head_offset))
        try:
            reason = await self._why_unproven(packed, saved, reader)
        finally:
            await reader.close()
        if reason:
            self._checkpoint.discard(reason)
        else:
            self.shard = saved

    async def _why_unproven(self, packed: bytes, saved: Shard, reader: LogReader) -> str:
        end = (await reader.end_offsets())[TOPIC, self._partition]
        if saved.head_offset < 0 or end <= saved.next_offset:
            return (
                f"the log ends at {end}, the checkpoint's proof was at offset {saved.next_offset}"
            )
        head = await self._at(saved.head_offset, reader)
        if head is None or not is_head_of(saved, head.kind, head.value or b"", head.offset):
            return f"offset {saved.head_offset} holds another event"
        digest_event = await self._at(saved.next_offset, reader)  # Mostly the next record: no seek.
        if digest_event is None:
            return f"offset {saved.next_offset} could not be read"
        return why_unproven(
            packed, saved, digest_event.kind, digest_event.value or b"", digest_event.offset
        )

    async def _at(self, offset: int, reader: LogReader) -> Record | None:
        return await reader.record_at(TOPIC, self._partition, offset, timeout_s=STALL_S)

    def digest(self) -> tuple[PendingEvent, bytes] | None:
        """If a checkpoint is due, return its digest event, already folded, and the packed state.

        Every event in the shard must be acked. The state may be saved once the digest is acked.
        """
        if not self._checkpoint.is_due(self.shard):
            return None
        packed = self._checkpoint.pack(self.shard)
        digest_event = state_digest_of(
            self.shard, sha256(packed).hexdigest(), self._node.clock.now()
        )
        encoded = encode(digest_event)
        key = f"shard/{self._partition}"
        offset = self.shard.next_offset
        append = PendingEvent(offset, digest_event.type_name(), key, encoded.value, encoded.headers)
        counted = self.shard.apply(append.kind, append.value, offset)
        assert counted is not None, f"own digest at {offset} does not count"
        return append, packed

    def save(self, packed: bytes) -> None:
        """Start writing a checkpoint whose digest was acked."""
        self._checkpoint.save(packed)

    async def close(self) -> None:
        """Stop reading, and wait until a checkpoint that is being written is on disk."""
        await self._checkpoint.settle()
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def end(self) -> int:
        """The offset after the last record of the log."""
        ends = await self._open_reader().end_offsets()
        return ends[TOPIC, self._partition]

    async def follow(self, timeout_s: float) -> int:
        """Fold the records that come within the timeout.

        Returns:
            How many records were folded.
        """
        records = await self._open_reader().read(timeout_s=timeout_s, max_records=BATCH_MAX)
        for record in records:
            self._fold(record)
        return len(records)

    def is_short(self, end: int) -> bool:
        """True if the log has ended before the folded offset for too long.

        Args:
            end: Where it ends now.
        """
        if end >= self.shard.next_offset:
            self._short_since = None
            return False
        now = self._node.clock.monotonic()
        self._short_since = now if self._short_since is None else self._short_since
        return now - self._short_since > SHORT_S

    async def catch_up(self) -> None:
        """Fold to the end of the log.

        Raises:
            BrokenLog: It ends before the folded offset, or cannot be folded.
        """
        while (end := await self.end()) < self.shard.next_offset:
            if self.is_short(end):
                raise self._shorter(end)
            await self._node.clock.sleep(SHORT_POLL_S)
        self._short_since = None
        await self.fold_to(end)

    async def fold_to(self, offset: int) -> None:
        """Fold until everything before an offset was read.

        Raises:
            BrokenLog: Nothing comes, or a record cannot be part of a sound log.
        """
        with no_garbage_collection():
            await self._fold_to(offset)

    async def _fold_to(self, offset: int) -> None:
        idle_since, reader = self._node.clock.monotonic(), self._open_reader()
        # The log may end with the marker of a transaction, which is read and not folded.
        while reader.position(TOPIC, self._partition) < offset:
            if await self.follow(0.5):
                idle_since = self._node.clock.monotonic()
                fault_point("during_recovery")
            elif self._node.clock.monotonic() - idle_since > STALL_S:
                raise BrokenLog(
                    f"{TOPIC}[{self._partition}] ends at {offset} but gives nothing after"
                    f" {self.shard.next_offset}",
                    remedy="compare the log with an export",
                )

    async def claim(self, rules: Rules | None = None) -> bool:
        """Append the next epoch to the log as it was folded, and fold up to it.

        Args:
            rules: The rules that this process decides by.

        Returns:
            True if the epoch counts: this process owns the shard until a later one counts.

        Raises:
            BrokenLog: The log lost its end since it was folded.
        """
        epoch = epoch_of(self.shard, self.owner, self._node.clock.now(), rules)
        append = await self._node.bus.send(
            TOPIC, epoch, key=f"shard/{self._partition}", partition=self._partition
        )
        (acked,) = await within_ack_timeout(self._node.clock, [append], "an epoch")
        fault_point("after_epoch")
        if acked.offset < self.shard.next_offset:
            raise self._shorter(acked.offset)
        await self.fold_to(acked.offset + 1)
        return (self.shard.epoch, self.shard.owner) == (epoch.epoch, self.owner)

    def _shorter(self, end: int) -> BrokenLog:
        return BrokenLog(
            f"{TOPIC}[{self._partition}] ends at {end}, and was folded to"
            f" {self.shard.next_offset}: it lost its end",
            remedy=START_AGAIN,
        )

    def _fold(self, record: Record) -> None:
        kind = record.kind
        packed = None
        # After a record that did not count, the digest is of a state without that record: its owner
        # was being replaced, and did not know.
        comparable = kind == "StateDigest" and self.shard.head_offset == record.offset - 1
        if comparable and self._checkpoint.is_due(self.shard):
            packed = self._checkpoint.pack(self.shard)
        event = self.shard.apply(kind, record.value, record.offset)
        if packed is None or not isinstance(event, StateDigestEvent) or event.format != FORMAT:
            return
        if event.sha256 == sha256(packed).hexdigest():
            self._checkpoint.save(packed)
        else:
            self._checkpoint.report_mismatch(self.shard, record.offset)

    def _open_reader(self) -> LogReader:
        assert self._reader is not None, "the log is not open"
        return self._reader
