"""The executor over a real Kafka."""

from decimal import Decimal

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import OrderDecided, QuoteSeen, ToolResult
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call

BUY = '{"product_id": "BTC-USD", "quantity": "0.041", "action": "buy"}'


async def test_an_order_is_filled_over_kafka(bus: KafkaBus) -> None:
    """A call appended to Kafka comes back as a fill, and the log holds one event for it."""
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    at = await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    seen = {"BTC-USD": QuoteSeen(bid=Decimal("67200"), ask=Decimal("67203.55"))}
    call = tool_call(
        "momentum", "execute_trade", BUY, quotes_seen=seen, ticker_offsets={0: at.offset + 1}
    )
    async with serving(bus):
        await bus.send(topics.COMMANDS.name, call, key="momentum")
        (result,) = await read_until(bus, call.reply_to, ToolResult, 1)
        (event,) = await read_until(bus, topics.EVENTS.name, OrderDecided, 1)

    assert ("filled", Decimal("67217")) == (event.outcome, event.price)
    assert (True, event.seq) == (result.ok, result.account_seq)
