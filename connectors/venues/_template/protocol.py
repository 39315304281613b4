"""The feed without sockets: one frame in, one event out; never raises on what a venue sends.

Numbers are strings of digits and become `Decimal`, times are ISO 8601 with a zone. If frames of
different kinds must be put together, write a class that remembers them, as Binance's decoder does.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import orjson

from arena.products import product_key
from connectors.market.events import (
    Event,
    FrameIgnored,
    FrameMalformed,
    HeartbeatSeen,
    SubscriptionsAcked,
    TickerSeen,
    VenueRefused,
)
from connectors.market.json_bodies import YEARS, Body, parse_integer, parse_number

NAME: Final = "template"
"""Name of the venue in messages and commands."""
SYMBOL: Final = re.compile(r"[A-Z0-9]{1,20}-[A-Z0-9]{1,16}", re.ASCII)
CHANNEL: Final = "quotes"
TEXT_CHARS_MAX: Final = 300


def parse(frame: bytes | str) -> Event:
    """Decode one frame."""
    raw = frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogatepass")
    try:
        body = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        return FrameMalformed(raw, f"not JSON: {error}"[:TEXT_CHARS_MAX])
    if not isinstance(body, dict):
        return FrameMalformed(raw, "expected an object")
    kind = str(body.get("type"))[:TEXT_CHARS_MAX]
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return FrameIgnored(kind)
    try:
        return decoder(body)
    except ValueError as error:
        return FrameMalformed(raw, f"{kind}: {error}"[:TEXT_CHARS_MAX])


def parse_time(text: object) -> datetime | None:
    """A time in UTC; None if it is not valid."""
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return None
    valid = moment.tzinfo is not None and moment.year in YEARS
    return moment.astimezone(UTC) if valid else None


def product_of(symbol: object) -> str:
    """The product id of the venue's symbol.

    Raises:
        ValueError: It is not a symbol.
    """
    if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
        raise ValueError(f"the symbol is {str(symbol)[:40]!r}")
    return product_key(NAME, symbol)


def _quote(body: Body) -> Event:
    return TickerSeen(
        product_id=product_of(body.get("symbol")),
        price=parse_number(body, "price"),
        best_bid=parse_number(body, "bid"),
        best_ask=parse_number(body, "ask"),
        sequence=parse_integer(body, "sequence"),
        time=parse_time(body.get("time")),
        trade_id=parse_integer(body, "trade_id"),
    )


def _alive(body: Body) -> Event:
    return HeartbeatSeen(
        product_id=product_of(body.get("symbol")),
        sequence=parse_integer(body, "sequence"),
        last_trade_id=parse_integer(body, "trade_id"),
        time=parse_time(body.get("time")),
    )


def _subscribed(body: Body) -> Event:
    symbols = body.get("symbols")
    if not isinstance(symbols, list):
        raise ValueError("symbols is not a list")
    return SubscriptionsAcked(frozenset((CHANNEL, product_of(symbol)) for symbol in symbols))


def _error(body: Body) -> Event:
    symbol = body.get("symbol")
    reason = str(body.get("reason"))[:TEXT_CHARS_MAX]
    product_id = None if symbol is None else product_of(symbol)
    return VenueRefused("refused", reason, product_id=product_id)


_DECODERS: Final[dict[str, Callable[[Body], Event]]] = {
    "quote": _quote,
    "alive": _alive,
    "subscribed": _subscribed,
    "error": _error,
}
