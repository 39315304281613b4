"""The Coinbase Exchange WebSocket protocol without sockets: one frame in, one event out.

Does no I/O and never raises on what a venue sends. Protocol: Coinbase Exchange, "WebSocket
channels" (docs.cdp.coinbase.com/exchange/websocket-feed/channels). Numbers are JSON strings on the
wire and become `Decimal`; a price that is a JSON number is malformed.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import orjson

from arena.money import AMOUNT_DIGITS_MAX, parse_decimal
from connectors.market.events import (
    Event,
    FrameIgnored,
    FrameMalformed,
    HeartbeatSeen,
    Side,
    SubscriptionsAcked,
    TickerSeen,
    TradeSeen,
    VenueRefused,
)

NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
PRODUCT_ID: Final = re.compile(r"[A-Z0-9][A-Z0-9.]{0,31}-[A-Z0-9]{1,16}", re.ASCII)
_BAD_PRODUCT: Final = re.compile(r"(\S{1,64}) is (?:not a valid product|delisted)")
_BAD_CHANNEL: Final = re.compile(r"(\S{1,64}) is not a valid channel")
YEARS: Final = range(2012, 2200)
"""Years of valid venue times; the venue also sends 0001-01-01 for "unknown"."""
TEXT_CHARS_MAX: Final = 300
INTEGER_MAX: Final = 2**63 - 1

Body = Mapping[str, object]


def parse(frame: bytes | str) -> Event:
    """Decode one frame.

    Args:
        frame: The payload of a text or binary WebSocket message.

    Returns:
        The event; `FrameIgnored` for messages that are unknown or not used, `FrameMalformed` for
        anything that is not a message of the feed.
    """
    try:
        body = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        return FrameMalformed(_raw(frame), f"not JSON: {error}"[:TEXT_CHARS_MAX])
    if not isinstance(body, dict):
        return FrameMalformed(_raw(frame), f"a JSON {type(body).__name__}; expected an object")
    kind = body.get("type")
    decoder = _DECODERS.get(kind) if isinstance(kind, str) else None
    if decoder is None:
        return FrameIgnored(str(kind)[:TEXT_CHARS_MAX])
    try:
        return decoder(body)
    except ValueError as error:
        return FrameMalformed(_raw(frame), f"{kind}: {error}"[:TEXT_CHARS_MAX])


def parse_time(text: object) -> datetime | None:
    """A venue time with any number of fraction digits, cut to microseconds.

    Returns:
        Aware UTC, or None if it is not a text, has no zone, or its year is not valid (0001).
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None or moment.year not in YEARS:
        return None
    return moment.astimezone(UTC)


def parse_number(body: Body, name: str) -> Decimal:
    """A required number in the venue's format, a string of digits.

    Raises:
        ValueError: It is missing, not a string, not a number, or has too many digits.
    """
    value = body.get(name)
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise ValueError(f"{name} is {str(value)[:40]!r}; expected a string of digits")
    return parse_decimal(value)


def _optional(body: Body, name: str) -> Decimal | None:
    """A number that may be missing, null, empty, or larger than an amount can be.

    A coin with a supply of 10^20 has such volumes; its prices are valid nevertheless.
    """
    value = body.get(name)
    if value in (None, ""):
        return None
    is_number = isinstance(value, str) and NUMBER.fullmatch(value)
    if is_number and Decimal(str(value)).adjusted() >= AMOUNT_DIGITS_MAX:
        return None
    return parse_number(body, name)


def _integer(body: Body, name: str, *, default: int | None = None) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= INTEGER_MAX:
        raise ValueError(f"{name} is {str(value)[:40]!r}; expected a whole number")
    return value


def _product(body: Body) -> str:
    value = body.get("product_id")
    if not isinstance(value, str) or not PRODUCT_ID.fullmatch(value):
        raise ValueError(f"product_id is {str(value)[:40]!r}")
    return value


def _side(value: object) -> Side | None:
    return value if value == "buy" or value == "sell" else None


def _ticker(body: Body) -> Event:
    if body.get("product_id") == "":
        return FrameIgnored("empty ticker")
    if body.get("best_bid") in (None, "") or body.get("best_ask") in (None, ""):
        return FrameIgnored("ticker without quotes")
    trade_id = body.get("trade_id")
    return TickerSeen(
        product_id=_product(body),
        price=parse_number(body, "price"),
        best_bid=parse_number(body, "best_bid"),
        best_ask=parse_number(body, "best_ask"),
        sequence=_integer(body, "sequence"),
        time=parse_time(body.get("time")),
        trade_id=None if trade_id is None else _integer(body, "trade_id"),
        best_bid_size=_optional(body, "best_bid_size"),
        best_ask_size=_optional(body, "best_ask_size"),
        last_size=_optional(body, "last_size"),
        taker_side=_side(body.get("side")),
        volume_24h=_optional(body, "volume_24h"),
        open_24h=_optional(body, "open_24h"),
    )


def _heartbeat(body: Body) -> Event:
    return HeartbeatSeen(
        product_id=_product(body),
        sequence=_integer(body, "sequence"),
        last_trade_id=_integer(body, "last_trade_id", default=0),
        time=parse_time(body.get("time")),
    )


def _match(body: Body) -> Event:
    maker = _side(body.get("side"))
    if maker is None:
        raise ValueError(f"side is {str(body.get('side'))[:40]!r}; expected buy or sell")
    return TradeSeen(
        product_id=_product(body),
        trade_id=_integer(body, "trade_id"),
        price=parse_number(body, "price"),
        size=parse_number(body, "size"),
        sequence=_integer(body, "sequence"),
        taker_side="sell" if maker == "buy" else "buy",
        time=parse_time(body.get("time")),
        replayed=body.get("type") == "last_match",
    )


def _subscriptions(body: Body) -> Event:
    pairs: set[tuple[str, str]] = set()
    channels = body.get("channels")
    if not isinstance(channels, list):
        raise ValueError(f"channels is {str(channels)[:40]!r}; expected a list")
    for channel in channels:
        if not isinstance(channel, dict):
            raise ValueError("a channel is not an object")
        products = channel.get("product_ids") or []
        if not isinstance(products, list):
            raise ValueError("product_ids is not a list")
        pairs |= {(str(channel.get("name")), str(product)) for product in products}
    return SubscriptionsAcked(frozenset(pairs))


def _error(body: Body) -> Event:
    message = str(body.get("message", ""))[:TEXT_CHARS_MAX]
    reason = str(body.get("reason", ""))[:TEXT_CHARS_MAX]
    product = _BAD_PRODUCT.match(reason)
    channel = _BAD_CHANNEL.match(reason)
    return VenueRefused(
        message=message,
        reason=reason,
        product_id=product.group(1) if product else None,
        channel=channel.group(1) if channel else None,
    )


def _raw(frame: bytes | str) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogatepass")


_DECODERS: Final[dict[str, Callable[[Body], Event]]] = {
    "ticker": _ticker,
    "heartbeat": _heartbeat,
    "match": _match,
    "last_match": _match,
    "subscriptions": _subscriptions,
    "error": _error,
}
