"""Topics are read to their ends at the start, despite concurrent writes; a stall is an error."""

from contextlib import aclosing

import pytest

from arena.bus.base import EARLIEST, Record
from arena.bus.memory import MemoryBus
from arena.errors import BrokerUnavailable
from arena.read_topic import for_each_record, read_backwards, read_list, read_to_ends
from arena.topics import TopicSpec

SPEC = TopicSpec(name="numbers", key="-", messages=(), partitions=2)


async def _bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.start()
    await bus.ensure_topics([SPEC])
    return bus


async def _append(bus: MemoryBus, *numbers: int) -> None:
    for number in numbers:
        await (
            await bus.send_bytes(
                SPEC.name, b"%d" % number, partition=number % 2, key=None, headers=()
            )
        )


def _numbers(records: list[Record]) -> list[int]:
    return sorted(int(record.value or b"") for record in records)


async def test_whole_topic_is_read() -> None:
    """Every record of every partition is taken; an empty topic has none."""
    bus = await _bus()
    taken: list[Record] = []
    await for_each_record(bus, SPEC, taken.append)
    assert [] == taken

    await _append(bus, *range(7))
    await for_each_record(bus, SPEC, taken.append)

    assert list(range(7)) == _numbers(taken)


async def test_reading_ends_at_the_ends_of_the_call() -> None:
    """Records that are appended while it reads do not keep it from ending."""
    bus = await _bus()
    await _append(bus, 0, 1)
    reader = await bus.log_reader(SPEC.name)
    seen: list[Record] = []

    async with aclosing(read_to_ends(reader, max_records=1)) as batches:
        async for records in batches:
            seen += records
            await _append(bus, len(seen) + 1)

    assert {0, 1} <= set(_numbers(seen))
    assert len(seen) <= 4


async def test_reading_starts_at_the_position_and_ends_at_a_given_offset() -> None:
    """A seek and an offset to reach bound what is read."""
    bus = await _bus()
    await _append(bus, 0, 2, 4, 6)
    reader = await bus.log_reader(SPEC.name)
    reader.seek(SPEC.name, 0, 1)

    records = await read_list(reader, {(SPEC.name, 0): 3})

    assert [2, 4] == _numbers(records)[:2]


async def test_stalled_log_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition that returns nothing before its end is named, with offset and end."""
    bus = await _bus()
    await _append(bus, 0)
    reader = await bus.log_reader(SPEC.name)

    async def nothing(**_: object) -> list[Record]:
        return []

    monkeypatch.setattr(reader, "read", nothing)
    with pytest.raises(BrokerUnavailable, match=r"numbers\[0\] returned no record") as error:
        await read_list(reader, stall_s=0)

    assert "after offset 0, but ends at 1" in str(error.value)


async def test_partition_is_read_backwards_in_growing_chunks() -> None:
    """The newest chunk comes first, the oldest record of each chunk first; none before the end."""
    bus = await _bus()
    await _append(bus, *range(0, 20, 2))
    reader = await bus.partition_reader(SPEC.name, 0, EARLIEST)
    chunks = [
        [int(record.value or b"") for record in records]
        async for records in read_backwards(reader, (SPEC.name, 0), 8, chunk=2)
    ]

    assert [[12, 14], [0, 2, 4, 6, 8, 10]] == chunks
