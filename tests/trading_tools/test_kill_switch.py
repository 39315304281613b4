"""The kill switch: what it stops, that it survives restarts, and what agents read."""

import asyncio
import json
import subprocess
from datetime import UTC, datetime

from arena import topics
from arena.bus.base import Bus
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.kill_switch import KillSwitch
from arena.messages import Halt, OrderDecided, Resume, ToolResult
from arena.node import Node
from arena.settings import Settings
from operations.commands.supervised_run import process_environment
from tests.trading_tools.helpers import WAIT_S, product, read_until, serving, ticker, tool_call
from tests.warm_commands import run_arena

NOW = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)
BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'


def _halt(agent: str | None = None, reason: str = "") -> Halt:
    return Halt(agent=agent, reason=reason, by="test", at=NOW)


def _resume(agent: str | None = None) -> Resume:
    return Resume(agent=agent, by="test", at=NOW)


async def _control(bus: Bus, message: Halt | Resume) -> None:
    await bus.ensure_topics([topics.CONTROL])
    key = f"agent/{message.agent}" if message.agent else "all"
    await bus.append(topics.CONTROL.name, message, key=key)


async def _order(bus: Bus, agent: str, index: int) -> ToolResult:
    """The executor's reply to an order of the agent; after a restart older ones are repeated."""
    call = tool_call(agent, "execute_trade", BUY, index=index)
    await bus.send(topics.COMMANDS.name, call, key=agent)
    for count in range(1, 50):
        results = await read_until(bus, topics.inbox(agent), ToolResult, count)
        for result in results:
            if result.call_id == call.call_id:
                return result
    raise AssertionError(f"order {index} was never answered")


async def _open_market(bus: Bus) -> None:
    await bus.ensure_topics([topics.TICKERS, topics.COMMANDS])
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")


def test_halts_of_all_and_of_one_agent_are_separate() -> None:
    """A halt of one agent remains when all agents are resumed."""
    switch = KillSwitch()
    switch.note(_halt("momentum"))
    assert switch.halt_of("momentum") is not None
    assert switch.halt_of("scalper") is None

    switch.note(_halt())
    assert switch.halt_of("scalper") is not None
    assert ["all", "momentum"] == switch.scopes()

    switch.note(_resume())
    assert ["momentum"] == switch.scopes()
    switch.note(_resume("momentum"))
    assert switch.halt_of("momentum") is None


async def test_only_the_halted_agent_is_rejected(memory_bus: MemoryBus) -> None:
    """The rejection is in the log, and the agent gets the reason."""
    await _open_market(memory_bus)
    await _control(memory_bus, _halt("momentum", "prices look wrong"))
    async with serving(memory_bus) as node:
        refused = await _order(memory_bus, "momentum", 0)
        filled = await _order(memory_bus, "scalper", 0)
        assert ["momentum"] == node.details["halted"]

    events = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 2)
    assert ("halted", True) == (refused.error, filled.ok)
    assert "trading of momentum was halted at 09:12:03 UTC (prices look wrong)" in refused.text
    assert ["halted", None] == [event.reason for event in events]


async def test_halt_survives_a_restart_and_ends_with_a_resume(memory_bus: MemoryBus) -> None:
    """The next process reads the topic before its first order."""
    await _open_market(memory_bus)
    async with serving(memory_bus):
        assert (await _order(memory_bus, "momentum", 0)).ok
    await _control(memory_bus, _halt())
    async with serving(memory_bus) as node:
        assert "halted" == (await _order(memory_bus, "momentum", 1)).error
        await _control(memory_bus, _resume())
        await _until_no_agent_is_halted(node)
        assert (await _order(memory_bus, "momentum", 2)).ok


async def _until_no_agent_is_halted(node: Node) -> None:
    async with asyncio.timeout(WAIT_S):
        while node.details["halted"]:
            await asyncio.sleep(0.01)


def _arena(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_arena(*arguments, env=process_environment(settings))


async def test_commands_stop_and_start_orders(bus: KafkaBus, settings: Settings) -> None:
    """`arena halt` returns once the executor has it, within a second; later orders fail."""
    await _open_market(bus)
    async with serving(bus):
        assert (await _order(bus, "momentum", 0)).ok
        halted = await asyncio.to_thread(_arena, settings, "halt", "--reason", "drill", "--json")
        refused = await _order(bus, "momentum", 1)
        resumed = await asyncio.to_thread(_arena, settings, "resume")
        again = await _order(bus, "momentum", 2)

    found = json.loads(halted.stdout)
    assert (0, "all", True) == (halted.returncode, found["halted"], found["confirmed"])
    assert found["confirmed_s"] < 1.0
    assert ("halted", True) == (refused.error, again.ok)
    assert (0, "resumed: everybody") == (resumed.returncode, resumed.stdout[:18])


async def test_halt_without_an_executor_says_so(bus: KafkaBus, settings: Settings) -> None:
    """The record is written all the same."""
    await bus.ensure_topics([topics.CONTROL, topics.HEARTBEATS])
    ended = await asyncio.to_thread(_arena, settings, "halt", "momentum", "--wait", "0.3")
    (halt,) = await read_until(bus, topics.CONTROL.name, Halt, 1)

    assert 1 == ended.returncode
    assert "not confirmed within 0.3 s: shard 0: no executor runs" in ended.stderr
    assert "momentum" == halt.agent
