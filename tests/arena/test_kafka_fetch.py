"""Fetches of a log reader: offsets, damage and limits. Most tests use a real broker."""

import asyncio
import random
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError, for_code
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from arena import topics
from arena.bus import Record, Start
from arena.bus.base import LATEST, LogReader
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_batches import records_of
from arena.bus.kafka_fetch import ANSWERS_MAX, PARTITION_BYTES_MAX, _check
from arena.bus.kafka_readers import KafkaLogReader
from arena.errors import BrokenLog
from arena.settings import Settings

DEADLINE_S = 20.0
COMMANDS = topics.COMMANDS.name
FOUR = topics.TOOL_CALLS.name
SNAPSHOTS = topics.SNAPSHOTS.name


async def write(bus: KafkaBus, topic: str, partition: int, values: list[bytes]) -> None:
    """Append records and wait for them."""
    acks = [
        await bus.send_bytes(topic, v, key=None, partition=partition, headers=(("n", b"1"),))
        for v in values
    ]
    await asyncio.gather(*acks)


async def read_count(reader: LogReader, count: int, at_once: int = 1_000) -> list[Record]:
    """Read until `count` records are there, or fail at the deadline."""
    records: list[Record] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(records) < count:
            records += await reader.read(timeout_s=0.2, max_records=at_once)
    return records


