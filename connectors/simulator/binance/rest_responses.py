"""Binance's REST API without sockets: one GET to one response. Pure.

Same paths, parameters, bodies and errors as `api/v3` of Binance spot: one unknown symbol refuses a
whole list (-1121); candles are arrays of strings, oldest first, at most 1,000, with the open minute
and with minutes in which nothing traded.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import orjson

from arena.pricefiles.rows import MINUTE_S
from connectors.simulator.binance.wire import (
    milliseconds,
    number_text,
    product_of,
    symbol_of,
)
from connectors.simulator.simulated_market import DAY_S, Bar, ProductState, SimulatedMarket
from connectors.simulator.venue_protocol import RestResponse

PREFIX: Final = "/api/v3/"
ROWS: Final = 500
ROWS_MAX: Final = 1_000
BAD_REQUEST: Final = 400
NOT_FOUND: Final = 404
NOT_FOUND_PAGE: Final = b"<html><body><h2>404 Not found</h2></body></html>"
TOO_MANY: Final = -1003
INVALID_PARAMETER: Final = -1100
MISSING_PARAMETER: Final = -1102
INVALID_INTERVAL: Final = -1120
INVALID_SYMBOL: Final = -1121
INVALID_COMBINATION: Final = -1128
DELISTED: Final = "delisted"
INTERVALS: Final = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "1d": 86_400}
ORDER_TYPES: Final = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")

Query = Mapping[str, str]


class _Refused(Exception):
    """A request that is refused with a code and a message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def respond(market: SimulatedMarket, target: str, at: datetime) -> RestResponse:
    """The response to `GET target` at a venue time."""
    url = urlsplit(target)
    name = url.path.removeprefix(PREFIX)
    handler = _HANDLERS.get(name) if url.path.startswith(PREFIX) else None
    if handler is None:
        return RestResponse(NOT_FOUND, NOT_FOUND_PAGE, "text/html")
    try:
        body = handler(market, dict(parse_qsl(url.query)), at)
    except _Refused as refused:
        return error_response(BAD_REQUEST, refused.code, refused.message)
    return RestResponse(200, orjson.dumps(body))


def error_response(
    status: int, code: int, message: str, headers: Mapping[str, str] | None = None
) -> RestResponse:
    """An error in the venue's format."""
    return RestResponse(status, orjson.dumps({"code": code, "msg": message}), headers=headers or {})


def _time(market: SimulatedMarket, query: Query, at: datetime) -> object:
    return {"serverTime": milliseconds(at)}


def _ping(market: SimulatedMarket, query: Query, at: datetime) -> object:
    return {}


def _exchange_info(market: SimulatedMarket, query: Query, at: datetime) -> object:
    if "symbol" in query and "symbols" in query:
        message = "Combination of optional parameters invalid."
        raise _Refused(INVALID_COMBINATION, message)
    symbols = [query["symbol"]] if "symbol" in query else _symbols(query.get("symbols"))
    if symbols is None:
        listed = [p for p, state in market.products.items() if _is_listed(state)]
    else:
        listed = [product for symbol in symbols for product in [_listed(market, symbol)]]
    return {
        "timezone": "UTC",
        "serverTime": milliseconds(at),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_entry(product, market.products[product]) for product in listed],
    }


def _symbols(text: str | None) -> list[str] | None:
    """The symbols in a parameter such as `["BTCUSDT","ETHUSDT"]`; None without it."""
    if text is None:
        return None
    try:
        symbols = orjson.loads(text)
    except orjson.JSONDecodeError:
        symbols = None
    if not isinstance(symbols, list) or not symbols or " " in text:
        message = "Illegal characters found in parameter 'symbols'."
        raise _Refused(INVALID_PARAMETER, message)
    return [str(symbol) for symbol in symbols]


def _is_listed(state: ProductState) -> bool:
    return not state.unlisted and state.status != DELISTED


def _listed(market: SimulatedMarket, symbol: str) -> str:
    """The product of a symbol."""
    product = product_of(symbol)
    state = market.products.get(product)
    if state is None or not _is_listed(state):
        raise _Refused(INVALID_SYMBOL, "Invalid symbol.")
    return product


def _wanted(market: SimulatedMarket, query: Query) -> str:
    """The product that the query names."""
    if not query.get("symbol"):
        message = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        raise _Refused(MISSING_PARAMETER, message)
    return _listed(market, query["symbol"])


