"""The simulated market as frames of Binance's streams. Pure.

Each is wrapped as `{"stream": ..., "data": ...}`, as at the path `/stream`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import orjson

from arena.pricefiles.rows import MINUTE_S
from connectors.simulator.binance.wire import milliseconds, number_text, symbol_of
from connectors.simulator.simulated_market import Print, SimulatedMarket


def frame(product_id: str, kind: str, body: Mapping[str, object]) -> str:
    """A frame of a stream."""
    stream = f"{symbol_of(product_id).lower()}@{kind}"
    return orjson.dumps({"stream": stream, "data": body}).decode()


def book_ticker(market: SimulatedMarket, product_id: str) -> str | None:
    """The best prices; None before the first ones. It has no time."""
    state = market.products[product_id]
    tick = state.tick
    if tick is None:
        return None
    body = {
        "u": state.sequence,
        "s": symbol_of(product_id),
        "b": number_text(tick.bid),
        "B": number_text(tick.bid_size),
        "a": number_text(tick.ask),
        "A": number_text(tick.ask_size),
    }
    return frame(product_id, "bookTicker", body)


def kline(market: SimulatedMarket, product_id: str, start_s: int, at: datetime) -> str | None:
    """The candle of a minute, closed if the minute is over; None without trades in it."""
    state = market.products[product_id]
    bar = state.bars.get(start_s)
    if bar is None:
        return None
    trades = trades_of_minute(market, product_id, start_s)
    body = {
        "t": start_s * 1000,
        "T": (start_s + MINUTE_S) * 1000 - 1,
        "s": symbol_of(product_id),
        "i": "1m",
        "f": trades[0].trade_id if trades else -1,
        "L": trades[-1].trade_id if trades else -1,
        "o": number_text(bar.open),
        "c": number_text(bar.close),
        "h": number_text(bar.high),
        "l": number_text(bar.low),
        "v": number_text(bar.volume),
        "n": len(trades),
        "x": start_s + MINUTE_S <= market.now_s,
        "q": number_text(sum((p.trade.price * p.trade.size for p in trades), Decimal(0))),
        "V": number_text(_bought(trades, quote=False)),
        "Q": number_text(_bought(trades, quote=True)),
        "B": "0",
    }
    event = {"e": "kline", "E": milliseconds(at), "s": symbol_of(product_id), "k": body}
    return frame(product_id, "kline_1m", event)


def mini_ticker(market: SimulatedMarket, product_id: str, at: datetime) -> str | None:
    """The figures of 24 hours; high and low are of the newest minute, which nothing here reads."""
    state = market.products[product_id]
    if not state.prints:
        return None
    bar = next(reversed(state.bars.values()))
    body = {
        "e": "24hrMiniTicker",
        "E": milliseconds(at),
        "s": symbol_of(product_id),
        "c": number_text(state.prints[-1].trade.price),
        "o": number_text(market.price_24h_ago(product_id)),
        "h": number_text(bar.high),
        "l": number_text(bar.low),
        "v": number_text(state.volume_24h),
        "q": number_text(state.volume_24h * bar.close),
    }
    return frame(product_id, "miniTicker", body)


def trade(product_id: str, last: Print) -> str:
    """One trade."""
    body = {
        "e": "trade",
        "E": milliseconds(last.at),
        "s": symbol_of(product_id),
        "t": last.trade_id,
        **_trade(last),
    }
    return frame(product_id, "trade", body)


def agg_trade(product_id: str, last: Print) -> str:
    """One trade as the trades of a taker at one price."""
    body = {
        "e": "aggTrade",
        "E": milliseconds(last.at),
        "s": symbol_of(product_id),
        "a": last.trade_id,
        "f": last.trade_id,
        "l": last.trade_id,
        **_trade(last),
    }
    return frame(product_id, "aggTrade", body)


def trades_of_minute(market: SimulatedMarket, product_id: str, start_s: int) -> list[Print]:
    """The trades of a minute that are still known, oldest first."""
    start = datetime.fromtimestamp(start_s, UTC)
    end = datetime.fromtimestamp(start_s + MINUTE_S, UTC)
    found: list[Print] = []
    for one in reversed(market.products[product_id].prints):
        if one.at < start:
            break
        if one.at < end:
            found.append(one)
    return found[::-1]


def _trade(last: Print) -> dict[str, object]:
    return {
        "p": number_text(last.trade.price),
        "q": number_text(last.trade.size),
        "T": milliseconds(last.at),
        "m": last.trade.taker_side == "sell",
        "M": True,
    }


def _bought(trades: list[Print], *, quote: bool) -> Decimal:
    """Base or quote units of the trades whose taker bought."""
    bought = (p.trade for p in trades if p.trade.taker_side == "buy")
    return sum((t.size * (t.price if quote else 1) for t in bought), Decimal(0))
