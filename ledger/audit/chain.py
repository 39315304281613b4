"""Invariant 6: sequence numbers without a gap, epochs one by one, one writer at a time. Pure.

Written down a second time from the rules in `arena.accounts`, so the audit does not ask the fold
whether the fold is right. Where the log breaks it is named once, and the walk goes on from there.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from arena import topics
from arena.account_log import STRUCTURAL, LogEvent, decode_event
from arena.account_state import GENESIS
from arena.accounts import chain
from arena.errors import BrokenLog
from arena.passed_over import PassedOver
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import DecodedRecord

KINDS = frozenset(topics.EVENTS.messages)


@dataclass(slots=True)
class _ShardChain:
    epoch: int = 0
    owner: str = ""
    seq: int = 0
    head: str = GENESIS
    decided: set[str] = field(default_factory=set)


class ChainChecker(Checker):
    """Walks every shard of `account.events`, and tells the other checkers what counts."""

    number = 6
    title = "one writer: sequence, epochs and chain without a gap"
    needs = (topics.EVENTS.name,)
    required_count = "events"

    def __init__(self, scope: Scope) -> None:
        """Every shard at its beginning."""
        super().__init__(scope)
        self.passed_over: PassedOver = {}
        self._walks: dict[int, _ShardChain] = {}

    def take(self, decoded: DecodedRecord) -> None:
        """Judge one record of the account log, and mark whether it counts."""
        if decoded.topic != topics.EVENTS.name:
            return
        record = decoded.record
        begins = record.partition not in self._walks
        walk = self._walks.setdefault(record.partition, _ShardChain())
        self.counts["events"] += 1
        decoded.effective = False
        digest = sha256(record.value or b"").hexdigest()
        if self.passed_over.get(record.partition, {}).get(record.offset) == digest:
            self.counts["passed over by an operator"] += 1
            return
        event = self._read(decoded)
        if event is None:
            return
        if begins and (first := self.scope.first(topics.EVENTS.name, record.partition)):
            self._begin_late(walk, decoded, event, first)
        counts = (
            self._epoch(walk, event)
            if decoded.kind == "Epoch"
            else self._follows(walk, decoded, event)
        )
        if not counts:
            self.counts["ignored"] += 1
            self.counts[_why_ignored(walk, decoded.kind, event)] += 1
            return
        if not self.expect(
            decoded.kind in KINDS, decoded.location, decoded.kind, "a known event", decoded.kind
        ):
            return
        decoded.effective = True
        walk.head = chain(walk.head, decoded.record.value or b"")

    def _read(self, decoded: DecodedRecord) -> LogEvent | None:
        """The event in a record, as the fold reads it; what stops the fold is named."""
        record = decoded.record
        try:
            if record.value is None:
                raise BrokenLog("it has no value")
            return decode_event(decoded.kind, record.value, record.offset)
        except (BrokenLog, RecursionError) as error:
            wanted = "an event that can be read (`arena repair` passes over one that never counted)"
            self.expect(False, decoded.location, decoded.kind, wanted, error)
            return None

    def _begin_late(
        self, walk: _ShardChain, decoded: DecodedRecord, event: LogEvent, first: int
    ) -> None:
        """Name the beginning that is gone once, and walk from the first event that is there."""
        found = f"a log that begins at offset {first}: {first:,} offsets were deleted"
        text = "every event: account.events is kept forever"
        self.expect(False, decoded.location, f"shard {decoded.record.partition}", text, found)
        epoch, structural = decoded.kind == "Epoch", decoded.kind in STRUCTURAL
        walk.epoch, walk.owner = event.epoch - epoch, event.owner
        walk.seq, walk.head = event.seq - (not structural), event.prev

    def _epoch(self, walk: _ShardChain, event: LogEvent) -> bool:
        """The first claim that carries the next epoch, the sequence and the head wins."""
        if (event.epoch, event.seq, event.prev) != (walk.epoch + 1, walk.seq, walk.head):
            return False
        walk.epoch, walk.owner = event.epoch, event.owner
        self.counts["epochs"] += 1
        return True

    def _follows(self, walk: _ShardChain, decoded: DecodedRecord, event: LogEvent) -> bool:
        order_id, epoch, seq = event.order_id, event.epoch, event.seq
        structural = decoded.kind in STRUCTURAL
        subject = f"seq {seq}, order {order_id}"
        if epoch > walk.epoch:
            self.expect(False, decoded.location, subject, f"epoch {walk.epoch}", f"epoch {epoch}")
            walk.epoch, walk.owner = epoch, event.owner
        if epoch < walk.epoch or event.owner != walk.owner:
            return False
        wanted = walk.seq if structural else walk.seq + 1
        if seq < wanted or (not structural and order_id in walk.decided):
            return False
        self.expect(seq == wanted, decoded.location, subject, f"seq {wanted}", f"seq {seq}")
        # A gap breaks the chain as well; it is one fault and named once.
        if seq == wanted:
            self.expect(
                event.prev == walk.head,
                decoded.location,
                subject,
                f"digest {walk.head[:16]} of the events before it",
                f"{event.prev[:16]}: an event before it was changed",
            )
        walk.seq, walk.head = seq, event.prev
        if not structural:
            walk.decided.add(order_id)
        return True

    def finish(self) -> None:
        """Tell how many shards there are."""
        self.counts["shards"] = len(self._walks)


def _why_ignored(walk: _ShardChain, kind: str, event: LogEvent) -> str:
    """What a record is that does not count, in words."""
    if kind == "Epoch":
        return "claims that came second"
    if kind not in KINDS:
        return "of a kind that is not known"
    if event.epoch < walk.epoch or event.owner != walk.owner:
        return "of an owner that was replaced (a zombie), or foreign"
    return "duplicates"
