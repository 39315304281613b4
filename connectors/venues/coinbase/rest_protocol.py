"""Bodies of the Coinbase Exchange REST API, decoded: candles, ticker, time, errors. Pure.

Candles are JSON arrays of numbers `[start, low, high, open, close, volume]`, newest first; numbers
are read as `Decimal`, never as float. Errors are JSON objects, plain text or, from the network in
front of the venue, HTML; each becomes one line of text.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from arena.messages import Candle
from arena.money import parse_decimal
from connectors.market.events import TickerSeen
from connectors.venues.coinbase.protocol import PRODUCT_ID, YEARS, parse_number, parse_time

ERROR_CHARS_MAX: Final = 200
DIGITS_MAX: Final = 40
CANDLE_FIELDS: Final = 6
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")


class RestMalformed(ValueError):
    """A body that is not what the venue documents."""


# Any: each caller checks the shape of the JSON.
def load(body: bytes | str, *, number: Callable[[str], object] | None = None) -> Any:
    """A JSON body with decimals for numbers, whole ones as `int`.

    Args:
        body: The body as received.
        number: Converts the text of every number, including NaN and infinities, instead.

    Raises:
        RestMalformed: It is not JSON, or holds a number that cannot be read.
    """
    try:
        if number is not None:
            return json.loads(body, parse_float=number, parse_int=number, parse_constant=number)
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise RestMalformed(f"not JSON: {str(error)[:ERROR_CHARS_MAX]}") from None


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number")


def read_candles(body: bytes | str) -> tuple[list[Candle], int]:
    """The candles of `GET /products/{id}/candles`, oldest first, one per bucket.

    Returns:
        The candles, and the number of invalid rows (such as a high below its low).

    Raises:
        RestMalformed: The body is not a list.
    """
    rows = load(body)
    if not isinstance(rows, list):
        raise RestMalformed("candles: expected a list")
    found: dict[datetime, Candle] = {}
    wrong = 0
    for row in rows:
        candle = _candle(row)
        if candle is None:
            wrong += 1
        else:
            found[candle.start] = candle
    return [found[start] for start in sorted(found)], wrong


def _candle(row: object) -> Candle | None:
    if not isinstance(row, list) or len(row) < CANDLE_FIELDS or not isinstance(row[0], int):
        return None
    try:
        start = datetime.fromtimestamp(row[0], UTC)
        low, high, open_, close, volume = (_decimal(value) for value in row[1:CANDLE_FIELDS])
    except (ValueError, OverflowError, OSError):
        return None
    if start.year not in YEARS or volume < 0:
        return None
    if not 0 < low <= min(open_, close) or high < max(open_, close):
        return None
    return Candle(start=start, open=open_, high=high, low=low, close=close, volume=volume)


def _decimal(value: object) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    number = parse_decimal(value)
    if len(number.as_tuple().digits) > DIGITS_MAX:
        raise ValueError("too many digits")
    return number


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


def error_text(content_type: str, body: bytes) -> str:
    """The message of an error body of any format, in one line."""
    text = body[: 20 * ERROR_CHARS_MAX].decode("utf-8", "replace").strip()
    if "json" in content_type or text.startswith("{"):
        try:
            entry = load(text)
        except RestMalformed:
            entry = None
        if isinstance(entry, dict) and isinstance(entry.get("message"), str):
            return str(entry["message"])[:ERROR_CHARS_MAX]
    if "html" in content_type or text.startswith("<"):
        title = _TITLE.search(text)
        text = "HTML: " + (title.group(1) if title else _TAG.sub(" ", text))
    return " ".join(text.split())[:ERROR_CHARS_MAX] or "an empty body"
