"""Turns prices in venue time into tickers and snapshots, the same in every run. Pure.

The market is the simulated exchange's; its events go through the live connector's own fold
(`Feed`), candle books and `compose`. Venue time replaces every clock, so ages, stale flags and ids
do not depend on when or how fast they are made; only `published_at` is wall time.

A bar is a minute or longer. With `fills` "open" the tickers of a snapshot have the price with which
the bar begins that starts at its time; its candles end with the bar before.
"""

from collections import deque
from datetime import UTC, datetime
from typing import Final

from arena.candle_fold import CandleFold
from arena.context.visible import NO_CONTEXT, VisibleContext
from arena.errors import UsageError
from arena.granularities import BOOK_BARS
from arena.ids import snapshot_id
from arena.indicators.feature_sets import NO_FEATURES, FeatureSet
from arena.messages import Candle, ClosedCandle, Fills, MarketSnapshot, Product, Ticker
from arena.pricefiles.span import MarketSpan, interval_of, snapshots_of
from arena.products import split_key, venue_of
from connectors.market.candles import CandleBook
from connectors.market.events import HeartbeatSeen
from connectors.market.feed import Feed, Received
from connectors.market.lockstep.bar_player import EPOCH, BarPlayer
from connectors.market.lockstep.market_events import (
    candle,
    closed_candle,
    opening_seen,
    rules_of,
)
from connectors.market.snapshot import Origin, PublishedCandles, compose
from connectors.simulator.simulated_market import ProductState, SimulatedMarket

QUIET_BARS_MAX: Final = 5
"""After this many bars without a row a product is stale; before that it is merely quiet."""

CANDLES_KEPT: Final = 1_500
"""Most bars per product that wait for `take_candles`; older ones are dropped."""


