"""The Coinbase Exchange WebSocket protocol without sockets: one frame in, one event out.

Does no I/O and never raises on what a venue sends. Protocol: Coinbase Exchange, "WebSocket
channels" (docs.cdp.coinbase.com/exchange/websocket-feed/channels). Numbers are JSON strings on the
wire and become `Decimal`; a price that is a JSON number is malformed.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import orjson

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
from connectors.market.json_bodies import (
    YEARS,
    Body,
    optional_number,
    parse_integer,
    parse_number,
)

PRODUCT_ID: Final = re.compile(r"[A-Z0-9][A-Z0-9.]{0,31}-[A-Z0-9]{1,16}", re.ASCII)
_BAD_PRODUCT: Final = re.compile(r"(\S{1,64}) is (?:not a valid product|delisted)")
_BAD_CHANNEL: Final = re.compile(r"(\S{1,64}) is not a valid channel")
TEXT_CHARS_MAX: Final = 300


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
        sequence=parse_integer(body, "sequence"),
        time=parse_time(body.get("time")),
        trade_id=None if trade_id is None else parse_integer(body, "trade_id"),
        best_bid_size=optional_number(body, "best_bid_size"),
        best_ask_size=optional_number(body, "best_ask_size"),
        last_size=optional_number(body, "last_size"),
        taker_side=_side(body.get("side")),
        volume_24h=optional_number(body, "volume_24h"),
        open_24h=optional_number(body, "open_24h"),
    )


def _heartbeat(body: Body) -> Event:
    return HeartbeatSeen(
        product_id=_product(body),
        sequence=parse_integer(body, "sequence"),
        last_trade_id=parse_integer(body, "last_trade_id", default=0),
        time=parse_time(body.get("time")),
    )


def _match(body: Body) -> Event:
    maker = _side(body.get("side"))
    if maker is None:
        raise ValueError(f"side is {str(body.get('side'))[:40]!r}; expected buy or sell")
    return TradeSeen(
        product_id=_product(body),
        trade_id=parse_integer(body, "trade_id"),
        price=parse_number(body, "price"),
        size=parse_number(body, "size"),
        sequence=parse_integer(body, "sequence"),
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
