"""The bus over an export reads what the bus that was exported reads."""

from pathlib import Path

import pytest

from arena import exports, topics
from arena.bus import Bus, Record
from arena.bus.base import LATEST, Start
from arena.bus.exported import ExportedBus
from arena.bus.memory import MemoryBus
from arena.errors import ArenaError, BrokenLog, BrokerUnavailable, UsageError
from arena.exports import MANIFEST_FILE, export_topics

TURNS, EVENTS = topics.TURNS.name, topics.EVENTS.name
COUNT = 50
"""Records of each partition."""


@pytest.fixture
async def live(memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch) -> MemoryBus:
    """Records whose times rise across topics and partitions; row groups of seven records."""
    monkeypatch.setattr(exports, "ROW_GROUP_RECORDS_MAX", 7)
    clock = iter(range(1_000, 1_000_000))
    memory_bus.cluster.clock_ms = lambda: next(clock)
    for number in range(COUNT):
        for name in (TURNS, EVENTS):
            for partition in range(await memory_bus.partitions(name)):
                value, headers = f"{name} {number}".encode(), (("type", b"Turn"),)
                await memory_bus.send_bytes(
                    name, value, key=b"k", partition=partition, headers=headers
                )
    memory_bus.cluster.append_marker(TURNS, 0)  # the end of a transaction ends the partition
    return memory_bus


@pytest.fixture
async def exported(live: MemoryBus, tmp_path: Path) -> ExportedBus:
    """The export of the same records."""
    await export_topics(live, tmp_path / "records", [TURNS, EVENTS])
    bus = ExportedBus(tmp_path / "records")
    await bus.start()
    return bus


async def read_all(bus: Bus, *names: str, start: Start, count: int = 7) -> list[Record]:
    """Everything from a start to the ends."""
    reader = await bus.log_reader(*names, start=start)
    ends = await reader.end_offsets()
    found: list[Record] = []
    while any(reader.position(*pair) < end for pair, end in ends.items()):
        found += await reader.read(timeout_s=0, max_records=count)
    assert [] == await reader.read(timeout_s=0)
    await reader.close()
    return found


@pytest.mark.parametrize(
    "start",
    [
        Start(),
        LATEST,
        Start.since(1_123),
        Start.since(10**9),
        Start(offsets={(TURNS, 0): 20, (EVENTS, 1): 49, (EVENTS, 2): 50}),
    ],
)
async def test_export_has_records_of_broker(
    live: MemoryBus, exported: ExportedBus, start: Start
) -> None:
    """The same records from every start, merged by time, and the same ends."""
    expected = sorted(await read_all(live, TURNS, EVENTS, start=start))
    found = await read_all(exported, TURNS, EVENTS, start=start)

    assert expected == sorted(found)
    assert [r.timestamp_ms for r in found] == sorted(r.timestamp_ms for r in found)
    one = await exported.log_reader(TURNS, EVENTS)
    assert await (await live.log_reader(TURNS, EVENTS)).end_offsets() == await one.end_offsets()


async def test_seek_reads_again(exported: ExportedBus) -> None:
    """A reader goes back, forward, and to single records."""
    reader = await exported.partition_reader(EVENTS, 0, LATEST)

    for offset in (30, 31, 3, 49, 0):
        record = await reader.record_at(EVENTS, 0, offset, timeout_s=1)
        assert record is not None
        assert (offset, f"{EVENTS} {offset}".encode()) == (record.offset, record.value)
        assert offset + 1 == reader.position(EVENTS, 0)
    with pytest.raises(BrokenLog, match=r"no offset 51; its export ends at 50"):
        reader.seek(EVENTS, 0, 51)


async def test_writes_are_refused_and_missing_topics_empty(exported: ExportedBus) -> None:
    """Topics of a newer arena are empty, unknown ones are named, and writing is refused."""
    await exported.ensure_topics([topics.DRIFTS, topics.TURNS])

    assert [] == await read_all(exported, topics.DRIFTS.name, start=Start())
    assert [TURNS] == await exported.existing_topics([TURNS, topics.TICKERS.name])
    with pytest.raises(BrokerUnavailable, match=r"has no topic market\.tickers"):
        await exported.log_reader(topics.TICKERS.name)
    with pytest.raises(ArenaError, match="cannot be written"):
        await exported.send_bytes(TURNS, b"", key=None, partition=0, headers=())
    with pytest.raises(ArenaError, match="group g"):
        await exported.group_reader("g", TURNS)


async def test_changed_export_is_an_error(exported: ExportedBus) -> None:
    """A file with other records than its manifest counts is refused, as is a folder without one."""
    manifest = exported.folder / MANIFEST_FILE
    text = manifest.read_text()
    manifest.write_text(text.replace('"count": 50', '"count": 49'))
    changed = ExportedBus(exported.folder)
    await changed.start()

    with pytest.raises(BrokenLog, match="has 50 records of 49"):
        await changed.log_reader(EVENTS)
    manifest.unlink()
    with pytest.raises(UsageError, match="has no manifest"):
        await ExportedBus(exported.folder).start()
