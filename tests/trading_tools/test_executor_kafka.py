"""The executor over a real Kafka."""

from decimal import Decimal

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import DeadLetter, OrderDecided, QuoteSeen, ToolResult
from arena.settings import Settings
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call

BUY_LITTLE = '{"product_id": "BTC-USD", "quantity": "0.0001", "action": "buy"}'
BUY = '{"product_id": "BTC-USD", "quantity": "0.041", "action": "buy"}'


async def test_order_is_filled_over_kafka(bus: KafkaBus) -> None:
    """A call appended to Kafka is answered with a fill, and the log has one event for it."""
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


async def test_restarted_executor_continues_at_once(bus: KafkaBus, settings: Settings) -> None:
    """The next process owns the shard by its own epoch and knows all earlier orders."""
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    inbox = topics.inbox("momentum")
    for index in range(2):
        other = KafkaBus(settings, client_id=f"executor-{index}")
        await other.start()
        async with serving(other):
            await bus.send(
                topics.COMMANDS.name, tool_call("momentum", "execute_trade", BUY, index=index)
            )
            # The second process answers the first order again, perhaps before it decides its own.
            results = await read_until(bus, inbox, ToolResult, 2 * index + 1)
        await other.close()
    events = await read_until(bus, topics.EVENTS.name, OrderDecided, 2)

    assert [(0, 1), (1, 2)] == [(event.source.offset, event.epoch) for event in events]
    assert [0, 0, 1] == [result.index for result in results]


async def test_unreadable_commands_do_not_stop_the_shard(bus: KafkaBus) -> None:
    """After a command of any bytes, the next order is decided."""
    nested = b"[" * 100_000
    poison = (b"", b"\xff\x00", b"null", b"[]", nested, b'{"call_id": "\\ud800"}', b"{}")
    for value in poison:
        await bus.send_bytes(
            topics.COMMANDS.name, value, key=None, partition=0, headers=(("type", b"ToolCall"),)
        )
    hostile = (
        '{"product_id": "\\ud800", "quantity": "1", "action": "buy"}',
        '{"product_id": "BTC-USD", "quantity": 1e999999999999, "action": "buy"}',
        '{"product_id": "BTC-USD", "quantity": "1", "action": "buy", "action": "sell"}',
        "[" * 8_000,
        "\x1b]0;owned\x07",
        "x" * 300_000,
    )
    for index, arguments in enumerate(hostile):
        await bus.send(
            topics.COMMANDS.name, tool_call("momentum", "execute_trade", arguments, index=index)
        )
    async with serving(bus):
        events = await read_until(bus, topics.EVENTS.name, OrderDecided, len(hostile))
        letters = await read_until(bus, topics.DEAD_LETTERS.name, DeadLetter, len(poison))

    assert {"malformed_arguments"} == {event.reason for event in events}
    assert set(range(len(poison))) == {letter.offset for letter in letters}


async def test_answers_come_in_command_order(bus: KafkaBus) -> None:
    """A read between trades sees the trades before it and none after it."""
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    for index in range(40):
        tool, arguments = ("get_portfolio", "") if index % 2 else ("execute_trade", BUY_LITTLE)
        await bus.send(topics.COMMANDS.name, tool_call("momentum", tool, arguments, index=index))
    async with serving(bus):
        results = await read_until(bus, topics.inbox("momentum"), ToolResult, 40)
    cash = [result.value["cash_usd"] for result in results if isinstance(result.value, dict)]

    assert list(range(40)) == [result.index for result in results]
    assert cash[0::2] == cash[1::2]
    assert 20 == len(set(cash))
