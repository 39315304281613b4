"""Invariant 6: sequence numbers without a gap, epochs one by one, one writer at a time. Pure.

Written down a second time from the rules in `arena.accounts`, so the audit does not ask the fold
whether the fold is right. Where the log breaks it is named once, and the walk goes on from there.
"""

from dataclasses import dataclass, field

from arena import topics
from arena.account_state import GENESIS
from arena.accounts import chain
from ledger.audit.findings import Checker, Scope
from ledger.audit.reading import Json, Seen


@dataclass(slots=True)
class _Walk:
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
    counted = "events"

    def __init__(self, scope: Scope) -> None:
        """Every shard at its beginning."""
        super().__init__(scope)
        self._walks: dict[int, _Walk] = {}

    def take(self, seen: Seen) -> None:
        """Judge one record of the account log, and mark whether it counts."""
        if seen.topic != topics.EVENTS.name:
            return
        walk = self._walks.setdefault(seen.record.partition, _Walk())
        body = seen.body
        self.looked["events"] += 1
        seen.effective = False
        if not self.expect(body is not None, seen.place, seen.kind, "JSON of an event", "none"):
            return
        assert body is not None, "expected above"
        try:
            counts = self._epoch(walk, body) if seen.kind == "Epoch" else self._follows(walk, seen)
        except (KeyError, TypeError) as error:
            self.expect(False, seen.place, seen.kind, "every field of an event", repr(error))
            return
        if not counts:
            self.looked["ignored"] += 1
            return
        seen.effective = True
        walk.head = chain(walk.head, seen.record.value or b"")

    def _epoch(self, walk: _Walk, body: Json) -> bool:
        """The first claim that carries the next epoch, the sequence and the head wins."""
        if (body["epoch"], body["seq"], body["prev"]) != (walk.epoch + 1, walk.seq, walk.head):
            return False
        walk.epoch, walk.owner = body["epoch"], body["owner"]
        self.looked["epochs"] += 1
        return True

    def _follows(self, walk: _Walk, seen: Seen) -> bool:
        body = seen.body or {}
        order_id, epoch, seq = body["order_id"], body["epoch"], body["seq"]
        subject = f"seq {seq}, order {order_id}"
        if epoch > walk.epoch:
            self.expect(False, seen.place, subject, f"epoch {walk.epoch}", f"epoch {epoch}")
            walk.epoch, walk.owner = epoch, body["owner"]
        if epoch < walk.epoch or body["owner"] != walk.owner:
            return False
        if seq <= walk.seq or order_id in walk.decided:
            return False
        self.expect(seq == walk.seq + 1, seen.place, subject, f"seq {walk.seq + 1}", f"seq {seq}")
        # A gap breaks the chain as well; it is one fault and named once.
        if seq == walk.seq + 1:
            self.expect(
                body["prev"] == walk.head,
                seen.place,
                subject,
                f"digest {walk.head[:16]} of the events before it",
                f"{str(body['prev'])[:16]}: an event before it was changed",
            )
        walk.seq, walk.head = seq, body["prev"]
        walk.decided.add(order_id)
        return True

    def finish(self) -> None:
        """Tell how many shards there are."""
        self.looked["shards"] = len(self._walks)
