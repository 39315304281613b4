"""Exits in a running executor: tickers fire them without a command, in both pacings."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import MarketChecked, MarketSnapshot, OrderDecided, Ticker, ToolResult
from arena.risk_limits import RiskLimits
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call
from trading_tools.risk.requests import LimitSettings
from trading_tools.rules import TradingRules

BUY = json.dumps({"product_id": "BTC-USD", "quantity": "0.01", "action": "buy", "stop_loss_pct": 3})
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def at(bid: str, minutes: int) -> Ticker:
    """A recorded ticker."""
    moment = LONG_AGO + timedelta(minutes=minutes)
    times = {"event_time": moment, "received_at": moment, "confirmed_at": moment}
    return ticker(bid, str(Decimal(bid) + 2)).model_copy(update=times)


def snapshot(number: int, end: int) -> MarketSnapshot:
    """A snapshot of nothing that names where its tickers end."""
    return MarketSnapshot(
        snapshot_id=f"snapshot-{number}",
        venue="test",
        as_of=LONG_AGO + timedelta(minutes=number),
        published_at=datetime.now(UTC),
        interval_s=60,
        products=(),
        ticker_offsets={0: end},
    )


async def test_exit_fires_without_a_command(memory_bus: MemoryBus) -> None:
    """In real time, at the first ticker at the level or below."""
    for message in (product(), ticker("67201.10", "67203.55")):
        await memory_bus.append(topics.TICKERS.name, message, key="BTC-USD")
    call = tool_call("momentum", "execute_trade", BUY)
    async with serving(memory_bus):
        await memory_bus.append(topics.COMMANDS.name, call, key="momentum")
        (result,) = await read_until(memory_bus, call.reply_to, ToolResult, 1)
        assert "stop-loss at" in result.text
        for bid in ("66000", "65000", "64000"):
            found = ticker(bid, str(Decimal(bid) + 2))
            await memory_bus.append(topics.TICKERS.name, found, key="BTC-USD")
        events = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 3)

    assert ["filled", "accepted", "filled"] == [event.outcome for event in events]
    fired = events[-1]
    assert fired.used is not None
    assert fired.trigger is not None
    assert ("stop_loss", Decimal(65000)) == (fired.order_type, fired.trigger.bid)
    assert fired.used.bid in (65000, 64000), "the newest price that is known"


@pytest.mark.parametrize("restart", [False, True])
async def test_lock_step_checks_whole_snapshots(memory_bus: MemoryBus, restart: bool) -> None:
    """All tickers of a snapshot are checked before its commands; the last price is none of them."""
    rules = TradingRules(pacing="lock-step")
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.append(topics.TICKERS.name, at("67201", 1), key="BTC-USD")
    await memory_bus.append(topics.SNAPSHOTS.name, snapshot(1, 2), key="test")
    buy = tool_call("momentum", "execute_trade", BUY, ticker_offsets={0: 2})
    look = tool_call(
        "momentum", "get_portfolio", "{}", index=1, ticker_offsets={0: 4}, snapshot_id="snapshot-2"
    )
    async with serving(memory_bus, rules):
        await memory_bus.append(topics.COMMANDS.name, buy, key="momentum")
        await read_until(memory_bus, buy.reply_to, ToolResult, 1)
        if not restart:
            await _second_snapshot(memory_bus)
            await memory_bus.append(topics.COMMANDS.name, look, key="momentum")
            await read_until(memory_bus, buy.reply_to, ToolResult, 2)
    if restart:
        await _second_snapshot(memory_bus)
        await memory_bus.append(topics.COMMANDS.name, look, key="momentum")
        async with serving(memory_bus, rules):
            await read_until(memory_bus, buy.reply_to, ToolResult, 3)
    *_, answer = await read_until(memory_bus, buy.reply_to, ToolResult, 2 + restart)
    events = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 3)

    assert isinstance(answer.value, dict)
    assert [] == answer.value["positions"], "sold before the call of the snapshot was answered"
    fired = events[-1]
    assert fired.used is not None
    assert ("stop_loss", Decimal(60000)) == (fired.order_type, fired.used.bid)


async def test_lock_step_trades_by_the_products_rules_as_of_a_snapshot(
    memory_bus: MemoryBus,
) -> None:
    """A record of the product that came after the snapshot is not used, though it was read."""
    rules = TradingRules(pacing="lock-step")
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.append(topics.TICKERS.name, at("67201", 1), key="BTC-USD")
    await memory_bus.append(topics.SNAPSHOTS.name, snapshot(1, 2), key="test")
    buy = tool_call("momentum", "execute_trade", BUY, ticker_offsets={0: 2})
    async with serving(memory_bus, rules):
        await memory_bus.append(topics.COMMANDS.name, buy, key="momentum")
        await read_until(memory_bus, buy.reply_to, ToolResult, 1)
        for message in (product(), at("60000", 2), product(), at("61000", 3)):
            await memory_bus.append(topics.TICKERS.name, message, key="BTC-USD")
        await memory_bus.append(topics.SNAPSHOTS.name, snapshot(2, 4), key="test")
        *_, fired = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 3)
    assert fired.used is not None
    assert fired.listing is not None
    assert ("stop_loss", 3, 2) == (fired.order_type, fired.used.offset, fired.listing.offset)


async def _second_snapshot(bus: MemoryBus) -> None:
    await bus.append(topics.TICKERS.name, at("60000", 2), key="BTC-USD")
    await bus.append(topics.TICKERS.name, at("68000", 2), key="BTC-USD")
    await bus.append(topics.SNAPSHOTS.name, snapshot(2, 4), key="test")


@pytest.mark.parametrize("restart", [False, True])
async def test_restarted_owner_values_positions_alike(memory_bus: MemoryBus, restart: bool) -> None:
    """Also those whose product has had no ticker since the last check."""
    rules = TradingRules(pacing="lock-step")
    limits = LimitSettings(RiskLimits.from_json({"max_drawdown_pct": 50}))
    for product_id in ("BTC-USD", "ETH-USD"):
        await memory_bus.append(topics.TICKERS.name, product(product_id), key=product_id)
        found = at("67201", 1).model_copy(update={"product_id": product_id})
        await memory_bus.append(topics.TICKERS.name, found, key=product_id)
    await memory_bus.append(topics.SNAPSHOTS.name, snapshot(1, 4), key="test")
    buy = tool_call("momentum", "execute_trade", BUY.replace("BTC", "ETH"), ticker_offsets={0: 4})
    async with serving(memory_bus, rules, limits=limits):
        await memory_bus.append(topics.COMMANDS.name, buy, key="momentum")
        await read_until(memory_bus, buy.reply_to, ToolResult, 1)
        if not restart:
            await _third_snapshot(memory_bus)
            marks = await read_until(memory_bus, topics.EVENTS.name, MarketChecked, 2)
    if restart:
        await _third_snapshot(memory_bus)
        async with serving(memory_bus, rules, limits=limits):
            marks = await read_until(memory_bus, topics.EVENTS.name, MarketChecked, 2)

    (mark,) = marks[-1].marks
    bought = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 1)
    worth = Decimal(67201) * Decimal("0.01")
    assert "2020-01-02" == mark.day
    assert (bought[0].cash_after or 0) + worth == mark.day_equity, "at the bid, not at cost"


async def _third_snapshot(bus: MemoryBus) -> None:
    """A day later, with a ticker of BTC-USD only."""
    await bus.append(topics.TICKERS.name, at("67500", 1500), key="BTC-USD")
    await bus.append(topics.SNAPSHOTS.name, snapshot(1500, 5), key="test")


async def test_exit_fires_in_a_topic_that_was_created_again(memory_bus: MemoryBus) -> None:
    """Its place in the lost topic says nothing about the new one."""
    for _ in range(20):
        for message in (product(), ticker("67201.10", "67203.55")):
            await memory_bus.append(topics.TICKERS.name, message, key="BTC-USD")
    call = tool_call("momentum", "execute_trade", BUY)
    async with serving(memory_bus):
        await memory_bus.append(topics.COMMANDS.name, call, key="momentum")
        await read_until(memory_bus, call.reply_to, ToolResult, 1)
    memory_bus.cluster.logs[topics.TICKERS.name, 0].clear()
    for message in (product(), ticker("60000", "60002")):
        await memory_bus.append(topics.TICKERS.name, message, key="BTC-USD")
    async with serving(memory_bus):
        events = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 3)

    assert ("stop_loss", "filled") == (events[-1].order_type, events[-1].outcome)


async def test_highest_bid_of_a_check_is_of_no_later_ticker(memory_bus: MemoryBus) -> None:
    """Tickers after a snapshot's end are checked before its record comes: none is read again.

    Otherwise a trailing stop would fire at an early bid, measured from a later high.
    """
    for message in (product(), ticker("67201.10", "67203.55")):
        await memory_bus.append(topics.TICKERS.name, message, key="BTC-USD")
    order = json.loads(BUY) | {"trailing_pct": 3}
    del order["stop_loss_pct"]
    buy = tool_call("momentum", "execute_trade", json.dumps(order))
    look = tool_call("momentum", "get_portfolio", "{}", index=1)
    checks: list[MarketChecked] = []
    async with serving(memory_bus):
        await memory_bus.append(topics.COMMANDS.name, buy, key="momentum")
        await read_until(memory_bus, buy.reply_to, ToolResult, 1)
        for bid in ("67000", "70000"):
            found = ticker(bid, str(Decimal(bid) + 2))
            await memory_bus.append(topics.TICKERS.name, found, key="BTC-USD")
        while not checks or checks[-1].peaks != {buy_exit(checks[-1]): Decimal(70000)}:
            number = len(checks) + 1
            await memory_bus.append(topics.SNAPSHOTS.name, snapshot(number, 2), key="test")
            checks = await read_until(memory_bus, topics.EVENTS.name, MarketChecked, number)
    async with serving(memory_bus):
        await memory_bus.append(topics.COMMANDS.name, look, key="momentum")
        await read_until(memory_bus, buy.reply_to, ToolResult, 2)
        events = await read_until(memory_bus, topics.EVENTS.name, OrderDecided, 2)

    assert {0: 4} == checks[-1].offsets
    assert ["filled", "accepted"] == [event.outcome for event in events]


def buy_exit(check: MarketChecked) -> str:
    """The id of the only trailing stop of a check; "" without one."""
    return next(iter(check.peaks), "")


async def test_restarted_owner_checks_no_snapshot_again(memory_bus: MemoryBus) -> None:
    """Else the equity at the start of the day would be replaced by that of now."""
    rules = TradingRules(pacing="lock-step")
    limits = LimitSettings(RiskLimits.from_json({"max_daily_loss_pct": 50}))
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    buy = tool_call("momentum", "execute_trade", BUY, ticker_offsets={0: 2})
    await memory_bus.append(topics.TICKERS.name, at("67201", 1), key="BTC-USD")
    await memory_bus.append(topics.SNAPSHOTS.name, snapshot(1, 2), key="test")
    async with serving(memory_bus, rules, limits=limits):
        await memory_bus.append(topics.COMMANDS.name, buy, key="momentum")
        await read_until(memory_bus, buy.reply_to, ToolResult, 1)
        for number, minutes in ((2, 1500), (3, 1501)):
            await memory_bus.append(
                topics.TICKERS.name, at(f"6720{number}", minutes), key="BTC-USD"
            )
            await memory_bus.append(
                topics.SNAPSHOTS.name, snapshot(minutes, number + 1), key="test"
            )
        await read_until(memory_bus, topics.EVENTS.name, MarketChecked, 3)
    await memory_bus.append(topics.TICKERS.name, at("67210", 1502), key="BTC-USD")
    await memory_bus.append(topics.SNAPSHOTS.name, snapshot(1502, 5), key="test")
    async with serving(memory_bus, rules, limits=limits):
        checks = await read_until(memory_bus, topics.EVENTS.name, MarketChecked, 4)

    names = [check.snapshot_id for check in checks]
    assert ["snapshot-1", "snapshot-1500", "snapshot-1501", "snapshot-1502"] == names
    assert checks[1].marks[0].day_equity == checks[-1].marks[0].day_equity
