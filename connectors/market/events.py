"""The decoded frames of a venue's feed.

Sides are always the taker's, whichever side the venue names. Times are the venue's, or None if it
sent no valid time.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from arena.messages import Candle

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
    """A frame that shows that a product's feed is alive and confirms its quotes.

    Attributes:
        last_trade_id: Id of the newest trade; 0 if it is unknown.
        ticker_sequence: Sequence number of the ticker whose quotes it confirms; None if it confirms
            any that are not older than the newest trade.
    """

    product_id: str
    sequence: int
    last_trade_id: int
    time: datetime | None = None
    ticker_sequence: int | None = None


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
class ActivitySeen:
    """A frame that shows that the feed is alive, but does not confirm a product's quotes."""

    product_id: str
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class CandleClosed:
    """A minute candle that the venue will not change any more."""

    product_id: str
    candle: Candle
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class RequestAcked:
    """The venue has carried out the request with this id."""

    request_id: int


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """The venue has refused a request.

    Attributes:
        request_id: Id of the request, or None if the venue did not name it.
        code: The venue's number of the error.
        message: Its text.
    """

    request_id: int | None
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class VenueClosing:
    """The venue is about to end the connection."""

    time: datetime | None = None


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
    | ActivitySeen
    | CandleClosed
    | RequestAcked
    | RequestRefused
    | VenueClosing
    | FrameIgnored
    | FrameMalformed
)
