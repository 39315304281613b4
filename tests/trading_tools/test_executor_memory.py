"""The executor end to end over the bus in memory: calls go in, events and results come out."""

from decimal import Decimal

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import AccountOpened, OrderDecided, QuoteSeen, ToolResult
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call


async def test_an_order_is_filled_from_end_to_end(memory_bus: MemoryBus) -> None:
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
