"""A log that was truncated, or deleted and created again, while a reader did not read."""

import asyncio
import itertools
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest

from arena import topics
from arena.bus import Record
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_access import connection_options
from arena.bus.kafka_fetch import ANSWERS_MAX, PartitionFetcher
from arena.bus.kafka_proof import SHORT_S, LogProof
from arena.bus.kafka_topics import new_topic
from arena.bus.memory import MemoryBus
from arena.errors import BrokenLog
from arena.settings import Settings
from tests.arena.raw_batches import CONTROL, TRANSACTIONAL, Raw, raw_batch
from tests.arena.test_hostile_records import DEADLINE_S, read_count
from tests.arena.topic_deletion import delete_topic

COMMANDS = topics.COMMANDS.name
COMPACTED = topics.ROSTER.name
OUT_OF_RANGE = 1
NOT_LEADER = 6
MARKER = b"marker"


class FakeBroker:
    """One broker with one log that can be changed, instead of aiokafka's client.

    Attributes:
        log: Offset -> value; the value `MARKER` ends a transaction.
        begin: The first offset that was not deleted.
        refuse: Answers with an error code, or breaks the connection, this many times.
        asked: The offset of each request.
        node: The broker's number.
        batches_max: Limit of batches, with one record each, in an answer.
    """

    def __init__(self, values: list[bytes]) -> None:
        """A log from offset 0 on."""
        self.cluster = self
        self.log = dict(enumerate(values))
        self.begin = 0
        self.refuse: list[int | Exception] = []
        self.asked: list[int] = []
        self.node = 1
        self.batches_max = 1_000

    @property
    def end(self) -> int:
        """The offset after the newest record."""
        return max(self.log, default=self.begin - 1) + 1

    def leader_for_partition(self, partition: TopicPartition) -> int:
        """The one broker, by the number it has now."""
        return self.node

    async def force_metadata_update(self) -> None:
        """Nothing to learn."""

    async def close(self) -> None:
        """Nothing to close."""

    async def begin_of(self, partition: TopicPartition) -> int:
        """The first offset of the log."""
        return self.begin

    async def send(self, node: int, request: FetchRequest) -> SimpleNamespace:
        """Answer a fetch of one partition."""
        ((topic, ((number, offset, _),)),) = request.topics
        self.asked.append(offset)
        await asyncio.sleep(0)
        if self.refuse:
            refusal = self.refuse.pop(0)
            if isinstance(refusal, Exception):
                raise refusal
            return SimpleNamespace(topics=[(topic, [(number, refusal, -1, b"")])])
        if node != self.node:
            return SimpleNamespace(topics=[(topic, [(number, NOT_LEADER, -1, b"")])])
        if not self.begin <= offset <= self.end:
            return SimpleNamespace(topics=[(topic, [(number, OUT_OF_RANGE, -1, b"")])])
        found = [at for at in sorted(self.log) if at >= offset][: self.batches_max]
        if not found:
            await asyncio.sleep(0.005)
        data = b"".join(self._batch(at) for at in found)
        return SimpleNamespace(topics=[(topic, [(number, 0, self.end, data)])])

    def _batch(self, at: int) -> bytes:
        value = self.log[at]
        flags = CONTROL | TRANSACTIONAL if value == MARKER else 0
        return raw_batch([Raw(b"k", value)], base=at, flags=flags)


def fetches_of(broker: FakeBroker, topic: str = COMMANDS, offset: int = 0) -> PartitionFetcher:
    """Fetches of the broker's only partition."""
    offsets = {TopicPartition("p." + topic, 0): offset}
    return PartitionFetcher(broker, "p.", offsets, 500, broker.begin_of)


async def take(fetches: PartitionFetcher, count: int) -> list[bytes | None]:
    """Take until `count` records are there, or fail at the deadline."""
    records: list[Record] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(records) < count:
            records += await fetches.take(0.05, 1_000)
    return [record.value for record in records]


def values(start: int, stop: int, name: str = "old") -> dict[int, bytes]:
    """Records by their offsets."""
    return {at: b"%s %d" % (name.encode(), at) for at in range(start, stop)}


def connection_lost(broker: FakeBroker) -> None:
    """The connection breaks."""
    broker.refuse.append(KafkaConnectionError("gone"))


def leader_lost(broker: FakeBroker) -> None:
    """The broker answers that it is no longer the leader."""
    broker.refuse.append(NOT_LEADER)


