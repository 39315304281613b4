"""Snapshots and quotes of a season, folded from `market.snapshots`. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from arena.fill_assumption import assumption_text
from arena.messages import Fills, MarketSnapshot
from arena.money import PriceUnits, price_or_none
from arena.trading_modes import restriction

INTERVAL_S = 60.0
"""Interval that is assumed before the first snapshot."""


@dataclass(frozen=True, slots=True)
class SnapshotQuotes:
    """One snapshot: its position in the topic, and the best bid and ask of each product.

    Attributes:
        quotes: Product -> best bid, best ask.
        restricted: Product -> why it cannot be traded.
    """

    partition: int
    offset: int
    snapshot_id: str
    as_of: datetime
    published_at: datetime
    quotes: dict[str, tuple[PriceUnits, PriceUnits]]
    restricted: dict[str, str] = field(default_factory=dict)


class MarketFold:
    """The snapshots in the order of venue time.

    Attributes:
        snapshots: The snapshots that count.
        index: Snapshot id -> index; a late snapshot has the index of the newest one that counts.
        stale: Number of quotes that were marked stale.
        missing: Number of products without a quote, over all snapshots.
        late: Number of snapshots that were older than an earlier record.
    """

    def __init__(self) -> None:
        """Create a fold without snapshots."""
        self.snapshots: list[SnapshotQuotes] = []
        self.index: dict[str, int] = {}
        self.venue = ""
        self.simulated = False
        self.recorded = False
        self.source = ""
        self.bar_s = 60
        self.fills: Fills = "close"
        self.speed = 1.0
        self.interval_s = 0.0
        self.stale = 0
        self.missing = 0
        self.late = 0

    @property
    def restricted(self) -> dict[str, str]:
        """Product -> why it cannot be traded, according to the newest snapshot."""
        return self.snapshots[-1].restricted if self.snapshots else {}

    def fills_text(self, pacing: str | None) -> str:
        """What a replay in lock-step assumes about fills; "" for another market."""
        if pacing != "lock-step" or not self.snapshots:
            return ""
        return assumption_text(self.bar_s, self.fills, self.interval_s, recorded=self.recorded)

    def apply(self, partition: int, offset: int, snapshot: MarketSnapshot) -> None:
        """Fold the next snapshot; one that was read before changes nothing."""
        if snapshot.snapshot_id in self.index:
            return
        if self.snapshots and snapshot.as_of <= self.snapshots[-1].as_of:
            self.late += 1
            self.index[snapshot.snapshot_id] = len(self.snapshots) - 1
            return
        if not self.snapshots:
            self.venue, self.simulated = snapshot.venue, snapshot.simulated
            self.recorded, self.source = snapshot.recorded, snapshot.source
            self.bar_s, self.fills = snapshot.bar_s, snapshot.fills
            self.speed, self.interval_s = snapshot.speed, snapshot.interval_s
        self.index[snapshot.snapshot_id] = len(self.snapshots)
        self.snapshots.append(
            SnapshotQuotes(
                partition=partition,
                offset=offset,
                snapshot_id=snapshot.snapshot_id,
                as_of=snapshot.as_of,
                published_at=snapshot.published_at,
                quotes=self._quotes(snapshot),
                restricted={
                    view.product_id: words
                    for view in snapshot.products
                    if (words := restriction(view.status, view.modes))
                },
            )
        )

    def _quotes(self, snapshot: MarketSnapshot) -> dict[str, tuple[PriceUnits, PriceUnits]]:
        found: dict[str, tuple[PriceUnits, PriceUnits]] = {}
        for view in snapshot.products:
            if view.ticker is None or view.ticker.best_bid <= 0 or view.ticker.best_ask <= 0:
                self.missing += 1
                continue
            bid = price_or_none(view.ticker.best_bid)
            ask = price_or_none(view.ticker.best_ask)
            if bid is None or ask is None:
                self.missing += 1
                continue
            self.stale += view.stale
            found[view.product_id] = (bid, ask)
        return found
