"""Which shards a process should serve."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime

from arena import topics
from arena.bus.memory import MemoryBus, MemoryCluster
from arena.clock import ManualClock
from arena.node import Node
from arena.settings import Settings
from trading_tools.shard_membership import GRACE_S, GROUP, ShardMembership, is_dead_neighbour

NOW = datetime(2026, 11, 21, tzinfo=UTC)


async def member(cluster: MemoryCluster, clock: ManualClock) -> tuple[ShardMembership, Node]:
    """A process that may join the group."""
    bus = MemoryBus(cluster)
    await bus.start()
    await bus.ensure_topics([topics.COMMANDS])
    node = Node("tools", "test", Settings(), bus, clock)
    return ShardMembership(node), node


def test_dead_process_on_the_same_host_is_recognised() -> None:
    """The same host and no such process; a zombie counts as dead, too."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    while child.poll() is None and not is_dead_neighbour(f"tools/a/here/{child.pid}/x", "here"):
        pass
    child.wait()

    assert is_dead_neighbour(f"tools/a/here/{child.pid}/x", "here")
    assert not is_dead_neighbour(f"tools/a/there/{child.pid}/x", "here")
    assert not is_dead_neighbour(f"tools/a/here/{os.getpid()}/x", "here")
    assert not is_dead_neighbour("somebody", "here")
    assert not is_dead_neighbour("a/here/x/y", "here")


async def test_log_decides_before_the_first_assignment() -> None:
    """A shard without an owner, or with a dead one, is served at once; others wait."""
    seats, node = await member(MemoryCluster(), ManualClock(NOW))
    answers = []
    for owner in ("", f"tools/x/{node.host}/{os.getpid()}/1", f"tools/x/{node.host}/4194304/1"):
        seats.note_owner(0, owner)
        answers.append(seats.should_serve(0))

    assert [True, False, True] == answers
    assert not seats.assigned(0)


async def test_lost_shard_is_served_for_a_grace_period() -> None:
    """A rebalance that gives the shard back does not stop trading; one that does not, does."""
    cluster, clock = MemoryCluster(), ManualClock(NOW)
    first, _ = await member(cluster, clock)
    second, _ = await member(cluster, clock)
    one = asyncio.create_task(first.run())
    while not first.assigned(0):
        await asyncio.sleep(0.01)
    seen = (first.should_serve(0), second.should_serve(0))
    cluster.groups[GROUP].members[0].assign(frozenset())
    lost = (first.assigned(0), first.should_serve(0))
    clock.advance(GRACE_S + 1)
    after = first.should_serve(0)
    cluster.rebalance(GROUP)
    back = first.assigned(0)
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)

    assert ((True, False), (False, True), False, True) == (seen, lost, after, back)


async def test_giving_up_ends_the_grace_period() -> None:
    """A process that was fenced waits until the shard is assigned to it."""
    cluster, clock = MemoryCluster(), ManualClock(NOW)
    seats, _ = await member(cluster, clock)
    seats.note_owner(0, "")
    seats.give_up(0)

    assert not seats.should_serve(0)