def _entry(product_id: str, state: ProductState) -> dict[str, object]:
    """A product's present entry in the list."""
    product = state.price_path.product
    terms: dict[str, str | None] = {
        "quote_increment": number_text(product.quote_increment),
        "base_increment": number_text(product.base_increment),
        "min_market_funds": number_text(product.min_market_funds),
    }
    terms |= state.terms
    market_orders = "limit_only" not in state.modes
    return {
        "symbol": symbol_of(product_id),
        "status": "TRADING" if state.status == "online" else state.status.upper(),
        "baseAsset": product.base_currency,
        "baseAssetPrecision": 8,
        "quoteAsset": product.quote_currency,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": [kind for kind in ORDER_TYPES if market_orders or kind != "MARKET"],
        "isSpotTradingAllowed": "trading_disabled" not in state.modes,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": terms["quote_increment"]},
            {"filterType": "LOT_SIZE", "stepSize": terms["base_increment"]},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.00000000"},
            {
                "filterType": "NOTIONAL",
                "minNotional": terms["min_market_funds"],
                "applyMinToMarket": True,
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
    }


def _ticker_24h(market: SimulatedMarket, query: Query, at: datetime) -> object:
    product = _wanted(market, query)
    state = market.products[product]
    last, tick = state.prints[-1] if state.prints else None, state.tick
    zero = Decimal(0)
    opened = market.price_24h_ago(product)
    price = last.trade.price if last else zero
    return {
        "symbol": symbol_of(product),
        "priceChange": number_text(price - opened),
        "lastPrice": number_text(price),
        "lastQty": number_text(last.trade.size if last else zero),
        "bidPrice": number_text(tick.bid if tick else zero),
        "bidQty": number_text(tick.bid_size if tick else zero),
        "askPrice": number_text(tick.ask if tick else zero),
        "askQty": number_text(tick.ask_size if tick else zero),
        "openPrice": number_text(opened),
        "volume": number_text(state.volume_24h),
        "openTime": milliseconds(at) - DAY_S * 1000,
        "closeTime": milliseconds(at),
        "firstId": state.prints[0].trade_id if state.prints else -1,
        "lastId": last.trade_id if last else -1,
        "count": len(state.prints),
    }


def _book_ticker(market: SimulatedMarket, query: Query, at: datetime) -> object:
    body = _ticker_24h(market, query, at)
    assert isinstance(body, dict), "one symbol is one object"
    return {name: body[name] for name in ("symbol", "bidPrice", "bidQty", "askPrice", "askQty")}


def _price(market: SimulatedMarket, query: Query, at: datetime) -> object:
    body = _ticker_24h(market, query, at)
    assert isinstance(body, dict), "one symbol is one object"
    return {"symbol": body["symbol"], "price": body["lastPrice"]}


def _trades(market: SimulatedMarket, query: Query, at: datetime) -> object:
    """The newest trades, or those from an id on, oldest first."""
    product = _wanted(market, query)
    limit = min(_whole(query.get("limit")) or ROWS, ROWS_MAX)
    first = _whole(query.get("fromId"))
    prints = list(market.products[product].prints)
    rows = prints[-limit:] if first is None else [p for p in prints if p.trade_id >= first][:limit]
    return [
        {
            "id": p.trade_id,
            "price": number_text(p.trade.price),
            "qty": number_text(p.trade.size),
            "quoteQty": number_text(p.trade.price * p.trade.size),
            "time": milliseconds(p.at),
            "isBuyerMaker": p.trade.taker_side == "sell",
            "isBestMatch": True,
        }
        for p in rows
    ]


def _klines(market: SimulatedMarket, query: Query, at: datetime) -> object:
    product = _wanted(market, query)
    granularity = INTERVALS.get(query.get("interval", ""))
    if granularity is None:
        raise _Refused(INVALID_INTERVAL, "Invalid interval.")
    limit = min(_whole(query.get("limit")) or ROWS, ROWS_MAX)
    start, end = _whole(query.get("startTime")), _whole(query.get("endTime"))
    end_s = market.now_s if end is None else min(end // 1000, market.now_s)
    newest = end_s - end_s % granularity
    first = newest - (limit - 1) * granularity
    if start is not None:
        first = -(-start // (1000 * granularity)) * granularity
        newest = min(newest, first + (limit - 1) * granularity)
    return [
        _row(s, granularity, bar) for s, bar in _bars(market, product, granularity, first, newest)
    ]


def _bars(
    market: SimulatedMarket, product_id: str, granularity: int, first: int, newest: int
) -> list[tuple[int, Bar]]:
    """The bars of a range, oldest first; a minute without trades repeats the last price.

    Minutes that recorded prices do not have are missing here, too.
    """
    state = market.products[product_id]
    known = dict(market.candles(product_id, granularity, first, newest))
    before = [minute for minute in state.bars if minute < first]
    close = state.bars[before[-1]].close if before else None
    rows: list[tuple[int, Bar]] = []
    for start in range(first, newest + 1, granularity):
        bar = known.get(start)
        if bar is not None:
            close = bar.close
        elif close is not None and _is_open(state, start, granularity):
            bar = Bar(close, close, close, close, Decimal(0))
        if bar is not None:
            rows.append((start, bar))
    return rows


def _is_open(state: ProductState, start_s: int, granularity: int) -> bool:
    """True if the market has prices for a minute of a bar."""
    minutes = range(start_s, start_s + granularity, MINUTE_S)
    return any(state.price_path.has_bar(minute) for minute in minutes)


def _row(start_s: int, granularity: int, bar: Bar) -> list[object]:
    return [
        start_s * 1000,
        *(number_text(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)),
        (start_s + granularity) * 1000 - 1,
        number_text(bar.volume * bar.close),
        0,
        number_text(Decimal(0)),
        number_text(Decimal(0)),
        "0",
    ]


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 17 else None


_HANDLERS: Final[dict[str, Callable[[SimulatedMarket, Query, datetime], object]]] = {
    "ping": _ping,
    "time": _time,
    "exchangeInfo": _exchange_info,
    "ticker/24hr": _ticker_24h,
    "ticker/bookTicker": _book_ticker,
    "ticker/price": _price,
    "trades": _trades,
    "historicalTrades": _trades,
    "klines": _klines,
}
