"""Checks invariant 1: the postings of every event sum to zero, in every unit. Pure."""

from collections import Counter

from arena import topics
from arena.account_log import STRUCTURAL
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import DecodedRecord


class PostingsChecker(Checker):
    """Sums the postings of every event."""

    number = 1
    title = "entries sum to zero per event and unit"
    needs = (topics.EVENTS.name,)
    required_count = "postings"

    def __init__(self, scope: Scope) -> None:
        """Start without postings.

        Args:
            scope: What records will come.
        """
        super().__init__(scope)
        self._units: set[str] = set()

    def take(self, decoded: DecodedRecord) -> None:
        """Sum the postings of one event."""
        if (
            decoded.topic != topics.EVENTS.name
            or not decoded.effective
            or decoded.kind in STRUCTURAL
        ):
            return
        body = decoded.body or {}
        sums: Counter[str] = Counter()
        for posting in body.get("postings") or ():
            sums[posting["unit"]] += int(posting["amount"])
            self.counts["postings"] += 1
        self.counts["events"] += 1
        self._units |= sums.keys()
        for unit, total in sums.items():
            subject = f"seq {body.get('seq')}, order {body.get('order_id')}"
            self.expect(
                total == 0, decoded.location, subject, f"0 {unit}", f"{total} units of 10^-8"
            )

    def finish(self) -> None:
        """Count the units."""
        self.counts["units"] = len(self._units)
