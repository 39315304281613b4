"""Reads the newest prices once, for a command that values accounts."""

from contextlib import suppress

from arena import topics
from arena.bus.base import Bus
from arena.errors import Malformed
from arena.messages import Ticker
from arena.read_topic import read_list
from trading_tools.quotes import MarketState

RECORDS_BACK = 5_000
"""How many of the newest records of a partition are read: a live product is among them."""


async def read_market(bus: Bus) -> MarketState:
    """The newest quote of every live product.

    Raises:
        BrokerUnavailable: `market.tickers` cannot be read to its end.
    """
    market = MarketState()
    await bus.ensure_topics([topics.TICKERS])
    reader = await bus.log_reader(topics.TICKERS.name)
    try:
        ends = await reader.end_offsets()
        for pair, end in ends.items():
            reader.seek(*pair, max(reader.position(*pair), end - RECORDS_BACK))
        records = await read_list(reader, ends)
    finally:
        await reader.close()
    for record in records:
        message = record.message_or_none()
        if isinstance(message, Ticker):
            with suppress(Malformed, ArithmeticError):  # `arena tail` shows it
                market.note(message, record.partition, record.offset)
    return market
