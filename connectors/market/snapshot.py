"""Builds the snapshot that every agent decides on from last values and candle books. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from arena.context.visible import NO_CONTEXT, VisibleContext
from arena.ids import snapshot_id
from arena.messages import Fills, IndicatorWindow, MarketSnapshot, Product, ProductView, Ticker
from arena.products import split_key
from arena.trading_modes import ONLINE
from connectors.market.candles import MINUTE_S, CandleBook
from connectors.market.earlier_views import EarlierViews
from connectors.market.feed import Feed

TICK: Final = timedelta(microseconds=1)
STANDSTILL_S_MIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the prices come from.

    Attributes:
        simulated: True for the simulated exchange and for recordings.
        recorded: True if the prices are those of a real market in the past.
        speed: Venue seconds per wall second.
        source: Description of where recorded prices come from; "" if unknown.
        bar_s: Length of the market's candles in seconds.
        fills: Which price the tickers of a replay have; see `MarketSnapshot`.
    """

    simulated: bool = False
    speed: float = 1.0
    recorded: bool = False
    source: str = ""
    bar_s: int = MINUTE_S
    fills: Fills = "close"


def merged_origin(origins: Sequence[Origin]) -> Origin:
    """The origin of a snapshot of several venues; the fastest venue sets the speed."""
    return Origin(
        simulated=any(one.simulated for one in origins),
        speed=max(one.speed for one in origins),
        recorded=any(one.recorded for one in origins),
        source="; ".join(dict.fromkeys(one.source for one in origins if one.source)),
    )


class Freshness(Protocol):
    """Knows how old the prices are."""

    def age_s(self, product_id: str, now_s: float) -> float | None:
        """Monotonic seconds since the product's ticker was last confirmed; None if never."""

    def stale(self, product_id: str, now_s: float) -> bool:
        """True if the product must not be traded."""


class FreshnessOfAll:
    """The freshness of the products of several feeds.

    Args:
        feeds: The feeds, one per venue.
        earlier: The products that these feeds have no price of; they are stale.
    """

    def __init__(self, feeds: Sequence[Feed], earlier: EarlierViews) -> None:
        """Take the feeds and the earlier rows."""
        self._feeds = {feed.venue: feed for feed in feeds}
        self._earlier = earlier

    def age_s(self, product_id: str, now_s: float) -> float | None:
        """By the earlier row, or the feed of the product's venue."""
        if product_id in self._earlier:
            return self._earlier.age_s(product_id, now_s)
        return self._feeds[split_key(product_id).venue].age_s(product_id, now_s)

    def stale(self, product_id: str, now_s: float) -> bool:
        """True for an earlier row, else by the feed of the product's venue."""
        if product_id in self._earlier:
            return True
        return self._feeds[split_key(product_id).venue].stale(product_id, now_s)


@dataclass(slots=True)
class Cadence:
    """When the next snapshot is due.

    Attributes:
        interval_s: Venue seconds between snapshots; wall seconds while the venue's clock is still.
        as_of: Venue time of the last snapshot.
        next_at: Venue time at which the next is due; it moves by whole intervals, without drift.
        published_s: Monotonic seconds of the last snapshot.
        rewinds: How often the venue's clock went back by more than an interval.
    """

    interval_s: float
    as_of: datetime | None = None
    next_at: datetime | None = None
    published_s: float = 0.0
    rewinds: int = 0

    def resume(self, last: MarketSnapshot, now_s: float) -> None:
        """Continue after the newest snapshot in the log, whichever process published it.

        Args:
            last: The newest snapshot.
            now_s: Monotonic seconds.
        """
        self.as_of, self.rewinds, self.published_s = last.as_of, last.rewinds, now_s
        self.next_at = last.as_of + timedelta(seconds=self.interval_s)

    def due(self, venue_now: datetime, now_s: float) -> bool:
        """True if a snapshot is due at this venue time and monotonic time."""
        if self.as_of is None or self.next_at is None or venue_now >= self.next_at:
            return self.as_of is None or venue_now > self.as_of
        if (self.as_of - venue_now).total_seconds() > self.interval_s:
            return True
        return now_s - self.published_s >= max(self.interval_s, STANDSTILL_S_MIN)

    def take(self, venue_now: datetime, now_s: float) -> datetime:
        """Return the `as_of` of the snapshot made now, and schedule the next.

        If the venue's clock stopped, or went back a little with a new connection, `as_of` is one
        microsecond later than the last. If it went back further, `rewinds` grows. So two snapshots
        never have the same id.
        """
        back_s = self._back_s(venue_now)
        rewound = back_s > self.interval_s
        self.next_at = self._after(venue_now, restart=rewound)
        self.rewinds += rewound
        if self.as_of is not None and 0 <= back_s <= self.interval_s:
            venue_now = self.as_of + TICK
        self.as_of, self.published_s = venue_now, now_s
        return venue_now

    def rewinds_at(self, venue_now: datetime) -> int:
        """The `rewinds` of a snapshot made at this venue time."""
        return self.rewinds + (self._back_s(venue_now) > self.interval_s)

    def _back_s(self, venue_now: datetime) -> float:
        """Seconds by which the venue's clock is behind the last snapshot; negative if it is not."""
        return -1.0 if self.as_of is None else (self.as_of - venue_now).total_seconds()

    def _after(self, venue_now: datetime, *, restart: bool) -> datetime:
        """The first due time after `venue_now`."""
        anchor = venue_now if restart or self.next_at is None else self.next_at
        if self.interval_s <= 0:
            return venue_now
        steps = (venue_now - anchor).total_seconds() // self.interval_s + 1
        return anchor + timedelta(seconds=self.interval_s * max(0.0, steps))


