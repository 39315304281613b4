"""The lock-step publisher over a bus in memory: waits, restarts, refusals."""

import asyncio
from types import SimpleNamespace

import pytest

from arena import topics
from arena.bus.base import AppendAck
from arena.bus.memory import MemoryBus, MemoryCluster
from arena.clock import SystemClock
from arena.errors import DependencyMissing, Fenced, UsageError
from arena.messages import MarketSnapshot, Product, Ticker
from arena.node import Node
from arena.settings import Settings
from arena.topics import partition_of
from arena.wire import Headers
from connectors.market.lockstep import lockstep_publisher as publisher_module
from connectors.market.lockstep.lockstep_publisher import LockstepPublisher, LockstepTimeouts
from connectors.market.lockstep.pacing import TURN_GRACE_S
from connectors.market.lockstep.snapshot_replay import SnapshotReplay
from tests.connectors.builders import FastClock
from tests.connectors.lockstep_agents import (
    ScriptedAgent,
    join,
    logged,
    open_account,
    running_agents,
)
from tests.connectors.test_snapshot_replay import WALL, replay_of, snapshots_of
from tests.connectors.venue import eventually

DEADLINE_S = 30.0
HISTORY = 380
"""About the number of candles before the first snapshot; one of the products trades rarely."""


def lockstep_publisher(
    bus: MemoryBus,
    *agents: str,
    replay: SnapshotReplay | None = None,
    deadline_s: float = 60.0,
    agents_s: float = 60.0,
    factor: float = 1.0,
) -> LockstepPublisher:
    """A lock-step publisher of a short synthetic market."""
    clock = FastClock(factor) if factor != 1.0 else SystemClock()
    node = Node("connector", "replay", Settings(), bus, clock)
    return LockstepPublisher(
        node, replay or replay_of(snapshots=6), agents, LockstepTimeouts(deadline_s, agents_s)
    )


class Killed(Exception):
    """The process was killed."""


class CrashingBus(MemoryBus):
    """A bus whose process is killed at its n-th append, just before or just after it."""

    def __init__(self, cluster: MemoryCluster, appends: int, *, lost: bool) -> None:
        """Connect to a cluster.

        Args:
            cluster: The cluster.
            appends: Number of appends that succeed.
            lost: True to be killed before the next append, False for after it.
        """
        super().__init__(cluster)
        self._left = appends
        self._lost = lost

    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[AppendAck]":
        """Append, or be killed."""
        self._left -= not self._is_one_of_many(topic)
        if self._left < 0 and self._lost:
            raise Killed
        sent = await super().send_bytes(topic, value, key=key, partition=partition, headers=headers)
        if self._left < 0:
            raise Killed
        return sent

    def _is_one_of_many(self, topic: str) -> bool:
        """True for a candle of the history, except every 100th: it dies within it a few times."""
        there = len(self.cluster.logs[topic, 0])
        return topic == topics.CANDLES.name and there < HISTORY and there % 100 != 0


async def snapshots_in(bus: MemoryBus) -> list[MarketSnapshot]:
    """Every snapshot in the log."""
    return [m for m in await logged(bus, topics.SNAPSHOTS.name) if isinstance(m, MarketSnapshot)]


def cut_log(bus: MemoryBus, topic: str, records: int, partition: int = 0) -> None:
    """Delete the last records of a topic, as if they had never been appended."""
    log = bus.cluster.logs[topic, partition]
    del log[len(log) - records :]


async def finish(run: LockstepPublisher) -> None:
    """Publish to the end."""
    async with asyncio.timeout(DEADLINE_S):
        await run.serve()


async def test_every_agent_answers_every_snapshot(memory_bus: MemoryBus) -> None:
    """It exits after the last turns; the offsets in a snapshot are those of its tickers."""
    a, b = ScriptedAgent("a"), ScriptedAgent("b", cadence=3)
    run = lockstep_publisher(memory_bus, "a", "b")
    async with running_agents(memory_bus, a, b):
        await finish(run)

    snapshots = await snapshots_in(memory_bus)
    expected = [s.snapshot_id for s in snapshots_of(replay_of(snapshots=6))]
    assert expected == [s.snapshot_id for s in snapshots] == a.seen == a.answered
    assert [expected[0], expected[3]] == b.answered
    tickers = await logged(memory_bus, topics.TICKERS.name)
    for snapshot in snapshots:
        before = tickers[: snapshot.ticker_offsets[0]]
        last = {t.product_id: t for t in before if isinstance(t, Ticker)}
        assert [last[view.product_id] for view in snapshot.products] == [
            view.ticker for view in snapshot.products
        ]
        rules = {m.product_id for m in before[-4:] if isinstance(m, Product)}
        assert set(last) == rules
    counters, gauges = run.node.counters, run.node.gauges
    assert (6, 8, 0) == (counters["snapshots"], counters["turns"], counters["deadlines_missed"])
    assert (6, 0) == (gauges["snapshots_total"], gauges["waiting_for"])


