"""A confirmed halt holds: when orders are decided, when halts are confirmed, what is refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record, Start
from arena.bus.memory import MemoryBus, MemoryCluster, MemoryLogReader
from arena.clock import SystemClock
from arena.errors import UsageError
from arena.exports import export_topics
from arena.halt_confirmation import HaltConfirmation, append_and_confirm
from arena.kill_switch import CONFIRMED, HALTED_COUNT, key_of
from arena.messages import (
    DeadLetter,
    Epoch,
    Halt,
    OrderDecided,
    RejectReason,
    Resume,
    ToolResult,
)
from tests.trading_tools.helpers import (
    WAIT_S,
    product,
    read_until,
    serving,
    ticker,
    tool_call,
    until_ended,
)
from trading_tools import kill_switch
from trading_tools.replay import OrderReplay
from trading_tools.rules import TradingRules
from trading_tools.shard_membership import ShardMembership

BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'
CONTROL = topics.CONTROL.name
EXPORTED = [
    spec.name
    for spec in (topics.EVENTS, topics.COMMANDS, topics.TICKERS, topics.ROSTER, topics.CONTROL)
]


@pytest.fixture(autouse=True)
def short_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a proof expire after a fraction of a second, so that the tests are fast."""
    monkeypatch.setattr(kill_switch, "PROOF_S", 0.2)
    monkeypatch.setattr(kill_switch, "RENEW_S", 0.05)


class CutReader(MemoryLogReader):
    """A reader of `arena.control` whose connection drops everything while it is cut."""

    def __init__(self, bus: "CuttableBus", pairs: list[tuple[str, int]], start: Start) -> None:
        """Read over the bus's connection."""
        super().__init__(bus.cluster, pairs, start, bus.clock)
        self._bus = bus

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records; none while the connection is cut."""
        await self._bus.connected.wait()
        records = await super().read(timeout_s=min(timeout_s, 0.02), max_records=max_records)
        await self._bus.connected.wait()
        return records

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """The ends of the log; no answer while the connection is cut."""
        await self._bus.connected.wait()
        return await super().end_offsets()


class CuttableBus(MemoryBus):
    """A bus whose readers of `arena.control` can be cut off."""

    def __init__(self, cluster: MemoryCluster) -> None:
        """Start with an intact connection."""
        super().__init__(cluster)
        self.connected = asyncio.Event()
        self.connected.set()

    async def log_reader(self, *names: str, start: Start = EARLIEST) -> LogReader:
        """A reader; the one of the control topic can be cut off."""
        if names != (CONTROL,):
            return await super().log_reader(*names, start=start)
        return CutReader(self, [(CONTROL, 0)], start)


@asynccontextmanager
async def market(memory_bus: MemoryBus) -> AsyncIterator[CuttableBus]:
    """An arena with a price, and a bus for an executor that can be cut off."""
    await memory_bus.ensure_topics([topics.TICKERS, topics.COMMANDS, topics.CONTROL])
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    bus = CuttableBus(memory_bus.cluster)
    await bus.start()
    yield bus


async def order(bus: MemoryBus, index: int, life_s: float = 30) -> None:
    """Send an order of the agent `momentum`."""
    call = tool_call("momentum", "execute_trade", BUY, index=index, life_s=life_s)
    await bus.append(topics.COMMANDS.name, call, key="momentum")


async def decided(bus: MemoryBus, count: int) -> list[RejectReason | None]:
    """The reasons of the decided orders; None for a fill."""
    events = await read_until(bus, topics.EVENTS.name, OrderDecided, count)
    return [event.reason for event in events]


def halt() -> Halt:
    """A halt of all agents."""
    return Halt(by="test", at=datetime.now(UTC))


async def test_halt_that_the_owner_cannot_read_is_not_confirmed(
    memory_bus: MemoryBus,
) -> None:
    """A standby that has read it cannot confirm it; later orders are never filled."""
    async with market(memory_bus) as bus, serving(bus):
        await order(memory_bus, 0)
        assert [None] == await decided(memory_bus, 1)
        async with serving(memory_bus) as standby:
            bus.connected.clear()
            asked = await append_and_confirm(memory_bus, halt(), 0.3)
            assert ["all"] == standby.details["halted"]
            await asyncio.sleep(kill_switch.PROOF_S)  # The last proof is still valid.
            await order(memory_bus, 1, life_s=0.3)
            await order(memory_bus, 2)
            found = await decided(memory_bus, 2)
            bus.connected.set()
            found = await decided(memory_bus, 3)

    assert [*asked.unconfirmed] == [0]
    assert [None, RejectReason.CONTROL_UNKNOWN, RejectReason.HALTED] == found


async def test_replay_writes_the_same_rejections(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Unknown control, and a halt by a record without a value, byte by byte."""
    await memory_bus.ensure_topics(topics.fixed_topics())
    async with market(memory_bus) as bus, serving(bus) as node:
        await order(memory_bus, 0)
        await decided(memory_bus, 1)
        bus.connected.clear()
        memory_bus.cluster.append(CONTROL, 0, b"agent/momentum", None, ())
        await asyncio.sleep(kill_switch.PROOF_S)
        await order(memory_bus, 1, life_s=0.1)
        await decided(memory_bus, 2)
        bus.connected.set()
        await order(memory_bus, 2)
        found = await decided(memory_bus, 3)
        unread = node.details["halted_unread"]
        assert isinstance(unread, list)
    await export_topics(memory_bus, tmp_path / "records", EXPORTED)

    assert [None, RejectReason.CONTROL_UNKNOWN, RejectReason.HALTED] == found
    assert ["momentum: arena.control[0]@0"] == [str(one).split(" (")[0] for one in unread]
    assert [] == OrderReplay(tmp_path / "records").run().differences


