"""The next snapshot waits for the judge, at most for a deadline."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena import topics
from arena.bus.memory import MemoryBus, MemoryCluster, milliseconds_of
from arena.liveness import COACHED
from arena.node import Node
from arena.settings import Settings
from arena.threads import InlineThreads
from arena.virtual_time import VirtualClock, VirtualTimeLoop
from connectors.market.lockstep.judge_wait import JudgeWait

START = datetime(2026, 1, 1, tzinfo=UTC)
DEADLINE_S = 60.0


async def waited_s(kind: str, named: str, *, after_s: float) -> tuple[float, int]:
    """How long a wait for snapshot "b" takes, and how many were missed.

    Args:
        kind: Kind of a process whose heartbeat names "a", and later another snapshot.
        named: That snapshot.
        after_s: When it is named.
    """
    loop = asyncio.get_running_loop()
    clock, threads = VirtualClock(loop, START), InlineThreads()
    cluster = MemoryCluster(milliseconds_of(clock))
    nodes = []
    for name in ("connector", kind):
        bus = MemoryBus(cluster, clock, threads)
        await bus.start()
        await bus.ensure_topics([topics.HEARTBEATS])
        nodes.append(Node(name, name, Settings(home=Path("unused")), bus, clock, threads=threads))
    connector, judge = nodes

    async def coach() -> None:
        judge.details[COACHED] = "a"
        await judge.beat()
        await clock.sleep(after_s)
        judge.details[COACHED] = named
        await judge.beat()

    coaching = asyncio.create_task(coach())
    wait = JudgeWait(connector, DEADLINE_S)
    await wait.wait("b")
    taken_s = clock.monotonic()
    coaching.cancel()
    await wait.close()
    return taken_s, connector.counters["judge_missed"]


@pytest.mark.parametrize(
    ("kind", "named", "after_s", "expected"),
    [
        ("judge", "b", 0.0, (0.0, 0)),
        ("judge", "b", 7.0, (7.0, 0)),
        ("judge", "b", 61.0, (DEADLINE_S, 1)),
        ("judge", "c", 7.0, (DEADLINE_S, 1)),
        ("router", "b", 7.0, (DEADLINE_S, 1)),
    ],
)
def test_the_wait_ends_with_the_judge_or_the_deadline(
    kind: str, named: str, after_s: float, expected: tuple[float, int]
) -> None:
    """Only a judge that names this snapshot ends it early; what was missed is counted."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(waited_s(kind, named, after_s=after_s)) == expected
