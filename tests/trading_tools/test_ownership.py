"""An owner whose log seems to end too early, or belongs to another owner."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import ManualClock
from arena.errors import BrokenLog, Fenced
from arena.messages import Epoch, OrderDecided, ToolResult
from arena.node import Node
from arena.settings import Settings
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call, until_ended
from trading_tools.command_handler import CommandHandler
from trading_tools.kill_switch import KillSwitchFeed
from trading_tools.ownership import Ownership
from trading_tools.recovery import SHORT_S, EventLog

BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'
COMMANDS, EVENTS = topics.COMMANDS.name, topics.EVENTS.name


async def _ordered(bus: MemoryBus, count: int) -> None:
    call = tool_call("momentum", "execute_trade", BUY, index=count)
    await bus.append(COMMANDS, call, key="momentum")
    await read_until(bus, EVENTS, OrderDecided, count)


async def _open_market(bus: MemoryBus) -> None:
    await bus.ensure_topics([topics.TICKERS, topics.COMMANDS])
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")


async def test_read_waits_for_a_leader_that_does_not_know_the_end_yet(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of leader the log ends too early for a while: the executor continues."""
    await _open_market(memory_bus)
    short = iter([1] * 5)
    end = EventLog.end

    async def lags(log: EventLog) -> int:
        return await end(log) - next(short, 0)

    async with serving(memory_bus):
        await _ordered(memory_bus, 1)
        monkeypatch.setattr(EventLog, "end", lags)
        look = tool_call("momentum", "get_portfolio", "{}", index=7)
        await memory_bus.append(COMMANDS, look, key="momentum")
        results = await read_until(memory_bus, topics.inbox("momentum"), ToolResult, 2)
        assert 0 == next(short, 0)

    assert [True, True] == [result.ok for result in results]


async def test_no_read_is_answered_once_another_owner_has_written(memory_bus: MemoryBus) -> None:
    """The account may be outdated."""
    await _open_market(memory_bus)
    with pytest.raises(Fenced):
        async with serving(memory_bus):
            await _ordered(memory_bus, 1)
            other = Epoch(epoch=9, owner="x", seq=9, prev="", at=datetime.now(UTC))
            await memory_bus.append(EVENTS, other, partition=0)
            look = tool_call("momentum", "get_portfolio", "{}", index=7)
            await memory_bus.append(COMMANDS, look, key="momentum")
            await until_ended()
    results = await read_until(memory_bus, topics.inbox("momentum"), ToolResult, 1)

    assert ["execute_trade"] == [result.tool for result in results]


class _Ends(EventLog):
    """A log of ten records whose leader sometimes knows fewer."""

    def __init__(self, node: Node, ends: Iterator[int]) -> None:
        super().__init__(node, 0)
        self.shard.next_offset = 10
        self._ends = ends

    async def end(self) -> int:
        return next(self._ends)


async def test_only_a_log_that_stays_short_lost_its_end(memory_bus: MemoryBus) -> None:
    """A log that was too short for a moment long ago does not count."""
    clock = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
    node = Node("tools", "test", Settings(), memory_bus, clock)
    await memory_bus.start()
    await memory_bus.ensure_topics([topics.HEARTBEATS])
    log = _Ends(node, iter([9, 10, 9, 9]))
    places = iter([{"0": 1}, {"0": 1}, {"0": 2}, {"0": 2}])
    control = cast(KillSwitchFeed, SimpleNamespace(read_to=lambda: next(places)))
    # Any: only these two attributes of the handler are used.
    handler: Any = SimpleNamespace(shard=log.shard, partition=0)
    owner = Ownership(node, log, cast(CommandHandler, handler), control)
    reported = []
    for _ in range(3):
        reported.append(await owner.confirm())
        clock.advance(SHORT_S + 1)

    assert [False, True, False] == reported
    with pytest.raises(BrokenLog, match="the log ends at 9, not at 10: it lost its end"):
        await asyncio.wait_for(owner.confirm(), 1)
