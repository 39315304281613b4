"""The executor end to end over the in-memory bus: calls in, events and results out."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.bus.stuck_readers import CHECKS, watch_readers
from arena.errors import Fenced, UsageError
from arena.messages import (
    AccountOpened,
    DeadLetter,
    Epoch,
    OpenAccount,
    OrderDecided,
    QuoteSeen,
    Rules,
    ToolOffered,
    ToolResult,
)
from tests.alongside import alongside
from tests.trading_tools.helpers import (
    WAIT_S,
    product,
    read_until,
    serving,
    ticker,
    tool_call,
    until_ended,
)
from trading_tools import command_waits
from trading_tools.rules import TradingRules

BUY = '{"product_id": "BTC-USD", "quantity": "0.041", "action": "buy"}'
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_order_is_filled_end_to_end(memory_bus: MemoryBus) -> None:
    """A trade is decided by one event and answered from it, with seen and used prices."""
    await memory_bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.send(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    seen = {"BTC-USD": QuoteSeen(bid=Decimal("67200"), ask=Decimal("67201.10"))}
    arguments = '{"product_id": "BTC-USD", "quantity": 0.041, "action": "buy"}'
    call = tool_call(
        "momentum", "execute_trade", arguments, quotes_seen=seen, ticker_offsets={0: 2}
    )
    async with serving(memory_bus):
        await memory_bus.send(topics.COMMANDS.name, call, key="momentum")
        (result,) = await read_until(memory_bus, call.reply_to, ToolResult, 1)
    (event,) = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 1)
    (opened,) = await read_until(memory_bus, topics.EVENTS.name, AccountOpened, 1)

    assert "filled" == event.outcome
    assert Decimal("67217") == event.price
    assert Decimal("2755.897") == event.notional
    assert Decimal("16.535382") == event.fee
    assert opened.cash_usd - Decimal("2755.897") - Decimal("16.535382") == event.cash_after
    assert (result.ok, event.seq) == (True, result.account_seq)
    assert (
        "Bought 0.041 BTC-USD at 67217 for 2755.90 USD plus 16.54 fee. Cash 97227.57 USD."
        == result.text
    )


async def test_roster_has_tools_and_rules(memory_bus: MemoryBus) -> None:
    """Tools under their names, and the trading rules under "rules", are there at the start."""
    async with serving(memory_bus, TradingRules(fee_bps=Decimal(90))):
        offered = await read_until(memory_bus, topics.ROSTER.name, ToolOffered, 11)
        (rules,) = await read_until(memory_bus, topics.ROSTER.name, Rules, 1)

    touching = {
        *("execute_trade", "set_exit", "cancel_order", "get_portfolio", "list_orders"),
        *("get_risk_metrics", "get_transaction_history", "get_performance_metrics"),
    }
    others = {"calculator", "compute_technical_metrics", "list_technical_metrics"}
    assert dict.fromkeys(touching, True) | dict.fromkeys(others, False) == {
        tool.name: tool.touches_account for tool in offered
    }
    assert Decimal(90) == rules.fee_bps


async def test_stateless_tool_is_answered(memory_bus: MemoryBus) -> None:
    """The calculator answers through `tools.calls`; unknown and late calls get an error."""
    calls = [
        tool_call("momentum", "calculator", '{"expression": "2 * 3"}', index=0),
        tool_call("momentum", "crystal_ball", "{}", index=1),
        tool_call("momentum", "calculator", "{", index=2),
        tool_call("momentum", "calculator", "{}", index=3, deadline_at=LONG_AGO),
    ]
    async with serving(memory_bus):
        for call in calls:
            await memory_bus.send(topics.TOOL_CALLS.name, call, key="momentum")
        results = await read_until(memory_bus, topics.inbox("momentum"), ToolResult, 4)

    assert {0: "", 1: "unknown_tool", 2: "malformed_arguments", 3: "expired"} == {
        result.index: result.error for result in results
    }
    assert "2 * 3 = 6" == next(r.text for r in results if r.index == 0)


async def test_invalid_commands_are_dead_lettered_and_skipped(memory_bus: MemoryBus) -> None:
    """After bytes, other messages and harmful envelopes, the next command is decided."""
    send = memory_bus.send_bytes
    harmful = tool_call("momentum", "execute_trade", BUY, reply_to=topics.EVENTS.name)
    beyond = b'{"call_id":"x","agent":"a","issued_at":"0001-01-01T00:00:00+14:00"}'
    for topic in (topics.COMMANDS.name, topics.TOOL_CALLS.name):
        await send(topic, b"\xff", key=None, partition=0, headers=(("type", b"ToolCall"),))
        await send(topic, b"{}", key=None, partition=0, headers=())
        await send(topic, beyond, key=None, partition=0, headers=(("type", b"OpenAccount"),))
        await memory_bus.send(topic, harmful, partition=0)
        await memory_bus.send(topic, product(), partition=0)
    await memory_bus.send(topics.COMMANDS.name, tool_call("momentum", "execute_trade", BUY))
    async with serving(memory_bus):
        (event,) = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 1)
        letters = await read_until(memory_bus, topics.DEAD_LETTERS.name, DeadLetter, 10)

    assert "unknown_product" == event.reason
    assert {(t, o) for t in (topics.COMMANDS.name, topics.TOOL_CALLS.name) for o in range(5)} == {
        (letter.topic, letter.offset) for letter in letters
    }


async def test_order_waits_for_the_prices_that_its_agent_saw(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not priced before the ticker of its snapshot was read, and never without it."""
    monkeypatch.setattr(command_waits, "PRICE_WAIT_S", 0.1)
    await memory_bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.send(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    calls = [
        tool_call("momentum", "execute_trade", BUY, index=0, ticker_offsets={0: 2}),
        tool_call("momentum", "execute_trade", BUY, index=1, ticker_offsets={0: 3}),
        tool_call("momentum", "execute_trade", BUY, index=2, ticker_offsets={9: 1}),
    ]
    async with serving(memory_bus):
        for call in calls:
            await memory_bus.send(topics.COMMANDS.name, call)
        events = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 3)

    assert [None, "no_price", "no_price"] == [event.reason for event in events]