async def test_log_is_the_same_in_every_run(memory_bus: MemoryBus) -> None:
    """Tickers and snapshots are identical except for the time of publication."""
    other = MemoryBus()
    await other.start()
    await other.ensure_topics(topics.fixed_topics())
    for bus in (memory_bus, other):
        async with running_agents(bus, ScriptedAgent("a")):
            await finish(lockstep_publisher(bus, "a"))

    assert await logged(memory_bus, topics.TICKERS.name) == await logged(other, topics.TICKERS.name)
    first, second = await snapshots_in(memory_bus), await snapshots_in(other)
    same = {"published_at": WALL}
    assert [s.model_copy(update=same) for s in first] == [s.model_copy(update=same) for s in second]


async def test_first_snapshot_waits_for_all_agents(memory_bus: MemoryBus) -> None:
    """Tickers are published at once; the first snapshot waits for each agent's account."""
    a, b = ScriptedAgent("a"), ScriptedAgent("b")
    run = lockstep_publisher(memory_bus, "a", "b")
    task = asyncio.create_task(finish(run))
    await eventually(lambda: run.node.details.get("waiting_for") == "a, b", "the wait for both")
    await join(memory_bus, a)
    await open_account(memory_bus, a)
    await join(memory_bus, b)
    await eventually(lambda: run.node.details.get("waiting_for") == "b", "the wait for one")
    assert [] == await snapshots_in(memory_bus)
    assert run.node.counters["tickers"]

    async with running_agents(memory_bus, a, b):
        await task
    assert 6 == len(await snapshots_in(memory_bus))


async def test_missing_agent_is_an_error(memory_bus: MemoryBus) -> None:
    """After the timeout the error names the missing agents, and what is missing."""
    await join(memory_bus, ScriptedAgent("here"))
    run = lockstep_publisher(memory_bus, "here", "gone", agents_s=20, factor=20)

    with pytest.raises(DependencyMissing, match=r"no router for gone, no account for here, gone"):
        await finish(run)


async def test_missed_deadline_is_counted_by_agent(memory_bus: MemoryBus) -> None:
    """A silent agent is waited for until the deadline, then the next snapshot is published."""
    quick, slow = ScriptedAgent("quick"), ScriptedAgent("slow", silent=frozenset({1, 4}))
    run = lockstep_publisher(memory_bus, "quick", "slow", deadline_s=3, factor=20)
    began_s = run.node.clock.monotonic()
    async with running_agents(memory_bus, quick, slow):
        await finish(run)

    assert {"slow": 2} == run.node.details["deadlines_missed"]
    assert 2 == run.node.counters["deadlines_missed"]
    assert (6, 4) == (len(quick.answered), len(slow.answered))
    assert run.node.clock.monotonic() - began_s >= 2 * (3 + TURN_GRACE_S)


@pytest.mark.parametrize("lost_tickers", range(5))
async def test_restart_continues_from_the_newest_snapshot(
    memory_bus: MemoryBus, lost_tickers: int
) -> None:
    """After a kill in the middle of a batch the log becomes what it would have been."""
    a = ScriptedAgent("a")
    async with running_agents(memory_bus, a):
        await finish(lockstep_publisher(memory_bus, "a"))
        whole = await logged(memory_bus, topics.TICKERS.name)
        ids = [s.snapshot_id for s in await snapshots_in(memory_bus)]

    cut_log(memory_bus, topics.SNAPSHOTS.name, 2)
    cut_log(memory_bus, topics.TICKERS.name, 4 + lost_tickers)
    cut_log(memory_bus, topics.TURNS.name, 4, partition_of("a", topics.TURNS.partitions))
    again = ScriptedAgent("a")
    run = lockstep_publisher(memory_bus, "a")
    async with running_agents(memory_bus, again):
        await finish(run)

    assert whole == await logged(memory_bus, topics.TICKERS.name)
    assert ids == [s.snapshot_id for s in await snapshots_in(memory_bus)]
    assert 4 + lost_tickers == run.node.counters["tickers"]