class SnapshotReplay:
    """The snapshots of a market, one after another.

    Args:
        market: The market, played up to the venue time of the first snapshot.
        interval_s: Venue seconds from snapshot to snapshot.
        snapshots: Number of snapshots; None for all that the prices give.
        recorded: True if the prices are those of a real market.
        source: Description of where recorded prices come from.
        history_bars: Candles before the first snapshot that are used, and candles that the books
            keep.
        features: The indicators in the snapshots, for the market's bars.
        fills: Which price the tickers have.
        whole_bars: False to play every bar in its steps, which gives the same more slowly.

    Attributes:
        total: Number of snapshots.
        source: Description of where the prices come from; "" for synthetic ones.
        bar_s: Length of the market's bars in seconds.
        fills: Which price the tickers have.
        index: Number of the current snapshot, from 0.
        product_ids: The products that are traded, sorted.
        products: Their trading rules.

    Raises:
        UsageError: The interval is not a multiple of the market's step, or the prices end before
            the last snapshot.
    """

    def __init__(
        self,
        market: SimulatedMarket,
        *,
        interval_s: float,
        snapshots: int | None,
        recorded: bool = False,
        source: str = "",
        history_bars: int = BOOK_BARS,
        features: FeatureSet = NO_FEATURES,
        fills: Fills = "close",
        whole_bars: bool = True,
    ) -> None:
        """Start at the first snapshot."""
        self._history_bars = history_bars
        self.bar_s = bar_s = market.bar_s
        self.fills = fills
        self.venue = venue_of(market.products)
        self._origin = Origin(
            simulated=True, recorded=recorded, source=source, bar_s=bar_s, fills=fills
        )
        self.source = source
        self.interval_s = interval_of(interval_s, bar_s)
        self.start_s = market.now_s
        self.total = _count(market, self.interval_s, snapshots)
        self.index = 0
        self.product_ids = sorted(market.products)
        self._newest_id = (-1, "")  # of the last asked snapshot: every turn names it
        self._venues = {p: split_key(p).venue for p in self.product_ids}
        self.products = self._rules(market)
        self._market = market
        self._feed = Feed(self.venue)
        self._player = BarPlayer(market, self._feed, whole=whole_bars)
        self._books = {p: CandleBook(history_bars, bar_s) for p in market.products}
        self._candles = CandleFold(features)
        self._has_indicators = bool(features.specs)
        bars = max(CANDLES_KEPT, history_bars, self.interval_s // bar_s + 1)
        self._new_candles: deque[ClosedCandle] = deque(maxlen=bars * len(self.product_ids))
        self._load_history()
        self._player.fold_tickers()
        self._confirm()
        self._begin_bars()

    def end_at(self, index: int, *, hide_later: bool = False) -> None:
        """Let a snapshot be the last one.

        Args:
            index: Its number, not before the current one.
            hide_later: Also hide every price after its time, as if the data ended there.
        """
        self.total = min(self.total, index + 1)
        if hide_later:
            self._market.hide_from(self.start_s + index * self.interval_s)

    def as_of(self, index: int) -> datetime:
        """Venue time of a snapshot."""
        return datetime.fromtimestamp(self.start_s + index * self.interval_s, UTC)

    def snapshot_id(self, index: int) -> str:
        """Id of a snapshot."""
        if self._newest_id[0] != index:
            found = snapshot_id(self.venue, self.as_of(index), self.product_ids)
            self._newest_id = index, found
        return self._newest_id[1]

    def index_of(self, as_of: datetime, snapshot: str) -> int | None:
        """Number of the snapshot with a venue time and an id; None if it is not in this replay."""
        steps, rest = divmod((as_of - self.as_of(0)).total_seconds(), self.interval_s)
        index = int(steps)
        known = not rest and 0 <= index < self.total and self.snapshot_id(index) == snapshot
        return index if known else None

    def step(self) -> None:
        """Play the market to the next snapshot."""
        assert self.index + 1 < self.total, "there is no further snapshot"
        self.index += 1
        until_s = self.start_s + self.index * self.interval_s
        while self._market.now_s < until_s:
            self._player.play(until_s)
            self._close_bar()
        self._player.fold_tickers()
        self._confirm()
        self._begin_bars()

    def tickers(self) -> dict[str, Ticker]:
        """The last ticker of each product that has one, as of the current snapshot."""
        known = ((p, self._feed.products.get(p)) for p in self.product_ids)
        return {p: feed.ticker for p, feed in known if feed and feed.ticker}

    def take_candles(self) -> list[ClosedCandle]:
        """The candles that closed since the last call, oldest first; at first the history."""
        found = list(self._new_candles)
        self._new_candles.clear()
        return found

    def snapshot(
        self,
        ticker_offsets: dict[int, int],
        published_at: datetime,
        candle_offsets: dict[int, int] | None = None,
        context: VisibleContext = NO_CONTEXT,
    ) -> MarketSnapshot:
        """The current snapshot.

        Args:
            ticker_offsets: Partition of `market.tickers` -> offset after the last of `tickers`.
            published_at: Wall time of publication.
            candle_offsets: Partition of `market.candles` -> offset after the newest candle.
            context: The visible news, sentiment and token facts.
        """
        as_of = self.as_of(self.index)
        return compose(
            venue=self.venue,
            freshness=self._feed,
            books=self._books,
            published=self.tickers(),
            terms={product.product_id: product for product in self.products},
            ticker_offsets=ticker_offsets,
            as_of=as_of,
            windows_at=as_of,
            now_s=as_of.timestamp(),
            now=published_at,
            interval_s=float(self.interval_s),
            origin=self._origin,
            epoch=EPOCH,
            candles=PublishedCandles(
                {p: self._candles.windows(p) for p in self.product_ids}, candle_offsets or {}
            ),
            context=context,
        )

    def _rules(self, market: SimulatedMarket) -> tuple[Product, ...]:
        return tuple(rules_of(market.products[product_id]) for product_id in self.product_ids)

    def _load_history(self) -> None:
        """Add the bars that closed before the first snapshot to the candle books."""
        first_s = self.start_s - self._history_bars * self.bar_s
        for product_id, state in self._market.products.items():
            for begun_s, bar in sorted(state.bars.items()):
                if first_s <= begun_s <= self.start_s - self.bar_s:
                    self._keep(product_id, candle(begun_s, bar))

    def _close_bar(self) -> None:
        if self._market.now_s % self.bar_s:
            return
        begun_s = self._market.now_s - self.bar_s
        for product_id, state in self._market.products.items():
            if (bar := state.bars.get(begun_s)) is not None:
                self._keep(product_id, candle(begun_s, bar))

    def _keep(self, product_id: str, closed: Candle) -> None:
        self._books[product_id].keep(closed)
        message = closed_candle(self._venues[product_id], product_id, closed, self.bar_s)
        if self._has_indicators:
            self._candles.take(message)
        self._new_candles.append(message)

    def _begin_bars(self) -> None:
        """Fold the ticker with which each product's next bar begins, if orders fill at its open."""
        market, now_s = self._market, self._market.now_s
        if self.fills != "open" or now_s % self.bar_s or market.ended:
            return
        at = datetime.fromtimestamp(now_s, UTC)
        for product_id in market.products:
            seen = opening_seen(market, product_id)
            if seen is not None:
                self._feed.apply(seen, Received(at, float(now_s), EPOCH))

    def _confirm(self) -> None:
        """Confirm the prices of each product with recent rows, as a heartbeat would."""
        as_of = self.as_of(self.index)
        for product_id, state in self._market.products.items():
            if not self._has_recent_rows(state) or not state.prints:
                continue
            newest = state.prints[-1].trade_id
            beat = HeartbeatSeen(product_id, state.sequence, newest, as_of)
            self._feed.apply(beat, Received(as_of, as_of.timestamp(), EPOCH))

    def _has_recent_rows(self, state: ProductState) -> bool:
        """True if the price path has a row for one of the last bars."""
        last_s = self._market.now_s - 1
        bars = (last_s - i * self.bar_s for i in range(QUIET_BARS_MAX))
        return any(state.price_path.has_bar(bar_s) for bar_s in bars)


def _count(market: SimulatedMarket, interval_s: int, snapshots: int | None) -> int:
    """Number of snapshots in the replay."""
    if market.end_s is None:
        if snapshots is None:
            raise UsageError(
                "synthetic prices never end", remedy="set the number of snapshots with --snapshots"
            )
        return snapshots
    span = MarketSpan(market.now_s, market.now_s, market.end_s)
    return snapshots_of(span, interval_s, snapshots)
