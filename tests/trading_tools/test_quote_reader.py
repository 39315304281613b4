"""The quick reading of a ticker accepts what the message accepts, and gives the same quote."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import Ticker
from arena.wire import headers_of
from trading_tools.quote_reader import read_quote
from trading_tools.quotes import Quote, quote_of

HEADERS = dict(headers_of(Ticker))
BODY: dict[str, Any] = {  # Any: JSON
    "venue": "coinbase",
    "product_id": "BTC-USD",
    "price": "64000.12",
    "best_bid": "64000.11",
    "best_ask": "64000.13",
    "best_bid_size": "0.5",
    "best_ask_size": "123.45678901",
    "taker_side": "buy",
    "volume_24h": "8000",
    "event_time": "2026-03-01T12:00:00.123456Z",
    "received_at": "2026-03-01T12:00:00.2Z",
    "confirmed_at": "2026-03-01T12:00:05Z",
    "sequence": 7,
    "trade_id": 12,
}
NUMBERS: tuple[Any, ...] = (  # Any: JSON
    "0", "-1", "007.50", "1e5", "1E+3", "NaN", "Infinity", " 1", "1 ", "1\n", "1_000", "٣", "",
    ".5", "5.", "+1", "--1", "1.0000000000000000001", "9" * 18, "9" * 19, "0." + "1" * 44,
    "0." + "1" * 45, 1, 1.5, None, True, [], {},
)  # fmt: skip
TIMES: tuple[Any, ...] = (  # Any: JSON
    "2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00-00:00",
    "2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00", "2026-03-01 12:00:00Z",
    "2026-03-01t12:00:00z", "2026-03-01T12:00Z", "2026-03-01", "1772366400", 1772366400,
    1772366400.5, "2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00,5Z",
    "2026-02-30T12:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T23:59:60Z", "0001-01-01T00:00:00Z",
    "", None, True, "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999Z",
)  # fmt: skip
OTHERS: tuple[Any, ...] = (  # Any: JSON
    0, -1, 2**63, 2**70, "7", "x", 1.0, 1.5, True, None, [], "", "buy", "BUY", "\ud83d\ude00",
)  # fmt: skip
NAMES = {
    "price": NUMBERS, "best_bid": NUMBERS, "best_ask": NUMBERS, "best_bid_size": NUMBERS,
    "best_ask_size": NUMBERS, "last_size": NUMBERS, "volume_24h": NUMBERS, "open_24h": NUMBERS,
    "event_time": TIMES, "received_at": TIMES, "confirmed_at": TIMES,
}  # fmt: skip
ALL_NAMES = (*BODY, "last_size", "open_24h", "connection_epoch", "unknown")


def in_full(record: Record) -> Quote | None:
    """What the decoded message gives; None if it cannot be read."""
    try:
        message = record.message()
        assert isinstance(message, Ticker)
        return quote_of(message, record.partition, record.offset)
    except (Malformed, ValueError):
        return None


def in_short(record: Record) -> Quote | None:
    """What `read_quote` gives; None if it cannot be read."""
    try:
        return read_quote(record)
    except Malformed:
        return None


def of(value: bytes | None, headers: dict[str, bytes] = HEADERS) -> Record:
    """A record of `market.tickers` with this value."""
    return Record("market.tickers", 0, 5, 0, b"BTC-USD", value, headers)


def test_ticker_is_read_without_the_message() -> None:
    """Prices, sizes and times are those of the message."""
    record = of(orjson.dumps(BODY))
    quote = read_quote(record)

    assert quote is not None
    assert quote == in_full(record)
    assert "64000.11" == quote.bid_text


@pytest.mark.parametrize("name", ALL_NAMES)
def test_each_field_is_accepted_like_the_message_accepts_it(name: str) -> None:
    """Odd values of every field, and the field left out."""
    bodies = [BODY | {name: value} for value in NAMES.get(name, OTHERS) + OTHERS]
    bodies.append({key: value for key, value in BODY.items() if key != name})
    for body in bodies:
        record = of(json.dumps(body).encode())
        assert in_full(record) == in_short(record), body.get(name)


@given(st.data())
def test_damaged_body_is_read_alike(data: st.DataObject) -> None:
    """Bytes cut, changed or doubled."""
    body = bytearray(orjson.dumps(BODY))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    value = bytes(body if data.draw(st.booleans()) else body[:cut])

    assert in_full(of(value)) == in_short(of(value))


def test_other_kinds_schemas_and_empty_records_are_read_alike() -> None:
    """A record that is no ticker gives no quote."""
    value = orjson.dumps(BODY)
    assert read_quote(of(value, {"type": b"Product"})) is None
    for record in (of(None), of(value, HEADERS | {"schema": b"9"}), of(value, {"type": b"Ticker"})):
        assert in_full(record) == in_short(record)
