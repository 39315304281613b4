"""A replay in lock-step whose topics were cut, or created again, while it was away."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import ManualClock
from arena.errors import UsageError
from arena.node import Node
from arena.settings import Settings
from arena.topics import partition_of
from connectors.coinbase.playback import Playback
from connectors.lockstep import conductor as conductor_module
from tests.connectors.builders import T0
from tests.connectors.lockstep_agents import Scripted, logged, playing
from tests.connectors.test_conductor import conductor, cut, finish, snapshots_in
from tests.connectors.test_playback import RECORDING
from tests.connectors.venue import eventually

SNAPSHOTS, TICKERS, TURNS = topics.SNAPSHOTS.name, topics.TICKERS.name, topics.TURNS.name
OF_A = partition_of("a", topics.TURNS.partitions)


async def play_to_the_end(bus: MemoryBus) -> list[str]:
    """Six snapshots, all answered; their ids."""
    async with playing(bus, Scripted("a")):
        await finish(conductor(bus, "a"))
    return [snapshot.snapshot_id for snapshot in await snapshots_in(bus)]


@pytest.mark.parametrize("lost", [2, 6], ids=["cut", "created again"])
async def test_snapshots_that_were_answered_are_not_waited_for(
    memory_bus: MemoryBus, lost: int
) -> None:
    """They are published again, the agent's turns on them count, and it is told."""
    ids = await play_to_the_end(memory_bus)
    cut(memory_bus, SNAPSHOTS, lost)
    run = conductor(memory_bus, "a")
    await finish(run)  # No agent plays: a wait would last for its deadline.

    assert ids == [snapshot.snapshot_id for snapshot in await snapshots_in(memory_bus)]
    assert 0 == run.node.counters["deadlines_missed"]
    words = memory_bus.lost[SNAPSHOTS, "0, replay"]
    assert f"{lost} snapshots that agents have answered are gone" in words


async def test_tickers_that_are_gone_are_published_again(memory_bus: MemoryBus) -> None:
    """An executor waits for the tickers that a snapshot names: so many are there again."""
    ids = await play_to_the_end(memory_bus)
    cut(memory_bus, SNAPSHOTS, 1)
    cut(memory_bus, TURNS, 4, OF_A)
    named = (await snapshots_in(memory_bus))[-1].ticker_offsets[0]
    cut(memory_bus, TICKERS, len(await logged(memory_bus, TICKERS)) - named + 5)
    log = memory_bus.cluster.logs[TICKERS, 0]
    task = asyncio.create_task(finish(conductor(memory_bus, "a")))
    await eventually(lambda: task.done() or len(log) >= named, "the tickers that were named")
    assert 1 + len(await snapshots_in(memory_bus)) == len(ids)
    async with playing(memory_bus, Scripted("a")):
        await task

    assert ids == [snapshot.snapshot_id for snapshot in await snapshots_in(memory_bus)]
    assert "ends at 15, the newest snapshot names 20" in memory_bus.lost[TICKERS, "0, replay"]


async def test_tickers_are_published_again_up_to_a_bound(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too large a gap the replay is refused, before it appends anything."""
    monkeypatch.setattr(conductor_module, "REPEATS_MAX", 1)
    await play_to_the_end(memory_bus)
    cut(memory_bus, TURNS, 2, OF_A)
    cut(memory_bus, TICKERS, 9)
    left = len(await logged(memory_bus, TICKERS))
    with pytest.raises(UsageError, match=r"names 24.*more than.*ARENA_PREFIX"):
        await finish(conductor(memory_bus, "a"))

    assert left == len(await logged(memory_bus, TICKERS))


async def test_nothing_is_told_where_nothing_is_gone(memory_bus: MemoryBus) -> None:
    """A restart in the middle, and one after the end."""
    await play_to_the_end(memory_bus)
    await finish(conductor(memory_bus, "a"))
    cut(memory_bus, TURNS, 2, OF_A)
    cut(memory_bus, SNAPSHOTS, 1)
    async with playing(memory_bus, Scripted("a")):
        await finish(conductor(memory_bus, "a"))

    assert not [place for place in memory_bus.lost if place[1].endswith("replay")]


async def play_recording(bus: MemoryBus) -> None:
    """Publish a recording."""
    node = Node("connector", "replay", Settings(), bus, ManualClock(T0))
    await Playback(node, RECORDING, interval_s=60.0, speed=None, products=()).serve()


async def play_lockstep(bus: MemoryBus) -> None:
    """Publish in lock-step."""
    await finish(conductor(bus, "a"))


@pytest.mark.parametrize("play", [play_recording, play_lockstep])
async def test_snapshots_of_several_partitions_are_refused(
    memory_bus: MemoryBus, play: Callable[[MemoryBus], Awaitable[None]]
) -> None:
    """They have one order, which agents and offsets depend on: nothing is published."""
    memory_bus.cluster.grow(SNAPSHOTS, 3)
    with pytest.raises(UsageError, match=r"market\.snapshots has 3 partitions.*ARENA_PREFIX"):
        await play(memory_bus)

    assert [] == await logged(memory_bus, SNAPSHOTS)
