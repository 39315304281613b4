"""The feed folded to last values: each product's price, and when it was last confirmed.

Pure: every call is given its time. Venue time is in `VenueClock`; ages use our monotonic clock. A
quiet product on a live connection is not stale: its heartbeats confirm that its last ticker is
still valid. They stop confirming it when they name a newer trade for longer than `LAG_GRACE_S`,
or at once if the ticker is of an earlier connection: a ticker was lost.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from arena.messages import Ticker
from arena.products import split_key
from connectors.market.events import (
    ActivitySeen,
    CandleClosed,
    Event,
    HeartbeatSeen,
    TickerSeen,
    TradeSeen,
)
from connectors.market.sanity import Suspect, assess, mid_price
from connectors.market.trades import TradeGap

STALE_AFTER_S: Final = 5.0
"""A product that was not confirmed for this long must not be traded."""
LAG_GRACE_S: Final = 10.0
"""How long heartbeats may be ahead of the ticker: two cadences of `ticker_batch`."""
LEAP_MAX: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Received:
    """When a frame was received, and on which connection.

    Attributes:
        at: Wall time.
        monotonic_s: Monotonic seconds.
        epoch: Number of the connection.
    """

    at: datetime
    monotonic_s: float
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """An event that was not used; `why` is one word for the counters."""

    product_id: str
    why: str
    detail: str = ""


class VenueClock:
    """The venue's time, taken from its events; it does not go back within a connection."""

    def __init__(self) -> None:
        """Start without a known time."""
        self.now: datetime | None = None
        self.leaps_ignored = 0

    def observe(self, moment: datetime | None) -> None:
        """Note an event's time; a leap of more than a day is ignored."""
        if moment is None:
            return
        if self.now is None:
            self.now = moment
        elif moment - self.now > LEAP_MAX:
            self.leaps_ignored += 1
        else:
            self.now = max(self.now, moment)

    def restart(self, moment: datetime) -> None:
        """Set the time to one that the venue's REST API gave, even if it is earlier."""
        self.now = moment


@dataclass(slots=True)
class ProductFeed:
    """Last values of one product.

    Attributes:
        ticker: The last accepted ticker, with the newest `confirmed_at`.
        alive_s: Monotonic seconds at which the ticker was last confirmed.
        heartbeat_s: Monotonic seconds of the last heartbeat.
        sequence: Highest venue sequence on this connection.
        accepted_sequence: The same when the last ticker was accepted.
        heartbeat_trade_id: Trade id of the last heartbeat.
        lagging_since_s: Monotonic seconds since which heartbeats name a newer trade, or None.
        last_mid: Mid price of the last accepted ticker.
        suspect: A mid price outside the sanity band, or None.
    """

    ticker: Ticker | None = None
    alive_s: float | None = None
    heartbeat_s: float | None = None
    sequence: int = -1
    accepted_sequence: int = -1
    heartbeat_trade_id: int = 0
    lagging_since_s: float | None = None
    last_mid: Decimal | None = None
    suspect: Suspect | None = None


