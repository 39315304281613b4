"""Checks invariant 6: no gap in sequence numbers and epochs, one writer at a time. Pure.

Implements the rules of `arena.accounts` a second time, so that the audit does not rely on the fold
it checks. A break in the log is reported once; checking continues after it.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from arena import topics
from arena.account_log import SETTINGS, STRUCTURAL, LogEvent, OrderEvent, decode_event
from arena.account_state import GENESIS
from arena.accounts import chain
from arena.errors import BrokenLog
from arena.pass_overs import PassedOver
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import CLOSING, DecodedRecord

KINDS = frozenset(topics.EVENTS.messages)
CLOSED = -1
"""Stands for the newest step of an order that has no further one."""


@dataclass(slots=True)
class _ShardChain:
    epoch: int = 0
    owner: str = ""
    seq: int = 0
    head: str = GENESIS
    newest_steps: dict[str, int] = field(default_factory=dict)

    def repeats(self, event: LogEvent) -> bool:
        """True if an event is not the next step of its order, or opens an account again."""
        if isinstance(event, OrderEvent) and event.step:
            return self.newest_steps.get(event.order_id) != event.step - 1
        return event.order_id in self.newest_steps

    def note(self, event: LogEvent) -> None:
        """Note the step of an order, and the calls that it decides."""
        self.newest_steps[event.order_id] = CLOSED
        if isinstance(event, OrderEvent):
            if event.outcome not in CLOSING:
                self.newest_steps[event.order_id] = event.step
            if event.by_call:
                self.newest_steps[event.by_call] = CLOSED


class ChainChecker(Checker):
    """Checks every shard of `account.events`, and marks the events that count."""

    number = 6
    title = "one writer: sequence, epochs and chain without a gap"
    needs = (topics.EVENTS.name,)
    required_count = "events"

    def __init__(self, scope: Scope) -> None:
        """Start every shard at its beginning.

        Args:
            scope: What records will come.
        """
        super().__init__(scope)
        self.passed_over: PassedOver = {}
        self._chains: dict[int, _ShardChain] = {}

    def take(self, decoded: DecodedRecord) -> None:
        """Check one record of the account log, and mark whether it counts."""
        if decoded.topic != topics.EVENTS.name:
            return
        record = decoded.record
        begins = record.partition not in self._chains
        chain_state = self._chains.setdefault(record.partition, _ShardChain())
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
            self._begin_late(chain_state, decoded, event, first)
        counts = (
            self._check_epoch(chain_state, event)
            if decoded.kind == "Epoch"
            else self._check_event(chain_state, decoded, event)
        )
        if not counts:
            self.counts["ignored"] += 1
            self.counts[_why_ignored(chain_state, decoded.kind, event)] += 1
            return
        if not self.expect(
            decoded.kind in KINDS, decoded.location, decoded.kind, "a known event", decoded.kind
        ):
            return
        decoded.effective = True
        chain_state.head = chain(chain_state.head, decoded.record.value or b"")

    def _read(self, decoded: DecodedRecord) -> LogEvent | None:
        """Decode an event as the fold does; report one that would stop the fold."""
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
        self, chain_state: _ShardChain, decoded: DecodedRecord, event: LogEvent, first: int
    ) -> None:
        """Report the missing beginning once, and start at the first event that is kept."""
        found = f"a log that begins at offset {first}: {first:,} offsets were deleted"
        text = "every event: account.events is kept forever"
        self.expect(False, decoded.location, f"shard {decoded.record.partition}", text, found)
        epoch, structural = decoded.kind == "Epoch", decoded.kind in STRUCTURAL
        chain_state.epoch, chain_state.owner = event.epoch - epoch, event.owner
        chain_state.seq, chain_state.head = event.seq - (not structural), event.prev

    def _check_epoch(self, chain_state: _ShardChain, event: LogEvent) -> bool:
        """Decide if a claim counts: the first with the next epoch, the sequence and the head."""
        if (event.epoch, event.seq, event.prev) != (
            chain_state.epoch + 1,
            chain_state.seq,
            chain_state.head,
        ):
            return False
        chain_state.epoch, chain_state.owner = event.epoch, event.owner
        self.counts["epochs"] += 1
        return True

    def _check_event(
        self, chain_state: _ShardChain, decoded: DecodedRecord, event: LogEvent
    ) -> bool:
        order_id, epoch, seq = event.order_id, event.epoch, event.seq
        structural = decoded.kind in STRUCTURAL
        subject = f"seq {seq}, order {order_id}"
        if epoch > chain_state.epoch:
            self.expect(
                False, decoded.location, subject, f"epoch {chain_state.epoch}", f"epoch {epoch}"
            )
            chain_state.epoch, chain_state.owner = epoch, event.owner
        if epoch < chain_state.epoch or event.owner != chain_state.owner:
            return False
        wanted = chain_state.seq if structural else chain_state.seq + 1
        if seq < wanted or (not structural and chain_state.repeats(event)):
            return False
        self.expect(seq == wanted, decoded.location, subject, f"seq {wanted}", f"seq {seq}")
        # A gap breaks the chain, too; it is reported once.
        if seq == wanted:
            self.expect(
                event.prev == chain_state.head,
                decoded.location,
                subject,
                f"digest {chain_state.head[:16]} of the events before it",
                f"{event.prev[:16]}: an event before it was changed",
            )
        chain_state.seq, chain_state.head = seq, event.prev
        if not structural and decoded.kind not in SETTINGS:
            chain_state.note(event)
        return True

    def finish(self) -> None:
        """Count the shards."""
        self.counts["shards"] = len(self._chains)


def _why_ignored(chain_state: _ShardChain, kind: str, event: LogEvent) -> str:
    """Return why a record does not count."""
    if kind == "Epoch":
        return "claims that came second"
    if kind not in KINDS:
        return "of a kind that is not known"
    if event.epoch < chain_state.epoch or event.owner != chain_state.owner:
        return "of an owner that was replaced (a zombie), or foreign"
    return "duplicates"
