"""The feed folded to last values: what each product costs, and when it was last known alive.

Pure: every call brings the time it happened at. Venue time lives in `VenueClock`; ages are of our
monotonic clock. A quiet product on a live connection is not stale: its heartbeats confirm that
its last ticker still stands. They stop confirming it when they name a newer trade for longer than
`BEHIND_GRACE_S`, or at once where the ticker is of an earlier connection: a ticker was lost.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from arena.messages import Ticker
from connectors.coinbase.events import Event, HeartbeatSeen, TickerSeen, TradeSeen
from connectors.coinbase.sanity import Suspect, judge, mid_price
from connectors.coinbase.trades import TradeGap

VENUE: Final = "coinbase"
STALE_AFTER_S: Final = 5.0
"""A product whose feed was not known alive for this long must not be traded on."""
BEHIND_GRACE_S: Final = 10.0
"""Two cadences of `ticker_batch`: so long may heartbeats be ahead of the ticker."""
LEAP_MAX: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Received:
    """When and where a frame came in.

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
    """An event that was not used: `why` is one word for the counters."""

    product_id: str
    why: str
    detail: str = ""


class VenueClock:
    """The venue's time, as its events tell it: never back within a connection."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.now: datetime | None = None
        self.leaps_ignored = 0

    def observe(self, moment: datetime | None) -> None:
        """Take over an event's time; a leap of more than a day is no clock."""
        if moment is None:
            return
        if self.now is None:
            self.now = moment
        elif moment - self.now > LEAP_MAX:
            self.leaps_ignored += 1
        else:
            self.now = max(self.now, moment)

    def restart(self, moment: datetime) -> None:
        """Begin anew at a moment the venue gave when asked, even if it is earlier."""
        self.now = moment


@dataclass(slots=True)
class ProductFeed:
    """Last values of one product.

    Attributes:
        ticker: The last accepted one, with the newest `confirmed_at`.
        alive_s: Monotonic seconds at which the ticker was last known to stand.
        heartbeat_s: Monotonic seconds of the last heartbeat.
        sequence: Highest venue sequence on this connection.
        heard_trade_id: Trade id of the last heartbeat.
    """

    ticker: Ticker | None = None
    alive_s: float | None = None
    heartbeat_s: float | None = None
    sequence: int = -1
    heard_trade_id: int = 0
    behind_since_s: float | None = None
    last_mid: Decimal | None = None
    suspect: Suspect | None = None


class Feed:
    """Folds events into last values."""

    def __init__(self, venue: str = VENUE) -> None:
        """No product is known yet."""
        self.venue = venue
        self.clock = VenueClock()
        self.products: dict[str, ProductFeed] = {}
        self._gone: set[str] = set()

    def connected(self) -> None:
        """A new connection: sequence numbers are compared within one connection only."""
        for known in self.products.values():
            known.sequence = -1
            known.behind_since_s = None

    def apply(self, event: Event, received: Received) -> Ticker | Dropped | None:
        """Fold one event.

        Returns:
            The ticker to publish, why an event was dropped, or None where there is nothing to say.
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
        return None

    def repair(self, event: TickerSeen, received: Received) -> Ticker | Dropped | None:
        """Fold a ticker fetched by REST, which has no sequence number of its own."""
        known = self.products.setdefault(event.product_id, ProductFeed())
        last = known.ticker
        if last and (last.trade_id or 0) > (event.trade_id or 0):
            return Dropped(event.product_id, "stale_repair")
        return self._accept(known, event, received)

    def forget(self, product_id: str) -> None:
        """The product is gone; what still comes about it is passed over."""
        self.products.pop(product_id, None)
        self._gone.add(product_id)

    def adopt(self, product_id: str) -> None:
        """The product is back."""
        self._gone.discard(product_id)

    def age_s(self, product_id: str, now_s: float) -> float | None:
        """Monotonic seconds since the product's ticker was last known to stand; None if never."""
        known = self.products.get(product_id)
        if known is None or known.alive_s is None:
            return None
        return max(0.0, now_s - known.alive_s)

    def stale(self, product_id: str, now_s: float) -> bool:
        """True where the product must not be traded on."""
        age_s = self.age_s(product_id, now_s)
        known = self.products.get(product_id)
        return known is None or known.ticker is None or age_s is None or age_s > STALE_AFTER_S

    def behind(self, product_id: str, now_s: float) -> bool:
        """True where heartbeats come and the ticker is missing or older than they say."""
        known = self.products.get(product_id)
        if known is None or known.heartbeat_s is None:
            return False
        since_s = known.behind_since_s
        return since_s is not None and now_s - since_s > BEHIND_GRACE_S

    def gap(self, product_id: str) -> TradeGap | None:
        """The trades between the last ticker and the last heartbeat; None where none are."""
        known = self.products.get(product_id)
        if known is None or known.ticker is None or known.ticker.trade_id is None:
            return None
        seen, heard = known.ticker.trade_id, known.heard_trade_id
        return TradeGap(product_id, seen, heard) if heard > seen else None

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
        known.heard_trade_id = beat.last_trade_id
        last = known.ticker
        if last is None or (last.trade_id is not None and beat.last_trade_id > last.trade_id):
            if known.behind_since_s is None:
                known.behind_since_s = received.monotonic_s
        else:
            known.behind_since_s = None
        if last is None or self.behind(beat.product_id, received.monotonic_s):
            return
        if known.behind_since_s is not None and last.connection_epoch != received.epoch:
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
        wrong, known.suspect = judge(known.last_mid, known.suspect, event)
        if wrong is not None:
            detail = f"price {event.price}, bid {event.best_bid}, ask {event.best_ask}: {wrong}"
            return Dropped(event.product_id, "bad_print", detail)
        event_time = event.time or self.clock.now
        if event_time is None:
            return Dropped(event.product_id, "no_venue_time")
        known.last_mid = mid_price(event)
        known.behind_since_s = None
        known.alive_s = received.monotonic_s
        known.ticker = Ticker(
            venue=self.venue,
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
