"""Records as a broker would hold them, with heartbeats, dead letters and garbage."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from arena import topics
from arena.bus.base import Record
from arena.messages import DeadLetter, Heartbeat, Message
from arena.topics import partition_of
from arena.wire import encode

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


@dataclass
class Recording:
    """Writes messages to a list, with the offsets that a broker would assign.

    Attributes:
        start: Venue time at the start; wall time is a day later.
        records: The records, in the order they were written.
        ends: Topic and partition -> the next offset.
    """

    start: datetime = START
    records: list[Record] = field(default_factory=list)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set the two clocks."""
        self.wall = self.start + timedelta(days=1)
        self.venue = self.start

    def write(self, topic: str, message: Message, key: str = "") -> Record:
        """Append a message to a topic."""
        spec = topics.spec_of(topic)
        partition = partition_of(key, spec.partitions) if key else 0
        encoded = encode(message)
        offset = self.ends.get((topic, partition), 0)
        self.ends[topic, partition] = offset + 1
        stamp = int(self.wall.timestamp() * 1000)
        record = Record(
            topic,
            partition,
            offset,
            stamp,
            key.encode() or None,
            encoded.value,
            dict(encoded.headers),
        )
        self.records.append(record)
        return record

    def beat(self, kind: str, name: str, **changes: object) -> None:
        """Write a heartbeat."""
        beat = {
            "node": f"{kind}/{name}/host/1",
            "kind": kind,
            "name": name,
            "host": "host",
            "pid": 1,
            "started_at": self.start,
            "at": self.wall,
            **changes,
        }
        self.write(topics.HEARTBEATS.name, Heartbeat.model_validate(beat), f"{kind}/{name}/host/1")

    def dead_letter(self) -> None:
        """Write a dead letter."""
        letter = DeadLetter(
            topic="market.tickers",
            partition=0,
            offset=0,
            timestamp_ms=0,
            error="no JSON",
            reader="router/momentum/host/1",
            at=self.wall,
        )
        self.write(topics.DEAD_LETTERS.name, letter, "market.tickers")

    def garbage(self, topic: str, value: bytes = b"{not json") -> None:
        """Write bytes that are not a message."""
        offset = self.ends.get((topic, 0), 0)
        self.ends[topic, 0] = offset + 1
        self.records.append(Record(topic, 0, offset, 0, None, value, {"type": b"Ticker"}))

    def by_partition(self) -> dict[tuple[str, int], list[Record]]:
        """The records of each partition, in order."""
        logs: dict[tuple[str, int], list[Record]] = {}
        for record in self.records:
            logs.setdefault((record.topic, record.partition), []).append(record)
        return logs
