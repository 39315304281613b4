"""The conductor over a bus in memory: who is waited for, what a restart finds, who is refused."""

import asyncio
from types import SimpleNamespace

import pytest

from arena import topics
from arena.bus.base import Acked
from arena.bus.memory import MemoryBus, MemoryCluster
from arena.clock import SystemClock
from arena.errors import DependencyMissing, Fenced, UsageError
from arena.messages import MarketSnapshot, Product, Ticker
from arena.node import Node
from arena.settings import Settings
from arena.topics import partition_of
from arena.wire import Headers
from connectors.lockstep import conductor as conductor_module
from connectors.lockstep.conductor import Conductor, Waits
from connectors.lockstep.pacing import TURN_GRACE_S
from connectors.lockstep.reel import Reel
from tests.connectors.builders import FastClock
from tests.connectors.lockstep_agents import Scripted, join, logged, open_account, playing
from tests.connectors.test_reel import WALL, played, reel_of
from tests.connectors.venue import eventually

DEADLINE_S = 30.0


def conductor(
    bus: MemoryBus,
    *agents: str,
    reel: Reel | None = None,
    deadline_s: float = 60.0,
    agents_s: float = 60.0,
    factor: float = 1.0,
) -> Conductor:
    """A conductor of a short synthetic market."""
    clock = FastClock(factor) if factor != 1.0 else SystemClock()
    node = Node("connector", "replay", Settings(), bus, clock)
    return Conductor(node, reel or reel_of(snapshots=6), agents, Waits(deadline_s, agents_s))


class Killed(Exception):
    """The process is gone."""


class DyingBus(MemoryBus):
    """A connection whose process dies at its n-th append, just before or just after it."""

    def __init__(self, cluster: MemoryCluster, appends: int, *, lost: bool) -> None:
        """Share the cluster's records."""
        super().__init__(cluster)
        self._left = appends
        self._lost = lost

    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[Acked]":
        """Append, or die."""
        self._left -= 1
        if self._left < 0 and self._lost:
            raise Killed
        sent = await super().send_bytes(topic, value, key=key, partition=partition, headers=headers)
        if self._left < 0:
            raise Killed
        return sent


async def snapshots_in(bus: MemoryBus) -> list[MarketSnapshot]:
    """Every snapshot in the log."""
    return [m for m in await logged(bus, topics.SNAPSHOTS.name) if isinstance(m, MarketSnapshot)]


def cut(bus: MemoryBus, topic: str, records: int, partition: int = 0) -> None:
    """Forget the last records of a topic, as if they had never been appended."""
    log = bus.cluster.logs[topic, partition]
    del log[len(log) - records :]


async def finish(run: Conductor) -> None:
    """Play to the end."""
    async with asyncio.timeout(DEADLINE_S):
        await run.serve()


async def test_every_agent_answers_every_snapshot(memory_bus: MemoryBus) -> None:
    """It ends by itself after the last turns; the offsets named are those of the tickers."""
    a, b = Scripted("a"), Scripted("b", cadence=3)
    run = conductor(memory_bus, "a", "b")
    async with playing(memory_bus, a, b):
        await finish(run)

    snapshots = await snapshots_in(memory_bus)
    expected = [s.snapshot_id for s in played(reel_of(snapshots=6))]
    assert expected == [s.snapshot_id for s in snapshots] == a.seen == a.answered
    assert [expected[0], expected[3]] == b.answered
    tickers = await logged(memory_bus, topics.TICKERS.name)
    for snapshot in snapshots:
        behind = tickers[: snapshot.ticker_offsets[0]]
        last = {t.product_id: t for t in behind if isinstance(t, Ticker)}
        assert [last[view.product_id] for view in snapshot.products] == [
            view.ticker for view in snapshot.products
        ]
        rules = {m.product_id for m in behind[-4:] if isinstance(m, Product)}
        assert set(last) == rules
    counters, gauges = run.node.counters, run.node.gauges
    assert (6, 8, 0) == (counters["snapshots"], counters["turns"], counters["deadlines_missed"])
    assert (6, 0) == (gauges["snapshots_total"], gauges["waiting_for"])


