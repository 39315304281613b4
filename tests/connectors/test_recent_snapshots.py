"""A connector reads the newest snapshots back at its start, with bounded effort."""

import pytest

from arena import topics
from arena.bus.memory import MemoryBus, MemoryLogReader
from arena.clock import SystemClock
from arena.errors import UsageError
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.products import DEFAULT_VENUE
from arena.settings import Settings
from connectors.market import recent_snapshots
from connectors.market.recent_snapshots import newest_snapshots
from tests.connectors.test_snapshot_replay import replay_of, snapshots_of

SNAPSHOTS = topics.SNAPSHOTS.name
JUNK = 300


@pytest.fixture
def read_counts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of records that each read returned."""
    counts: list[int] = []
    read = MemoryLogReader.read

    async def counted(
        reader: MemoryLogReader, *, timeout_s: float = 0.5, max_records: int = 1000
    ) -> list[object]:
        records = await read(reader, timeout_s=timeout_s, max_records=max_records)
        counts.append(len(records))
        return [*records]

    monkeypatch.setattr(MemoryLogReader, "read", counted)
    return counts


@pytest.fixture
async def published(memory_bus: MemoryBus) -> list[MarketSnapshot]:
    """Append six snapshots, then many unreadable records."""
    found = [*snapshots_of(replay_of(snapshots=6))]
    for snapshot in found:
        await memory_bus.append(SNAPSHOTS, snapshot, key=DEFAULT_VENUE)
    for _ in range(JUNK):
        memory_bus.cluster.append(SNAPSHOTS, 0, b"", b"{", [("type", b"MarketSnapshot")])
    return found


def connector(bus: MemoryBus) -> Node:
    """A process with this bus."""
    return Node("connector", "test", Settings(), bus, SystemClock())


async def test_each_record_is_read_back_once(
    memory_bus: MemoryBus, published: list[MarketSnapshot], read_counts: list[int]
) -> None:
    """Unreadable ones are skipped; they are not written to `dead_letters` again."""
    found, end = await newest_snapshots(connector(memory_bus), DEFAULT_VENUE, 2)

    assert (published[-2:], len(published) + JUNK) == (found, end)
    assert sum(read_counts) <= len(published) + JUNK
    assert [] == memory_bus.cluster.logs[topics.DEAD_LETTERS.name, 0]


async def test_reading_back_is_bounded(
    memory_bus: MemoryBus,
    published: list[MarketSnapshot],
    read_counts: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To start as if there were no snapshot would be wrong, so the start is refused."""
    monkeypatch.setattr(recent_snapshots, "LOOK_BACK_MAX", 100)
    with pytest.raises(UsageError, match=r"newest 102 records.*hold 0.*ARENA_PREFIX"):
        await newest_snapshots(connector(memory_bus), DEFAULT_VENUE, 2)

    assert published
    assert sum(read_counts) <= 102
