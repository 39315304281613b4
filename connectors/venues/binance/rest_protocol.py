"""Bodies of the Binance spot REST API, decoded: time, ticker, candles, trades. Pure.

Source: "Market Data endpoints" (github.com/binance/binance-spot-api-docs, rest-api.md). Prices and
sizes are JSON strings, times are Unix milliseconds. Errors are `{"code": -1121, "msg": "..."}`.
"""

from datetime import datetime
from typing import Final

from arena.messages import Candle
from connectors.market.candles import valid_candle
from connectors.market.events import TickerSeen, TradeSeen
from connectors.market.json_bodies import (
    INTEGER_MAX,
    Body,
    RestMalformed,
    load,
    optional_number,
    parse_number,
    read_rows,
)
from connectors.venues.binance.protocol import MINUTE_MS, parse_time

KLINE_FIELDS: Final = ("start", "open", "high", "low", "close", "volume")
"""The first six of the twelve fields of a row."""


def read_time(body: bytes | str) -> datetime:
    """The time of `GET /api/v3/time`.

    Raises:
        RestMalformed: The body has no valid time.
    """
    entry = load(body)
    moment = parse_time(entry.get("serverTime")) if isinstance(entry, dict) else None
    if moment is None:
        raise RestMalformed("time: no serverTime")
    return moment


def read_ticker(body: bytes | str, product_id: str) -> TickerSeen:
    """The ticker of `GET /api/v3/ticker/24hr`; it has no update id of the book (0 here).

    Raises:
        RestMalformed: A price is missing or not a number.
    """
    entry = load(body)
    if not isinstance(entry, dict):
        raise RestMalformed("ticker: expected an object")
    trade_id = entry.get("lastId")
    known = type(trade_id) is int and 0 <= trade_id <= INTEGER_MAX
    try:
        return TickerSeen(
            product_id=product_id,
            price=parse_number(entry, "lastPrice"),
            best_bid=parse_number(entry, "bidPrice"),
            best_ask=parse_number(entry, "askPrice"),
            sequence=0,
            time=parse_time(entry.get("closeTime")),
            trade_id=trade_id if known else None,
            best_bid_size=optional_number(entry, "bidQty"),
            best_ask_size=optional_number(entry, "askQty"),
            last_size=optional_number(entry, "lastQty"),
            volume_24h=optional_number(entry, "volume"),
            open_24h=optional_number(entry, "openPrice"),
        )
    except ValueError as error:
        raise RestMalformed(f"ticker: {error}") from None


def read_candles(body: bytes | str) -> tuple[list[Candle], int]:
    """The candles of `GET /api/v3/klines`, oldest first, one per minute.

    A minute without trades has a row with the last price and a volume of 0.

    Returns:
        The candles, and the number of invalid rows.

    Raises:
        RestMalformed: The body is not a list.
    """
    return read_rows(body, "klines", _candle, lambda candle: candle.start)


def _candle(row: object) -> Candle | None:
    if not isinstance(row, list) or len(row) < len(KLINE_FIELDS) or type(row[0]) is not int:
        return None
    fields: Body = dict(zip(KLINE_FIELDS, row, strict=False))
    try:
        values = {name: parse_number(fields, name) for name in KLINE_FIELDS[1:]}
    except ValueError:
        return None
    start_ms = row[0]
    if start_ms % MINUTE_MS:
        return None
    return valid_candle(
        start_ms // 1000,
        values["open"],
        values["high"],
        values["low"],
        values["close"],
        values["volume"],
    )


def read_trades(body: bytes | str, product_id: str) -> tuple[list[TradeSeen], int]:
    """The trades of `GET /api/v3/trades` or `historicalTrades`, newest first, one per id.

    Returns:
        The trades, without sequence numbers (0), and the number of invalid rows.

    Raises:
        RestMalformed: The body is not a list.
    """
    trades, wrong = read_rows(
        body, "trades", lambda row: _trade(row, product_id), lambda trade: trade.trade_id
    )
    return trades[::-1], wrong


def _trade(row: object, product_id: str) -> TradeSeen | None:
    if not isinstance(row, dict):
        return None
    trade_id, maker_buys = row.get("id"), row.get("isBuyerMaker")
    if type(trade_id) is not int or not 0 <= trade_id <= INTEGER_MAX:
        return None
    if not isinstance(maker_buys, bool):
        return None
    try:
        price, size = parse_number(row, "price"), parse_number(row, "qty")
    except ValueError:
        return None
    if price <= 0 or size < 0:
        return None
    return TradeSeen(
        product_id,
        trade_id,
        price,
        size,
        sequence=0,
        taker_side="sell" if maker_buys else "buy",
        time=parse_time(row.get("time")),
    )