async def test_the_log_is_the_same_in_every_run(memory_bus: MemoryBus) -> None:
    """Every byte of tickers and snapshots but the time of publishing."""
    other = MemoryBus()
    await other.start()
    await other.ensure_topics(topics.fixed_topics())
    for bus in (memory_bus, other):
        async with playing(bus, Scripted("a")):
            await finish(conductor(bus, "a"))

    assert await logged(memory_bus, topics.TICKERS.name) == await logged(other, topics.TICKERS.name)
    first, second = await snapshots_in(memory_bus), await snapshots_in(other)
    same = {"published_at": WALL}
    assert [s.model_copy(update=same) for s in first] == [s.model_copy(update=same) for s in second]


async def test_nothing_is_shown_before_everybody_is_there(memory_bus: MemoryBus) -> None:
    """Tickers come first; the first snapshot waits for roster and account of each."""
    a, b = Scripted("a"), Scripted("b")
    run = conductor(memory_bus, "a", "b")
    task = asyncio.create_task(finish(run))
    await eventually(lambda: run.node.details.get("waiting_for") == "a, b", "the wait for both")
    await join(memory_bus, a)
    await open_account(memory_bus, a)
    await join(memory_bus, b)
    await eventually(lambda: run.node.details.get("waiting_for") == "b", "the wait for one")
    assert [] == await snapshots_in(memory_bus)
    assert run.node.counters["tickers"]

    async with playing(memory_bus, a, b):
        await task
    assert 6 == len(await snapshots_in(memory_bus))


async def test_who_never_comes_ends_it(memory_bus: MemoryBus) -> None:
    """After the bound it says who is missing, and what of them."""
    await join(memory_bus, Scripted("here"))
    run = conductor(memory_bus, "here", "gone", agents_s=20, factor=20)

    with pytest.raises(DependencyMissing, match=r"no router of gone, no account of here, gone"):
        await finish(run)


async def test_a_deadline_that_passes_is_counted_by_name(memory_bus: MemoryBus) -> None:
    """Who is silent is waited for until the deadline, then left behind."""
    quick, slow = Scripted("quick"), Scripted("slow", silent=frozenset({1, 4}))
    run = conductor(memory_bus, "quick", "slow", deadline_s=3, factor=20)
    began_s = run.node.clock.monotonic()
    async with playing(memory_bus, quick, slow):
        await finish(run)

    assert {"slow": 2} == run.node.details["deadlines_missed"]
    assert 2 == run.node.counters["deadlines_missed"]
    assert (6, 4) == (len(quick.answered), len(slow.answered))
    assert run.node.clock.monotonic() - began_s >= 2 * (3 + TURN_GRACE_S)


@pytest.mark.parametrize("lost_tickers", range(5))
async def test_a_restart_goes_on_from_the_newest_snapshot(
    memory_bus: MemoryBus, lost_tickers: int
) -> None:
    """Killed after some tickers of a batch: the log becomes what it would have been."""
    a = Scripted("a")
    async with playing(memory_bus, a):
        await finish(conductor(memory_bus, "a"))
        whole = await logged(memory_bus, topics.TICKERS.name)
        ids = [s.snapshot_id for s in await snapshots_in(memory_bus)]

    cut(memory_bus, topics.SNAPSHOTS.name, 2)
    cut(memory_bus, topics.TICKERS.name, 4 + lost_tickers)
    cut(memory_bus, topics.TURNS.name, 4, partition_of("a", topics.TURNS.partitions))
    again = Scripted("a")
    run = conductor(memory_bus, "a")
    async with playing(memory_bus, again):
        await finish(run)

    assert whole == await logged(memory_bus, topics.TICKERS.name)
    assert ids == [s.snapshot_id for s in await snapshots_in(memory_bus)]
    assert 4 + lost_tickers == run.node.counters["tickers"]


@pytest.mark.parametrize("lost", [True, False], ids=["before", "after"])
async def test_a_kill_at_any_append_changes_nothing(memory_bus: MemoryBus, *, lost: bool) -> None:
    """Dying at the first append, then at the second of what is left, and so on, to the end."""
    agents = Scripted("a"), Scripted("b", cadence=2)
    deaths = 0
    async with playing(memory_bus, *agents):
        while True:
            dying = DyingBus(memory_bus.cluster, appends=deaths % 6, lost=lost)
            await dying.start()
            try:
                await finish(conductor(dying, "a", "b"))
            except Killed:
                deaths += 1
                assert deaths < 100
                continue
            break

    assert list(played(reel_of(snapshots=6))) == [
        snapshot.model_copy(update={"published_at": WALL})
        for snapshot in await snapshots_in(memory_bus)
    ]
    assert 6 * 4 == len(await logged(memory_bus, topics.TICKERS.name))
    assert (6, 3) == (len(agents[0].answered), len(agents[1].answered))
    assert deaths > 6


