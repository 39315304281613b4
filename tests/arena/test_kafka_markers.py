"""Logs with offsets without a record: transactions, compaction, and missing records."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer

from arena import topics
from arena.bus import Record, Start
from arena.bus.base import LogReader
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_access import connection_options
from arena.bus.memory import MemoryBus
from arena.errors import BrokenLog
from arena.settings import Settings
from tests.arena.raw_batches import CONTROL, TRANSACTIONAL, Raw, raw_batch
from tests.arena.test_hostile_records import DEADLINE_S, decoded, read_count

COMMANDS = topics.COMMANDS.name
END = raw_batch([Raw(b"\0\0\0\1", b"\0\0\0\0\0\0")], base=2, flags=CONTROL | TRANSACTIONAL)


def part(base: int, *values: bytes, **more: object) -> bytes:
    """A batch of records that begins at an offset."""
    return raw_batch([Raw(None, v) for v in values], base=base, **more)  # type: ignore[arg-type]


HOLES: dict[str, tuple[bytes, list[int], list[int] | str]] = {
    "marker between": (part(0, b"a", b"b") + END + part(3, b"c"), [0, 1, 3], [0, 1, 3]),
    "marker at the end": (part(0, b"a", b"b") + END, [0, 1], [0, 1]),
    "nothing but a marker": (END, [], "expected offset 0, read 2"),
    "empty batch": (part(0, b"a") + part(1, last_delta=3) + part(5, b"b"), [0, 5], [0, 5]),
    "record missing": (part(0, b"a") + part(2, b"c"), [0, 2], "expected offset 1, read 2"),
    "record missing before a marker": (part(0, b"a") + END, [0], "expected offset 1, read 2"),
    "hole in a batch": (part(0, b"a", b"b", deltas=(0, 2)), [0, 2], "expected offset 1, read 2"),
    "hole at the end of a batch": (
        part(0, b"a", last_delta=2) + part(3, b"b"),
        [0, 3],
        "expected offset 1, read 3",
    ),
    "first is missing": (part(1, b"a"), [1], "expected offset 0, read 1"),
}
"""Name -> the answer, the records of a compacted topic, and those of any other topic."""


@pytest.mark.parametrize("name", HOLES)
def test_missing_record_is_distinguished_from_marker(name: str) -> None:
    """Markers and empty batches fill their offsets; a missing record is an error, or compaction."""
    data, compacted, plain = HOLES[name]

    assert compacted == [r.offset for r in decoded(data, compacted=True)]
    if isinstance(plain, str):
        with pytest.raises(BrokenLog, match=plain):
            decoded(data)
    else:
        assert plain == [r.offset for r in decoded(data)]


async def transactional(settings: Settings, name: str) -> AIOKafkaProducer:
    """A producer of transactions."""
    producer = AIOKafkaProducer(
        **connection_options(settings), transactional_id=settings.prefix + name
    )
    await producer.start()
    return producer


@pytest.fixture
async def stranger(settings: Settings, bus: KafkaBus) -> AsyncIterator[AIOKafkaProducer]:
    """Another program that writes to the arena's topics in transactions."""
    producer = await transactional(settings, "stranger")
    yield producer
    await producer.stop()


async def caught_up(reader: LogReader, end: int) -> None:
    """Read no record until the position is after a marker, or fail at the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while reader.position(COMMANDS, 0) < end:
            assert [] == await reader.read(timeout_s=0.1)
    assert 0 == await reader.lag()


async def test_transactions_do_not_stop_readers(
    bus: KafkaBus, settings: Settings, stranger: AIOKafkaProducer
) -> None:
    """All are read in order, even aborted and open ones, and an end that is a marker is reached."""
    topic = settings.prefix + COMMANDS
    log = await bus.log_reader(COMMANDS)
    group = await bus.group_reader("g", COMMANDS)
    async with stranger.transaction():
        await stranger.send_and_wait(topic, b"0 committed", partition=0)
    first = await read_count(log, 1)
    await caught_up(log, 2)
    await stranger.begin_transaction()
    await stranger.send_and_wait(topic, b"2 aborted", partition=0)
    await stranger.abort_transaction()
    await stranger.begin_transaction()
    await stranger.send_and_wait(topic, b"4 open", partition=0)
    await (await bus.send_bytes(COMMANDS, b"5 good", key=None, partition=0, headers=()))
    shown = [b"0 committed", b"2 aborted", b"4 open", b"5 good"]

    assert shown == [r.value for r in first + await read_count(log, 3)]
    assert shown == [r.value for r in await read_count(group, 4)]
    await stranger.abort_transaction()
    await caught_up(log, 7)
    late = await bus.partition_reader(COMMANDS, 0, Start(offsets={(COMMANDS, 0): 1}))
    assert shown[1:] == [r.value for r in await read_count(late, 3)]
    await caught_up(late, 7)
    assert [] == await group.read(timeout_s=0.2)
    assert {(COMMANDS, 0): (7, 7)} == await group.positions()
    for reader in (log, group, late):
        await reader.close()


async def test_memory_has_markers_too(memory_bus: MemoryBus) -> None:
    """Both readers skip offsets without a record."""
    for value in (b"a", None, b"b", None):
        if value is None:
            memory_bus.cluster.append_marker(COMMANDS, 0)
        else:
            memory_bus.cluster.append(COMMANDS, 0, None, value, ())
    log = await memory_bus.log_reader(COMMANDS)
    group = await memory_bus.group_reader("g", COMMANDS)

    found: list[list[Record]] = [await log.read(timeout_s=0), await group.read(timeout_s=0)]
    assert [[0, 2], [0, 2]] == [[r.offset for r in records] for records in found]
    assert 0 == await log.lag()
