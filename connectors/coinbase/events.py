"""What a frame of the Coinbase Exchange feed can say, decoded.

Field names are the venue's where they are clear; sides are always the taker's (the venue gives the
taker's side on tickers, the maker's on matches). Times are the venue's; None where it sent none
that can be meant.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Side = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class TickerSeen:
    """Best prices and the last trade of a product.

    Attributes:
        price: Last trade; it may lie outside the spread.
        taker_side: Who crossed the spread in the last trade.
    """

    product_id: str
    price: Decimal
    best_bid: Decimal
    best_ask: Decimal
    sequence: int
    time: datetime | None = None
    trade_id: int | None = None
    best_bid_size: Decimal | None = None
    best_ask_size: Decimal | None = None
    last_size: Decimal | None = None
    taker_side: Side | None = None
    volume_24h: Decimal | None = None
    open_24h: Decimal | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatSeen:
    """The venue says, once a second, that a product's feed is alive."""

    product_id: str
    sequence: int
    last_trade_id: int
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class TradeSeen:
    """One trade.

    Attributes:
        replayed: True for the `last_match` that opens a subscription: it may be long ago.
    """

    product_id: str
    trade_id: int
    price: Decimal
    size: Decimal
    sequence: int
    taker_side: Side
    time: datetime | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SubscriptionsAcked:
    """All that this connection is subscribed to now, as (channel on the wire, product)."""

    subscribed: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class VenueRefused:
    """An `error` message.

    Attributes:
        product_id: The product it names, or None.
        channel: The channel it names, or None.
    """

    message: str
    reason: str
    product_id: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class FrameIgnored:
    """A message we have no use for; `kind` tells which."""

    kind: str


@dataclass(frozen=True, slots=True)
class FrameMalformed:
    """Bytes that are no message of the feed, kept as they came."""

    raw: bytes
    why: str


Event = (
    TickerSeen
    | HeartbeatSeen
    | TradeSeen
    | SubscriptionsAcked
    | VenueRefused
    | FrameIgnored
    | FrameMalformed
)