async def test_a_finished_replay_publishes_nothing_more(memory_bus: MemoryBus) -> None:
    """Everything is answered already: it sees that and ends."""
    async with playing(memory_bus, Scripted("a")):
        await finish(conductor(memory_bus, "a"))
    before = [
        len(await logged(memory_bus, t)) for t in (topics.TICKERS.name, topics.SNAPSHOTS.name)
    ]
    run = conductor(memory_bus, "a")
    await finish(run)

    after = [len(await logged(memory_bus, t)) for t in (topics.TICKERS.name, topics.SNAPSHOTS.name)]
    assert before == after
    assert 6 == run.node.counters["snapshots"]


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"seed": 8}, "snapshot 5 as other flags made it"),
        ({"products": ("BTC-USD",)}, "none of this replay"),
        ({"interval_s": 300}, "snapshot 1 as other flags made it"),
        ({"snapshots": 3}, "none of this replay"),
    ],
    ids=["another seed", "other products", "another interval", "fewer snapshots"],
)
async def test_another_markets_snapshots_are_not_continued(
    memory_bus: MemoryBus, flags: dict[str, object], complaint: str
) -> None:
    """With other flags than it was begun with it ends before it writes."""
    async with playing(memory_bus, Scripted("a")):
        await finish(conductor(memory_bus, "a"))

    reel = reel_of(**({"snapshots": 6} | flags))  # type: ignore[arg-type]  # each another flag
    with pytest.raises(UsageError, match=complaint):
        await finish(conductor(memory_bus, "a", reel=reel))
    assert 6 == len(await snapshots_in(memory_bus))


async def test_a_second_writer_is_noticed(memory_bus: MemoryBus) -> None:
    """Where a snapshot stands that it did not append, it ends."""
    run = conductor(memory_bus, "a")
    silent = Scripted("a", silent=frozenset({0}))
    async with playing(memory_bus, silent):
        task = asyncio.create_task(finish(run))
        await eventually(lambda: run.node.counters["snapshots"] == 1, "the first snapshot")
        (first,) = await snapshots_in(memory_bus)
        await memory_bus.append(topics.SNAPSHOTS.name, first, key="coinbase")
        with pytest.raises(Fenced, match="another process"):
            await task


async def test_a_long_wait_repeats_the_batch(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executor that starts meanwhile finds rules and prices; nothing else changes."""
    monkeypatch.setattr(conductor_module, "REPEAT_EVERY_S", 0.0)
    a = Scripted("a", silent=frozenset(range(6)))
    run = conductor(memory_bus, "a", reel=reel_of(snapshots=2), deadline_s=20, factor=20)
    async with playing(memory_bus, a):
        await finish(run)

    tickers = [m for m in await logged(memory_bus, topics.TICKERS.name) if isinstance(m, Ticker)]
    assert len(tickers) > 4
    assert 4 == len({t.model_dump_json() for t in tickers})
    assert 2 == len(await snapshots_in(memory_bus))


async def test_a_misspelt_agent_is_named_within_seconds(memory_bus: MemoryBus) -> None:
    """Who is not on the roster, and who is there instead, the closest first; then seldom."""
    said: list[str] = []
    run = conductor(memory_bus, "momentm", factor=40.0, agents_s=30.0)
    run.node.log = SimpleNamespace(
        warning=lambda text, **_: said.append(text), info=lambda *_, **__: None
    )
    await memory_bus.ensure_topics([topics.ROSTER])
    for name in ("cash", "momentum"):
        await join(memory_bus, Scripted(name))
    with pytest.raises(DependencyMissing, match="not in --agents: momentum, cash"):
        await finish(run)

    assert "not on the roster: momentm; on it, and not in --agents: momentum, cash" in said[0]
    assert 1 <= len(said) <= 4
    assert conductor_module.TELL_AFTER_S < 5
