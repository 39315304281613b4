"""Bodies of the Coinbase Exchange REST API, decoded: candles, ticker, time. Pure.

Candles are JSON arrays of numbers `[start, low, high, open, close, volume]`, newest first; numbers
are read as `Decimal`, never as float.
"""

from datetime import datetime
from typing import Final

from arena.messages import Candle
from connectors.market.candles import valid_candle
from connectors.market.events import TickerSeen
from connectors.market.json_bodies import (
    RestMalformed,
    decimal_value,
    load,
    parse_number,
    read_rows,
)
from connectors.venues.coinbase.protocol import PRODUCT_ID, parse_time

CANDLE_FIELDS: Final = 6


def read_candles(body: bytes | str) -> tuple[list[Candle], int]:
    """The candles of `GET /products/{id}/candles`, oldest first, one per bucket.

    Returns:
        The candles, and the number of invalid rows (such as a high below its low).

    Raises:
        RestMalformed: The body is not a list.
    """
    return read_rows(body, "candles", _candle, lambda candle: candle.start)


def _candle(row: object) -> Candle | None:
    if not isinstance(row, list) or len(row) < CANDLE_FIELDS or not isinstance(row[0], int):
        return None
    try:
        low, high, open_, close, volume = (decimal_value(value) for value in row[1:CANDLE_FIELDS])
    except ValueError:
        return None
    return valid_candle(row[0], open_, high, low, close, volume)


def read_ticker(body: bytes | str, product_id: str) -> TickerSeen:
    """The ticker of `GET /products/{id}/ticker`; it has no sequence number (0 here).

    Raises:
        RestMalformed: A price is missing or not a number.
    """
    entry = load(body)
    if not isinstance(entry, dict) or not PRODUCT_ID.fullmatch(product_id):
        raise RestMalformed("ticker: expected an object")
    trade_id = entry.get("trade_id")
    try:
        return TickerSeen(
            product_id=product_id,
            price=parse_number(entry, "price"),
            best_bid=parse_number(entry, "bid"),
            best_ask=parse_number(entry, "ask"),
            sequence=0,
            time=parse_time(entry.get("time")),
            trade_id=trade_id if isinstance(trade_id, int) else None,
            last_size=parse_number(entry, "size") if "size" in entry else None,
            volume_24h=parse_number(entry, "volume") if "volume" in entry else None,
        )
    except ValueError as error:
        raise RestMalformed(f"ticker: {error}") from None


def read_time(body: bytes | str) -> datetime:
    """The time of `GET /time`.

    Raises:
        RestMalformed: The body has no valid time.
    """
    entry = load(body)
    moment = parse_time(entry.get("iso")) if isinstance(entry, dict) else None
    if moment is None:
        raise RestMalformed("time: no iso time")
    return moment