def leader_moved(broker: FakeBroker) -> None:
    """The metadata name another broker."""
    broker.node += 1


LOSSES = [connection_lost, leader_lost, leader_moved]
Loss = Callable[[FakeBroker], None]
CHANGES: dict[str, tuple[dict[int, bytes], str]] = {
    "cut and grown past": (values(0, 6) | values(6, 20, "new"), "at offset 9.* has changed"),
    "cut before the last, and grown": (values(0, 9) | values(9, 11, "new"), "has changed"),
    "made again and grown": (values(0, 40, "new"), "at offset 9, which was read, has changed"),
    "made again and shorter": (values(0, 3, "new"), "not in the log any more.*ends before it"),
    "made again and empty": ({}, "not in the log any more"),
    "a marker in its place": (
        values(0, 9) | {9: MARKER} | values(10, 12, "new"),
        "not in the log any more",
    ),
}
"""Change of a log of ten records -> its records after it, and the error."""


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("name", CHANGES)
async def test_changed_log_stops_reader(name: str, lose: Loss) -> None:
    """After any loss of the leader no record of another log is delivered; there is a remedy."""
    broker = FakeBroker(list(values(0, 10).values()))
    fetches = fetches_of(broker)
    assert list(values(0, 10).values()) == await take(fetches, 10)
    broker.log, reason = CHANGES[name]
    lose(broker)

    with pytest.raises(BrokenLog, match=rf"account\.commands\[0\].*{reason}.*start again"):
        await take(fetches, 1)
    with pytest.raises(BrokenLog, match=reason):
        await take(fetches, 1)
    await fetches.close()


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("marker", [False, True])
async def test_unchanged_log_continues(lose: Loss, marker: bool) -> None:
    """After a loss every record comes once, even if a marker was at the offset."""
    broker = FakeBroker([*values(0, 10).values(), *([MARKER] if marker else [])])
    fetches = fetches_of(broker)
    found = await take(fetches, 10)
    for start in range(20, 60, 10):
        while fetches.next_offsets[COMMANDS, 0] < broker.end:
            assert [] == await fetches.take(0.01, 1_000)
        lose(broker)
        broker.log |= values(start, start + 10) | dict.fromkeys(range(broker.end, start), MARKER)
        found += await take(fetches, 10)

    assert [v for v in broker.log.values() if v != MARKER] == found
    await fetches.close()


async def test_unread_answers_are_proved() -> None:
    """Fetched records are delivered; then a log that changed meanwhile is an error."""
    broker = FakeBroker(list(values(0, 100).values()))
    broker.batches_max = 10
    fetches = fetches_of(broker)
    first = await fetches.take(DEADLINE_S, 1)
    async with asyncio.timeout(DEADLINE_S):
        while len(fetches._answers) < ANSWERS_MAX:
            await asyncio.sleep(0)
    fetched = broker.asked[-1] + 10
    broker.log = values(0, 200, "new")
    connection_lost(broker)
    rest = await take(fetches, fetched - 1)

    assert list(values(0, fetched).values()) == [r.value for r in first] + rest
    with pytest.raises(BrokenLog, match=f"at offset {fetched - 1}.*has changed"):
        await take(fetches, 1)
    await fetches.close()


