"""The simulated market's state as the events that the connector folds. Pure.

Encoding and parsing frames and REST bodies gives the same events (a test checks that) at ten times
the cost.
"""

from datetime import UTC, datetime
from typing import Final

from arena.messages import Candle, ClosedCandle, Product
from arena.messages.base import made_of
from arena.products import split_key
from connectors.market.events import TickerSeen
from connectors.simulator.simulated_market import Bar, ProductState, SimulatedMarket

_CANDLE_FIELDS: Final = frozenset(Candle.model_fields)
_CLOSED_FIELDS: Final = frozenset({"venue", "product_id", "candle", "granularity_s"})


def ticker_seen(market: SimulatedMarket, product_id: str) -> TickerSeen | None:
    """The event in the venue's present `ticker` frame of a product; None before its first trade."""
    state = market.products[product_id]
    if not state.prints or state.tick is None:
        return None
    last, tick = state.prints[-1], state.tick
    return TickerSeen(
        product_id=product_id,
        price=last.trade.price,
        best_bid=tick.bid,
        best_ask=tick.ask,
        sequence=state.sequence,
        time=datetime.fromtimestamp(market.now_s, UTC),
        trade_id=last.trade_id,
        best_bid_size=tick.bid_size,
        best_ask_size=tick.ask_size,
        last_size=last.trade.size,
        taker_side=last.trade.taker_side,
        volume_24h=state.volume_24h,
        open_24h=market.price_24h_ago(product_id),
    )


def opening_seen(market: SimulatedMarket, product_id: str) -> TickerSeen | None:
    """The event with which a product's next bar begins; None if it begins without a price.

    It knows the quotes and the price of that moment, and nothing else of the bar.
    """
    state = market.products[product_id]
    tick = state.price_path.open_tick(market.now_s)
    if tick is None:
        return None
    trade = tick.trade
    if trade is None and not state.prints:
        return None
    traded = trade if trade is not None else state.prints[-1].trade
    return TickerSeen(
        product_id=product_id,
        price=traded.price,
        best_bid=tick.bid,
        best_ask=tick.ask,
        sequence=state.sequence + 1,
        time=datetime.fromtimestamp(market.now_s, UTC),
        trade_id=state.trade_id + (trade is not None),
        best_bid_size=tick.bid_size,
        best_ask_size=tick.ask_size,
        taker_side=traded.taker_side,
        volume_24h=state.volume_24h,
        open_24h=market.price_24h_ago(product_id),
    )


def candle(start_s: int, bar: Bar) -> Candle:
    """A bar of the market as a candle; its numbers were checked when they were read."""
    fields = {
        "start": datetime.fromtimestamp(start_s, UTC),
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
    }
    return made_of(Candle, fields, _CANDLE_FIELDS)


def closed_candle(venue: str, product_id: str, closed: Candle, bar_s: int) -> ClosedCandle:
    """The record of a bar that closed; `bar_s` is its length in seconds."""
    fields = {
        "venue": venue,
        "product_id": product_id,
        "candle": closed,
        "granularity_s": bar_s,
        "rewinds": 0,
        "restarts": False,
    }
    return made_of(ClosedCandle, fields, _CLOSED_FIELDS)


def rules_of(state: ProductState) -> Product:
    """The trading rules of a product, as its venue would list them."""
    product = state.price_path.product
    return Product(
        venue=split_key(product.product_id).venue,
        product_id=product.product_id,
        base_currency=product.base_currency,
        quote_currency=product.quote_currency,
        base_increment=product.base_increment,
        quote_increment=product.quote_increment,
        min_market_funds=product.min_market_funds,
    )
