"""Prices in venue time to tickers and snapshots, the same in every run. Pure.

The market is the simulated exchange's; what comes of it goes through the live connector's own fold
(`Feed`), candle books and `compose`. Venue time stands in for every clock, so ages, stale flags and
ids say the same whenever and however fast they are made; `published_at` alone is wall time.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from arena.errors import UsageError
from arena.ids import snapshot_id
from arena.messages import MarketSnapshot, Product, Ticker
from arena.pricefiles.span import Span, interval_of, snapshots_of
from connectors.coinbase.candles import BOOK_MINUTES_MAX, MINUTE_S, CandleBook
from connectors.coinbase.events import HeartbeatSeen
from connectors.coinbase.feed import VENUE, Feed, Received
from connectors.coinbase.protocol_products import list_products
from connectors.coinbase.snapshot import Origin, compose
from connectors.exchange.market import Book, Market
from connectors.exchange.rest import answer
from connectors.exchange.tape import STEP_S
from connectors.lockstep.shown import candle, ticker_seen

EPOCH: Final = 1
QUIET_MINUTES_MAX: Final = 5
"""So many minutes without a row are a quiet product; a longer hole is one nobody knows about."""

Quotes = tuple[Decimal, Decimal]
"""Best bid and best ask."""


class Reel:
    """The snapshots of a market, one after another.

    Args:
        market: Played up to the venue time of the first snapshot.
        interval_s: Venue seconds from snapshot to snapshot.
        snapshots: How many there are; None for all that the prices give.
        recorded: True if the prices were once those of a real market.
        source: Where those come from, in words.

    Attributes:
        total: How many there are.
        source: Where the prices come from, in words; "" for synthetic ones.
        index: Number of the present one, from 0.
        product_ids: What is traded, sorted. products: the trading rules.

    Raises:
        UsageError: An interval the market has no steps for, or more snapshots than it has time.
    """

    def __init__(
        self,
        market: Market,
        *,
        interval_s: float,
        snapshots: int | None,
        recorded: bool = False,
        source: str = "",
    ) -> None:
        """Stand at the first snapshot."""
        self._origin = Origin(simulated=True, recorded=recorded, source=source)
        self.source = source
        self.interval_s = interval_of(interval_s)
        self.start_s = market.now_s
        self.total = _count(market, self.interval_s, snapshots)
        self.index = 0
        self.product_ids = sorted(market.books)
        self.products = self._rules(market)
        self._market = market
        self._feed = Feed(VENUE)
        self._quotes: dict[str, Quotes] = {}
        self._books = {product_id: CandleBook() for product_id in market.books}
        self._load_history()
        self._fold_tickers()
        self._confirm()

    def as_of(self, index: int) -> datetime:
        """Venue time of a snapshot."""
        return datetime.fromtimestamp(self.start_s + index * self.interval_s, UTC)

    def snapshot_id(self, index: int) -> str:
        """Id of a snapshot."""
        return snapshot_id(VENUE, self.as_of(index), self.product_ids)

    def index_of(self, as_of: datetime, snapshot: str) -> int | None:
        """Number of the snapshot with a venue time and an id; None where it is none of these."""
        steps, rest = divmod((as_of - self.as_of(0)).total_seconds(), self.interval_s)
        index = int(steps)
        known = not rest and 0 <= index < self.total and self.snapshot_id(index) == snapshot
        return index if known else None

    def step(self) -> None:
        """Play to the next snapshot."""
        assert self.index + 1 < self.total, "there is no further snapshot"
        self.index += 1
        until_s = self.start_s + self.index * self.interval_s
        while self._market.now_s < until_s:
            self._market.advance(self._market.now_s + STEP_S)
            self._fold_tickers()
            self._close_minute()
        self._confirm()

    def tickers(self) -> dict[str, Ticker]:
        """The last ticker of each product that has one, as of the present snapshot."""
        known = ((p, self._feed.products.get(p)) for p in self.product_ids)
        return {p: feed.ticker for p, feed in known if feed and feed.ticker}

    def snapshot(self, ticker_offsets: dict[int, int], published_at: datetime) -> MarketSnapshot:
        """The present snapshot.

        Args:
            ticker_offsets: Partition of `market.tickers` -> offset behind the last of `tickers`.
            published_at: Wall time.
        """
        as_of = self.as_of(self.index)
        return compose(
            feed=self._feed,
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
        )

    def _rules(self, market: Market) -> tuple[Product, ...]:
        reply = answer(market, "/products", self.as_of(0))
        return list_products(reply.body, self.product_ids, venue=VENUE).online

    def _load_history(self) -> None:
        """Take over the minutes that closed before the first snapshot."""
        first_s = self.start_s - BOOK_MINUTES_MAX * MINUTE_S
        for product_id, book in self._market.books.items():
            for minute_s, bar in book.minutes.items():
                if first_s <= minute_s <= self.start_s - MINUTE_S:
                    self._books[product_id].keep(candle(minute_s, bar))

    def _close_minute(self) -> None:
        if self._market.now_s % MINUTE_S:
            return
        minute_s = self._market.now_s - MINUTE_S
        for product_id, book in self._market.books.items():
            if (bar := book.minutes.get(minute_s)) is not None:
                self._books[product_id].keep(candle(minute_s, bar))

    def _fold_tickers(self) -> None:
        """Fold a ticker of each product that traded, or whose quotes moved."""
        now_s = self._market.now_s
        at = datetime.fromtimestamp(now_s, UTC)
        for product_id, book in self._market.books.items():
            if book.tick is None:
                continue
            quotes = (book.tick.bid, book.tick.ask)
            if not book.changed and quotes == self._quotes.get(product_id):
                continue
            book.changed = False
            self._quotes[product_id] = quotes
            seen = ticker_seen(self._market, product_id)
            if seen is not None:
                self._feed.apply(seen, Received(at, float(now_s), EPOCH))

    def _confirm(self) -> None:
        """Let a heartbeat say that the prices stand, where the recording knows the product."""
        as_of = self.as_of(self.index)
        for product_id, book in self._market.books.items():
            if not self._known(book) or not book.prints:
                continue
            newest = book.prints[-1].trade_id
            beat = HeartbeatSeen(product_id, book.sequence, newest, as_of)
            self._feed.apply(beat, Received(as_of, as_of.timestamp(), EPOCH))

    def _known(self, book: Book) -> bool:
        """True where the tape tells of one of the last minutes."""
        last_s = self._market.now_s - 1
        minutes = (last_s - i * MINUTE_S for i in range(QUIET_MINUTES_MAX))
        return any(book.tape.knows(minute_s) for minute_s in minutes)


def _count(market: Market, interval_s: int, snapshots: int | None) -> int:
    """How many snapshots there are."""
    if market.end_s is None:
        if snapshots is None:
            raise UsageError(
                "synthetic prices never end", remedy="say how many snapshots with --snapshots"
            )
        return snapshots
    span = Span(market.now_s, market.now_s, market.end_s)
    return snapshots_of(span, interval_s, snapshots)