class Feed:
    """Folds events into last values."""

    def __init__(self, venue: str) -> None:
        """Create a feed without products.

        Args:
            venue: Name of the venue in tickers.
        """
        self.venue = venue
        self.clock = VenueClock()
        self.products: dict[str, ProductFeed] = {}
        self._gone: set[str] = set()

    def connected(self) -> None:
        """Note a new connection: sequence numbers are compared within one connection only."""
        for known in self.products.values():
            known.sequence = known.accepted_sequence = -1
            known.lagging_since_s = None

    def apply(self, event: Event, received: Received) -> Ticker | Dropped | None:
        """Fold one event.

        Returns:
            The ticker to publish, why the event was dropped, or None.
        """
        if isinstance(event, HeartbeatSeen | TickerSeen) and event.product_id in self._gone:
            return None
        if isinstance(event, HeartbeatSeen):
            self._on_heartbeat(event, received)
            return None
        if isinstance(event, TradeSeen):
            if not event.replayed:
                self.clock.observe(event.time)
            return None
        if isinstance(event, TickerSeen):
            return self._on_ticker(event, received)
        if isinstance(event, ActivitySeen | CandleClosed):
            self.clock.observe(event.time)
        return None

    def repair(self, event: TickerSeen, received: Received) -> Ticker | Dropped | None:
        """Fold a ticker fetched by REST, which has no sequence number."""
        known = self.products.setdefault(event.product_id, ProductFeed())
        last = known.ticker
        if last and (last.trade_id or 0) > (event.trade_id or 0):
            return Dropped(event.product_id, "stale_repair")
        return self._accept(known, event, received)

    def forget(self, product_id: str) -> None:
        """Remove a product; its later events are ignored until `adopt`."""
        self.products.pop(product_id, None)
        self._gone.add(product_id)

    def adopt(self, product_id: str) -> None:
        """Accept events of a product again."""
        self._gone.discard(product_id)

    def age_s(self, product_id: str, now_s: float) -> float | None:
        """Monotonic seconds since the product's ticker was last confirmed; None if never."""
        known = self.products.get(product_id)
        if known is None or known.alive_s is None:
            return None
        return max(0.0, now_s - known.alive_s)

    def stale(self, product_id: str, now_s: float) -> bool:
        """True if the product must not be traded."""
        age_s = self.age_s(product_id, now_s)
        known = self.products.get(product_id)
        return known is None or known.ticker is None or age_s is None or age_s > STALE_AFTER_S

    def is_lagging(self, product_id: str, now_s: float) -> bool:
        """True if heartbeats arrive and the ticker is missing or older than their trade."""
        known = self.products.get(product_id)
        if known is None or known.heartbeat_s is None:
            return False
        since_s = known.lagging_since_s
        return since_s is not None and now_s - since_s > LAG_GRACE_S

    def gap(self, product_id: str) -> TradeGap | None:
        """The trades between the last ticker and the last heartbeat; None if there are none."""
        known = self.products.get(product_id)
        if known is None or known.ticker is None or known.ticker.trade_id is None:
            return None
        last, newest = known.ticker.trade_id, known.heartbeat_trade_id
        return TradeGap(product_id, last, newest) if newest > last else None

    def silence_s(self, product_id: str, now_s: float) -> float | None:
        """Monotonic seconds since the product's last heartbeat; None before the first."""
        known = self.products.get(product_id)
        if known is None or known.heartbeat_s is None:
            return None
        return max(0.0, now_s - known.heartbeat_s)

    def _on_heartbeat(self, beat: HeartbeatSeen, received: Received) -> None:
        self.clock.observe(beat.time)
        known = self.products.setdefault(beat.product_id, ProductFeed())
        known.heartbeat_s = received.monotonic_s
        known.heartbeat_trade_id = beat.last_trade_id
        last = known.ticker
        if last is None or (last.trade_id is not None and beat.last_trade_id > last.trade_id):
            if known.lagging_since_s is None:
                known.lagging_since_s = received.monotonic_s
        else:
            known.lagging_since_s = None
        if last is None or self.is_lagging(beat.product_id, received.monotonic_s):
            return
        if beat.ticker_sequence is not None and beat.ticker_sequence > known.accepted_sequence:
            return  # The quotes that it confirms were refused.
        if known.lagging_since_s is not None and last.connection_epoch != received.epoch:
            return
        known.alive_s = received.monotonic_s
        known.ticker = last.model_copy(
            update={"confirmed_at": received.at, "connection_epoch": received.epoch}
        )

    def _on_ticker(self, event: TickerSeen, received: Received) -> Ticker | Dropped:
        known = self.products.setdefault(event.product_id, ProductFeed())
        if event.sequence <= known.sequence:
            return Dropped(
                event.product_id, "out_of_order", f"{event.sequence} after {known.sequence}"
            )
        known.sequence = event.sequence
        self.clock.observe(event.time)
        return self._accept(known, event, received)

    def _accept(
        self, known: ProductFeed, event: TickerSeen, received: Received
    ) -> Ticker | Dropped:
        wrong, known.suspect = assess(known.last_mid, known.suspect, event)
        if wrong is not None:
            detail = f"price {event.price}, bid {event.best_bid}, ask {event.best_ask}: {wrong}"
            return Dropped(event.product_id, "bad_print", detail)
        event_time = event.time or self.clock.now
        if event_time is None:
            return Dropped(event.product_id, "no_venue_time")
        known.last_mid = mid_price(event)
        known.accepted_sequence = known.sequence
        known.lagging_since_s = None
        known.alive_s = received.monotonic_s
        known.ticker = Ticker(
            venue=split_key(event.product_id).venue,
            product_id=event.product_id,
            price=event.price,
            best_bid=event.best_bid,
            best_ask=event.best_ask,
            best_bid_size=event.best_bid_size,
            best_ask_size=event.best_ask_size,
            last_size=event.last_size,
            taker_side=event.taker_side,
            volume_24h=event.volume_24h,
            open_24h=event.open_24h,
            event_time=event_time,
            received_at=received.at,
            confirmed_at=received.at,
            sequence=max(event.sequence, 0),
            connection_epoch=received.epoch,
            trade_id=event.trade_id,
        )
        return known.ticker
