"""Checks invariant 7: acked records stay readable. Pure.

A record is known to be acked if another one names its offset: a snapshot names the tickers it was
made from, an event its command and its ticker, a turn its snapshot. All of them must be there, and
no offset may be missing in between.
"""

from dataclasses import dataclass

from arena import topics
from arena.errors import UsageError
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import DecodedRecord, Json, location_of
from ledger.audit.turns import TurnIndex

SNAPSHOT_OFFSETS = (
    ("ticker_offsets", topics.TICKERS.name, "its tickers"),
    ("candle_offsets", topics.CANDLES.name, "its candles"),
    ("context_offsets", topics.CONTEXT.name, "its context"),
)
"""Fields of a snapshot with offsets, the topic that they are in, and what is there."""


@dataclass(slots=True)
class _AckedEnd:
    """The highest offset of a partition that is known to be acked, and the record that names it."""

    end: int = 0
    location: str = ""
    why: str = ""


class OffsetsChecker(Checker):
    """Counts the records of every partition, and checks every offset that a record names."""

    number = 7
    title = "what was acked stays readable"
    needs = ()
    required_count = "records"

    def __init__(self, scope: Scope, turns: TurnIndex) -> None:
        """Start at the first record of every partition.

        Args:
            scope: What records will come.
            turns: The index of turns, which the auditor feeds.
        """
        super().__init__(scope)
        self._turns = turns
        self._snapshots: set[str] = set()
        self._next: dict[tuple[str, int], int] = {}
        self._count: dict[tuple[str, int], int] = {}
        self._with_gaps: set[tuple[str, int]] = set()
        self._acked_ends: dict[tuple[str, int], _AckedEnd] = {}
        self._markers = {
            (topic, partition): frozenset(span.markers)
            for topic, spans in scope.spans.items()
            for partition, span in spans.items()
            if span.markers
        }

    def take(self, decoded: DecodedRecord) -> None:
        """Count one record, and note the offsets it names."""
        record = decoded.record
        pair = (record.topic, record.partition)
        self.counts["records"] += 1
        wanted = self._after_markers(pair, self._next.get(pair, self.scope.first(*pair)))
        if not compacted(record.topic) and record.offset != wanted:
            text = f"offset {wanted}"
            self.expect(False, decoded.location, "", text, f"offset {record.offset}")
            self._with_gaps.add(pair)
        self._next[pair] = record.offset + 1
        self._count[pair] = self._count.get(pair, 0) + 1
        body = decoded.body
        if body is not None:
            self._note_offsets(decoded, body)

    def _after_markers(self, pair: tuple[str, int], offset: int) -> int:
        """Return the next offset that must hold a record, after markers of transactions."""
        markers = self._markers.get(pair, frozenset())
        while offset in markers:
            self.counts["markers of transactions"] += 1
            offset += 1
        return offset

    def _note_offsets(self, decoded: DecodedRecord, body: Json) -> None:
        match decoded.kind:
            case "MarketSnapshot":
                if body["snapshot_id"] in self._snapshots:
                    return  # A copy, or a forged one with the same id.
                self._snapshots.add(body["snapshot_id"])
                for field, topic, what in SNAPSHOT_OFFSETS:
                    for partition, end in (body.get(field) or {}).items():
                        self._note(decoded.location, topic, int(partition), int(end), what)
            case "OrderDecided" | "AccountOpened":
                source = body["source"]
                end = source["offset"] + 1
                self._note(
                    decoded.location, topics.COMMANDS.name, source["partition"], end, "its command"
                )
                if used := body.get("used"):
                    end = used["offset"] + 1
                    self._note(
                        decoded.location, topics.TICKERS.name, used["partition"], end, "its ticker"
                    )
                if trigger := body.get("trigger"):
                    where = (topics.TICKERS.name, trigger["partition"], trigger["offset"] + 1)
                    self._note(decoded.location, *where, "its trigger")
            case "MarketChecked":
                for partition, end in body["offsets"].items():
                    self._note(
                        decoded.location,
                        topics.TICKERS.name,
                        int(partition),
                        end,
                        "what it checked",
                    )
            case "Evaluation":
                for topic, ends in (body.get("ends") or {}).items():
                    for partition, end in ends.items():
                        self._note(
                            decoded.location, topic, int(partition), int(end), "what it judged"
                        )
            case "DeadLetter":
                self.counts["dead letters"] += 1
                spans = self.scope.spans.get(body["topic"], {})
                span = spans.get(int(body["partition"]))
                if spans and (span is None or int(body["offset"]) >= span.end):
                    # The letter holds the bytes, so nothing is lost; or it is forged.
                    self.counts["dead letters of a place behind the end"] += 1

    def _note_turns(self) -> None:
        """Note the snapshots of turns for which a model was asked; forged turns have no request."""
        for records in (self._turns.started, self._turns.effective):
            for turn_id, record in records.items():
                if self._turns.has_trace(turn_id):
                    end = record.snapshot_offset + 1
                    self._note(record.location, topics.SNAPSHOTS.name, 0, end, "its snapshot")

    def _note(self, location: str, topic: str, partition: int, end: int, why: str) -> None:
        if topic not in self.scope.spans:
            return
        self.counts["places named"] += 1
        acked = self._acked_ends.setdefault((topic, partition), _AckedEnd())
        if end > acked.end:
            acked.end, acked.location, acked.why = end, location, why

    def finish(self) -> None:
        """Compare the records with the offsets that are known to be acked."""
        self._note_turns()
        for topic, spans in self.scope.spans.items():
            for partition, span in spans.items():
                pair = (topic, partition)
                self.counts["partitions"] += 1
                count = self._count.get(pair, 0)
                location = location_of(topic, partition, self._next.get(pair, span.first))
                text = f"{span.count:,} records up to offset {span.end}"
                whole = count == span.count or pair in self._with_gaps
                self.expect(whole, location, "", text, f"{count:,}")
        for (topic, partition), acked in self._acked_ends.items():
            end = self.scope.end(topic, partition)
            if acked.end > end and self.scope.live:
                self.counts["places newer than these records"] += 1
                continue
            text = f"{location_of(topic, partition, acked.end - 1)}, {acked.why}"
            self.expect(acked.end <= end, acked.location, "", text, f"the log ends at {end}")


def compacted(topic: str) -> bool:
    """True if a topic is compacted; False for a topic that the arena does not know."""
    try:
        return topics.spec_of(topic).compacted
    except UsageError:
        return False
