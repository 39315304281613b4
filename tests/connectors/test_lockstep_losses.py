"""A replay in lock-step whose topics were truncated or created again while it was stopped."""

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
from connectors.market.lockstep import lockstep_publisher as publisher_module
from connectors.market.playback import Playback
from connectors.venues.coinbase.venue import VENUE as COINBASE
from tests.connectors.builders import T0
from tests.connectors.lockstep_agents import ScriptedAgent, logged, running_agents
from tests.connectors.test_lockstep_publisher import (
    cut_log,
    finish,
    lockstep_publisher,
    snapshots_in,
)
from tests.connectors.test_playback import RECORDING
from tests.connectors.venue import eventually

SNAPSHOTS, TICKERS, TURNS = topics.SNAPSHOTS.name, topics.TICKERS.name, topics.TURNS.name
PARTITION_OF_A = partition_of("a", topics.TURNS.partitions)


async def play_to_the_end(bus: MemoryBus) -> list[str]:
    """Publish six snapshots that are all answered; return their ids."""
    async with running_agents(bus, ScriptedAgent("a")):
        await finish(lockstep_publisher(bus, "a"))
    return [snapshot.snapshot_id for snapshot in await snapshots_in(bus)]


@pytest.mark.parametrize("lost", [2, 6], ids=["cut", "created again"])
async def test_lost_snapshots_that_were_answered_are_not_waited_for(
    memory_bus: MemoryBus, lost: int
) -> None:
    """They are published again, the agent's turns on them count, and the loss is reported."""
    ids = await play_to_the_end(memory_bus)
    cut_log(memory_bus, SNAPSHOTS, lost)
    run = lockstep_publisher(memory_bus, "a")
    await finish(run)  # No agent runs: a wait would last until its deadline.

    assert ids == [snapshot.snapshot_id for snapshot in await snapshots_in(memory_bus)]
    assert 0 == run.node.counters["deadlines_missed"]
    words = memory_bus.lost[SNAPSHOTS, "0, replay"]
    assert f"{lost} snapshots that agents have answered are gone" in words


async def test_lost_tickers_are_published_again(memory_bus: MemoryBus) -> None:
    """The log reaches the offsets that the newest snapshot names, as executors require."""
    ids = await play_to_the_end(memory_bus)
    cut_log(memory_bus, SNAPSHOTS, 1)
    cut_log(memory_bus, TURNS, 4, PARTITION_OF_A)
    named = (await snapshots_in(memory_bus))[-1].ticker_offsets[0]
    cut_log(memory_bus, TICKERS, len(await logged(memory_bus, TICKERS)) - named + 5)
    log = memory_bus.cluster.logs[TICKERS, 0]
    task = asyncio.create_task(finish(lockstep_publisher(memory_bus, "a")))
    await eventually(lambda: task.done() or len(log) >= named, "the tickers that were named")
    assert 1 + len(await snapshots_in(memory_bus)) == len(ids)
    async with running_agents(memory_bus, ScriptedAgent("a")):
        await task

    assert ids == [snapshot.snapshot_id for snapshot in await snapshots_in(memory_bus)]
    assert "ends at 15, the newest snapshot names 20" in memory_bus.lost[TICKERS, "0, replay"]


async def test_too_many_lost_tickers_are_an_error(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the gap is too large, the replay exits before it appends anything."""
    monkeypatch.setattr(publisher_module, "REPEATS_MAX", 1)
    await play_to_the_end(memory_bus)
    cut_log(memory_bus, TURNS, 2, PARTITION_OF_A)
    cut_log(memory_bus, TICKERS, 9)
    left = len(await logged(memory_bus, TICKERS))
    with pytest.raises(UsageError, match=r"names 24.*more than.*ARENA_PREFIX"):
        await finish(lockstep_publisher(memory_bus, "a"))

    assert left == len(await logged(memory_bus, TICKERS))


async def test_restart_without_losses_reports_none(memory_bus: MemoryBus) -> None:
    """Neither a restart in the middle nor one after the end reports a loss."""
    await play_to_the_end(memory_bus)
    await finish(lockstep_publisher(memory_bus, "a"))
    cut_log(memory_bus, TURNS, 2, PARTITION_OF_A)
    cut_log(memory_bus, SNAPSHOTS, 1)
    async with running_agents(memory_bus, ScriptedAgent("a")):
        await finish(lockstep_publisher(memory_bus, "a"))

    assert not [key for key in memory_bus.lost if key[1].endswith("replay")]


async def play_recording(bus: MemoryBus) -> None:
    """Publish a recording."""
    node = Node("connector", "replay", Settings(), bus, ManualClock(T0))
    await Playback(node, COINBASE, RECORDING, interval_s=60.0, speed=None, products=()).serve()


async def play_lockstep(bus: MemoryBus) -> None:
    """Publish in lock-step."""
    await finish(lockstep_publisher(bus, "a"))


@pytest.mark.parametrize("play", [play_recording, play_lockstep])
async def test_several_partitions_of_snapshots_are_refused(
    memory_bus: MemoryBus, play: Callable[[MemoryBus], Awaitable[None]]
) -> None:
    """Agents depend on one order of snapshots, so nothing is published."""
    memory_bus.cluster.grow(SNAPSHOTS, 3)
    with pytest.raises(UsageError, match=r"market\.snapshots has 3 partitions.*ARENA_PREFIX"):
        await play(memory_bus)

    assert [] == await logged(memory_bus, SNAPSHOTS)
