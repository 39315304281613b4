"""Intents: broadcast once per approved order, also across a crash before the broadcast."""

import json

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import ToolResult, TradeIntent
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call
from tests.trading_tools.orders.desk_room import DeskRoom
from trading_tools.intents import IntentOutbox, intent_of

# Any: arguments of tools.
BUY = {"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}


async def market(bus: MemoryBus) -> None:
    """A product with a price."""
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")


async def test_each_approved_order_is_broadcast_once(memory_bus: MemoryBus) -> None:
    """Market orders that fill, resting limit orders, exits that fire; no rejected order."""
    await market(memory_bus)
    orders = [
        BUY | {"stop_loss_pct": 3},
        BUY | {"quantity": "-1"},
        BUY | {"limit_price": "60000"},
    ]
    async with serving(memory_bus):
        for index, order in enumerate(orders):
            call = tool_call("momentum", "execute_trade", json.dumps(order), index=index)
            await memory_bus.append(topics.COMMANDS.name, call, key="momentum")
        await read_until(memory_bus, topics.INTENTS.name, TradeIntent, 2)
        await memory_bus.append(topics.TICKERS.name, ticker("65000", "65001"), key="BTC-USD")
        intents = await read_until(memory_bus, topics.INTENTS.name, TradeIntent, 3)

    assert [("market", "buy"), ("limit", "buy"), ("stop_loss", "sell")] == [
        (intent.order_type, intent.action) for intent in intents
    ]
    assert 3 == len({intent.intent_id for intent in intents})
    assert intents[0].exits


async def test_next_owner_broadcasts_what_was_not_sent(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash between append and broadcast; a third owner sends nothing again."""
    await market(memory_bus)
    with monkeypatch.context() as patched:

        async def lose(*_: object) -> None:
            """The owner is killed before it sends."""

        patched.setattr(IntentOutbox, "send", lose)
        async with serving(memory_bus):
            for index in range(3):
                call = tool_call("momentum", "execute_trade", json.dumps(BUY), index=index)
                await memory_bus.append(topics.COMMANDS.name, call, key="momentum")
            await read_until(memory_bus, topics.inbox("momentum"), ToolResult, 3)
    for _ in range(2):
        async with serving(memory_bus):
            found = await read_until(memory_bus, topics.INTENTS.name, TradeIntent, 3)

    assert 3 == len(found)
    assert 3 == len({intent.intent_id for intent in found})


def test_intents_are_what_pydantic_writes() -> None:
    """The JSON equals the message, field by field."""
    room = DeskRoom()
    room.tick("140")
    room.buy(stop_loss_pct=3, take_profit_pct=5)
    room.buy("1", limit_price="139", exit_after=60)
    room.tick("120")
    found = 0
    for record in room.records:
        if record.kind != "OrderDecided":
            continue
        intent = intent_of(json.loads(record.value), 0, record.offset)
        if intent is not None:
            found += 1
            text = json.dumps(intent, separators=(",", ":"))
            assert text == TradeIntent.model_validate_json(text).model_dump_json()
    assert 3 == found, "the entry, the limit order once, the exit"