@dataclass(frozen=True, slots=True)
class PublishedCandles:
    """What a snapshot has from `market.candles`.

    Attributes:
        indicators: Product id -> its indicators by granularity.
        offsets: Partition -> offset after the newest candle in them.
    """

    indicators: Mapping[str, dict[str, IndicatorWindow]] = field(default_factory=dict)
    offsets: Mapping[int, int] = field(default_factory=dict)


NO_CANDLES: Final = PublishedCandles()


def compose(
    *,
    venue: str,
    freshness: Freshness,
    books: Mapping[str, CandleBook],
    published: Mapping[str, Ticker],
    terms: Mapping[str, Product | ProductView],
    ticker_offsets: Mapping[int, int],
    as_of: datetime,
    windows_at: datetime,
    now_s: float,
    now: datetime,
    interval_s: float,
    origin: Origin,
    epoch: int,
    rewinds: int = 0,
    candles: PublishedCandles = NO_CANDLES,
    context: VisibleContext = NO_CONTEXT,
) -> MarketSnapshot:
    """Build the snapshot of the products in `books`, and of closed products with a price.

    Args:
        venue: The venue, or the venues joined by "+".
        freshness: Gives ages and staleness.
        books: Product id -> candles.
        published: Product id -> the last ticker the brokers have acknowledged.
        terms: Product id -> its trading rules as the brokers have acknowledged them, or its row in
            an earlier snapshot; both have its status and modes.
        ticker_offsets: Partition of `market.tickers` -> offset after the newest of both.
        as_of: Venue time of the snapshot.
        windows_at: Venue time, not after `as_of`; windows end with the last minute closed by then.
        now_s: Monotonic seconds, for ages.
        now: Wall time of publication.
        interval_s: Venue seconds from snapshot to snapshot.
        origin: Where the prices come from.
        epoch: Number of the connection.
        rewinds: How often the venue's clock went back.
        candles: What was made of `market.candles`.
        context: The visible news, sentiment and token facts.
    """
    # Closed products stay in the snapshot, so that positions in them keep their last price.
    gone = {p for p, product in terms.items() if product.status != ONLINE and p in published}
    views = tuple(
        _view(freshness, product_id, books.get(product_id), published, terms, windows_at, now_s)
        for product_id in sorted(books.keys() | gone)
    )
    return MarketSnapshot(
        snapshot_id=snapshot_id(venue, as_of, [v.product_id for v in views], rewinds),
        venue=venue,
        as_of=as_of,
        interval_s=interval_s,
        bar_s=origin.bar_s,
        fills=origin.fills,
        simulated=origin.simulated,
        recorded=origin.recorded,
        source=origin.source,
        speed=origin.speed,
        connection_epoch=epoch,
        rewinds=rewinds,
        ticker_offsets=dict(ticker_offsets),
        candle_offsets=dict(candles.offsets),
        products=tuple(_with_indicators(view, candles.indicators) for view in views),
        context=context.items,
        context_offsets=dict(context.offsets),
        published_at=now,
    )


def _view(
    freshness: Freshness,
    product_id: str,
    book: CandleBook | None,
    published: Mapping[str, Ticker],
    terms: Mapping[str, Product | ProductView],
    windows_at: datetime,
    now_s: float,
) -> ProductView:
    age_s, ticker = freshness.age_s(product_id, now_s), published.get(product_id)
    product = terms.get(product_id)
    return ProductView(
        product_id=product_id,
        ticker=ticker,
        age_ms=None if age_s is None else round(age_s * 1000),
        stale=ticker is None or freshness.stale(product_id, now_s),
        windows={} if book is None else book.windows(windows_at),
        status=ONLINE if product is None else product.status,
        modes=() if product is None else product.modes,
    )


def _with_indicators(
    view: ProductView, indicators: Mapping[str, dict[str, IndicatorWindow]]
) -> ProductView:
    found = indicators.get(view.product_id)
    return view.model_copy(update={"indicators": found}) if found else view
