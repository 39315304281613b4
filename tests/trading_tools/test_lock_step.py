"""Tools in lock-step: no reply depends on wall time or on killed processes."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from arena import topics
from arena.accounts import Shard
from arena.bus.base import AppendAck
from arena.bus.memory import MemoryBus, MemoryCluster
from arena.messages import OrderDecided, Rules, Ticker, ToolResult
from arena.wire import Headers, encode
from tests.trading_tools.helpers import WAIT_S, product, read_until, serving, ticker, tool_call
from trading_tools import command_waits
from trading_tools.command_handler import CommandHandler
from trading_tools.events import epoch_of
from trading_tools.prices import BACKLOG_S
from trading_tools.quotes import MarketState
from trading_tools.registry import load_catalogue
from trading_tools.rules import TradingRules
from trading_tools.shard_membership import ShardMembership

LOCK_STEP = TradingRules(pacing="lock-step")
VENUE_TIME = datetime(2020, 1, 1, tzinfo=UTC)
BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'


def old_ticker(product_id: str = "BTC-USD", after_s: float = 0) -> Ticker:
    """A ticker that is years old by the machine's clock, like recorded prices."""
    at = VENUE_TIME + timedelta(seconds=after_s)
    times = {"event_time": at, "received_at": at, "confirmed_at": at}
    return ticker("67201.10", "67203.55", product_id).model_copy(update=times)


def handler_of(rules: TradingRules, *tickers: Ticker) -> CommandHandler:
    """A handler that owns the only shard, in a market with these tickers."""
    market = MarketState()
    for offset, found in enumerate(tickers):
        market.note(product(found.product_id), 0, 2 * offset)
        market.note(found, 0, 2 * offset + 1)
    shard = Shard()
    shard.apply("Epoch", encode(epoch_of(shard, "me", VENUE_TIME)).value, 0)
    tools = {n: t for n, t in load_catalogue().items() if t.touches_account}
    return CommandHandler(0, 1, shard, market, rules, tools)


@pytest.mark.parametrize(
    ("rules", "outcome"), [(TradingRules(), "rejected"), (LOCK_STEP, "filled")]
)
def test_price_ages_by_the_market_clock(rules: TradingRules, outcome: str) -> None:
    """In lock-step a price of years ago is current if nothing newer has come."""
    handler = handler_of(rules, old_ticker())
    handled = handler.handle(tool_call("momentum", "execute_trade", BUY), 0, datetime.now(UTC))

    assert outcome == handled.kind


def test_price_is_stale_if_the_market_moved_on() -> None:
    """Age is the time that passed by other products' tickers; the event has the same age."""
    limit_s = LOCK_STEP.price_age_s_max
    handler = handler_of(LOCK_STEP, old_ticker(), old_ticker("ETH-USD", limit_s + 1))
    call = tool_call("momentum", "execute_trade", BUY)
    handled = handler.handle(call, 0, datetime.now(UTC))
    event = handler.shard.recent[-1]

    assert ("rejected", "stale_price") == (handled.kind, handled.reason)
    assert (limit_s + 1) * 1000 == event["used"]["age_ms"]


def test_read_waits_for_prices_too() -> None:
    """Its text depends on them; so does a repeated reply."""
    handler, needed = handler_of(LOCK_STEP, old_ticker()), {0: 9}
    call = tool_call("momentum", "execute_trade", BUY, ticker_offsets=needed)
    handler.handle(call, 0, datetime.now(UTC))
    look = tool_call("momentum", "get_portfolio", "{}", index=1, ticker_offsets=needed)

    assert needed == handler.prices_needed(look)
    assert needed == handler.prices_needed(call)


def test_rules_on_the_roster_have_the_pacing() -> None:
    """Routers in lock-step wait for it."""
    assert "lock-step" == LOCK_STEP.message(VENUE_TIME).pacing
    assert "real-time" == TradingRules().message(VENUE_TIME).pacing
    assert "real-time" == Rules.model_fields["pacing"].default