async def test_order_waits_for_the_proof_and_is_filled(memory_bus: MemoryBus) -> None:
    """A connection that returns in time costs no order; reading the account does not wait."""
    async with market(memory_bus) as bus, serving(bus):
        await order(memory_bus, 0)
        await decided(memory_bus, 1)
        bus.connected.clear()
        await asyncio.sleep(kill_switch.PROOF_S)
        look = tool_call("momentum", "get_portfolio", "{}", index=7)
        await memory_bus.append(topics.COMMANDS.name, look, key="momentum")
        await order(memory_bus, 1)
        results = await read_until(memory_bus, topics.inbox("momentum"), ToolResult, 2)
        assert look.call_id in {result.call_id for result in results}
        assert 1 == len(await decided(memory_bus, 1))
        bus.connected.set()
        assert [None, None] == await decided(memory_bus, 2)


async def test_proof_expires_while_the_process_is_suspended(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner that was suspended decides nothing by its earlier proof."""
    async with market(memory_bus) as bus, serving(bus):
        await order(memory_bus, 0)
        await decided(memory_bus, 1)
        bus.connected.clear()
        awake = SystemClock.boot_s
        monkeypatch.setattr(SystemClock, "boot_s", lambda clock: awake(clock) + 60)
        await order(memory_bus, 1, life_s=0.2)
        assert [None, RejectReason.CONTROL_UNKNOWN] == await decided(memory_bus, 2)


async def test_lock_step_waits_past_the_deadline(memory_bus: MemoryBus) -> None:
    """It never rejects because a proof is missing: every run must decide alike."""
    rules = TradingRules(pacing="lock-step")
    async with market(memory_bus) as bus, serving(bus, rules) as node:
        await order(memory_bus, 0)
        await decided(memory_bus, 1)
        bus.connected.clear()
        await asyncio.sleep(kill_switch.PROOF_S)
        await order(memory_bus, 1, life_s=0.1)
        await asyncio.sleep(0.5)
        assert 1 == node.counters["orders"]
        bus.connected.set()
        reasons = await decided(memory_bus, 2)

    assert [None, None] == reasons


@pytest.mark.parametrize("pacing", ["real-time", "lock-step"])
async def test_waiting_owner_gives_its_shard_up(
    memory_bus: MemoryBus,
    monkeypatch: pytest.MonkeyPatch,
    pacing: Literal["real-time", "lock-step"],
) -> None:
    """The group took the shard away: nothing is decided, and the next owner decides the order."""
    async with market(memory_bus) as bus, serving(bus, TradingRules(pacing=pacing)) as node:
        await order(memory_bus, 0)
        await decided(memory_bus, 1)
        bus.connected.clear()
        await asyncio.sleep(kill_switch.PROOF_S)
        waits = asyncio.Event()
        wait = kill_switch.KillSwitchFeed.wait_proven

        async def noted(
            control: kill_switch.KillSwitchFeed, since: float, timeout_s: float
        ) -> bool:
            waits.set()
            return await wait(control, since, timeout_s)

        monkeypatch.setattr(kill_switch.KillSwitchFeed, "wait_proven", noted)
        await order(memory_bus, 1)
        await waits.wait()
        monkeypatch.setattr(ShardMembership, "should_serve", lambda *_: False)
        await until(lambda: node.details["shards"] == [])
        monkeypatch.undo()
        bus.connected.set()
        assert [None, None] == await decided(memory_bus, 2)
        await until(lambda: node.details["shards"] == [0])

    assert [None, None] == await decided(memory_bus, 2)


async def test_proof_from_before_the_epoch_does_not_count(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner before may have confirmed a halt: after a takeover the topic is read again."""
    monkeypatch.setattr(kill_switch, "PROOF_S", 60.0)
    may_serve = ShardMembership.should_serve
    monkeypatch.setattr(ShardMembership, "should_serve", lambda *_: False)
    async with market(memory_bus) as bus, serving(bus) as node:
        await until(lambda: node.status == "standby" and "halted" in node.details)
        await asyncio.sleep(0.1)  # The standby has a first proof.
        bus.connected.clear()
        monkeypatch.setattr(ShardMembership, "should_serve", may_serve)
        await order(memory_bus, 0, life_s=0.5)
        assert [RejectReason.CONTROL_UNKNOWN] == await decided(memory_bus, 1)


async def test_unreadable_record_is_dead_lettered_once(memory_bus: MemoryBus) -> None:
    """By the owner of the first shard, not by a standby, and not again at a start."""
    async with market(memory_bus) as bus:
        memory_bus.cluster.append(CONTROL, 0, b"agent/scalper", b"{", ())
        for count in (1, 2):
            async with serving(bus) as one, serving(memory_bus) as two:
                await order(memory_bus, count)
                await decided(memory_bus, count)
                memory_bus.cluster.append(CONTROL, 0, b"agent/momentum", None, ())
                await until(lambda: one.details["halted"] == two.details["halted"] != ["scalper"])
                letters = await read_until(memory_bus, topics.DEAD_LETTERS.name, DeadLetter, count)
                await memory_bus.append(
                    CONTROL,
                    Resume(agent="momentum", by="test", at=datetime.now(UTC)),
                    key="agent/momentum",
                )
                await until(lambda: one.details["halted"] == ["scalper"])

    assert [1, 3] == [letter.offset for letter in letters]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_owner_that_lost_its_shard_confirms_nothing(memory_bus: MemoryBus) -> None:
    """Another epoch is in the log: it may not confirm anything, whatever it has read."""
    async with market(memory_bus) as bus:
        with pytest.raises(Exception, match="account.events"):
            async with serving(bus):
                await order(memory_bus, 0)
                await decided(memory_bus, 1)
                other = Epoch(epoch=9, owner="x", seq=9, prev="", at=datetime.now(UTC))
                await memory_bus.append(topics.EVENTS.name, other, partition=0)
                asked = await append_and_confirm(memory_bus, halt(), 0.3)
                assert [0] == [*asked.unconfirmed]
                await asyncio.sleep(WAIT_S)


async def test_idle_owner_confirms_at_once(memory_bus: MemoryBus) -> None:
    """Halt and resume; the heartbeat names epoch and offset."""
    async with market(memory_bus) as bus, serving(bus) as node:
        await order(memory_bus, 0)
        await decided(memory_bus, 1)
        asked = await append_and_confirm(memory_bus, halt(), WAIT_S)
        again = await append_and_confirm(
            memory_bus, Resume(by="test", at=datetime.now(UTC)), WAIT_S
        )
        reported = node.details[CONFIRMED]

    assert HaltConfirmation((0,), asked.seconds, {}) == asked
    assert ({}, {"0": {"epoch": 1, "read_to": {"0": 2}}}) == (again.unconfirmed, reported)


async def test_halt_is_confirmed_among_many_others(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heartbeat names only the newest halts, however many there are."""
    monkeypatch.setattr(kill_switch, "SCOPES_SHOWN_MAX", 3)
    await memory_bus.ensure_topics([topics.CONTROL])
    for number in range(20):
        name = f"z{number}"
        stop = Halt(agent=name, by="test", at=datetime.now(UTC))
        await memory_bus.append(CONTROL, stop, key=key_of(name))
    async with market(memory_bus) as bus, serving(bus) as node:
        await order(memory_bus, 0)
        await decided(memory_bus, 1)
        mine = Halt(agent="momentum", by="test", at=datetime.now(UTC))
        asked = await append_and_confirm(memory_bus, mine, WAIT_S)
        reported = (node.details["halted"], node.details[HALTED_COUNT])

    assert {} == asked.unconfirmed
    assert (["momentum", "z18", "z19"], 21) == reported


class SetBackClock(SystemClock):
    """A wall clock that was set forward, and is set back as soon as it was read."""

    ahead = False

    def now(self) -> datetime:
        """The wall time."""
        ahead, self.ahead = self.ahead, False
        return super().now() + timedelta(hours=ahead)


async def test_clock_set_back_after_the_wait_fills_nothing(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one reading of the clock the deadline has passed, by the next it has not."""
    clock, wait = SetBackClock(), kill_switch.KillSwitchFeed.wait_proven

    async def wavers(control: kill_switch.KillSwitchFeed, since: float, timeout_s: float) -> bool:
        found = await wait(control, since, timeout_s)
        clock.ahead = True
        return found

    async with market(memory_bus) as bus, serving(bus, clock=clock):
        await order(memory_bus, 0)
        await decided(memory_bus, 1)
        bus.connected.clear()
        await asyncio.sleep(kill_switch.PROOF_S)
        monkeypatch.setattr(kill_switch.KillSwitchFeed, "wait_proven", wavers)
        await order(memory_bus, 1)
        assert [None, RejectReason.CONTROL_UNKNOWN] == await decided(memory_bus, 2)


def grow(bus: MemoryBus) -> None:
    """Add a second partition to the control topic."""
    bus.cluster.partitions[CONTROL] = 2
    bus.cluster.logs[CONTROL, 1] = []


async def test_partition_added_to_the_control_topic_ends_the_executor(
    memory_bus: MemoryBus,
) -> None:
    """A halt may be in a partition that it does not read, and no later start can order the two."""
    async with market(memory_bus) as bus:
        with pytest.raises(UsageError, match="arena.control has 2 partitions.*`arena resume`"):
            async with serving(bus):
                await order(memory_bus, 0)
                await decided(memory_bus, 1)
                grow(memory_bus)
                await until_ended()
        with pytest.raises(UsageError, match="arena.control has 2 partitions"):
            async with serving(bus):
                await order(memory_bus, 1)
                await until_ended()

    assert [None] == await decided(memory_bus, 1)
