"""What the simulated exchange shows, as the events the connector folds. Pure.

The way over frames and REST bodies gives the same (a test says so) and costs ten times as much.
"""

from datetime import UTC, datetime

from arena.messages import Candle
from connectors.coinbase.events import TickerSeen
from connectors.exchange.market import Bar, Market


def ticker_seen(market: Market, product_id: str) -> TickerSeen | None:
    """What the venue's `ticker` frame of a product says now; None before its first trade."""
    book = market.books[product_id]
    if not book.prints or book.tick is None:
        return None
    last, tick = book.prints[-1], book.tick
    return TickerSeen(
        product_id=product_id,
        price=last.trade.price,
        best_bid=tick.bid,
        best_ask=tick.ask,
        sequence=book.sequence,
        time=datetime.fromtimestamp(market.now_s, UTC),
        trade_id=last.trade_id,
        best_bid_size=tick.bid_size,
        best_ask_size=tick.ask_size,
        last_size=last.trade.size,
        taker_side=last.trade.taker_side,
        volume_24h=book.volume_24h,
        open_24h=market.price_24h_ago(product_id),
    )


def candle(minute_s: int, bar: Bar) -> Candle:
    """A minute of the market as the venue's candle."""
    return Candle(
        start=datetime.fromtimestamp(minute_s, UTC),
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
    )