@pytest.mark.parametrize("lost", [True, False], ids=["before", "after"])
async def test_kill_at_any_append_changes_nothing(memory_bus: MemoryBus, *, lost: bool) -> None:
    """It is killed at its first append, the next run at its second, and so on to the end."""
    agents = ScriptedAgent("a"), ScriptedAgent("b", cadence=2)
    deaths = 0
    async with running_agents(memory_bus, *agents):
        while True:
            dying = CrashingBus(memory_bus.cluster, appends=deaths % 6, lost=lost)
            await dying.start()
            try:
                await finish(lockstep_publisher(dying, "a", "b"))
            except Killed:
                deaths += 1
                assert deaths < 100
                continue
            break

    assert list(snapshots_of(replay_of(snapshots=6))) == [
        snapshot.model_copy(update={"published_at": WALL})
        for snapshot in await snapshots_in(memory_bus)
    ]
    assert 6 * 4 == len(await logged(memory_bus, topics.TICKERS.name))
    newest = (await snapshots_in(memory_bus))[-1]
    assert newest.candle_offsets[0] == len(await logged(memory_bus, topics.CANDLES.name))
    assert (6, 3) == (len(agents[0].answered), len(agents[1].answered))
    assert deaths > 6


async def test_finished_replay_publishes_nothing(memory_bus: MemoryBus) -> None:
    """If every snapshot is answered already, a restart exits."""
    async with running_agents(memory_bus, ScriptedAgent("a")):
        await finish(lockstep_publisher(memory_bus, "a"))
    before = [
        len(await logged(memory_bus, t)) for t in (topics.TICKERS.name, topics.SNAPSHOTS.name)
    ]
    run = lockstep_publisher(memory_bus, "a")
    await finish(run)

    after = [len(await logged(memory_bus, t)) for t in (topics.TICKERS.name, topics.SNAPSHOTS.name)]
    assert before == after
    assert 6 == run.node.counters["snapshots"]


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"seed": 8}, "snapshot 5 made with other flags"),
        ({"products": ("BTC-USD",)}, "not in this replay"),
        ({"interval_s": 300}, "snapshot 1 made with other flags"),
        ({"snapshots": 3}, "not in this replay"),
    ],
    ids=["another seed", "other products", "another interval", "fewer snapshots"],
)
async def test_snapshots_of_another_market_are_refused(
    memory_bus: MemoryBus, flags: dict[str, object], complaint: str
) -> None:
    """With other flags than at its start it exits before it writes."""
    async with running_agents(memory_bus, ScriptedAgent("a")):
        await finish(lockstep_publisher(memory_bus, "a"))

    replay = replay_of(**({"snapshots": 6} | flags))  # type: ignore[arg-type]  # one flag each
    with pytest.raises(UsageError, match=complaint):
        await finish(lockstep_publisher(memory_bus, "a", replay=replay))
    assert 6 == len(await snapshots_in(memory_bus))


async def test_second_writer_is_detected(memory_bus: MemoryBus) -> None:
    """If another snapshot is at the offset it expected, it exits."""
    run = lockstep_publisher(memory_bus, "a")
    silent = ScriptedAgent("a", silent=frozenset({0}))
    async with running_agents(memory_bus, silent):
        task = asyncio.create_task(finish(run))
        await eventually(lambda: run.node.counters["snapshots"] == 1, "the first snapshot")
        (first,) = await snapshots_in(memory_bus)
        await memory_bus.append(topics.SNAPSHOTS.name, first, key="coinbase")
        with pytest.raises(Fenced, match="another process"):
            await task


async def test_long_wait_repeats_the_batch(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executor that starts meanwhile finds rules and prices; nothing else is published."""
    monkeypatch.setattr(publisher_module, "REPEAT_EVERY_S", 0.0)
    a = ScriptedAgent("a", silent=frozenset(range(6)))
    run = lockstep_publisher(
        memory_bus, "a", replay=replay_of(snapshots=2), deadline_s=20, factor=20
    )
    async with running_agents(memory_bus, a):
        await finish(run)

    tickers = [m for m in await logged(memory_bus, topics.TICKERS.name) if isinstance(m, Ticker)]
    assert len(tickers) > 4
    assert 4 == len({t.model_dump_json() for t in tickers})
    assert 2 == len(await snapshots_in(memory_bus))


async def test_misspelt_agent_is_named_within_seconds(memory_bus: MemoryBus) -> None:
    """The warning names similar agents on the roster, closest first, and is repeated rarely."""
    warnings: list[str] = []
    run = lockstep_publisher(memory_bus, "momentm", factor=40.0, agents_s=30.0)
    run.node.log = SimpleNamespace(
        warning=lambda text, **_: warnings.append(text), info=lambda *_, **__: None
    )
    await memory_bus.ensure_topics([topics.ROSTER])
    for name in ("cash", "momentum"):
        await join(memory_bus, ScriptedAgent(name))
    with pytest.raises(DependencyMissing, match="not in --agents: momentum, cash"):
        await finish(run)

    assert "not on the roster: momentm; on it, but not in --agents: momentum, cash" in warnings[0]
    assert 1 <= len(warnings) <= 4
    assert publisher_module.WARN_AFTER_S < 5