async def test_restart_continues_at_the_end_of_the_log(memory_bus: MemoryBus) -> None:
    """A new process repeats the last replies, and decides only new orders."""
    await memory_bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.send(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    inbox = topics.inbox("momentum")
    for index in range(3):
        await memory_bus.send(
            topics.COMMANDS.name, tool_call("momentum", "execute_trade", BUY, index=index)
        )
        async with serving(memory_bus) as node:
            await read_until(memory_bus, inbox, ToolResult, (index + 1) * (index + 2) // 2)
            assert "running" == node.status
    events = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 3)
    epochs = await read_until(memory_bus, topics.EVENTS.name, Epoch, 3)
    results = await read_until(memory_bus, inbox, ToolResult, 6)

    assert [0, 1, 2] == [event.source.offset for event in events]
    assert [1, 2, 3] == [epoch.epoch for epoch in epochs]
    assert [0, 0, 1, 0, 1, 2] == [result.index for result in results]
    assert {True} == {result.ok for result in results}


async def test_transaction_markers_in_the_account_log_are_skipped(memory_bus: MemoryBus) -> None:
    """The end marker of a transaction only uses an offset of `account.events`."""
    await memory_bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.send(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    inbox = topics.inbox("momentum")
    for index in range(3):
        memory_bus.cluster.append_marker(topics.EVENTS.name, 0)
        await memory_bus.send(
            topics.COMMANDS.name, tool_call("momentum", "execute_trade", BUY, index=index)
        )
        async with serving(memory_bus):
            await read_until(memory_bus, inbox, ToolResult, (index + 1) * (index + 2) // 2)
    events = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 3)

    assert [0, 1, 2] == [event.source.offset for event in events]


async def test_second_process_is_a_standby(memory_bus: MemoryBus) -> None:
    """It owns nothing while the first runs, and takes over when that one stops."""
    other = MemoryBus(memory_bus.cluster)
    await other.start()
    async with serving(memory_bus) as first:
        await read_until(memory_bus, topics.EVENTS.name, Epoch, 1)
        async with serving(other) as second:
            async with asyncio.timeout(WAIT_S):
                while {first.status, second.status} != {"running", "standby"}:
                    await asyncio.sleep(0.01)
            waiting = first if first.status == "standby" else second
            if waiting is second:
                return
    epochs = await read_until(memory_bus, topics.EVENTS.name, Epoch, 2)

    assert [1, 2] == [epoch.epoch for epoch in epochs][:2]


async def test_fenced_owner_sends_no_reply(memory_bus: MemoryBus) -> None:
    """A record of another process at the end of the log ends the owner before it replies."""
    call = tool_call("momentum", "get_portfolio", "")
    with pytest.raises(Fenced):
        async with serving(memory_bus):
            (epoch,) = await read_until(memory_bus, topics.EVENTS.name, Epoch, 1)
            foreign = epoch.model_copy(update={"epoch": 2, "owner": "somebody"})
            await memory_bus.send(topics.EVENTS.name, foreign, partition=0)
            await memory_bus.send(topics.COMMANDS.name, call)
            await until_ended()

    reader = await memory_bus.log_reader(topics.EVENTS.name)
    kinds = [record.headers["type"].decode() for record in await reader.read()]
    assert ["Epoch", "Epoch"] == kinds[:2]
    assert kinds[2:] in ([], ["AccountOpened"]), "it may have decided before it saw the epoch"
    await memory_bus.ensure_topics([topics.spec_of(call.reply_to)])
    assert [] == memory_bus.cluster.logs[call.reply_to, 0]


async def test_commands_and_events_must_have_the_same_partitions() -> None:
    """An agent's commands and events belong to the same shard."""
    bus = MemoryBus()
    await bus.start()
    await bus.ensure_topics([replace(topics.COMMANDS, partitions=2), *topics.fixed_topics()])

    with pytest.raises(UsageError):
        async with serving(bus):
            await until_ended()


async def test_two_shards_serve_their_own_agents() -> None:
    """With two partitions, each agent's account is in one of them."""
    bus = MemoryBus()
    await bus.start()
    two = [replace(topics.COMMANDS, partitions=2), replace(topics.EVENTS, partitions=2)]
    await bus.ensure_topics([*two, *topics.fixed_topics()])
    agents = ["momentum", "brainrot", "scalper", "cash"]
    async with serving(bus):
        for agent in agents:
            call = OpenAccount(call_id=agent, agent=agent, issued_at=LONG_AGO)
            await bus.send(topics.COMMANDS.name, call, key=agent)
        opened = await read_until(bus, topics.EVENTS.name, AccountOpened, 4)

    assert {a: topics.partition_of(a, 2) for a in agents} == {
        event.agent: event.source.partition for event in opened
    }


@pytest.mark.parametrize("topic", [topics.CONTROL.name, topics.COMMANDS.name])
async def test_added_partitions_end_the_executor_for_good(
    memory_bus: MemoryBus, topic: str
) -> None:
    """Its exit code says that a restart is useless, also if the reader notices first."""
    with pytest.raises(UsageError, match=f"{topic} has 2 partitions"):
        async with serving(memory_bus) as node:
            async with asyncio.timeout(WAIT_S):
                while not node.details.get("shards"):
                    await asyncio.sleep(0.01)
            memory_bus.cluster.grow(topic, 2)
            async with alongside(watch_readers(memory_bus, CHECKS * 0.01)):
                await until_ended()
