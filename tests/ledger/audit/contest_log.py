"""The records of a contest, and ways to change them, so that tests can violate invariants."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from arena import topics
from arena.account_log import STRUCTURAL
from arena.account_state import GENESIS
from arena.accounts import chain
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.exports import PartitionSpan, export_topics
from ledger.audit.auditor import Auditor
from ledger.audit.checker import InvariantResult, InvariantStatus, Scope
from ledger.audit.decoding import in_order

Json = dict[str, Any]  # Any: decoded JSON
EVENTS, COMMANDS, TICKERS = topics.EVENTS.name, topics.COMMANDS.name, topics.TICKERS.name
TURNS, CONTROL, ROSTER = topics.TURNS.name, topics.CONTROL.name, topics.ROSTER.name
SNAPSHOTS = topics.SNAPSHOTS.name


def body_of(record: Record) -> Json:
    """The body of a record."""
    found: Json = orjson.loads(record.value or b"{}")
    return found


def updating(values: Json) -> Callable[[Json], None]:
    """Return a change that sets fields of a body."""
    return lambda body: body.update(values)


def kind_of(record: Record) -> str:
    """The message type in its header."""
    return record.headers.get("type", b"").decode()


class ContestLog:
    """The records of a contest by topic; tests change copies."""

    def __init__(
        self, records: dict[str, list[Record]], spans: dict[str, dict[int, PartitionSpan]]
    ) -> None:
        """Use some records.

        Args:
            records: Topic -> its records.
            spans: Topic -> partition -> its offsets.
        """
        self.records = records
        self.spans = spans

    @classmethod
    def of(
        cls, records: Iterable[Record], spans: dict[str, dict[int, PartitionSpan]]
    ) -> "ContestLog":
        """Collect a stream of records."""
        found: dict[str, list[Record]] = {topic: [] for topic in spans}
        for record in records:
            found[record.topic].append(record)
        return cls(found, spans)

    def copy(self) -> "ContestLog":
        """Return a copy to change."""
        return ContestLog({t: list(r) for t, r in self.records.items()}, dict(self.spans))

    def find(self, topic: str, matches: Callable[[Record, Json], bool]) -> int:
        """Return the index of the first record of a topic that matches."""
        for index, record in enumerate(self.records[topic]):
            if matches(record, body_of(record)):
                return index
        raise AssertionError(f"no such record in {topic}")

    def change(self, topic: str, index: int, change: Callable[[Json], None]) -> Record:
        """Change the body of one record."""
        record = self.records[topic][index]
        body = body_of(record)
        change(body)
        self.records[topic][index] = record._replace(value=orjson.dumps(body))
        return self.records[topic][index]

    def drop(self, topic: str, index: int) -> Record:
        """Remove a record, and renumber the later ones as if it had never existed."""
        dropped = self.records[topic].pop(index)
        self.renumber(topic)
        return dropped

    def append(self, topic: str, body: Json, kind: str, *, key: str = "", at_ms: int = 0) -> Record:
        """Append a record to partition 0."""
        last = [r for r in self.records[topic] if r.partition == 0]
        offset = last[-1].offset + 1 if last else 0
        headers = {"type": kind.encode(), "schema": b"1"}
        at_ms = at_ms or (last[-1].timestamp_ms if last else 0)
        record = Record(topic, 0, offset, at_ms, key.encode(), orjson.dumps(body), headers)
        self.records[topic].append(record)
        self.records[topic].sort(key=lambda r: (r.partition, r.offset))
        self.renumber(topic)
        return record

    def renumber(self, topic: str) -> None:
        """Assign offsets without a gap, and the spans to match."""
        next_offsets: Counter[int] = Counter()
        found = []
        for record in self.records[topic]:
            found.append(record._replace(offset=next_offsets[record.partition]))
            next_offsets[record.partition] += 1
        self.records[topic] = found
        self.spans[topic] = {
            p: PartitionSpan(first=0, end=next_offsets[p], count=next_offsets[p])
            for p in self.spans[topic]
        }

    def rebuild_chain(self) -> None:
        """Recompute sequence numbers and digests, as a forger with write access would."""
        head, seq = GENESIS, 0
        for index, record in enumerate(self.records[EVENTS]):
            seq += kind_of(record) not in STRUCTURAL
            values = {"seq": seq, "prev": head}
            changed = self.change(EVENTS, index, updating(values))
            head = chain(head, changed.value or b"")

    def results(self, secrets: dict[str, str] | None = None) -> dict[int, InvariantResult]:
        """Run the audit; return the result of each invariant."""
        auditor = Auditor(Scope(self.spans), secrets)
        for topic in in_order(self.records):
            auditor.take_all(self.records[topic])
        return {result.number: result for result in auditor.results()}

    def failed(self, secrets: dict[str, str] | None = None) -> dict[int, InvariantResult]:
        """Run the audit; return the results of the invariants that fail."""
        found = self.results(secrets)
        return {n: v for n, v in found.items() if v.status is InvariantStatus.FAIL}

    def write(self, folder: Path) -> Path:
        """Write the records as an export."""
        return asyncio.run(self.write_async(folder))

    async def write_async(self, folder: Path) -> Path:
        """Write the records as an export, from async code."""
        bus = MemoryBus()
        await bus.start()
        await bus.ensure_topics([topics.spec_of(topic) for topic in self.records])
        logs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for records in self.records.values():
            for record in records:
                logs[record.topic, record.partition].append(record)
        for topic, spans in self.spans.items():
            bus.cluster.partitions[topic] = len(spans)
            for partition in spans:
                bus.cluster.logs[topic, partition] = logs[topic, partition]
        await export_topics(bus, folder, list(self.records))
        return folder


def reports(result: InvariantResult, location: str) -> bool:
    """True if a result has a violation at a location."""
    return any(location in violation.location for violation in result.violations)