async def test_prices_from_before_a_long_pause_are_known() -> None:
    """The market may have been still for hours when the executor starts."""
    long_ago_ms = int((time.time() - 2 * BACKLOG_S) * 1000)
    bus = MemoryBus(MemoryCluster(lambda: long_ago_ms))
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, old_ticker(), key="BTC-USD")
    call = tool_call("momentum", "execute_trade", BUY, ticker_offsets={0: 2})
    async with serving(bus, LOCK_STEP):
        await bus.append(topics.COMMANDS.name, call, key="momentum")
        (result,) = await read_until(bus, call.reply_to, ToolResult, 1)

    assert result.ok, result.text


BEYOND = {"ticker_offsets": {0: 4_000}, "deadline_at": datetime.max.replace(tzinfo=UTC)}
"""Fields of a call that names prices that never come, and a deadline that never passes."""


async def test_missing_prices_do_not_stop_an_executor(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is rejected once the topic has ended too early for a while; only once."""
    monkeypatch.setattr(command_waits, "PRICE_WAIT_S", 0.1)
    monkeypatch.setattr(command_waits, "SHORT_WAIT_S", 0.5)
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.append(topics.TICKERS.name, old_ticker(), key="BTC-USD")
    calls = [
        *(tool_call("momentum", "execute_trade", BUY, index=i, **BEYOND) for i in range(12)),
        tool_call("momentum", "execute_trade", BUY, index=12, ticker_offsets={0: 2}),
    ]
    async with serving(memory_bus, LOCK_STEP):
        for call in calls:
            await memory_bus.append(topics.COMMANDS.name, call, key="momentum")
        results = await read_until(memory_bus, topics.inbox("momentum"), ToolResult, 13)

    assert ["no_price"] * 12 + [""] == [result.error for result in results]


async def test_executor_that_waits_for_prices_gives_up_its_shard(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next owner, which has the prices, decides the order."""
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    call = tool_call("momentum", "execute_trade", BUY, ticker_offsets={0: 2})
    may_serve = ShardMembership.should_serve
    async with serving(memory_bus, LOCK_STEP) as node:
        async with asyncio.timeout(WAIT_S):
            while not node.details.get("shards"):
                await asyncio.sleep(0.01)
            await memory_bus.append(topics.COMMANDS.name, call, key="momentum")
            await asyncio.sleep(command_waits.PRICE_POLL_S)
            monkeypatch.setattr(ShardMembership, "should_serve", lambda *_: False)
            while node.details["shards"]:
                await asyncio.sleep(0.01)
        await memory_bus.append(topics.TICKERS.name, old_ticker(), key="BTC-USD")
        monkeypatch.setattr(ShardMembership, "should_serve", may_serve)
        (result,) = await read_until(memory_bus, call.reply_to, ToolResult, 1)

    assert result.ok, result.text


class InOrder(MemoryBus):
    """A bus that remembers the order in which records were sent."""

    def __init__(self) -> None:
        """Start without records."""
        super().__init__()
        self.sent: list[tuple[str, str]] = []

    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[AppendAck]":
        """Send one record."""
        self.sent.append((topic, dict(headers)["type"].decode()))
        return await super().send_bytes(topic, value, key=key, partition=partition, headers=headers)


async def test_read_is_answered_before_the_next_order_is_decided() -> None:
    """Otherwise, after a crash between them, the read would show the account after the order."""
    bus = InOrder()
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, old_ticker(), key="BTC-USD")
    look = tool_call("momentum", "get_portfolio", "{}", ticker_offsets={0: 2})
    trade = tool_call("momentum", "execute_trade", BUY, index=1, ticker_offsets={0: 2})
    for call in (look, trade):
        await bus.append(topics.COMMANDS.name, call, key="momentum")
    async with serving(bus, replace(LOCK_STEP, slippage_bps=Decimal(0))):
        await read_until(bus, topics.EVENTS.name, OrderDecided, 1)
        results = await read_until(bus, look.reply_to, ToolResult, 2)
    kinds = [kind for _, kind in bus.sent if kind in ("ToolResult", "OrderDecided")]

    assert ["ToolResult", "OrderDecided", "ToolResult"] == kinds
    assert ["get_portfolio", "execute_trade"] == [r.tool for r in results]
