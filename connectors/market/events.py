"""The decoded frames of the Coinbase Exchange feed.

Field names are the venue's if they are clear; sides are always the taker's (the venue gives the
taker's side on tickers, the maker's on matches). Times are the venue's, or None if it sent no valid
time.
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
        price: Price of the last trade; it may be outside the spread.
        taker_side: Side that crossed the spread in the last trade.
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
    """The venue's message, once a second, that a product's feed is alive."""

    product_id: str
    sequence: int
    last_trade_id: int
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class TradeSeen:
    """One trade.

    Attributes:
        replayed: True for the `last_match` that opens a subscription; the trade may be old.
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
    """Everything this connection is subscribed to now, as (channel on the wire, product)."""

    subscribed: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class VenueRefused:
    """An `error` message.

    Attributes:
        product_id: The product in its text, or None.
        channel: The channel in its text, or None.
    """

    message: str
    reason: str
    product_id: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class FrameIgnored:
    """A message that is not used; `kind` is its type."""

    kind: str


@dataclass(frozen=True, slots=True)
class FrameMalformed:
    """Bytes that are not a message of the feed, kept unchanged."""

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
