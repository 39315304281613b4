"""A connector that takes over continues the snapshots at the end of the log."""

from datetime import UTC, datetime
from itertools import pairwise

from arena.bus.memory import MemoryBus
from arena.ids import snapshot_id
from arena.messages import MarketSnapshot
from tests.connectors.venue import RunningConnector, eventually, running_connector, running_exchange


async def wait_for_snapshots(watched: RunningConnector, snapshots: int) -> None:
    """Wait for the first snapshots."""
    await eventually(lambda: len(watched.snapshots) >= snapshots, f"{snapshots} snapshots")


async def test_second_connector_continues_at_the_end_of_the_log(memory_bus: MemoryBus) -> None:
    """It keeps the schedule of the first one, and repeats no id."""
    async with running_exchange() as server:
        async with running_connector(server, memory_bus) as watched:
            await wait_for_snapshots(watched, 2)
        async with running_connector(server, MemoryBus(memory_bus.cluster)) as watched:
            await wait_for_snapshots(watched, 5)
            snapshots = watched.snapshots

    steps = [(b.as_of - a.as_of).total_seconds() for a, b in pairwise(snapshots)]
    assert all(30 < step for step in steps)
    assert len(snapshots) == len({s.snapshot_id for s in snapshots})
    assert {0} == {s.rewinds for s in snapshots}


async def test_market_that_starts_again_repeats_no_id(memory_bus: MemoryBus) -> None:
    """If the same venue times come twice, the later snapshots have a higher `rewinds`."""
    start = datetime(2026, 9, 10, tzinfo=UTC)
    found: list[MarketSnapshot] = []
    for _ in range(2):
        bus = MemoryBus(memory_bus.cluster)
        async with (
            running_exchange(start=start) as server,
            running_connector(server, bus) as watched,
        ):
            await wait_for_snapshots(watched, len(found) + 3)
            found = watched.snapshots

    rewound = next(n for n, (a, b) in enumerate(pairwise(found), 1) if b.as_of < a.as_of)
    assert {0} == {s.rewinds for s in found[:rewound]}
    assert {1} == {s.rewinds for s in found[rewound:]}
    assert len(found) == len({s.snapshot_id for s in found})
    for one in found:
        names = [view.product_id for view in one.products]
        assert one.snapshot_id == snapshot_id(one.venue, one.as_of, names, one.rewinds)