def batch_of(values: list[bytes]) -> bytearray:
    """A record batch as it travels, beginning at offset 0."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset, value in enumerate(values):
        builder.append(offset, 1_763_717_400_000, b"key", value, [("type", b"Epoch")])
    return bytearray(builder.build())


def decoded(batch: bytearray, offset: int = 0) -> list[Record]:
    """The records of one batch from an offset on."""
    return list(records_of("t", 3, offset, [MemoryRecords(bytes(batch)).next_batch()]))


def test_batch_is_decoded_from_requested_offset() -> None:
    """A batch that starts before the offset gives only the requested records, with every field."""
    found = decoded(batch_of([b"a", b"b", b"c"]), offset=1)

    assert [(1, b"b"), (2, b"c")] == [(r.offset, r.value) for r in found]
    assert Record("t", 3, 1, 1_763_717_400_000, b"key", b"b", {"type": b"Epoch"}) == found[0]


@pytest.mark.parametrize("index", range(-1, -12, -2))
def test_altered_batch_is_found(index: int) -> None:
    """One flipped bit anywhere in the records is an error with the offset; nothing is delivered."""
    batch = batch_of([b"one hundred", b"two hundred"])
    batch[index] ^= 1

    with pytest.raises(BrokenLog, match=r"t\[3\]: the batch at offset 0 fails its checksum"):
        decoded(batch)


async def test_small_reads_give_everything_once_and_in_order(bus: KafkaBus) -> None:
    """For any read size, each partition is delivered completely and in order."""
    rng = random.Random(5)
    counts = {(FOUR, n): 150 + 50 * n for n in range(4)} | {(COMMANDS, 0): 333}
    for (topic, partition), count in counts.items():
        values = [b"%d" % n + b"x" * rng.randrange(5_000) for n in range(count)]
        await write(bus, topic, partition, values)
    reader = await bus.log_reader(FOUR, COMMANDS)
    found = await read_count(reader, sum(counts.values()), at_once=7)

    for pair, count in counts.items():
        assert list(range(count)) == [r.offset for r in found if r[:2] == pair]
    assert [] == await reader.read(timeout_s=0.1)
    assert 0 == await reader.lag()
    await reader.close()


async def test_seek_forgets_what_was_fetched(bus: KafkaBus) -> None:
    """After a seek come the records at the new offset, none twice; other partitions continue."""
    await write(bus, FOUR, 0, [b"a%d" % n for n in range(50)])
    await write(bus, FOUR, 1, [b"b%d" % n for n in range(50)])
    reader = await bus.log_reader(FOUR)
    first = await read_count(reader, 10, at_once=10)
    reader.seek(FOUR, 0, 40)
    rest = await read_count(reader, 60 - sum(r.partition == 1 for r in first))

    assert list(range(40, 50)) == [r.offset for r in rest if r.partition == 0]
    assert list(range(50)) == [r.offset for r in first + rest if r.partition == 1]
    await reader.close()


async def test_seek_while_a_fetch_is_held(bus: KafkaBus) -> None:
    """A fetch that waits at the end does not make a seek miss or repeat records."""
    await write(bus, COMMANDS, 0, [b"%d" % n for n in range(5)])
    reader = await bus.log_reader(COMMANDS, start=LATEST)
    assert [] == await reader.read(timeout_s=0.1)
    reader.seek(COMMANDS, 0, 2)
    before = await read_count(reader, 3)
    await write(bus, COMMANDS, 0, [b"5"])

    assert [2, 3, 4, 5] == [r.offset for r in before + await read_count(reader, 1)]
    await reader.close()


async def test_offset_beyond_log_is_an_error(bus: KafkaBus) -> None:
    """An offset after the end is an error with the offset and possible causes."""
    await write(bus, COMMANDS, 0, [b"0"])
    reader = await bus.partition_reader(COMMANDS, 0, Start(offsets={(COMMANDS, 0): 99}))

    with pytest.raises(BrokenLog, match=r"account\.commands\[0\] has no offset 99; .*retention"):
        await read_count(reader, 1)
    await reader.close()


async def test_unread_answers_are_bounded(bus: KafkaBus) -> None:
    """A reader that is not asked keeps a few answers, and asks for no more."""
    value = b"x" * (PARTITION_BYTES_MAX // 2)
    rng = random.Random(1)
    await write(bus, SNAPSHOTS, 0, [rng.randbytes(len(value)) for _ in range(12)])
    reader = await bus.log_reader(SNAPSHOTS)
    assert isinstance(reader, KafkaLogReader)
    await read_count(reader, 1, at_once=1)
    answers = reader._fetches._answers
    async with asyncio.timeout(DEADLINE_S):
        while len(answers) < ANSWERS_MAX:
            await asyncio.sleep(0.01)
    other = await bus.log_reader(SNAPSHOTS)
    await read_count(other, 12)  # Time enough for a reader without a bound.

    assert ANSWERS_MAX == len(answers)
    assert list(range(1, 12)) == [r.offset for r in await read_count(reader, 11)]
    await reader.close()
    await other.close()


async def test_held_fetch_does_not_delay_the_end(settings: Settings) -> None:
    """Closing does not wait for the broker to answer."""
    bus = KafkaBus(settings.override(fetch_wait_ms=5_000))
    await bus.start()
    await bus.ensure_topics([topics.COMMANDS])
    reader = await bus.log_reader(COMMANDS)
    assert [] == await reader.read(timeout_s=0.05)

    async with asyncio.timeout(2):
        await reader.close()
    await bus.close()


async def test_failure_is_raised_by_every_read(bus: KafkaBus) -> None:
    """After a failure nothing is delivered any more: the same error comes again."""
    await write(bus, COMMANDS, 0, [b"0"])
    reader = await bus.partition_reader(COMMANDS, 0, Start(offsets={(COMMANDS, 0): 7}))
    for _ in range(2):
        with pytest.raises(BrokenLog, match="has no offset 7"):
            await read_count(reader, 1)
    await reader.close()


async def test_damaged_batch_is_raised_by_every_read(bus: KafkaBus) -> None:
    """Records after the damage are not delivered, even by repeated reads."""
    reader = await bus.log_reader(topics.ROSTER.name)
    assert isinstance(reader, KafkaLogReader)
    damaged = batch_of([b"one hundred"])
    damaged[-1] ^= 1
    partition = TopicPartition(reader._prefix + topics.ROSTER.name, 0)
    for batch in (damaged, batch_of([b"two hundred"])):
        reader._fetches._add(partition, 0, bytes(batch))

    for _ in range(3):
        with pytest.raises(BrokenLog, match="fails its checksum"):
            await reader.read(timeout_s=0.05)
    await reader.close()


async def test_closing_does_not_cancel_reader(bus: KafkaBus) -> None:
    """A read under way, and one that comes later, end with nothing."""
    reader = await bus.log_reader(COMMANDS)
    reading = asyncio.create_task(reader.read(timeout_s=DEADLINE_S))
    async with asyncio.timeout(DEADLINE_S):
        while not reader.reads_waiting:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    await reader.close()

    async with asyncio.timeout(DEADLINE_S / 2):
        assert [] == await reading
    assert [] == await reader.read(timeout_s=0.05)


async def test_no_topics_give_nothing(bus: KafkaBus) -> None:
    """A reader of no partition waits and returns."""
    reader = await bus.log_reader()

    assert [] == await reader.read(timeout_s=0.05)
    await reader.close()


@pytest.mark.parametrize(
    "code", [-1, 3, 5, 6, 9, 56, 74, 76, 78, 9_999], ids=lambda c: for_code(c).__name__
)
async def test_temporary_fetch_error_is_retried(bus: KafkaBus, code: int) -> None:
    """For any other error of a leader, the leaders are looked up again."""
    reader = await bus.log_reader(COMMANDS)
    assert isinstance(reader, KafkaLogReader)
    partition = TopicPartition(reader._prefix + COMMANDS, 0)
    answer = SimpleNamespace(topics=[(partition.topic, [(0, code, 0, b"")])])

    assert not reader._fetches._store(answer, {partition: 0})
    await reader.close()


def test_unauthorized_fetch_raises() -> None:
    """It names the topic; a retry does not help."""
    with pytest.raises(TopicAuthorizationFailedError, match="market"):
        _check(TopicPartition("market", 3), 7, TopicAuthorizationFailedError.errno)