async def test_late_request_is_proved_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any failure, the log is proved before a late request."""
    monkeypatch.setattr("arena.bus.kafka_fetch.PROOF_AFTER_S", -1.0)
    broker = FakeBroker(list(values(0, 10).values()))
    fetches = fetches_of(broker)
    await take(fetches, 10)
    broker.log = values(0, 40, "new")

    with pytest.raises(BrokenLog, match="has changed"):
        await take(fetches, 1)
    await fetches.close()


@pytest.mark.parametrize("begin", [10, 13])
async def test_retention_is_not_truncation(begin: int) -> None:
    """If retention deleted the newest record, reading continues, unless others are missing."""
    broker = FakeBroker(list(values(0, 10).values()))
    fetches = fetches_of(broker)
    await take(fetches, 10)
    broker.begin, broker.log = begin, values(begin, 20)
    connection_lost(broker)

    if begin == 10:
        assert list(values(10, 20).values()) == await take(fetches, 10)
    else:
        with pytest.raises(BrokenLog, match=r"has no offset 10; .*retention"):
            await take(fetches, 1)
    await fetches.close()


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (values(0, 3) | values(12, 14), list(values(12, 14).values())),
        (values(0, 3) | values(9, 14), list(values(10, 14).values())),
        (values(0, 9) | values(9, 14, "new"), "has changed"),
        (values(0, 3, "new"), "ends before it"),
    ],
)
async def test_compaction_proves_nothing(
    log: dict[int, bytes], expected: list[bytes] | str
) -> None:
    """Compaction may remove a record; a different record at its offset means a different log."""
    broker = FakeBroker(list(values(0, 10).values()))
    fetches = fetches_of(broker, COMPACTED)
    await take(fetches, 10)
    broker.log = log
    connection_lost(broker)

    if isinstance(expected, str):
        with pytest.raises(BrokenLog, match=expected):
            await take(fetches, 1)
    else:
        assert expected == await take(fetches, len(expected))
    await fetches.close()


async def test_seek_needs_no_proof() -> None:
    """After a seek, a loss before the first record at the new offset is not an error."""
    broker = FakeBroker(list(values(0, 10).values()))
    fetches = fetches_of(broker)
    await take(fetches, 10)
    fetches.seek(TopicPartition("p." + COMMANDS, 0), 2)
    broker.log = values(0, 5, "new")
    connection_lost(broker)

    assert [b"new 2", b"new 3", b"new 4"] == await take(fetches, 3)
    await fetches.close()


def test_short_log_is_an_error_after_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new leader may not know the end of its log yet; a log that stays short is an error."""
    seconds = itertools.count(5.0, 0.5)
    monkeypatch.setattr("arena.bus.kafka_proof.time.monotonic", seconds.__next__)
    proof = LogProof(Record(COMMANDS, 0, 9, 0, None, b"v"), 10, compacted=False)

    assert {False} == {proof.note_no_record(9) for _ in range(int(2 * SHORT_S) + 1)}
    with pytest.raises(BrokenLog, match="not in the log any more, which ends at 9"):
        proof.note_no_record(9)


def test_frozen_time_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time in which the process was frozen does not count."""
    seconds = itertools.count(5.0, 100 * SHORT_S)
    monkeypatch.setattr("arena.bus.kafka_proof.time.monotonic", seconds.__next__)
    proof = LogProof(Record(COMMANDS, 0, 9, 0, None, b"v"), 10, compacted=False)

    assert {False} == {proof.note_no_record(9) for _ in range(5)}


async def test_memory_bus_detects_changed_log(memory_bus: MemoryBus) -> None:
    """A log in memory that was truncated and has grown past the offset stops its reader."""
    cluster = memory_bus.cluster
    for number in range(5):
        cluster.append(COMMANDS, 0, None, b"old %d" % number, ())
    reader = await memory_bus.log_reader(COMMANDS)
    assert 5 == len(await reader.read(timeout_s=0))
    del cluster.logs[COMMANDS, 0][3:]
    with pytest.raises(BrokenLog, match=r"account\.commands\[0\].*offset 4.*start again"):
        await reader.read(timeout_s=0)
    for number in range(5):
        cluster.append(COMMANDS, 0, None, b"new %d" % number, ())

    with pytest.raises(BrokenLog, match=r"account\.commands\[0\].*offset 4.*start again"):
        await reader.read(timeout_s=0)


async def test_recreated_topic_stops_reader(bus: KafkaBus, settings: Settings) -> None:
    """A connected reader on a real broker ends, and delivers no record of the new topic."""
    for number in range(5):
        value = b"old %d" % number
        await (await bus.send_bytes(COMMANDS, value, key=None, partition=0, headers=()))
    reader = await bus.log_reader(COMMANDS)
    await read_count(reader, 5)
    name = settings.prefix + COMMANDS
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    wanted = [new_topic(settings.prefix, topics.COMMANDS, 1)]
    await delete_topic(admin, name)
    async with asyncio.timeout(DEADLINE_S):
        while (await admin.create_topics(wanted)).topic_errors[0][1]:
            await asyncio.sleep(0.01)
    await admin.close()
    writer = KafkaBus(settings)
    await writer.start()
    for number in range(9):
        value = b"new %d" % number
        await (await writer.send_bytes(COMMANDS, value, key=None, partition=0, headers=()))
    await writer.close()

    with pytest.raises(BrokenLog, match=r"account\.commands\[0\].*start again"):
        await read_count(reader, 1)
    await reader.close()
