"""Publishes a snapshot to `market.snapshots` whenever one is due.

A snapshot is made from acknowledged tickers only: the publisher waits for the candles of the minute
that just closed, appends them, flushes the tickers, and records the offsets of both in the
snapshot.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from arena import topics
from arena.indicators.feature_sets import FeatureSet
from arena.messages import MarketSnapshot
from arena.node import Node
from connectors.market.candle_log import CandleLog
from connectors.market.candles import CandleBook
from connectors.market.context.snapshot_context import SnapshotContext
from connectors.market.earlier_views import EarlierViews
from connectors.market.other_connectors import OtherConnectors
from connectors.market.recent_snapshots import newest_snapshots
from connectors.market.snapshot import Cadence, FreshnessOfAll, Origin, compose, merged_origin
from connectors.market.venue_feed import VenueFeed

T = TypeVar("T")

HISTORY_DEADLINE_S: Final = 60.0
TICKERS_DEADLINE_S: Final = 10.0
CANDLES_WAIT_S: Final = (0.1, 3.0)
"""Least and most wall seconds a snapshot waits for the candles of the minute that just closed;
within these bounds it is a quarter of the wall time from snapshot to snapshot."""
PAUSE_S: Final = (0.02, 1.0)
"""Least and most wall seconds between two checks of the clock."""
WAITING_LOG_S: Final = 10.0
SILENT_S: Final = 5.0
"""Seconds without a new time after which a venue's time is continued by the process's clock."""


class Snapshotter:
    """Publishes snapshots of one or more venues, all as of one time.

    The time is the newest of the venues' times, so a venue whose feed is down delays no snapshot:
    its products are stale in it. If it was down when the process started, their rows are those of
    the newest snapshot in the log.

    Args:
        node: The process.
        venue: The venue in the snapshots.
        feeds: The venues; snapshots are published only while they publish tickers.
        products: Ids of the configured products of all venues.
        interval_s: Venue seconds from snapshot to snapshot.
        features: The indicators in the snapshots.
        book_minutes: Minutes of candles in the book of a product.
        context_files: Files of dated context that are published before the first snapshot.

    Attributes:
        newest: The newest snapshot in the log when this process began to publish, or None.
        others: Notices other connectors.
    """

    def __init__(
        self,
        node: Node,
        venue: str,
        feeds: Sequence[VenueFeed],
        *,
        products: Collection[str],
        interval_s: float,
        features: FeatureSet,
        book_minutes: int,
        context_files: Sequence[Path] = (),
    ) -> None:
        """Create the snapshotter; the first snapshot is due once candles are loaded."""
        self._node = node
        self._venue = venue
        self._feeds = feeds
        self._cadence = Cadence(interval_s)
        self._heard: dict[str, tuple[datetime | None, float]] = {}
        self._products = products
        self._earlier = EarlierViews()
        self._candles = CandleLog(node.bus, features, node.counters, book_minutes=book_minutes)
        self._context = SnapshotContext(node, context_files)
        self.newest: MarketSnapshot | None = None
        self.others = OtherConnectors(node, venue)

    async def resume(self) -> None:
        """Continue after the newest snapshot in the log, which another process may have published.

        Raises:
            BrokerUnavailable: The log could not be read.
        """
        snapshots, _ = await newest_snapshots(self._node, self._venue, 1)
        self.newest = snapshots[-1] if snapshots else None
        await self._candles.resume(self.newest)
        clock = self._node.clock
        if self.newest is not None:
            self._cadence.resume(self.newest, clock.monotonic())
        self._earlier = EarlierViews(
            self.newest, self._products, now=clock.now(), now_s=clock.monotonic()
        )

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._wait_for_history()
        await self._wait_for_tickers()
        while True:
            venue_now, now_s = self._venue_now(), self._node.clock.monotonic()
            if self._is_active() and venue_now and self._cadence.due(venue_now, now_s):
                await self._publish(venue_now)
            else:
                await self._node.clock.sleep(self._pause_s())

    async def _wait_for_history(self) -> None:
        """Wait until all books are loaded, or after `HISTORY_DEADLINE_S` at least one."""
        clock = self._node.clock
        started_s = logged_s = clock.monotonic()
        while True:
            books = self._books().values()
            loaded = sum(book.known_until_s is not None for book in books)
            waited_s = clock.monotonic() - started_s
            if books and (loaded == len(books) or (loaded and waited_s > HISTORY_DEADLINE_S)):
                break
            if clock.monotonic() - logged_s > WAITING_LOG_S:
                logged_s = clock.monotonic()
                self._node.log.warning(
                    "waiting for history", loaded=loaded, products=len(books), s=round(waited_s)
                )
            await clock.sleep(PAUSE_S[0])
        self._node.log.info("history loaded", loaded=loaded, products=len(books))

    async def _wait_for_tickers(self) -> None:
        """Wait until every product has a ticker, at most `TICKERS_DEADLINE_S`."""
        clock = self._node.clock
        started_s = clock.monotonic()
        while clock.monotonic() - started_s < TICKERS_DEADLINE_S:
            if all(set(f.refresher.books) <= set(f.publisher.published) for f in self._feeds):
                return
            await clock.sleep(PAUSE_S[0])

    async def _publish(self, windows_at: datetime) -> None:
        """Wait for the candles, flush the tickers, compose, append."""
        clock = self._node.clock
        began_s = clock.monotonic()
        low, high = CANDLES_WAIT_S
        wait_s = self._cadence.interval_s / self._origin().speed / 4
        limit_s = min(max(wait_s, low), high)
        waits = (f.refresher.wait_until_current(windows_at, limit_s) for f in self._feeds)
        current = all(await asyncio.gather(*waits))
        if not self._is_active():
            return
        await self._candles.publish(
            self._books(), windows_at, rewinds=self._cadence.rewinds_at(windows_at)
        )
        await self._context.read(windows_at, simulated=self._origin().simulated)
        for feed in self._feeds:
            await feed.publisher.flush()
        if not self._is_active():
            return
        # From here on nothing waits: no ticker may be newer than the snapshot.
        now_s = clock.monotonic()
        as_of = self._cadence.take(self._venue_now() or windows_at, now_s)
        earlier = self._earlier_views(now_s)
        books = self._books_with(earlier)
        snapshot = compose(
            venue=self._venue,
            freshness=FreshnessOfAll([feed.feed for feed in self._feeds], earlier),
            books=books,
            published=earlier.tickers | _merged(feed.publisher.published for feed in self._feeds),
            terms=_merged([earlier.views, *(feed.publisher.terms for feed in self._feeds)]),
            ticker_offsets=self._ticker_offsets(),
            as_of=as_of,
            windows_at=windows_at,
            now_s=now_s,
            now=clock.now(),
            interval_s=self._cadence.interval_s,
            origin=self._origin(),
            epoch=sum(feed.stream.epoch for feed in self._feeds),
            rewinds=self._cadence.rewinds,
            candles=self._candles.published(books),
            context=self._context.visible(as_of, self._products),
        )
        ack = await self._node.bus.append(topics.SNAPSHOTS.name, snapshot, key=self._venue)
        self._node.counters["snapshots"] += 1
        self._log_snapshot(snapshot, current, (clock.monotonic() - began_s) * 1000)
        await self.others.note(ack)

    def _log_snapshot(self, snapshot: MarketSnapshot, current: bool, duration_ms: float) -> None:
        self._node.log.info(
            "snapshot",
            id=snapshot.snapshot_id,
            as_of=snapshot.as_of.isoformat(),
            products=len(snapshot.products),
            stale=sum(view.stale for view in snapshot.products),
            candles="current" if current else "late",
            duration_ms=round(duration_ms, 1),
        )

    def _pause_s(self) -> float:
        """Wall seconds until the next snapshot may be due, within bounds."""
        low, high = PAUSE_S
        now, next_at = self._venue_now(), self._cadence.next_at
        if now is None or next_at is None:
            return low
        left_s = (next_at - now).total_seconds() / self._origin().speed
        return min(max(left_s / 2, low), high)

    def _is_active(self) -> bool:
        return all(feed.publisher.active for feed in self._feeds)

    def _venue_now(self) -> datetime | None:
        """The newest time of the venues; None before the first."""
        times = [feed.feed.clock.now for feed in self._feeds]
        newest = max((moment for moment in times if moment is not None), default=None)
        if newest is not None and len(self._feeds) > 1:
            for feed in self._feeds:
                self._advance_silent(feed, newest)
        return newest

    def _advance_silent(self, feed: VenueFeed, newest: datetime) -> None:
        """Let the time of a silent venue advance, so that its candles are requested by REST.

        It advances at its own speed, from its own time: another venue's may be minutes ahead.
        """
        clock, now_s = feed.feed.clock, self._node.clock.monotonic()
        heard, since_s = self._heard.get(feed.feed.venue, (None, now_s))
        if heard is not None and clock.now == heard and now_s - since_s > SILENT_S:
            elapsed = timedelta(seconds=(now_s - since_s) * feed.rest.origin.speed)
            clock.observe(min(heard + elapsed, newest))
        if clock.now != heard:
            self._heard[feed.feed.venue] = clock.now, now_s

    def _origin(self) -> Origin:
        return merged_origin([feed.rest.origin for feed in self._feeds])

    def _books(self) -> dict[str, CandleBook]:
        return _merged(feed.refresher.books for feed in self._feeds)

    def _earlier_views(self, now_s: float) -> EarlierViews:
        """The earlier rows of products that no venue has sent a price of since the start."""
        if self.newest is not None and self._cadence.rewinds != self.newest.rewinds:
            self._earlier = EarlierViews()  # The market started again: those prices are of later.
        for feed in self._feeds:
            seen = feed.publisher.published
            self._earlier.drop([p for p in seen if feed.feed.age_s(p, now_s) is not None])
        return self._earlier

    def _books_with(self, earlier: EarlierViews) -> dict[str, CandleBook]:
        """The books; that of an earlier row until its own is loaded."""
        books = self._books()
        loaded = {p for p, book in books.items() if book.known_until_s is not None}
        return books | {p: book for p, book in earlier.books.items() if p not in loaded}

    def _ticker_offsets(self) -> dict[int, int]:
        """Partition of `market.tickers` -> offset after the newest ticker of any venue."""
        found = dict(self._earlier.ticker_offsets) if self._earlier.tickers else {}
        for feed in self._feeds:
            for partition, offset in feed.publisher.next_offsets.items():
                found[partition] = max(found.get(partition, 0), offset)
        return found


def _merged(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    """The entries of all venues; their product ids differ."""
    found: dict[str, T] = {}
    for part in parts:
        found |= part
    return found
