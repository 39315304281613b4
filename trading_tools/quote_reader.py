"""Reads the quote in a record of `market.tickers`: only what an order needs of it. Pure.

Open orders are compared with every ticker of their product, so this is the executor's most frequent
decoding. It accepts what `arena.messages.Ticker` accepts: where the two could differ, the message
is decoded in full. A test compares both.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import Ticker
from arena.messages.market import Side
from arena.money import DIGITS_PATTERN
from trading_tools.quotes import Quote, quote_from, quote_of

Digits = Annotated[str, msgspec.Meta(pattern=DIGITS_PATTERN.replace("$", r"\Z"))]
NANOSECONDS = re.compile(rb"\.[0-9]{7,}[Zz+-]")
"""A time more exact than a microsecond: msgspec rounds it, the message cuts it."""
KIND = Ticker.type_name()
SCHEMA = str(Ticker.SCHEMA).encode()


class _TickerRead(msgspec.Struct, gc=False, kw_only=True):
    """The fields of `Ticker`, with prices and amounts as text."""

    venue: str
    product_id: str
    price: Digits
    best_bid: Digits
    best_ask: Digits
    best_bid_size: Digits | None = None
    best_ask_size: Digits | None = None
    last_size: Digits | None = None
    taker_side: Side | None = None
    volume_24h: Digits | None = None
    open_24h: Digits | None = None
    event_time: datetime
    received_at: datetime
    confirmed_at: datetime | None = None
    sequence: int = 0
    connection_epoch: int = 0
    trade_id: int | None = None


_decode = msgspec.json.Decoder(_TickerRead).decode


def read_quote(record: Record) -> Quote | None:
    """The quote in a record of `market.tickers`; None if the record is no ticker.

    Raises:
        Malformed: It cannot be read, or a price has more decimals than an order may have.
    """
    if record.kind != KIND:
        return None
    quote = _from_plain(record)
    if quote is not None:
        return quote
    message = record.message()
    assert isinstance(message, Ticker), "its kind says so"
    try:
        return quote_of(message, record.partition, record.offset)
    except ValueError as error:
        raise Malformed(f"{KIND}: {error}") from None


def _from_plain(record: Record) -> Quote | None:
    """The quote in a ticker as the arena writes it; None if it is to be decoded in full."""
    value = record.value or b""
    plain = value.isascii() and b"\\" not in value  # msgspec does not read texts that it skips.
    if not plain or record.headers.get("schema", SCHEMA) != SCHEMA:
        return None
    try:
        ticker = _decode(value)
        confirmed_at = ticker.confirmed_at or ticker.received_at
        is_utc = ticker.event_time.tzinfo is ticker.received_at.tzinfo is confirmed_at.tzinfo is UTC
        if not is_utc or NANOSECONDS.search(value):
            return None
        return quote_from(
            ticker.product_id,
            (record.partition, record.offset),
            prices=(Decimal(ticker.best_bid), Decimal(ticker.best_ask)),
            sizes=(_decimal(ticker.best_bid_size), _decimal(ticker.best_ask_size)),
            event_time=ticker.event_time,
            alive_at=max(ticker.received_at, confirmed_at),
        )
    except ValueError:  # Of msgspec or of a price.
        return None


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
