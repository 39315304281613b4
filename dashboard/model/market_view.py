"""The newest price of each product, and the newest snapshot. Pure.

Marks come from tickers and from the tickers in snapshots, whichever is newer by venue time, so they
do not depend on the order in which the two topics are read.
"""

from dataclasses import dataclass
from datetime import datetime

from arena.messages import MarketSnapshot, Ticker
from arena.money import PriceUnits, price_or_none
from arena.trading_modes import restriction

PRODUCTS_MAX = 1_000
"""Most products that are kept; a venue lists fewer."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest best bid of a product.

    Attributes:
        bid: Best bid.
        event_time: Venue time of the ticker.
        alive_at: Wall time at which the ticker was received or last confirmed.
        order: Sort key of tickers; the highest is the newest.
    """

    bid: PriceUnits
    event_time: datetime
    alive_at: datetime
    order: tuple[datetime, datetime, int]


class MarketView:
    """Marks and the newest snapshot.

    Attributes:
        marks: Product id -> mark.
        newest: The snapshot with the highest offset.
        newest_offset: Its offset; -1 before the first.
    """

    def __init__(self) -> None:
        """Start without prices."""
        self.marks: dict[str, Mark] = {}
        self.newest: MarketSnapshot | None = None
        self.newest_offset = -1

    def ticker(self, ticker: Ticker) -> None:
        """Mark a product with this ticker if it is newer than the known one."""
        alive_at = max(ticker.received_at, ticker.confirmed_at or ticker.received_at)
        order = (ticker.event_time, alive_at, ticker.sequence)
        known = self.marks.get(ticker.product_id)
        if known is None and len(self.marks) >= PRODUCTS_MAX:
            return
        if known is None or known.order < order:
            bid = price_or_none(ticker.best_bid)
            if bid is None:
                return
            self.marks[ticker.product_id] = Mark(bid, ticker.event_time, alive_at, order)

    def snapshot(self, offset: int, snapshot: MarketSnapshot) -> None:
        """Use a snapshot's tickers, and the snapshot itself if it is the newest."""
        for view in snapshot.products:
            if view.ticker is not None:
                self.ticker(view.ticker)
        if offset > self.newest_offset:
            self.newest, self.newest_offset = snapshot, offset

    @property
    def bids(self) -> dict[str, PriceUnits]:
        """Product id -> best bid."""
        return {product_id: mark.bid for product_id, mark in self.marks.items()}

    @property
    def restricted(self) -> dict[str, str]:
        """Product id -> why it cannot be traded now, by the newest snapshot."""
        views = self.newest.products if self.newest is not None else ()
        found = {view.product_id: restriction(view.status, view.modes) for view in views}
        return {product_id: words for product_id, words in found.items() if words}

    @property
    def venue_now(self) -> datetime | None:
        """The newest venue time."""
        times = [mark.event_time for mark in self.marks.values()]
        if self.newest is not None:
            times.append(self.newest.as_of)
        return max(times, default=None)

    def feed_age_s(self, now: datetime) -> float | None:
        """Wall seconds since the feed was last known alive; None if it never was."""
        alive = max((mark.alive_at for mark in self.marks.values()), default=None)
        return None if alive is None else (now - alive).total_seconds()
